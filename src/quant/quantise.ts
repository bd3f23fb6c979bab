/**
 * From float weights and calibrated ranges to the integers the machine runs on.
 *
 * Everything is symmetric int8: activations with one scale a tensor, weights with one scale a filter. The 'shift'
 * form takes powers of two for all scales (the smallest that clip nothing), so that going from accumulators back
 * to activations is a shift; the 'multiplier' form takes max / 127 and a 16-bit multiplier before the shift.
 */

import { InputError } from '../core/diagnostics.ts';
import { type ChannelRequantisation, signedRange } from '../core/fixed-point.ts';
import { clamp } from '../core/integers.ts';
import type { ParameterValues } from '../graph/graph.ts';
import type { RequantisableActivation } from '../graph/op.ts';
import type { TensorRanges } from './calibrate.ts';
import { foldedWeights } from './fold.ts';
import type { Layer, LayeredNetwork } from './layers.ts';
import type { QuantisedLayer, QuantisedNetwork, QuantisedTensor, RequantisationForm } from './quantised.ts';
import { powerOfTwoAbove, roundHalfEven } from './rounding.ts';

/** Largest magnitude of a quantised weight, and of an activation while it is being calibrated. */
const LARGEST = 127;
/** Fraction bits of the negative multiplier in 'shift' form: a slope of 0.1 becomes 26/256. */
const SLOPE_BITS = 8;
const MAXIMUM_MULTIPLIER = 65535;
/** Ratios below this make nothing but zeros of any int32, and their shift would not fit. */
const LEAST_RATIO = 2 ** -32;
/** A bias gets at most this large: leaves half of int32 to the sums of products. */
const MAXIMUM_BIAS = 2 ** 30;

export interface QuantiseOptions {
  readonly form: RequantisationForm;
}

/**
 * Quantises a network.
 * @param parameters float, as trained (batch norm is folded here)
 * @param ranges max |x| by tensor name: the network's input and every tensor an array or activation layer makes
 * @throws InputError for missing or broken parameters and ranges, and when a layer's numbers do not fit the
 *   datapath (32-bit accumulators with bias, 16-bit multipliers, shifts up to 47)
 */
export function quantise(
  network: LayeredNetwork,
  parameters: ParameterValues,
  ranges: TensorRanges,
  { form }: QuantiseOptions,
): QuantisedNetwork {
  const { input } = network.graph;
  const tensors = new Map<string, QuantisedTensor>();
  tensors.set(input.name, {
    name: input.name,
    shape: input.shape,
    scale: tensorScale(input.name, ranges, form),
    bits: 8,
  });
  const layers: QuantisedLayer[] = [];
  for (const layer of network.layers) {
    const inputScale = tensors.get(layer.input)!.scale;
    const { stage } = layer.work;
    // Maxima and poolings pass values on as they are.
    const keepsScale = stage === 'pool' || stage === 'crossChannel';
    const scale = keepsScale ? inputScale : tensorScale(layer.output, ranges, form);
    tensors.set(layer.output, { name: layer.output, shape: layer.outputShape, scale, bits: 8 });
    layers.push(quantiseLayer(layer, parameters, inputScale, scale, form));
  }
  return { network, form, tensors, layers };
}

function quantiseLayer(
  layer: Layer,
  parameters: ParameterValues,
  inputScale: number,
  outputScale: number,
  form: RequantisationForm,
): QuantisedLayer {
  const { low, high } = signedRange(8);
  const { work } = layer;
  switch (work.stage) {
    case 'pool':
    case 'crossChannel':
      return { layer, low, high };
    case 'activation': {
      const channel = requantisation(layer.name, 0, inputScale / outputScale, work.activation, form);
      return {
        layer,
        channels: new Array<ChannelRequantisation>(layer.outputShape[0]).fill(channel),
        low,
        high: upperBound(work.activation, outputScale, high),
      };
    }
    case 'array':
      return {
        layer,
        ...quantiseFilters(layer, work.activation, parameters, inputScale, outputScale, form),
        low,
        high: upperBound(work.activation, outputScale, high),
      };
  }
}

