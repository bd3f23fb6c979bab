/** Networks whose file brings its own scales and integer weights: nothing is calibrated or rounded anew. */
import { InputError } from '../core/diagnostics.ts';
import { formatRange } from '../core/fixed-point.ts';
import type { GivenNumbers } from '../graph/given-numbers.ts';
import type { ParameterValues } from '../graph/graph.ts';
import { foldedWeights } from './fold.ts';
import type { TensorNumbers } from './input.ts';
import type { Layer, LayeredNetwork } from './layers.ts';
import { quantiseFrom } from './quantise.ts';
import type { NumberOptions, QuantisedNetwork } from './quantised.ts';
import { leastRatio } from './requantisation.ts';
import { roundHalfEven } from './rounding.ts';
import { makeWeights } from './values.ts';
import { type QuantisedFilters, quantiseFilters } from './weights.ts';

/** What the machine decides of the numbers; the file decides the rest. */
export type Datapath = Pick<NumberOptions, 'form' | 'multiplierBits' | 'rounding' | 'accumulator'>;

/** All the numbers of a given network on a datapath. */
export function givenOptions(given: GivenNumbers, datapath: Datapath): NumberOptions {
  const symmetric = [...given.tensors.values()].every(({ zeroPoint }) => zeroPoint === 0);
  const perFilter = [...given.filters.values()].some(({ scales }) =>
    scales.some((scale) => scale !== scales[0]),
  );
  const { form, multiplierBits, rounding, accumulator } = datapath;
  return {
    activations: { ...given.activations, symmetric },
    weightBits: given.weightBits,
    weightScales: perFilter ? 'per channel' : 'per tensor',
    form,
    multiplierBits,
    rounding,
    accumulator,
  };
}

/**
 * The quantised network with the file's own numbers.
 * @param network layered with `given.apart`
 * @param parameters float; biases that are no integers in the file come from here
 * @throws InputError for layers whose output the file does not quantise, for scales that a machine of shifts cannot do,
 *   and for numbers that do not fit the datapath
 */
export function quantiseGiven(
  network: LayeredNetwork,
  parameters: ParameterValues,
  given: GivenNumbers,
  datapath: Datapath,
): QuantisedNetwork {
  const numbers = givenOptions(given, datapath);
  return quantiseFrom(network, numbers, {
    tensor(name) {
      const found = given.tensors.get(name);
      if (found === undefined) {
        throw new InputError(`${name}: the file does not quantise it, expected a scale and zero point`);
      }
      if (numbers.form === 'shift') checkPower(name, found.scale);
      return found;
    },
    filters: (layer, input, made) => filtersOf(layer, parameters, given, input, made, numbers),
  });
}

function filtersOf(
  layer: Layer,
  parameters: ParameterValues,
  given: GivenNumbers,
  input: TensorNumbers,
  made: TensorNumbers,
  numbers: NumberOptions,
): QuantisedFilters {
  if (layer.merged.some(({ op }) => op.machine.stage === 'affine')) {
    throw new InputError(
      `${layer.name}: scales and offsets a channel behind integer weights, expected them folded into the weights`,
    );
  }
  const { weights: real, bias } = foldedWeights(layer, parameters);
  const found = given.filters.get(layer.node.name);
  if (found === undefined) return constantFilters(layer, real, bias, input, made, numbers);
  const { low, high } = formatRange({ bits: numbers.accumulator.bits, signed: true });
  const least = leastRatio(numbers);
  const size = found.weights.length / found.scales.length;
  let weights = found.weights;
  const scales = [...found.scales];
  const biases = scales.map((scale, f) => {
    if (numbers.form === 'shift') checkPower(`${layer.name}, filter ${f}`, scale);
    if ((input.scale * scale) / made.scale < least) {
      // Too fine to reach half a step of the output, whatever the input: a filter of zeros does the same.
      weights = weights === found.weights ? weights.slice() : weights;
      weights.fill(0, f * size, (f + 1) * size);
      scales[f] = (least * made.scale) / input.scale;
      return 0;
    }
    const value = found.biases?.[f] ?? roundHalfEven(bias[f]! / (input.scale * scale)) + 0;
    if (!(value >= low && value <= high)) {
      throw new InputError(
        `${layer.name}: bias ${value} of filter ${f}, expected ${low}..${high}, what the accumulator holds`,
      );
    }
    return value;
  });
  return { weights, scales, biases };
}

/** Weights that the operator itself sets, all alike (means): ones on that scale, exact sums with a single rounding. */
function constantFilters(
  layer: Layer,
  real: Float32Array,
  bias: Float32Array,
  input: TensorNumbers,
  made: TensorNumbers,
  numbers: NumberOptions,
): QuantisedFilters {
  const share = real[0]!;
  const alike = real.every((value) => value === share) && bias.every((value) => value === 0);
  const cells = Math.round(1 / share);
  if (alike && share > 0 && numbers.weightBits > 1 && Math.fround(1 / cells) === share) {
    const exact = 1 / cells;
    if (numbers.form === 'multiplier' || isPower(exact)) {
      return {
        weights: makeWeights(numbers.weightBits, real.length).fill(1),
        scales: Array.from(bias, () => exact),
        biases: Array.from(bias, () => 0),
      };
    }
  }
  return quantiseFilters(layer.name, real, bias, input.scale, made.scale, numbers);
}

function isPower(scale: number): boolean {
  return Number.isInteger(Math.log2(scale));
}

function checkPower(what: string, scale: number): void {
  if (isPower(scale)) return;
  throw new InputError(
    `${what}: scale ${scale} is no power of two, expected a machine with multipliers (postProcessing.requantise.form: multiplier)`,
  );
}
