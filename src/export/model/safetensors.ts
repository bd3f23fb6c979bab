/** safetensors: tensors by name, in the order given, each where its elements are aligned. */
import { InputError } from '../../core/diagnostics.ts';
import { product } from '../../core/integers.ts';
import { METADATA_NAME } from '../../import/safetensors/read.ts';

/** Values in C-order and their shape. */
export interface TensorToWrite {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array | Float64Array | Int8Array | Int16Array | Int32Array;
}

const TYPES = new Map<unknown, string>([
  [Float64Array, 'F64'],
  [Float32Array, 'F32'],
  [Int32Array, 'I32'],
  [Int16Array, 'I16'],
  [Int8Array, 'I8'],
]);

/** JSON maps with such a key have it twice, or mean something else by it. */
const REFUSED = new Set([METADATA_NAME, '__proto__']);

/**
 * The pieces of a safetensors file, one after the other. Wide elements come first, so that all are aligned without gaps; the
 * header is padded with blanks to a multiple of 8 bytes. The same tensors make the same bytes.
 * @throws InputError for names that the format cannot hold
 */
export function safetensorsPieces(tensors: readonly TensorToWrite[]): Uint8Array[] {
  const placed = tensors.toSorted((a, b) => b.values.BYTES_PER_ELEMENT - a.values.BYTES_PER_ELEMENT);
  let at = 0;
  const entries = placed.map(({ name, shape, values }) => {
    if (REFUSED.has(name)) throw new InputError(`weights ${name}: a name that a weight file cannot hold`);
    if (product(shape) !== values.length) {
      throw new InputError(`weights ${name}: ${values.length} values, expected ${product(shape)}`);
    }
    const begin = at;
    at += values.byteLength;
    const entry = { dtype: TYPES.get(values.constructor), shape, data_offsets: [begin, at] };
    return `${JSON.stringify(name)}:${JSON.stringify(entry)}`;
  });
  const text = new TextEncoder().encode(`{${entries.join(',')}}`);
  const header = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(0x20);
  header.set(text);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
  return [length, header, ...placed.map(({ values }) => littleEndianBytes(values))];
}

const hostIsLittle = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function littleEndianBytes({
  buffer,
  byteOffset,
  byteLength,
  BYTES_PER_ELEMENT: size,
}: TensorToWrite['values']): Uint8Array {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  if (hostIsLittle || size === 1) return bytes;
  const swapped = bytes.slice();
  for (let i = 0; i < swapped.length; i += size) swapped.subarray(i, i + size).reverse();
  return swapped;
}
