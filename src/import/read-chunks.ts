/** Reading large files piece by piece, unpacked if they are gzip: memory does not grow with the file. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { InputError } from '../core/diagnostics.ts';
import { fileSize, systemReason } from './read-file.ts';

const chunkBytes = 256 * 1024;

/**
 * The bytes of a regular file, or what a gzip file unpacks to; its first two bytes tell which. A piece is valid until
 * the next one is asked for.
 *
 * Throws an `InputError` when the file cannot be read (`what`, as "a trace", says what was expected) and when gzip
 * data are cut off or damaged; pieces before the damage may have been given out by then.
 */
export async function* readChunks(path: string, what: string): AsyncGenerator<Uint8Array, void> {
  // Says what is wrong with folders, devices and names of nothing.
  fileSize(path, what);
  try {
    yield* (await isGzip(path)) ? unpackedChunks(path) : plainChunks(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'Z_BUF_ERROR')
      throw new InputError('is cut off, expected a whole gzip file', { file: path });
    if (code?.startsWith('Z_')) {
      throw new InputError(`is damaged gzip (${message}), expected a whole gzip file`, { file: path });
    }
    if (code === undefined || error instanceof InputError) throw error;
    throw new InputError(`cannot be read (${systemReason(error)}), expected ${what}`, { file: path });
  }
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}

async function* plainChunks(path: string): AsyncGenerator<Uint8Array, void> {
  const file = await open(path);
  try {
    const buffer = new Uint8Array(chunkBytes);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, chunkBytes, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function* unpackedChunks(path: string): AsyncGenerator<Uint8Array, void> {
  const unpacked = createGunzip({ chunkSize: chunkBytes });
  // An error of the file ends `unpacked` with the same error, where the loop below meets it.
  pipeline(createReadStream(path, { highWaterMark: chunkBytes }), unpacked, () => {});
  for await (const chunk of unpacked) yield chunk as Uint8Array;
}
