/** Writing results so that a reader, or a crash, never sees half a file. */
import {
  closeSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../core/diagnostics.ts';
import { systemReason } from './read-file.ts';

/**
 * A file that is written piece by piece under a temporary name beside it, and renamed when it is complete; its folder is
 * made if need be. Every one ends with `commit` or `discard`, or its temporary file stays behind.
 *
 * A symbolic link is written through, and so is what is not a regular file (a terminal, a pipe). Methods throw an
 * `InputError` with the path when the system refuses; nothing half-written stays behind then.
 */
export class AtomicFile {
  private descriptor = -1;
  private destination: string;
  /** Undefined for what is not a regular file. */
  private temporary: string | undefined;

  constructor(private readonly path: string) {
    this.destination = path;
    this.attempt(() => {
      const target = existing(path);
      if (target?.kind === 'folder') {
        throw new InputError('is a folder, expected a file to write', { file: path });
      }
      if (target?.kind === 'special') {
        this.descriptor = openSync(path, 'w');
        return;
      }
      this.destination = target?.path ?? path;
      const folder = dirname(this.destination);
      mkdirSync(folder, { recursive: true });
      const temporary = join(folder, `.${basename(this.destination).slice(0, 200)}.${process.pid}.tmp`);
      this.descriptor = openSync(temporary, 'wx');
      this.temporary = temporary;
    });
  }

  write(content: Uint8Array | string): void {
    // To a descriptor it appends.
    this.attempt(() => writeFileSync(this.descriptor, content));
  }

  /** Gives the file its name. */
  commit(): void {
    this.attempt(() => {
      this.close();
      if (this.temporary !== undefined) renameSync(this.temporary, this.destination);
      this.temporary = undefined;
    });
  }

  /** Leaves what was there before. Harmless after `commit`. */
  discard(): void {
    this.close();
    if (this.temporary !== undefined) rmSync(this.temporary, { force: true });
    this.temporary = undefined;
  }

  private close(): void {
    const { descriptor } = this;
    this.descriptor = -1;
    if (descriptor >= 0) closeSync(descriptor);
  }

  private attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.discard();
      if (error instanceof InputError) throw error;
      throw new InputError(`cannot be written (${systemReason(error)}), expected a path that can`, {
        file: this.path,
      });
    }
  }
}

/** Writes a whole file as `AtomicFile` does. */
export function writeFileAtomically(path: string, content: Uint8Array | string): void {
  const file = new AtomicFile(path);
  file.write(content);
  file.commit();
}

/** Writes files that belong together, each as `AtomicFile` does: none is named before all are written. */
export function writeFilesAtomically(
  files: readonly { readonly path: string; readonly pieces: readonly (Uint8Array | string)[] }[],
): void {
  const open: AtomicFile[] = [];
  try {
    for (const { path, pieces } of files) {
      const file = new AtomicFile(path);
      open.push(file);
      for (const piece of pieces) file.write(piece);
    }
    for (const file of open) file.commit();
  } catch (error) {
    for (const file of open) file.discard();
    throw error;
  }
}

function existing(path: string): { kind: 'file' | 'folder' | 'special'; path: string } | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'special';
  return { kind, path: realpathSync(path) };
}
