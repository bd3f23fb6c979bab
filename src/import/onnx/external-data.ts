/** Values of tensors that lie in files beside the model. */
import { closeSync, openSync, readSync, realpathSync } from 'node:fs';
import { join, relative, win32 } from 'node:path';
import { quote } from '../../config/source.ts';
import { InputError } from '../../core/diagnostics.ts';
import { fileSize, systemReason } from '../read-file.ts';
import type { ExternalData } from './constant.ts';

/**
 * Reads from files in (or below) a folder; a path, or a link, that leads out of it is refused before it is opened.
 */
export function externalDataIn(folder: string): ExternalData {
  return (location, offset, length) => {
    const path = pathInside(folder, location);
    const size = fileSize(path, 'external data of an ONNX model');
    if (offset + length > size) {
      throw new InputError(
        `external data ${quote(location)} has ${size} bytes, expected ${length} from byte ${offset} on`,
      );
    }
    return () => readRegion(path, offset, length);
  };
}

/** Refuses all external data: for models that do not come from a folder. */
export const noExternalData: ExternalData = (location) => {
  throw new InputError(`keeps values in ${quote(location)}, expected a model that holds its values`);
};

function pathInside(folder: string, location: string): string {
  const outside = (why: string): InputError =>
    new InputError(`external data ${quote(location)} ${why}, expected a file in the model's folder`);
  if (location === '') throw outside('has no location');
  if (
    win32.isAbsolute(location) ||
    /^[A-Za-z]:|\0/.test(location) ||
    location.split(/[\\/]/).includes('..')
  ) {
    throw outside('leads out of the folder');
  }
  const path = join(folder, location);
  let real: string;
  try {
    real = relative(realpathSync(folder), realpathSync(path));
  } catch (error) {
    throw new InputError(
      `external data ${quote(location)} cannot be read (${systemReason(error)}), expected a file beside the model`,
    );
  }
  if (real.startsWith('..') || win32.isAbsolute(real))
    throw outside('is a link that leads out of the folder');
  return path;
}

function readRegion(path: string, offset: number, length: number): Uint8Array {
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
