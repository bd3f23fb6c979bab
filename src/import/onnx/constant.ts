/** Tensors whose values stand in the file: initialisers, Constant nodes, and what is computed from them. */
import { InputError } from '../../core/diagnostics.ts';
import { bfloatToNumber, halfToNumber } from '../../core/half-float.ts';
import { product } from '../../core/integers.ts';
import { formatShape, MAXIMUM_ELEMENTS } from '../../graph/shape.ts';
import { type DataType, dataTypes, EXTERNAL, type TensorProto } from './schema.ts';

/** Most dimensions of a tensor. */
const MAXIMUM_RANK = 8;

/** Integers of a tensor and what they stand for: real = scale * (integer - zero point), both along `axis`. */
export interface Dequantisation {
  readonly integers: Constant;
  /** One, or one an index of `axis`. */
  readonly scales: readonly number[];
  /** One, or one an index of `axis`. */
  readonly zeroPoints: readonly number[];
  readonly axis: number;
}

export interface Constant {
  readonly kind: 'constant';
  readonly dims: readonly number[];
  readonly type: DataType;
  /** Element by index in C-order; makes nothing until it is called. */
  reader(): (index: number) => number;
  /** The values are integers times a scale. */
  readonly dequantisation?: Dequantisation;
  /** How many readers this one reads through; bounded, as each is a call within a call. */
  readonly depth?: number;
}

const MAXIMUM_DEPTH = 16;

/** The depth of a constant whose reader calls another's. */
export function depthAbove({ depth = 0 }: Constant): number {
  if (depth >= MAXIMUM_DEPTH) {
    throw new InputError(`comes behind ${MAXIMUM_DEPTH} operators on constants, expected fewer`);
  }
  return depth + 1;
}

interface Storage {
  readonly bytes: number;
  read(view: DataView, offset: number): number;
}

