/**
 * Darknet's `.weights`: a header and float32 values, little endian, layer after layer without names or shapes.
 *
 * The header is three int32 (major, minor, revision) and the number of pictures seen in training: 32 bits before version
 * 0.2, 64 from then on.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { InputError } from '../../core/diagnostics.ts';
import { fileSize, readBytes } from '../read-file.ts';

const WHAT = 'Darknet weights';

/** A place in a weight file, settled before the file is opened. */
export interface WeightBlock {
  readonly title: string;
  /** In values, from the end of the header. */
  readonly start: number;
  readonly length: number;
}

/** What a network takes from its weight file, in the file's order. */
export class WeightPlan {
  #length = 0;

  /** Values in all, so far. */
  get length(): number {
    return this.#length;
  }

  take(title: string, length: number): WeightBlock {
    const start = this.#length;
    this.#length += length;
    return { title, start, length };
  }
}

/** An opened weight file of the right size. */
export class DarknetWeights {
  readonly #view: DataView;
  readonly #file: string;

  /**
   * @param values that the network needs
   * @throws InputError for files of another size or of an unknown version
   */
  constructor(path: string, values: number) {
    this.#file = path;
    const size = fileSize(path, WHAT);
    if (size < 16) {
      throw new InputError(
        `holds ${size} bytes, expected a header of 16 or 20 and ${values} values of 4 bytes`,
        {
          file: path,
        },
      );
    }
    const headerBytes = headerSize(firstBytes(path, 12), path);
    const expected = headerBytes + 4 * values;
    if (size !== expected) {
      throw new InputError(
        `holds ${size} bytes, expected ${expected}: a header of ${headerBytes} and ${values} values of 4 bytes, as the .cfg needs them`,
        { file: path },
      );
    }
    const bytes = readBytes(path, WHAT, expected);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset + headerBytes, 4 * values);
  }

  /**
   * A block's values, the one for place i from `source(i)` of the block.
   * @throws InputError for values that are not finite
   */
  read(block: WeightBlock, source: (index: number) => number = (index) => index): Float32Array {
    const values = new Float32Array(block.length);
    for (let i = 0; i < values.length; i++) {
      values[i] = this.#view.getFloat32(4 * (block.start + source(i)), true);
    }
    const wrong = values.find((value) => !Number.isFinite(value));
    if (wrong !== undefined) {
      throw new InputError(`${block.title} hold ${wrong}, expected finite numbers`, { file: this.#file });
    }
    return values;
  }
}

function firstBytes(path: string, count: number): DataView {
  const bytes = new Uint8Array(count);
  const descriptor = openSync(path, 'r');
  try {
    readSync(descriptor, bytes, 0, count, 0);
  } finally {
    closeSync(descriptor);
  }
  return new DataView(bytes.buffer);
}

function headerSize(view: DataView, file: string): number {
  const [major, minor] = [view.getInt32(0, true), view.getInt32(4, true)];
  // Darknet marks transposed weights by a large version; nothing writes them any more.
  if (major < 0 || minor < 0 || major > 1000 || minor > 1000) {
    throw new InputError(
      `has version ${major}.${minor} in its header, expected Darknet weights of 0.1 or 0.2`,
      {
        file,
      },
    );
  }
  return major * 10 + minor >= 2 ? 20 : 16;
}
