/** Pictures into the integer network, and its tensors back into real numbers. */
import { signedRange } from '../core/fixed-point.ts';
import { clamp } from '../core/integers.ts';
import type { QuantisedTensor } from './quantised.ts';
import { roundHalfEven } from './rounding.ts';

/**
 * A prepared picture as int8 on the tensor's scale: round half to even, saturate at -128 and 127.
 * @param values [channels][rows][columns], finite
 */
export function quantiseInput(values: Float32Array, tensor: Pick<QuantisedTensor, 'scale'>): Int8Array {
  const { low, high } = signedRange(8);
  return Int8Array.from(values, (value) => roundHalfEven(clamp(value / tensor.scale, low, high)));
}

/** int8 values as real numbers: scale * value. */
export function dequantise(values: Int8Array, tensor: Pick<QuantisedTensor, 'scale'>): Float32Array {
  return Float32Array.from(values, (value) => value * tensor.scale);
}
