/**
 * Calibration: which range of values every tensor has to represent, from sample pictures.
 *
 * Two passes over the pictures at most: the first finds the smallest and the largest value of every tensor, the
 * second (unless those are what is asked for) counts values in histograms. Besides the backend's live tensors only
 * one tensor and the histograms are held in memory, however many pictures there are.
 */
import { InputError } from '../core/diagnostics.ts';
import type { Graph, ParameterValues } from '../graph/graph.ts';
import type { Tf } from '../graph/op.ts';
import { entropy } from './calibration/entropy.ts';
import { addValues, type Histogram, makeHistogram } from './calibration/histogram.ts';
import { meanSquaredError } from './calibration/mean-squared-error.ts';
import { percentile } from './calibration/percentile.ts';
import { visitTensors } from './float-reference.ts';
import type { NumberOptions } from './quantised.ts';
import type { TensorRange } from './tensor-scale.ts';

/** By tensor name, the network's input included. */
export type TensorRanges = ReadonlyMap<string, TensorRange>;

/**
 * How the range is chosen.
 * - min-max: nothing is clipped
 * - percentile: this share of the magnitudes is not clipped, 50..100 percent
 * - mean-squared-error: what quantises with the least mean squared error
 * - entropy: what loses least information (Kullback-Leibler, as TensorRT does)
 */
export type CalibrationMethod =
  | { readonly kind: 'min-max' }
  | { readonly kind: 'percentile'; readonly percent: number }
  | { readonly kind: 'mean-squared-error'; readonly numbers: NumberOptions }
  | { readonly kind: 'entropy'; readonly numbers: NumberOptions };

/** The share of magnitudes that a percentile range keeps unless told otherwise. */
export const defaultPercent = 99.99;

export interface CalibrationOptions {
  /** min-max unless given. */
  readonly method?: CalibrationMethod;
  /** Called after every run of the float network with how many are done, of how many. */
  readonly progress?: (done: number, total: number) => void;
}

/**
 * The range of every tensor over all inputs.
 * @param inputs prepared pictures, [channels][rows][columns]; at least one
 * @throws InputError without inputs, for inputs or parameters of the wrong size, for values that are not finite,
 *   for a percentile out of bounds
 */
export function calibrate(
  tf: Tf,
  graph: Graph,
  parameters: ParameterValues,
  inputs: readonly Float32Array[],
  { method = { kind: 'min-max' }, progress = () => {} }: CalibrationOptions = {},
): TensorRanges {
  if (inputs.length === 0) throw new InputError('calibration needs at least one picture');
  const choose = chooser(method);
  const total = choose === undefined ? inputs.length : 2 * inputs.length;
  const ranges = new Map<string, TensorRange>();
  for (const [i, input] of inputs.entries()) {
    visitTensors(tf, graph, parameters, input, (name, map) => {
      ranges.set(name, widen(name, ranges.get(name), map.dataSync()));
    });
    progress(i + 1, total);
  }
  if (choose === undefined) return ranges;

  const histograms = new Map<string, Histogram>();
  for (const [name, range] of ranges) histograms.set(name, makeHistogram(range));
  for (const [i, input] of inputs.entries()) {
    visitTensors(tf, graph, parameters, input, (name, map) => {
      addValues(histograms.get(name)!, map.dataSync());
    });
    progress(inputs.length + i + 1, total);
  }
  const chosen = new Map<string, TensorRange>();
  for (const [name, histogram] of histograms) chosen.set(name, choose(histogram));
  return chosen;
}

/** The rule that picks a range from a histogram; absent = the histogram is not needed. */
function chooser(method: CalibrationMethod): ((histogram: Histogram) => TensorRange) | undefined {
  switch (method.kind) {
    case 'min-max':
      return undefined;
    case 'percentile': {
      const { percent } = method;
      if (!(percent >= 50 && percent <= 100)) {
        throw new InputError(`calibration: percentile ${percent}, expected 50 to 100`);
      }
      return (histogram) => percentile(histogram, percent);
    }
    case 'mean-squared-error':
      return (histogram) => meanSquaredError(histogram, method.numbers);
    case 'entropy':
      return (histogram) => entropy(histogram, method.numbers);
  }
}

/** The range with these values taken in. */
function widen(
  name: string,
  { low, high }: TensorRange = { low: Number.POSITIVE_INFINITY, high: Number.NEGATIVE_INFINITY },
  values: Float32Array | Int32Array | Uint8Array,
): TensorRange {
  let [least, most] = [low, high];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isFinite(value)) {
      throw new InputError(`${name}: the float network makes ${value}; are weights or picture broken?`);
    }
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return { low: least, high: most };
}
