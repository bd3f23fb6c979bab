/** Reading what a user points at: regular files of a bounded size, and one line when that is not what it is. */
import { readFileSync, statSync } from 'node:fs';
import { InputError } from '../core/diagnostics.ts';

/** Says in words why the system refused a file. */
export function systemReason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return (code !== undefined && REASONS[code]) || code || String(error).split('\n', 1)[0]!;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  ENOTDIR: 'a part of its path is a file, not a folder',
  EISDIR: 'it is a folder',
  EACCES: 'no permission',
  EPERM: 'no permission',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'its links go in a circle',
  EMFILE: 'too many files are open',
  ERR_INVALID_ARG_VALUE: 'the name holds a null character',
};

/** Size in bytes of a regular file; `what` ("a model file") says what was expected. Throws an `InputError`. */
export function fileSize(path: string, what: string): number {
  let stats: ReturnType<typeof statSync>;
  try {
    stats = statSync(path);
  } catch (error) {
    throw new InputError(`cannot be read (${systemReason(error)}), expected ${what}`, { file: path });
  }
  // A pipe or a device could make us wait for ever.
  if (!stats.isFile()) {
    throw new InputError(`is ${stats.isDirectory() ? 'a folder' : 'not a regular file'}, expected ${what}`, {
      file: path,
    });
  }
  return stats.size;
}

const POOLED_BYTES = 2 ** 16;

/** The bytes of a regular file of at most `maximumBytes`; throws an `InputError` otherwise. */
export function readBytes(path: string, what: string, maximumBytes: number): Uint8Array {
  const size = fileSize(path, what);
  if (size > maximumBytes) {
    throw new InputError(`has ${size} bytes, expected at most ${maximumBytes}`, { file: path });
  }
  try {
    const bytes = readFileSync(path);
    // Small files share a pool of the system's; large ones have their memory to themselves, no need to copy them.
    if (bytes.length < POOLED_BYTES) return new Uint8Array(bytes);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  } catch (error) {
    throw new InputError(`cannot be read (${systemReason(error)}), expected ${what}`, { file: path });
  }
}

/** The text of a regular UTF-8 file of at most 4 MiB; throws an `InputError` otherwise. */
export function readText(path: string, what: string): string {
  const bytes = readBytes(path, what, 4 * 1024 * 1024);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InputError(`is not UTF-8 text, expected ${what}`, { file: path });
  }
}

/** Whether a path names a folder; false if there is nothing, so that reading it says what is wrong. */
export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
