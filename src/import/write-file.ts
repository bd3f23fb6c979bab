/** Writing results so that a reader, or a crash, never sees half a file. */
import { mkdirSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../core/diagnostics.ts';
import { systemReason } from './read-file.ts';

/**
 * Writes a file under a temporary name beside it and renames it when it is complete; makes the folder if need be.
 *
 * A symbolic link is written through, and so is what is not a regular file (a terminal, a pipe). Throws an
 * `InputError` with the path when the system refuses; nothing half-written stays behind then.
 */
export function writeFileAtomically(path: string, content: Uint8Array | string): void {
  let temporary: string | undefined;
  try {
    const target = existing(path);
    if (target?.kind === 'folder')
      throw new InputError('is a folder, expected a file to write', { file: path });
    if (target?.kind === 'special') {
      writeFileSync(path, content);
      return;
    }
    const destination = target?.path ?? path;
    mkdirSync(dirname(destination), { recursive: true });
    const candidate = join(
      dirname(destination),
      `.${basename(destination).slice(0, 200)}.${process.pid}.tmp`,
    );
    writeFileSync(candidate, content, { flag: 'wx' });
    temporary = candidate;
    renameSync(temporary, destination);
  } catch (error) {
    if (temporary !== undefined) rmSync(temporary, { force: true });
    if (error instanceof InputError) throw error;
    throw new InputError(`cannot be written (${systemReason(error)}), expected a path that can`, {
      file: path,
    });
  }
}

function existing(path: string): { kind: 'file' | 'folder' | 'special'; path: string } | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'special';
  return { kind, path: realpathSync(path) };
}
