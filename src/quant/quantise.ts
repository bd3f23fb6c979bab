/**
 * From float weights and calibrated ranges to the integers the machine runs on.
 *
 * The 'shift' form takes powers of two for all scales, so that going from accumulators back to activations is a
 * shift; the 'multiplier' form takes whatever scale fits best, and an integer multiplier before the shift.
 * Rounding here is half to even throughout; `NumberOptions.rounding` is the machine's.
 */

import { InputError } from '../core/diagnostics.ts';
import { type ChannelRequantisation, formatRange, type OutputRange } from '../core/fixed-point.ts';
import { clamp } from '../core/integers.ts';
import type { Node, ParameterValues } from '../graph/graph.ts';
import type { IntegerValues, RequantisableActivation } from '../graph/op.ts';
import type { TensorRanges } from './calibrate.ts';
import { foldedWeights } from './fold.ts';
import { quantiseValue, type TensorNumbers } from './input.ts';
import { givenMaps, type Layer, type LayeredNetwork, pooledFilters } from './layers.ts';
import { checkNumbers } from './numbers.ts';
import type { NumberOptions, QuantisedLayer, QuantisedNetwork, QuantisedTensor } from './quantised.ts';
import { requantisation } from './requantisation.ts';
import { tensorNumbers } from './tensor-scale.ts';
import { makeValues } from './values.ts';
import { mayOverflow, type QuantisedFilters, quantiseFilters } from './weights.ts';

/** The largest operand multiplier of a sum: 16 bits. */
const LARGEST_OPERAND_MULTIPLIER = 65535;
/** Bits of a requantisation multiplier that still make 64 bits with a sum's 37 (8 * 65535 * 65535, and a sign). */
const SUM_MULTIPLIER_BITS = 27;
/** The activation of layers that have none. */
const LINEAR: RequantisableActivation = { negativeSlope: 1 };
/** Passes a value on as it is. */
const IDENTITY: ChannelRequantisation = { bias: 0, positiveMultiplier: 1, negativeMultiplier: 1, shift: 0 };

/**
 * Quantises a network.
 * @param parameters float, as trained (batch norm is folded here)
 * @param ranges by tensor name: the maps that are given, every tensor that a layer requantises to, and the tensors in
 *   front of tables
 * @throws InputError for number formats out of bounds, for missing or broken parameters and ranges, and when a
 *   layer's numbers do not fit the datapath (multipliers of `multiplierBits`, shifts up to 62)
 */
export function quantise(
  network: LayeredNetwork,
  parameters: ParameterValues,
  ranges: TensorRanges,
  numbers: NumberOptions,
): QuantisedNetwork {
  const groups = pooledFilters(network);
  return quantiseFrom(network, numbers, {
    tensor(name) {
      const range = ranges.get(name);
      if (range === undefined) throw new InputError(`tensor ${name} was not calibrated`);
      return tensorNumbers(name, range, numbers);
    },
    filters(layer, input, made) {
      const { weights, bias } = foldedWeights(layer, parameters);
      return quantiseFilters(layer.name, weights, bias, input.scale, made.scale, numbers, groups.get(layer));
    },
  });
}

/** Where the scales come from. */
export interface NumberSource {
  /** Of the maps that are given, and of every tensor that a layer requantises to or a table reads. */
  tensor(name: string): TensorNumbers;
  /** Of an array layer. @param made what its requantiser makes */
  filters(layer: Layer, input: TensorNumbers, made: TensorNumbers): QuantisedFilters;
}

/**
 * Quantises a network with the scales of a source.
 * @throws InputError for number formats out of bounds, and when a layer's numbers do not fit the datapath
 */
export function quantiseFrom(
  network: LayeredNetwork,
  numbers: NumberOptions,
  source: NumberSource,
): QuantisedNetwork {
  checkNumbers(numbers);
  const tensors = new Map<string, QuantisedTensor>();
  for (const { name, shape } of givenMaps(network))
    tensors.set(name, { name, shape, ...source.tensor(name) });
  const layers: QuantisedLayer[] = [];
  for (const layer of network.layers) {
    const inputs = layer.inputs.map((name) => tensors.get(name)!);
    const { work } = layer;
    // Maxima, poolings and rearrangements pass values on as they are.
    const keepsNumbers = work.stage === 'pool' || work.stage === 'crossChannel' || work.stage === 'rearrange';
    const { scale, zeroPoint, format } = keepsNumbers ? inputs[0]! : source.tensor(layer.output);
    const output = { name: layer.output, shape: layer.outputShape, scale, zeroPoint, format };
    tensors.set(layer.output, output);
    const table = 'table' in work ? work.table : undefined;
    // What the requantiser makes: the output, or with a table what the table reads, which may be a tensor already.
    const made =
      table === undefined ? output : (tensors.get(table.inputs[0]!) ?? source.tensor(table.inputs[0]!));
    layers.push({
      layer,
      ...quantiseLayer(layer, source, inputs, made, numbers),
      ...(table && tabulate(table, rangeOf(layer, made, numbers), made, output)),
    });
  }
  return { network, numbers, tensors, layers };
}

