/**
 * safetensors: a length in 8 bytes (little endian), a JSON header of that length, and the tensors' raw bytes.
 *
 * The header is a map from names to `{ dtype, shape, data_offsets: [begin, end] }`, offsets counted from behind it; the
 * tensors cover the rest of the file without gaps or overlaps. `__metadata__` is a map from text to text.
 */
import { z } from 'zod';
import { parseJson } from '../../config/json.ts';
import { quote } from '../../config/source.ts';
import { InputError } from '../../core/diagnostics.ts';
import { bfloatToNumber, halfToNumber } from '../../core/half-float.ts';
import { product } from '../../core/integers.ts';
import { MAXIMUM_ELEMENTS } from '../../graph/shape.ts';
import type { NamedTensors } from '../parameters.ts';
import { readBytes } from '../read-file.ts';

const MAXIMUM_BYTES = 2 ** 31;
const MAXIMUM_HEADER_BYTES = 4 * 1024 * 1024;
const LENGTH_BYTES = 8;
/** Text to text; no tensor has this name. */
export const METADATA_NAME = '__metadata__';

type Numbers = Float32Array | Float64Array | Int8Array | Uint8Array | Int16Array | Int32Array;

interface Storage {
  readonly bytes: number;
  /** The array whose elements the file holds as they are; absent = converted to float32. */
  readonly array?: new (
    buffer: ArrayBuffer,
    offset: number,
    length: number,
  ) => Numbers;
  read(view: DataView, at: number): number;
}

/** Element types that are read, by the format's own names. */
const STORAGE: Readonly<Record<string, Storage>> = {
  F64: { bytes: 8, array: Float64Array, read: (view, at) => view.getFloat64(at, true) },
  F32: { bytes: 4, array: Float32Array, read: (view, at) => view.getFloat32(at, true) },
  F16: { bytes: 2, read: (view, at) => halfToNumber(view.getUint16(at, true)) },
  BF16: { bytes: 2, read: (view, at) => bfloatToNumber(view.getUint16(at, true)) },
  I32: { bytes: 4, array: Int32Array, read: (view, at) => view.getInt32(at, true) },
  I16: { bytes: 2, array: Int16Array, read: (view, at) => view.getInt16(at, true) },
  I8: { bytes: 1, array: Int8Array, read: (view, at) => view.getInt8(at) },
  U8: { bytes: 1, array: Uint8Array, read: (view, at) => view.getUint8(at) },
};
const SUPPORTED = Object.keys(STORAGE) as [string, ...string[]];

/** Types of real numbers: what weights are. */
const REAL: readonly string[] = ['F64', 'F32', 'F16', 'BF16'];

const offset = z.int().min(0).max(MAXIMUM_BYTES);
const entrySchema = z.strictObject({
  dtype: z.enum(SUPPORTED),
  shape: z.array(z.int().min(0).max(MAXIMUM_ELEMENTS)).max(8),
  data_offsets: z.tuple([offset, offset]),
});
const metadataSchema = z.record(z.string(), z.string());
const headerSchema = z.looseObject({ [METADATA_NAME]: metadataSchema.optional() }).catchall(entrySchema);

/** A tensor in a file; its values are looked at when they are asked for. */
export interface StoredTensor {
  /** As the format calls it: F32, I8 and so on. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /**
   * Values in C-order: a view of the file's bytes where they lie as the host has them, else a copy; F16 and BF16 as
   * float32. @throws InputError for values that are not finite
   */
  values(): Numbers;
}

/** Reads a safetensors file. @throws InputError for what is none */
export function readSafetensorsFile(path: string): ReadonlyMap<string, StoredTensor> {
  return readSafetensors(readBytes(path, 'a safetensors file', MAXIMUM_BYTES), path);
}

/**
 * Reads a safetensors file's bytes, which stay in use. `file` is only for messages.
 * @throws InputError for headers that are cut off, malformed or beyond 4 MiB, for element types other than those above,
 *   for shapes that disagree with the offsets, and for tensors that overlap or leave gaps
 */
