/**
 * Runs the quantised network from the definitions: operators' integer rules and the requantiser of `core`. Slow on
 * purpose and sharing nothing with the kernels: it is what they are compared with.
 */
import { assert, InputError } from '../core/diagnostics.ts';
import { accumulate, type OverflowCount, requantise } from '../core/fixed-point.ts';
import { product } from '../core/integers.ts';
import type { IntegerMap, IntegerValues } from '../graph/op.ts';
import { givenValues } from './input.ts';
import type { NumberOptions, QuantisedLayer, QuantisedNetwork, QuantisedTensor } from './quantised.ts';
import { integerMap, makeValues } from './values.ts';

/** Every layer's output by tensor name, [channels][rows][columns], and how many additions overflowed. */
export interface IntegerRun {
  readonly tensors: Map<string, IntegerValues>;
  readonly overflows: number;
}

/**
 * @param input of the input tensor's format, [channels][rows][columns]
 * @throws InputError when the input has the wrong size
 */
export function runInteger(quantised: QuantisedNetwork, input: IntegerValues): IntegerRun {
  const { numbers, tensors } = quantised;
  const { graph } = quantised.network;
  const expected = product(graph.input.shape);
  if (input.length !== expected) {
    throw new InputError(
      `input ${graph.input.name}: ${input.length} values, expected ${expected} (${graph.input.shape.join(' x ')})`,
    );
  }
  const outputs = new Map<string, IntegerValues>();
  const given = givenValues(quantised, input);
  const overflows = { count: 0 };
  for (const one of quantised.layers) {
    const inputs = one.layer.inputs.map((name) =>
      integerMap(tensors.get(name)!, outputs.get(name) ?? given.get(name)!, numbers),
    );
    const output = tensors.get(one.layer.output)!;
    outputs.set(one.layer.output, runLayer(one, inputs, output, numbers, overflows));
  }
  return { tensors: outputs, overflows: overflows.count };
}

/**
 * One layer on its own.
 * @param output decides the container of the result
 * @param overflows additions that left the accumulator are added to its count
 * @returns [channels][rows][columns]
 */
export function runLayer(
  quantised: QuantisedLayer,
  inputs: readonly IntegerMap[],
  output: Pick<QuantisedTensor, 'format'>,
  numbers: Pick<NumberOptions, 'accumulator'>,
  overflows: OverflowCount,
): IntegerValues {
  const { layer } = quantised;
  const { node } = layer;
  const result = makeValues(output.format, product(layer.outputShape));
  switch (layer.work.stage) {
    case 'array':
      requantiseMap(result, sumProducts(quantised, inputs, numbers, overflows), quantised);
      break;
    case 'activation':
    case 'sum':
      // The requantiser is the activation: it carries the slopes and goes from one scale to the other.
      requantiseMap(result, weightedSum(inputs, quantised.operandMultipliers ?? [1]), quantised);
      break;
    case 'join':
      requantiseMap(result, sideBySide(inputs), quantised);
      break;
    case 'crossChannel':
    case 'pool':
    case 'rearrange': {
      assert(node.op.integer !== undefined, `${node.op.name} has no integer rule`);
      result.set(node.op.integer(node.attributes, inputs, layer.outputShape, undefined));
      break;
    }
  }
  return result;
}

/** An array layer's accumulators, bias included: what its requantiser gets. [filters][rows][columns]. */
export function sumProducts(
  { layer, weights, channels, mayOverflow }: QuantisedLayer,
  inputs: readonly IntegerMap[],
  { accumulator }: Pick<NumberOptions, 'accumulator'>,
  overflows: OverflowCount,
): Int32Array | Float64Array {
  const { node, outputShape } = layer;
  assert(node.op.integer !== undefined, `${node.op.name} has no integer rule`);
  assert(weights !== undefined && channels !== undefined, `layer ${layer.name} is not quantised`);
  const array = { weights, accumulator, mayOverflow: mayOverflow ?? true, overflows };
  const sums = node.op.integer(node.attributes, inputs, outputShape, array);
  const cells = outputShape[1] * outputShape[2];
  for (const [f, { bias }] of channels.entries()) {
    for (let i = f * cells; i < (f + 1) * cells; i++) {
      sums[i] = array.mayOverflow ? accumulate(sums[i]!, bias, accumulator, overflows) : sums[i]! + bias;
    }
  }
  return sums;
}

/**
 * An array layer and the maximum over groups of `ratio` of its maps, in the order of a machine that pools in front of its
 * requantiser: sums and biases, maxima of those, then one requantisation a group, by the record of its last filter.
 *
 * `runInteger` requantises first and takes the maximum then. The two are equal where the filters of a group share
 * multipliers and shift, because the requantiser never falls: both multipliers are at least 0, and rounding and saturation
 * keep the order. They differ where every filter has a scale of its own, and a table behind need not keep the order.
 *
 * @param input of the network's first layer
 * @returns [groups][rows][columns]
 */
export function maximaOfSums(
  { numbers, tensors }: QuantisedNetwork,
  quantised: QuantisedLayer,
  input: IntegerValues,
  ratio: number,
): IntegerValues {
  const { layer, channels, output, table } = quantised;
  assert(channels !== undefined && table === undefined, `layer ${layer.name} has no sums to take maxima of`);
  const map = integerMap(tensors.get(layer.inputs[0]!)!, input, numbers);
  const sums = sumProducts(quantised, [map], numbers, { count: 0 });
  const [filters, rows, columns] = layer.outputShape;
  const cells = rows * columns;
  const result = makeValues(tensors.get(layer.output)!.format, (filters / ratio) * cells);
  for (let group = 0; group < filters / ratio; group++) {
    for (let cell = 0; cell < cells; cell++) {
      let most = sums[group * ratio * cells + cell]!;
      for (let member = 1; member < ratio; member++) {
        most = Math.max(most, sums[(group * ratio + member) * cells + cell]!);
      }
      result[group * cells + cell] = requantise(most, channels[(group + 1) * ratio - 1]!, output);
    }
  }
  return result;
}

/** Cell by cell the sum over the inputs of multiplier * (value - zero point); exact. */
function weightedSum(inputs: readonly IntegerMap[], multipliers: readonly number[]): Float64Array {
  const result = new Float64Array(inputs[0]!.data.length);
  for (const [k, { data, zeroPoint }] of inputs.entries()) {
    const multiplier = multipliers[k]!;
    for (let i = 0; i < result.length; i++) result[i]! += multiplier * (data[i]! - zeroPoint);
  }
  return result;
}

/** The inputs one after the other, each less its zero point. */
function sideBySide(inputs: readonly IntegerMap[]): Int32Array {
  const result = new Int32Array(inputs.reduce((total, { data }) => total + data.length, 0));
  let at = 0;
  for (const { data, zeroPoint } of inputs) {
    for (let i = 0; i < data.length; i++) result[at + i] = data[i]! - zeroPoint;
    at += data.length;
  }
  return result;
}

/** Requantises values that contain their bias, channel by channel, and looks them up if there is a table. */
function requantiseMap(
  result: IntegerValues,
  values: Int32Array | Float64Array,
  { layer, channels, output, table }: QuantisedLayer,
): void {
  assert(channels !== undefined, `layer ${layer.name} has no requantisation`);
  const cells = layer.outputShape[1] * layer.outputShape[2];
  for (const [c, channel] of channels.entries()) {
    for (let i = c * cells; i < (c + 1) * cells; i++) {
      const value = requantise(values[i]!, channel, output);
      result[i] = table === undefined ? value : table[value - output.low]!;
    }
  }
}
