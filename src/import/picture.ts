/** PNG and JPEG files to RGB pixels and back. What a file claims to be is checked before a decoder sees it. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { InputError } from '../core/diagnostics.ts';
import { ceilDiv, sum } from '../core/integers.ts';
import type { Picture } from '../core/picture.ts';
import { lazyPackage } from './lazy-package.ts';
import { isFolder, readBytes } from './read-file.ts';
import { writeFileAtomically } from './write-file.ts';

const jpegPackage = lazyPackage<typeof import('jpeg-js')>('jpeg-js');
const pngPackage = lazyPackage<typeof import('pngjs')>('pngjs');

const MAXIMUM_SIDE = 8192;
/** Of width times height: what the decoders hold for each stays below 512 MiB. */
const MAXIMUM_PIXELS = 2 ** 24;
/** Pixels of a PNG before they become colours of 8 bits; the decoder keeps several copies. */
const MAXIMUM_UNPACKED_BYTES = 2 ** 26;
const MAXIMUM_BYTES = 64 * 1024 * 1024;
/** Every scan of a progressive JPEG walks the whole picture: a file of tiny scans would take hours. */
const MAXIMUM_SCANS = 64;

/**
 * Reads a PNG or JPEG file, told apart by their first bytes. Grey becomes equal red, green and blue; transparency
 * is dropped, 16 bits are scaled to 8; orientation tags are not followed.
 *
 * Throws an `InputError` for files of more than 64 MiB, sides of more than 8192 or more than 2^24 pixels, truncated and damaged ones, and
 * anything that is neither.
 */
export function readPicture(path: string): Picture {
  return decodePicture(readBytes(path, 'a PNG or JPEG picture', MAXIMUM_BYTES), path);
}

/**
 * The pictures a path stands for: itself, or all PNG and JPEG files of the folder, in order of their names.
 *
 * Throws an `InputError` for a folder that cannot be read or has no picture.
 */
export function listPictures(path: string): string[] {
  if (!isFolder(path)) return [path];
  const names = readdirSync(path).filter((name) => /\.(png|jpe?g)$/i.test(name));
  if (names.length === 0) {
    throw new InputError('has no picture, expected a folder with PNG or JPEG files', { file: path });
  }
  return names.sort().map((name) => join(path, name));
}

/** Decodes a PNG or JPEG file's bytes as `readPicture` does; `file` is only for messages. */
export function decodePicture(bytes: Uint8Array, file: string): Picture {
  const decode = startsWith(bytes, PNG_SIGNATURE)
    ? decodePng
    : startsWith(bytes, JPEG_SIGNATURE)
      ? decodeJpeg
      : undefined;
  if (decode === undefined) throw new InputError('is neither PNG nor JPEG, expected a picture', { file });
  try {
    return decode(bytes, file);
  } catch (error) {
    if (error instanceof InputError) throw error;
    // The decoders throw plain errors of every kind; whatever it is, the file is what made them.
    const reason = String(error instanceof Error ? error.message : error).replace(/\s+/g, ' ');
    throw new InputError(`is damaged (${reason}), expected a whole picture`, { file });
  }
}

/** Writes an RGB picture as a PNG file, atomically; throws an `InputError` when the path cannot be written. */
export function writePng(path: string, picture: Picture): void {
  const { width, height, data } = picture;
  const { PNG } = pngPackage();
  const png = new PNG({ width, height });
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    png.data.set([data[from]!, data[from + 1]!, data[from + 2]!, 255], to);
  }
  writeFileAtomically(path, new Uint8Array(PNG.sync.write(png, { colorType: 2 })));
}

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const JPEG_SIGNATURE = [0xff, 0xd8, 0xff];

function startsWith(bytes: Uint8Array, signature: readonly number[]): boolean {
  return signature.every((byte, i) => bytes[i] === byte);
}

function checkSize(width: number, height: number, file: string): void {
  if (width < 1 || height < 1 || width > MAXIMUM_SIDE || height > MAXIMUM_SIDE) {
    throw new InputError(
      `is ${width} x ${height} pixels, expected 1 x 1 to ${MAXIMUM_SIDE} x ${MAXIMUM_SIDE}`,
      { file },
    );
  }
  if (width * height > MAXIMUM_PIXELS) {
    throw new InputError(
      `is ${width} x ${height}, ${width * height} pixels, expected at most ${MAXIMUM_PIXELS} (2^24)`,
      { file },
    );
  }
}

function truncated(file: string): never {
  throw new InputError('is cut off before its end, expected a whole picture', { file });
}

interface PngHeader {
  readonly width: number;
  readonly height: number;
  /** A pixel. */
  readonly bits: number;
  readonly interlaced: boolean;
}

/** Samples a pixel by PNG's colour type. */
const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** First column and row, and the steps between columns and rows, of PNG's seven passes. */
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Bytes of all rows, each with the byte that names its filter. */
function scanlineBytes({ width, height, bits, interlaced }: PngHeader): number {
  const passes = interlaced ? PASSES : ([[0, 0, 1, 1]] as const);
  return sum(
    passes.map(([x, y, dx, dy]) => {
      const columns = ceilDiv(width - x, dx);
      const rows = ceilDiv(height - y, dy);
      return columns < 1 || rows < 1 ? 0 : rows * (1 + ceilDiv(columns * bits, 8));
    }),
  );
}

