/** Filters as integers: scales, weights, biases, and whether their sums stay inside the accumulator. */
import { InputError } from '../core/diagnostics.ts';
import { formatRange } from '../core/fixed-point.ts';
import { clamp } from '../core/integers.ts';
import type { TensorNumbers } from './input.ts';
import type { NumberOptions } from './quantised.ts';
import { leastRatio, SLOPE_BITS } from './requantisation.ts';
import { powerOfTwoAbove, roundHalfEven } from './rounding.ts';
import { makeWeights } from './values.ts';

export interface QuantisedFilters {
  /** In the order of the float weights. */
  readonly weights: Int8Array | Int16Array;
  /** Scale of every filter's weights; all the same when 'per tensor', those of a group when 'per group'. */
  readonly scales: readonly number[];
  /** In units of the accumulator. */
  readonly biases: readonly number[];
}

/** What a scale has to be fit for: one filter, or all of a layer. */
interface WeightStatistics {
  /** max |w|. */
  readonly largest: number;
  /** Mean |w|. */
  readonly mean: number;
  /** max |bias|. */
  readonly bias: number;
}

/**
 * @param weights [filters][channels per group][kernel rows][kernel columns], float, batch norm folded
 * @param bias one a filter
 * @param groupSize filters that share a scale when 'per group'; divides their number
 * @throws InputError for weights or biases that are not finite
 */
export function quantiseFilters(
  layer: string,
  weights: Float32Array,
  bias: Float32Array,
  inputScale: number,
  outputScale: number,
  numbers: NumberOptions,
  groupSize = 1,
): QuantisedFilters {
  const size = weights.length / bias.length;
  const statistics = Array.from(bias, (value, f) => filterStatistics(layer, weights, value, f, size));
  const sharing = { 'per channel': 1, 'per tensor': bias.length, 'per group': groupSize }[
    numbers.weightScales
  ];
  const scales = Array.from({ length: bias.length / sharing }, (_, group) =>
    weightScale(
      overall(statistics.slice(group * sharing, (group + 1) * sharing)),
      inputScale,
      outputScale,
      numbers,
    ),
  );
  const scaleOf = (f: number): number => scales[Math.floor(f / sharing)]!;

  const quantised = makeWeights(numbers.weightBits, weights.length);
  const largest = largestWeight(numbers.weightBits);
  const { low, high } = formatRange({ bits: numbers.accumulator.bits, signed: true });
  const biases = Array.from(bias, (value, f) => {
    const scale = scaleOf(f);
    for (let i = f * size; i < (f + 1) * size; i++) {
      quantised[i] =
        numbers.weightBits === 1
          ? weights[i]! < 0
            ? -1
            : 1
          : clamp(roundHalfEven(weights[i]! / scale), -largest, largest);
    }
    // Adding zero turns -0 into 0.
    return clamp(roundHalfEven(value / (inputScale * scale)), low, high) + 0;
  });
  return { weights: quantised, scales: biases.map((_, f) => scaleOf(f)), biases };
}

/**
 * Whether the sums of any filter, bias included, could leave the accumulator for some input of this format. False is
 * proof: sum |w| * max |x - zero point| + |bias| bounds every partial sum too, in whatever order.
 */
export function mayOverflow(
  weights: Int8Array | Int16Array,
  biases: readonly number[],
  { format, zeroPoint }: TensorNumbers,
  { accumulator }: Pick<NumberOptions, 'accumulator'>,
): boolean {
  const { low, high } = formatRange(format);
  const farthest = Math.max(zeroPoint - low, high - zeroPoint);
  const size = weights.length / biases.length;
  return biases.some((bias, f) => {
    let total = 0;
    for (let i = f * size; i < (f + 1) * size; i++) total += Math.abs(weights[i]!);
    return total * farthest + Math.abs(bias) >= 2 ** (accumulator.bits - 1);
  });
}

/** Largest magnitude of a quantised weight. */
function largestWeight(bits: number): number {
  return bits === 1 ? 1 : 2 ** (bits - 1) - 1;
}

function filterStatistics(
  layer: string,
  weights: Float32Array,
  bias: number,
  f: number,
  size: number,
): WeightStatistics {
  let largest = 0;
  let total = 0;
  for (let i = f * size; i < (f + 1) * size; i++) {
    const magnitude = Math.abs(weights[i]!);
    total += magnitude;
    // Not Math.max: the comparison is false for NaN, which the check below would then miss.
    if (!(magnitude <= largest)) largest = magnitude;
  }
  if (!Number.isFinite(total) || !Number.isFinite(bias)) {
    throw new InputError(`${layer}: filter ${f} or its bias is not a finite number`);
  }
  return { largest, mean: total / size, bias: Math.abs(bias) };
}

/** Of filters that are all of one size. */
function overall(filters: readonly WeightStatistics[]): WeightStatistics {
  return filters.reduce(
    (a, b) => ({
      largest: Math.max(a.largest, b.largest),
      mean: a.mean + b.mean / filters.length,
      bias: Math.max(a.bias, b.bias),
    }),
    { largest: 0, mean: 0, bias: 0 },
  );
}

/**
 * Scale of one filter's weights.
 *
 * Several bits: max |w| over the largest integer (or the power of two above), unless that is so fine that the bias
 * would take more than half of the accumulator or the requantiser could not get back to the output's scale. Then the
 * filter hardly contributes, and a coarser scale loses little that the output could show. A filter of zeros gets
 * whatever represents its bias to a 256th of an output step.
 *
 * One bit: mean |w| (or the power of two next to it), which minimises the squared error. A coarser scale would not
 * round small weights away but blow them up, so only biases beyond half of 32 bits coarsen it; one beyond a narrower
 * accumulator saturates there.
 */
function weightScale(
  { largest, mean, bias }: WeightStatistics,
  inputScale: number,
  outputScale: number,
  numbers: NumberOptions,
): number {
  const oneBit = numbers.weightBits === 1;
  const shift = numbers.form === 'shift';
  const best = !oneBit
    ? largest / largestWeight(numbers.weightBits)
    : shift && mean > 0
      ? 2 ** Math.round(Math.log2(mean))
      : mean;
  const least = largest === 0 && !oneBit ? 2 ** -SLOPE_BITS : leastRatio(numbers);
  const biasBits = oneBit ? Math.max(32, numbers.accumulator.bits) : numbers.accumulator.bits;
  const scale = Math.max(best, (least * outputScale) / inputScale, bias / (inputScale * 2 ** (biasBits - 2)));
  return shift ? powerOfTwoAbove(scale) : scale;
}
