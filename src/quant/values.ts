/** Typed arrays for quantised values. */
import { containerBytes, type IntegerFormat } from '../core/fixed-point.ts';
import type { IntegerMap, IntegerValues } from '../graph/op.ts';
import type { NumberOptions, QuantisedTensor } from './quantised.ts';

/** `length` zeros in the smallest container of the format. */
export function makeValues({ bits, signed }: IntegerFormat, length: number): IntegerValues {
  if (containerBytes(bits) === 1) return signed ? new Int8Array(length) : new Uint8Array(length);
  return signed ? new Int16Array(length) : new Uint16Array(length);
}

/** `length` zeros in the container of weights of this many bits. */
export function makeWeights(bits: number, length: number): Int8Array | Int16Array {
  return containerBytes(bits) === 1 ? new Int8Array(length) : new Int16Array(length);
}

/** A tensor's integers as operators' integer rules read them. */
export function integerMap(
  { shape, zeroPoint }: QuantisedTensor,
  data: IntegerValues,
  { rounding }: Pick<NumberOptions, 'rounding'>,
): IntegerMap {
  return { shape, data, zeroPoint, rounding };
}
