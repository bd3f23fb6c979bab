/**
 * Runs the quantised network from the definitions: operators' integer rules and the requantiser of `core`. Slow on
 * purpose and sharing nothing with the kernels: it is what they are compared with.
 */
import { assert, InputError } from '../core/diagnostics.ts';
import { type ChannelRequantisation, requantise } from '../core/fixed-point.ts';
import { product } from '../core/integers.ts';
import type { Shape } from '../graph/graph.ts';
import type { IntegerMap } from '../graph/op.ts';
import type { QuantisedLayer, QuantisedNetwork } from './quantised.ts';

/**
 * @param input int8, [channels][rows][columns]
 * @returns every layer's output by tensor name, [channels][rows][columns]
 * @throws InputError when the input has the wrong size
 */
export function runInteger(quantised: QuantisedNetwork, input: Int8Array): Map<string, Int8Array> {
  const { graph } = quantised.network;
  const expected = product(graph.input.shape);
  if (input.length !== expected) {
    throw new InputError(
      `input ${graph.input.name}: ${input.length} values, expected ${expected} (${graph.input.shape.join(' x ')})`,
    );
  }
  const outputs = new Map<string, Int8Array>();
  for (const one of quantised.layers) {
    const data = outputs.get(one.layer.input) ?? input;
    outputs.set(one.layer.output, runLayer(one, { shape: one.layer.inputShape, data }));
  }
  return outputs;
}

/** One layer on its own: int8 in, int8 out. */
export function runLayer(quantised: QuantisedLayer, input: IntegerMap): Int8Array {
  const { layer, channels, low, high } = quantised;
  const { node } = layer;
  switch (layer.work.stage) {
    case 'array': {
      assert(channels !== undefined, `layer ${layer.name} has no requantisation`);
      const sums = node.op.integer(node.attributes, input, layer.outputShape, quantised.weights);
      return requantiseMap(sums, layer.outputShape, channels, low, high);
    }
    case 'activation':
      // The requantiser is the activation: it carries the slopes and goes from one scale to the other.
      assert(channels !== undefined, `layer ${layer.name} has no requantisation`);
      return requantiseMap(input.data, layer.outputShape, channels, low, high);
    case 'crossChannel':
    case 'pool':
      return Int8Array.from(node.op.integer(node.attributes, input, layer.outputShape, undefined));
  }
}

function requantiseMap(
  values: Int8Array | Int32Array,
  shape: Shape,
  channels: readonly ChannelRequantisation[],
  low: number,
  high: number,
): Int8Array {
  const result = new Int8Array(values.length);
  const cells = shape[1] * shape[2];
  for (let c = 0; c < shape[0]; c++) {
    const channel = channels[c]!;
    for (let i = c * cells; i < (c + 1) * cells; i++) {
      result[i] = requantise(values[i]!, channel, low, high);
    }
  }
  return result;
}
