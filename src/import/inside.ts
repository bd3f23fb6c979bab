/** Files that a file names beside itself: they stay in its folder, whatever it says. */
import { closeSync, openSync, readSync, realpathSync } from 'node:fs';
import { join, relative, win32 } from 'node:path';
import { InputError } from '../core/diagnostics.ts';
import { systemReason } from './read-file.ts';

/** Whether a relative path names something in (or below) its folder, on any system; links are not looked at. */
export function staysInside(location: string): boolean {
  return (
    location !== '' &&
    !win32.isAbsolute(location) &&
    !/^[A-Za-z]:|\0/.test(location) &&
    !location.split(/[\\/]/).includes('..')
  );
}

/**
 * The path of a file in (or below) a folder. A location, or a link, that leads out of it is refused before it is opened.
 * @param what names the location in messages ("external data 'w.bin'"), @param expected what it should have been
 * @throws InputError without position
 */
export function pathInside(folder: string, location: string, what: string, expected: string): string {
  const outside = (why: string): InputError => new InputError(`${what} ${why}, expected ${expected}`);
  if (location === '') throw outside('has no location');
  if (!staysInside(location)) throw outside('leads out of the folder');
  const path = join(folder, location);
  let real: string;
  try {
    real = relative(realpathSync(folder), realpathSync(path));
  } catch (error) {
    throw outside(`cannot be read (${systemReason(error)})`);
  }
  if (real.split(/[\\/]/)[0] === '..' || win32.isAbsolute(real)) {
    throw outside('is a link that leads out of the folder');
  }
  return path;
}

/** `length` bytes of a file from `offset` on. @throws InputError with the path when they are not there */
export function readRegion(path: string, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    let done = 0;
    while (done < length) {
      const got = readSync(file, bytes, done, length - done, offset + done);
      if (got === 0)
        throw new InputError('is shorter than it was, expected a file that stays', { file: path });
      done += got;
    }
    return bytes;
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`cannot be read (${systemReason(error)})`, { file: path });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