function quantiseFilters(
  layer: Layer,
  activation: RequantisableActivation,
  parameters: ParameterValues,
  inputScale: number,
  outputScale: number,
  form: RequantisationForm,
): { weights: Int8Array; channels: ChannelRequantisation[] } {
  const { weights, bias } = foldedWeights(layer, parameters);
  const quantised = new Int8Array(weights.length);
  const size = weights.length / bias.length;
  const channels = Array.from(bias, (biasValue, f) => {
    let largest = 0;
    for (let i = f * size; i < (f + 1) * size; i++) {
      const magnitude = Math.abs(weights[i]!);
      // Not Math.max: the comparison is false for NaN, which the check below would then miss.
      if (!(magnitude <= largest)) largest = magnitude;
    }
    if (!Number.isFinite(largest) || !Number.isFinite(biasValue)) {
      throw new InputError(`${layer.name}: filter ${f} or its bias is not a finite number`);
    }
    const scale = weightScale(largest, biasValue, inputScale, outputScale, form);
    for (let i = f * size; i < (f + 1) * size; i++) {
      quantised[i] = clamp(roundHalfEven(weights[i]! / scale), -LARGEST, LARGEST);
    }
    const integerBias = roundHalfEven(biasValue / (inputScale * scale));
    const bound = LARGEST * 128 * size + Math.abs(integerBias);
    if (bound >= 2 ** 31) {
      throw new InputError(
        `${layer.name}: filter ${f} sums ${size} products and a bias of ${integerBias}, up to ${bound}, expected less than 2^31`,
      );
    }
    const ratio = (inputScale * scale) / outputScale;
    return requantisation(layer.name, integerBias, ratio, activation, form);
  });
  return { weights: quantised, channels };
}

/**
 * Scale of one filter: max / 127 (or the power of two above), unless that is so fine that the bias would not fit
 * into its 32 bits or the requantiser could not get back to the output's scale. Then the filter hardly
 * contributes, and a coarser scale loses nothing that the output could show. A filter of zeros gets whatever
 * represents its bias to a 256th of an output step.
 */
function weightScale(
  largest: number,
  bias: number,
  inputScale: number,
  outputScale: number,
  form: RequantisationForm,
): number {
  const leastRatio = largest === 0 ? 2 ** -SLOPE_BITS : LEAST_RATIO;
  const scale = Math.max(
    largest / LARGEST,
    (leastRatio * outputScale) / inputScale,
    Math.abs(bias) / (inputScale * MAXIMUM_BIAS),
  );
  return form === 'shift' ? powerOfTwoAbove(scale) : scale;
}

function tensorScale(name: string, ranges: TensorRanges, form: RequantisationForm): number {
  const range = ranges.get(name);
  if (range === undefined) throw new InputError(`tensor ${name} was not calibrated`);
  if (!Number.isFinite(range) || range < 0) {
    throw new InputError(`tensor ${name}: range ${range}, expected a finite number of at least 0`);
  }
  // A tensor of zeros is exact on any scale.
  if (range === 0) return 1;
  return form === 'shift' ? powerOfTwoAbove(range / LARGEST) : range / LARGEST;
}

/** Saturation bound of the output: the activation's ceiling on the output's scale, if it comes first. */
function upperBound({ upper }: RequantisableActivation, outputScale: number, high: number): number {
  return upper === undefined ? high : Math.min(high, roundHalfEven(upper / outputScale));
}

/**
 * The requantiser's settings for `ratio` = scale of the accumulators / scale of the output.
 *
 * - 'multiplier': positive multiplier 32768..65535 times 2^-shift next to the ratio, the negative one slope times it.
 * - 'shift': the ratio is a power of two and so is the positive multiplier: 1, or 2^8 where a slope needs
 *   fraction bits, or more where the ratio exceeds it.
 *
 * @throws InputError when the ratio is too large for 16 bits (or, from a lone activation, too small to shift)
 */
export function requantisation(
  layer: string,
  bias: number,
  ratio: number,
  { negativeSlope }: RequantisableActivation,
  form: RequantisationForm,
): ChannelRequantisation {
  let exponent: number;
  let positiveMultiplier: number;
  if (form === 'shift') {
    exponent = Math.round(-Math.log2(ratio));
    const sloped = negativeSlope !== 0 && negativeSlope !== 1;
    const fraction = Math.max(sloped ? SLOPE_BITS : 0, -exponent);
    positiveMultiplier = 2 ** fraction;
    exponent += fraction;
  } else {
    exponent = 15 - Math.floor(Math.log2(ratio));
    positiveMultiplier = roundHalfEven(ratio * 2 ** exponent);
    // The rounding (of the mantissa or of log2) may step over either end of the mantissa's range.
    if (positiveMultiplier > MAXIMUM_MULTIPLIER) {
      exponent -= 1;
      positiveMultiplier = roundHalfEven(ratio * 2 ** exponent);
    } else if (positiveMultiplier < 32768) {
      exponent += 1;
      positiveMultiplier = roundHalfEven(ratio * 2 ** exponent);
    }
  }
  if (!(exponent >= 0 && exponent <= 47 && positiveMultiplier <= MAXIMUM_MULTIPLIER)) {
    throw new InputError(
      `${layer}: accumulators are ${ratio} times as coarse as the output, expected 2^-32 to ${form === 'shift' ? '2^15' : '65535'}; are the weights or ranges broken?`,
    );
  }
  return {
    bias,
    positiveMultiplier,
    negativeMultiplier: roundHalfEven(positiveMultiplier * negativeSlope),
    shift: exponent,
  };
}
