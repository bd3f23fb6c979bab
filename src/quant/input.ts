/** Pictures and other maps from outside into the integer network, and its tensors back into real numbers. */

import { assert } from '../core/diagnostics.ts';
import { formatRange } from '../core/fixed-point.ts';
import { clamp } from '../core/integers.ts';
import type { IntegerValues } from '../graph/op.ts';
import type { QuantisedNetwork, QuantisedTensor } from './quantised.ts';
import { roundHalfEven } from './rounding.ts';
import { makeValues } from './values.ts';

/** What decides how real numbers and a tensor's integers correspond. */
export type TensorNumbers = Pick<QuantisedTensor, 'scale' | 'zeroPoint' | 'format'>;

/** One real number as the tensor's nearest integer: round half to even, saturate at the format's ends. */
export function quantiseValue(value: number, { scale, zeroPoint, format }: TensorNumbers): number {
  const { low, high } = formatRange(format);
  // Adding zero turns -0 into 0.
  return zeroPoint + roundHalfEven(clamp(value / scale, low - zeroPoint, high - zeroPoint)) + 0;
}

/**
 * A prepared picture (or any tensor) as integers of the tensor.
 * @param values [channels][rows][columns], finite
 */
export function quantiseInput(values: Float32Array, tensor: TensorNumbers): IntegerValues {
  const { scale, zeroPoint, format } = tensor;
  const { low, high } = formatRange(format);
  const result = makeValues(format, values.length);
  for (let i = 0; i < values.length; i++) {
    result[i] = zeroPoint + roundHalfEven(clamp(values[i]! / scale, low - zeroPoint, high - zeroPoint));
  }
  return result;
}

/**
 * Every map that lies in DRAM before the run, by name: the network's input and the external maps.
 * @param input of the input tensor's format
 */
export function givenValues(
  { network, tensors }: QuantisedNetwork,
  input: IntegerValues,
): Map<string, IntegerValues> {
  const values = new Map([[network.graph.input.name, input]]);
  for (const { name, op, attributes } of network.externalMaps) {
    assert(op.machine.stage === 'given', `node ${name} is no external map`);
    values.set(name, quantiseInput(op.machine.values(attributes), tensors.get(name)!));
  }
  return values;
}

/** A tensor's integers as real numbers: scale * (value - zeroPoint). */
export function dequantise(
  values: IntegerValues,
  { scale, zeroPoint }: Pick<QuantisedTensor, 'scale' | 'zeroPoint'>,
): Float32Array {
  return Float32Array.from(values, (value) => (value - zeroPoint) * scale);
}
