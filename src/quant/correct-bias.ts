/**
 * Bias correction: rounding weights and activations shifts the mean of what a filter sums up; the bias takes that
 * shift back.
 *
 * Layer after layer, in the order they run, the integer executor makes the filters' accumulators on the calibration
 * pictures, from inputs that the corrected layers in front made; their mean is compared with the mean of the float
 * network in front of the activation. Costs one integer run a picture; every picture's live integer tensors are held
 * at a time.
 */
import { InputError } from '../core/diagnostics.ts';
import { type ChannelRequantisation, formatRange } from '../core/fixed-point.ts';
import { clamp } from '../core/integers.ts';
import type { ParameterValues } from '../graph/graph.ts';
import type { Tf } from '../graph/op.ts';
import { visitTensors } from './float-reference.ts';
import { givenValues, quantiseInput } from './input.ts';
import { runLayer, sumProducts } from './integer-executor.ts';
import type { Layer } from './layers.ts';
import type { QuantisedLayer, QuantisedNetwork } from './quantised.ts';
import { roundHalfEven } from './rounding.ts';
import { integerMap } from './values.ts';
import { mayOverflow } from './weights.ts';

/**
 * The network with corrected biases in its array layers; all else stays.
 * @param parameters what the network was quantised from
 * @param inputs prepared pictures, [channels][rows][columns]; at least one
 * @param progress called after every float run and every layer with how many are done, of how many
 * @throws InputError without inputs, for inputs or parameters of the wrong size
 */
export function correctBias(
  tf: Tf,
  quantised: QuantisedNetwork,
  parameters: ParameterValues,
  inputs: readonly Float32Array[],
  progress: (done: number, total: number) => void = () => {},
): QuantisedNetwork {
  if (inputs.length === 0) throw new InputError('bias correction needs at least one picture');
  const { network, numbers, tensors } = quantised;
  const { graph, layers } = network;
  const total = inputs.length + layers.length;
  const means = floatMeans(tf, quantised, parameters, inputs, (done) => progress(done, total));

  const lastReader = new Map<string, Layer>();
  for (const layer of layers) for (const name of layer.inputs) lastReader.set(name, layer);
  const inputTensor = tensors.get(graph.input.name)!;
  const live = inputs.map((input) => givenValues(quantised, quantiseInput(input, inputTensor)));
  const corrected = quantised.layers.map((one, i) => {
    const { layer } = one;
    const pictures = live.map((made) =>
      layer.inputs.map((name) => integerMap(tensors.get(name)!, made.get(name)!, numbers)),
    );
    // The executor counts what overflows; here nobody asks.
    const overflows = { count: 0 };
    const output = tensors.get(layer.output)!;
    let result = one;
    if (layer.work.stage === 'array') {
      const sums = channelMeans(
        layer.outputShape[0],
        pictures.map((maps) => sumProducts(one, maps, numbers, overflows)),
      );
      result = shiftBiases(quantised, one, sums, means.get(preActivation(layer))!);
    }
    for (const [k, made] of live.entries()) {
      made.set(layer.output, runLayer(result, pictures[k]!, output, numbers, overflows));
      for (const name of [...layer.inputs, layer.output]) {
        if ((lastReader.get(name) ?? layer) === layer) made.delete(name);
      }
    }
    progress(inputs.length + i + 1, total);
    return result;
  });
  return { ...quantised, layers: corrected };
}

/** The layer with every bias moved by the difference of the means, to the nearest integer, within the accumulator. */
function shiftBiases(
  { numbers, tensors }: QuantisedNetwork,
  one: QuantisedLayer,
  integerMeans: Float64Array,
  wanted: Float64Array,
): QuantisedLayer {
  const { layer, weights, indexScale } = one;
  const madeScale = indexScale ?? tensors.get(layer.output)!.scale;
  const { low, high } = formatRange({ bits: numbers.accumulator.bits, signed: true });
  const channels = one.channels!.map((channel, f): ChannelRequantisation => {
    // One unit of the accumulator in real numbers, as the requantiser sees it.
    const unit = (channel.positiveMultiplier / 2 ** channel.shift) * madeScale;
    const shift = roundHalfEven(clamp(wanted[f]! / unit - integerMeans[f]!, low, high));
    return { ...channel, bias: clamp(channel.bias + shift, low, high) };
  });
  const biases = channels.map(({ bias }) => bias);
  return {
    ...one,
    channels,
    mayOverflow: mayOverflow(weights!, biases, tensors.get(layer.inputs[0]!)!, numbers),
  };
}

/** The tensor that an array layer's accumulators stand for: behind batch norm, in front of the activation. */
function preActivation({ node, merged }: Layer): string {
  return merged.findLast((one) => one.op.machine.stage === 'affine')?.name ?? node.name;
}

/** Mean of every channel over all pictures, for the tensors that array layers' accumulators stand for. */
function floatMeans(
  tf: Tf,
  { network }: QuantisedNetwork,
  parameters: ParameterValues,
  inputs: readonly Float32Array[],
  progress: (done: number) => void,
): Map<string, Float64Array> {
  const wanted = new Set(
    network.layers.filter(({ work }) => work.stage === 'array').map((layer) => preActivation(layer)),
  );
  const means = new Map<string, Float64Array>();
  for (const [i, input] of inputs.entries()) {
    visitTensors(tf, network.graph, parameters, input, (name, map) => {
      if (!wanted.has(name)) return;
      const channels = map.shape[3];
      const totals = means.get(name) ?? new Float64Array(channels);
      means.set(name, totals);
      const values = map.dataSync();
      const share = channels / values.length / inputs.length;
      for (let at = 0; at < values.length; at++) totals[at % channels]! += values[at]! * share;
    });
    progress(i + 1);
  }
  return means;
}

/** Mean of every channel over maps [channels][cells] of one size. */
function channelMeans(channels: number, maps: readonly (Int32Array | Float64Array)[]): Float64Array {
  const means = new Float64Array(channels);
  for (const map of maps) {
    const cells = map.length / channels;
    for (let c = 0; c < channels; c++) {
      let total = 0;
      for (let i = c * cells; i < (c + 1) * cells; i++) total += map[i]!;
      means[c]! += total / cells / maps.length;
    }
  }
  return means;
}