function quantiseLayer(
  layer: Layer,
  source: NumberSource,
  inputs: readonly TensorNumbers[],
  made: TensorNumbers,
  numbers: NumberOptions,
): Omit<QuantisedLayer, 'layer' | 'table' | 'indexScale'> {
  const { work } = layer;
  const [input] = inputs;
  const [channels] = layer.outputShape;
  const output = rangeOf(layer, made, numbers);
  switch (work.stage) {
    case 'pool':
    case 'crossChannel':
    case 'rearrange':
      return { output };
    case 'activation': {
      const ratio = input!.scale / made.scale;
      const channel = requantisation(layer.name, 0, ratio, work.activation, numbers);
      return { channels: new Array<ChannelRequantisation>(channels).fill(channel), output };
    }
    case 'sum': {
      const { multipliers, scale } = commonScale(inputs.map((one) => one.scale));
      const channel = requantisation(layer.name, 0, scale / made.scale, work.activation, {
        form: numbers.form,
        multiplierBits: Math.min(numbers.multiplierBits, SUM_MULTIPLIER_BITS),
      });
      return {
        channels: new Array<ChannelRequantisation>(channels).fill(channel),
        operandMultipliers: multipliers,
        output,
      };
    }
    case 'join': {
      const requantisations = inputs.map((one) =>
        one.scale === made.scale && one.zeroPoint === made.zeroPoint
          ? IDENTITY
          : requantisation(layer.name, 0, one.scale / made.scale, LINEAR, numbers),
      );
      return {
        channels: requantisations.flatMap((channel, i) =>
          new Array<ChannelRequantisation>(layer.inputShapes[i]![0]).fill(channel),
        ),
        output,
      };
    }
    case 'array': {
      const filters = source.filters(layer, input!, made);
      return {
        weights: filters.weights,
        channels: filters.biases.map((integer, f) =>
          requantisation(
            layer.name,
            integer,
            (input!.scale * filters.scales[f]!) / made.scale,
            work.activation,
            numbers,
          ),
        ),
        output,
        mayOverflow: mayOverflow(filters.weights, filters.biases, input!, numbers),
      };
    }
  }
}

/** Saturation at the format's ends, or at the activation's ceiling if that comes first. */
function rangeOf(layer: Layer, made: TensorNumbers, { rounding }: NumberOptions): OutputRange {
  const { low, high } = formatRange(made.format);
  const upper = 'activation' in layer.work ? layer.work.activation.upper : undefined;
  const { zeroPoint } = made;
  return {
    low,
    high: upper === undefined ? high : quantiseValue(upper, made),
    zeroPoint,
    rounding,
  };
}

/** The function's values over the whole range of the index, quantised to the output. */
function tabulate(
  node: Node,
  { low, high }: OutputRange,
  index: TensorNumbers,
  output: TensorNumbers,
): { table: IntegerValues; indexScale: number } {
  const { machine } = node.op;
  if (machine.stage !== 'table') throw new Error(`internal: node ${node.name} is no table`);
  const table = makeValues(output.format, high - low + 1);
  for (let i = 0; i < table.length; i++) {
    const y = machine.evaluate(node.attributes, (low + i - index.zeroPoint) * index.scale);
    if (!Number.isFinite(y)) {
      throw new InputError(`${node.name}: ${node.op.name} makes ${y} of index ${low + i}, expected a number`);
    }
    table[i] = quantiseValue(y, output);
  }
  return { table, indexScale: index.scale };
}

/**
 * A scale that all operands are brought to by whole multipliers: the finest of theirs where the others are multiples
 * of it (powers of two in 'shift' form; 1 throughout when they agree), which is exact; else such that the coarsest
 * gets the largest multiplier, which is wrong by half of 1/65535 of its step.
 */
function commonScale(scales: readonly number[]): { multipliers: number[]; scale: number } {
  const finest = Math.min(...scales);
  const coarsest = Math.max(...scales);
  const exact = scales.every(
    (scale) => Number.isInteger(scale / finest) && scale / finest <= LARGEST_OPERAND_MULTIPLIER,
  );
  if (exact) return { multipliers: scales.map((scale) => scale / finest), scale: finest };
  const scale = coarsest / LARGEST_OPERAND_MULTIPLIER;
  const multipliers = scales.map((one) => clamp(Math.round(one / scale), 1, LARGEST_OPERAND_MULTIPLIER));
  return { multipliers, scale };
}