function decodePng(bytes: Uint8Array, file: string): Picture {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header: PngHeader | undefined;
  const compressed: Uint8Array[] = [];
  let end = 0;
  for (let at = PNG_SIGNATURE.length; end === 0; ) {
    if (at + 12 > bytes.length) truncated(file);
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (at + 12 + length > bytes.length) truncated(file);
    if (header === undefined) {
      if (type !== 'IHDR' || length !== 13) throw new Error('the first chunk is no header');
      header = {
        width: view.getUint32(at + 8),
        height: view.getUint32(at + 12),
        bits: view.getUint8(at + 16) * (SAMPLES[view.getUint8(at + 17)] ?? 4),
        interlaced: view.getUint8(at + 20) !== 0,
      };
      checkSize(header.width, header.height, file);
    } else if (type === 'IHDR') {
      // The decoder would believe the second one.
      throw new Error('there is a second header');
    }
    if (type === 'IDAT') compressed.push(bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
    if (type === 'IEND') end = at;
  }
  // The decoder inflates interlaced pictures without a bound, and takes a short stream for a dark picture, of any size.
  const needed = scanlineBytes(header!);
  if (needed > MAXIMUM_UNPACKED_BYTES) {
    throw new InputError(`unpacks to ${needed} bytes, expected at most ${MAXIMUM_UNPACKED_BYTES} (2^26)`, {
      file,
    });
  }
  const maxOutputLength = needed + 1024;
  if (inflateSync(new Uint8Array(Buffer.concat(compressed)), { maxOutputLength }).length < needed)
    truncated(file);

  // Bytes behind the end are allowed by the format's readers, but not by this one.
  const png = pngPackage().PNG.sync.read(Buffer.from(bytes.subarray(0, end)));
  const data = new Uint8Array(png.width * png.height * 3);
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    data[to] = png.data[from]!;
    data[to + 1] = png.data[from + 1]!;
    data[to + 2] = png.data[from + 2]!;
  }
  return { width: png.width, height: png.height, data };
}

function decodeJpeg(bytes: Uint8Array, file: string): Picture {
  const { end, plainRgb } = walkJpeg(bytes, file);
  const { width, height, data } = jpegPackage().decode(bytes.subarray(0, end), {
    useTArray: true,
    formatAsRGBA: false,
    tolerantDecoding: false,
    maxResolutionInMP: (MAXIMUM_SIDE * MAXIMUM_SIDE) / 1e6,
    maxMemoryUsageInMB: 480,
    ...(plainRgb ? { colorTransform: false } : {}),
  });
  return { width, height, data };
}

/** Checks the frame and finds the end marker: the decoder reads on into nothing when the file is cut off. */
function walkJpeg(bytes: Uint8Array, file: string): { end: number; plainRgb: boolean } {
  const word = (at: number): number =>
    at + 1 < bytes.length ? bytes[at]! * 256 + bytes[at + 1]! : truncated(file);
  let scans = 0;
  let frame = false;
  let plainRgb = false;
  for (let at = 2; ; ) {
    if (at >= bytes.length) truncated(file);
    if (bytes[at] !== 0xff) throw new Error('a marker is missing');
    const marker = word(at) & 0xff;
    at += marker === 0xff ? 1 : 2;
    if (marker === 0xff) continue;
    if (marker === 0xd9) {
      if (!frame || scans === 0) throw new Error('it holds no picture');
      return { end: at, plainRgb };
    }
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) continue;
    const length = word(at);
    if (length < 2) throw new Error('a segment is too short');
    if (at + length > bytes.length) truncated(file);
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      if (frame) throw new Error('it holds two frames');
      if (length < 8) throw new Error('a segment is too short');
      frame = true;
      checkSize(word(at + 5), word(at + 3), file);
      // The decoder allocates every block first; one takes at least a bit of a scan.
      const blocks = jpegBlocks(bytes.subarray(at, at + length), file);
      if (blocks > 8 * bytes.length) truncated(file);
    }
    // Adobe's segment, its last byte: 0 = three components are red, green and blue.
    if (
      marker === 0xee &&
      length >= 14 &&
      String.fromCharCode(...bytes.subarray(at + 2, at + 7)) === 'Adobe'
    ) {
      plainRgb = bytes[at + 13] === 0;
    }
    at += length;
    if (marker === 0xda) {
      if (!frame) throw new Error('a scan without a frame');
      if (++scans > MAXIMUM_SCANS) throw new Error(`more than ${MAXIMUM_SCANS} scans`);
      // Compressed data runs to the next marker that is neither a stuffed zero nor a restart.
      while (at < bytes.length) {
        const next = bytes[at + 1];
        if (bytes[at] === 0xff && next !== 0 && !(next !== undefined && next >= 0xd0 && next <= 0xd7)) break;
        at++;
      }
    }
  }
}

/** Blocks of 8 x 8 values of all components, at least: the sampling factors of some against the largest. */
function jpegBlocks(frame: Uint8Array, file: string): number {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const components = frame[7]!;
  if (frame.length < 8 + 3 * components) truncated(file);
  const factors = Array.from({ length: components }, (_, i) => {
    const both = frame[9 + 3 * i]!;
    return [both >> 4, both & 15] as const;
  });
  const widest = Math.max(1, ...factors.map(([h]) => h));
  const tallest = Math.max(1, ...factors.map(([, v]) => v));
  const columns = ceilDiv(view.getUint16(5), 8 * widest);
  const rows = ceilDiv(view.getUint16(3), 8 * tallest);
  return sum(factors.map(([h, v]) => columns * h * rows * v));
}