const storages: Readonly<Record<Exclude<DataType, 'int4' | 'uint4'>, Storage>> = {
  float32: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  float64: { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
  float16: { bytes: 2, read: (view, at) => halfToNumber(view.getUint16(at, true)) },
  bfloat16: { bytes: 2, read: (view, at) => bfloatToNumber(view.getUint16(at, true)) },
  uint8: { bytes: 1, read: (view, at) => view.getUint8(at) },
  int8: { bytes: 1, read: (view, at) => view.getInt8(at) },
  uint16: { bytes: 2, read: (view, at) => view.getUint16(at, true) },
  int16: { bytes: 2, read: (view, at) => view.getInt16(at, true) },
  int32: { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  uint32: { bytes: 4, read: (view, at) => view.getUint32(at, true) },
  int64: { bytes: 8, read: (view, at) => view.getInt32(at + 4, true) * 2 ** 32 + view.getUint32(at, true) },
  uint64: { bytes: 8, read: (view, at) => view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true) },
  bool: { bytes: 1, read: (view, at) => (view.getUint8(at) === 0 ? 0 : 1) },
};

export function dataTypeName(code: number | undefined): DataType | undefined {
  return (Object.keys(dataTypes) as DataType[]).find((name) => dataTypes[name] === code);
}

/** Whether values of this type are real numbers. */
export function isReal(type: DataType): boolean {
  return /float/.test(type);
}

/** A constant of numbers at hand. */
export function makeConstant(dims: readonly number[], type: DataType, values: ArrayLike<number>): Constant {
  return { kind: 'constant', dims, type, reader: () => (index) => values[index]! };
}

/** The values as a list; for what is small. */
export function valuesOf(constant: Constant): number[] {
  const read = constant.reader();
  return Array.from({ length: product(constant.dims) }, (_, index) => read(index));
}

/** Checks dimensions: whole, not negative, few, their product bounded; overflowing products are too large as well. */
export function checkDims(what: string, dims: readonly number[]): void {
  const shown = formatShape(dims.slice(0, MAXIMUM_RANK + 1));
  if (dims.length > MAXIMUM_RANK) {
    throw new InputError(`${what} has ${dims.length} dimensions, expected at most ${MAXIMUM_RANK}`);
  }
  if (dims.some((size) => !Number.isSafeInteger(size) || size < 0)) {
    throw new InputError(`${what} is ${shown}, expected whole numbers of at least 0`);
  }
  const elements = product(dims);
  // Sizes of zero must not hide others that are absurd.
  if (!(elements <= MAXIMUM_ELEMENTS) || dims.some((size) => size > MAXIMUM_ELEMENTS)) {
    throw new InputError(
      `${what} (${shown}) has ${elements} elements, expected at most ${MAXIMUM_ELEMENTS} (2^28)`,
    );
  }
}

/** Hands out a region of a file beside the model. */
export type ExternalData = (location: string, offset: number, length: number) => () => Uint8Array;

/**
 * A tensor of the file. What it claims is checked here, its values are read when they are asked for.
 * @throws InputError without position for types that are not read, bad dimensions, and data of another size
 */
export function readTensor(tensor: TensorProto, external: ExternalData): Constant {
  const what = `tensor '${tensor.name ?? ''}'`;
  const type = dataTypeName(tensor.data_type);
  if (type === undefined) {
    throw new InputError(
      `${what} has element type ${tensor.data_type ?? 'none'}, expected one of ${Object.keys(dataTypes).join(', ')}`,
    );
  }
  checkDims(what, tensor.dims);
  const elements = product(tensor.dims);
  const halves = type === 'int4' || type === 'uint4';
  const length = halves ? Math.ceil(elements / 2) : elements * storages[type].bytes;
  const bytes = dataOf(tensor, what, type, elements, length, external);
  return {
    kind: 'constant',
    dims: tensor.dims,
    type,
    reader() {
      const data = bytes();
      const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
      if (halves) {
        return (index) => {
          const nibble = (view.getUint8(index >> 1) >> (4 * (index & 1))) & 15;
          return type === 'int4' && nibble > 7 ? nibble - 16 : nibble;
        };
      }
      const { bytes: size, read } = storages[type];
      return (index) => read(view, index * size);
    },
  };
}

function dataOf(
  tensor: TensorProto,
  what: string,
  type: DataType,
  elements: number,
  length: number,
  external: ExternalData,
): () => Uint8Array {
  const holds = (bytes: number): InputError =>
    new InputError(
      `${what} (${formatShape(tensor.dims)} ${type}) holds ${bytes} bytes of data, expected ${length}`,
    );
  if (tensor.data_location === EXTERNAL) {
    const entry = (key: string) => tensor.external_data.find((one) => one.key === key)?.value;
    const number = (key: string): number | undefined => {
      const text = entry(key);
      if (text === undefined) return undefined;
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (Number.isNaN(value)) {
        throw new InputError(`${what}: external data's ${key} is no number of bytes, expected 0 or more`);
      }
      return value;
    };
    const given = number('length') ?? length;
    if (given !== length) throw holds(given);
    return external(entry('location') ?? '', number('offset') ?? 0, length);
  }
  const raw = tensor.raw_data;
  if (raw !== undefined) {
    if (raw.length !== length) throw holds(raw.length);
    return () => raw;
  }
  if (elements === 0) return () => new Uint8Array(0);
  if (type === 'float32' || type === 'float64') {
    const data = joined(type === 'float32' ? tensor.float_data : tensor.double_data);
    if (data.length !== length) throw holds(data.length);
    return () => data;
  }
  const wide = type === 'int64' ? tensor.int64_data : undefined;
  const packed = joined(wide ?? (/^uint(32|64)$/.test(type) ? tensor.uint64_data : tensor.int32_data));
  const count = packed.reduce((total, byte) => total + (byte < 128 ? 1 : 0), 0);
  const words = type === 'int4' || type === 'uint4' ? length : elements;
  if (count !== words || (packed.at(-1) ?? 0) >= 128) {
    throw new InputError(
      `${what} (${formatShape(tensor.dims)} ${type}) holds ${count} numbers, expected ${words}`,
    );
  }
  return () => unpack(packed, length / words, words);
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return chunks.length === 1 ? chunks[0]! : new Uint8Array(Buffer.concat(chunks));
}

/** Variable-length numbers as little-endian ones of `size` bytes. */
function unpack(packed: Uint8Array, size: number, count: number): Uint8Array {
  const result = new Uint8Array(size * count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    // Seven bits a byte, lowest first; bits beyond the size fall off.
    let held = 0;
    let bits = 0;
    let out = 0;
    for (;;) {
      const byte = packed[at++]!;
      held |= (byte & 127) << bits;
      bits += 7;
      while (bits >= 8) {
        if (out < size) result[i * size + out++] = held & 255;
        held >>>= 8;
        bits -= 8;
      }
      if (byte < 128) break;
    }
    if (out < size) result[i * size + out] = held & 255;
  }
  return result;
}