export function readSafetensors(bytes: Uint8Array, file: string): ReadonlyMap<string, StoredTensor> {
  const { text, start } = headerOf(bytes, file);
  const { value: header, positionOf } = parseJson(text, file, headerSchema);
  const held = bytes.length - start;
  const entries = Object.entries(header).filter(([name]) => name !== METADATA_NAME) as [
    string,
    z.output<typeof entrySchema>,
  ][];
  for (const [
    name,
    {
      dtype,
      shape,
      data_offsets: [begin, end],
    },
  ] of entries) {
    const elements = product(shape);
    const needed = elements * STORAGE[dtype]!.bytes;
    if (elements > MAXIMUM_ELEMENTS || end - begin !== needed) {
      const message = `${quote(name)}: ${dtype} [${shape.join(', ')}] takes ${needed} bytes, its offsets hold ${end - begin}`;
      throw new InputError(
        elements > MAXIMUM_ELEMENTS
          ? `${quote(name)}: ${elements} elements, expected at most ${MAXIMUM_ELEMENTS}`
          : message,
        positionOf([name]),
      );
    }
    if (end > held) {
      throw new InputError(
        `${quote(name)}: ends at byte ${end} of the data, expected at most ${held}, which the file has`,
        positionOf([name]),
      );
    }
  }
  const byPlace = entries.toSorted(
    ([, { data_offsets: a }], [, { data_offsets: b }]) => a[0] - b[0] || a[1] - b[1],
  );
  let at = 0;
  for (const [
    name,
    {
      data_offsets: [begin, end],
    },
  ] of byPlace) {
    if (begin !== at) {
      const message = `${quote(name)}: starts at byte ${begin} of the data, expected ${at}, where the tensor before ends`;
      throw new InputError(message, positionOf([name]));
    }
    at = end;
  }
  if (at !== held) {
    throw new InputError(`holds ${held} bytes of data, expected the ${at} of its tensors`, { file });
  }
  return new Map(
    entries.map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [begin],
        },
      ]) => [
        name,
        { dtype, shape, values: () => valuesOf(bytes, start + begin, name, dtype, product(shape), file) },
      ],
    ),
  );
}

/** The tensors of real numbers as weights, float32; others are refused. */
export function realTensors(tensors: ReadonlyMap<string, StoredTensor>, file: string): NamedTensors {
  return new Map(
    [...tensors].map(([name, tensor]) => {
      if (!REAL.includes(tensor.dtype)) {
        throw new InputError(`${quote(name)} is ${tensor.dtype}, expected one of ${REAL.join(', ')}`, {
          file,
        });
      }
      return [name, { shape: tensor.shape, values: float32(tensor.values(), name, file) }];
    }),
  );
}

/** Values as float32; themselves where they are. @throws InputError for those that float32 cannot hold */
export function float32(values: Numbers, name: string, file: string): Float32Array {
  if (values instanceof Float32Array) return values;
  const result = Float32Array.from(values);
  checkFinite(result, name, file);
  return result;
}

function headerOf(bytes: Uint8Array, file: string): { text: string; start: number } {
  if (bytes.length < LENGTH_BYTES) {
    throw new InputError(`byte 0: has ${bytes.length} bytes, expected the header's length in 8`, { file });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length < 2 || length > MAXIMUM_HEADER_BYTES) {
    throw new InputError(
      `byte 0: a header of ${length} bytes, expected a safetensors file's of 2 to ${MAXIMUM_HEADER_BYTES}`,
      { file },
    );
  }
  const start = LENGTH_BYTES + length;
  if (start > bytes.length) {
    throw new InputError(
      `byte 8: a header of ${length} bytes is cut off after ${bytes.length - LENGTH_BYTES}`,
      {
        file,
      },
    );
  }
  if (bytes[LENGTH_BYTES] !== 0x7b) {
    throw new InputError(`byte 8: expected '{', the start of a safetensors file's header`, { file });
  }
  try {
    return {
      text: new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(LENGTH_BYTES, start)),
      start,
    };
  } catch {
    throw new InputError('byte 8: the header is not UTF-8 text, expected JSON', { file });
  }
}

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function valuesOf(
  bytes: Uint8Array,
  at: number,
  name: string,
  dtype: string,
  elements: number,
  file: string,
): Numbers {
  const { bytes: size, array: View, read } = STORAGE[dtype]!;
  const from = bytes.byteOffset + at;
  const viewed = View !== undefined && (littleEndian || size === 1) && from % size === 0;
  let values: Numbers;
  if (viewed) {
    values = new View(bytes.buffer as ArrayBuffer, from, elements);
  } else {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    values =
      View === undefined
        ? new Float32Array(elements)
        : new View(new ArrayBuffer(elements * size), 0, elements);
    for (let i = 0; i < elements; i++) values[i] = read(view, at + i * size);
  }
  checkFinite(values, name, file);
  return values;
}

function checkFinite(values: Numbers, name: string, file: string): void {
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue;
    throw new InputError(`element ${i} of ${quote(name)} is ${values[i]}, expected finite numbers`, { file });
  }
}
