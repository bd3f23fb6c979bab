/** The range that loses least information, after TensorRT's calibration. */
import { sum } from '../../core/integers.ts';
import type { NumberOptions } from '../quantised.ts';
import type { TensorRange } from '../tensor-scale.ts';
import { BINS, clip, type Histogram, magnitudes } from './histogram.ts';

/** Bins from one candidate to the next. */
const STEP = 8;

/**
 * For every candidate threshold: the magnitudes below it, with all above counted in the last bin, against the same
 * spread evenly over the format's levels; the threshold with the least Kullback-Leibler divergence wins. Formats with
 * more levels than bins (12 bits and more) lose nothing that the histogram shows: they get the whole range.
 */
export function entropy(histogram: Histogram, { activations }: NumberOptions): TensorRange {
  const { bits, signed, symmetric } = activations;
  const levels = 2 ** (signed || !symmetric ? bits - 1 : bits);
  const counts = magnitudes(histogram, activations);
  const total = sum([...counts]);
  if (levels >= BINS || total === 0) return histogram.range;
  let best = BINS;
  let least = Number.POSITIVE_INFINITY;
  let kept = sum([...counts.subarray(0, levels)]);
  for (let bins = levels; bins <= BINS; bins += STEP) {
    const divergence = klDivergence(counts, bins, levels, total - kept);
    // On equal terms the wider range clips less.
    if (divergence <= least) [best, least] = [bins, divergence];
    for (let i = bins; i < Math.min(BINS, bins + STEP); i++) kept += counts[i]!;
  }
  return clip(histogram.range, best * histogram.width);
}

/**
 * Sum of p log(p / q) over the first `bins` bins, both normalised: p has the `outliers` in its last bin, q is what
 * `levels` levels keep of the counts, spread over the bins that are not empty. Infinity where p lies on nothing of q.
 */
function klDivergence(counts: Float64Array, bins: number, levels: number, outliers: number): number {
  let [all, within] = [outliers, 0];
  for (let i = 0; i < bins; i++) within += counts[i]!;
  all += within;
  if (within === 0) return Number.POSITIVE_INFINITY;
  let divergence = 0;
  for (let level = 0; level < levels; level++) {
    const first = Math.floor((level * bins) / levels);
    const end = Math.floor(((level + 1) * bins) / levels);
    let [inLevel, used] = [0, 0];
    for (let i = first; i < end; i++) {
      inLevel += counts[i]!;
      if (counts[i]! > 0) used += 1;
    }
    for (let i = first; i < end; i++) {
      const p = (counts[i]! + (i === bins - 1 ? outliers : 0)) / all;
      if (p === 0) continue;
      // Outliers on a bin that was empty before: a little of q keeps the divergence finite, and large.
      const q = counts[i]! > 0 ? inLevel / used / within : 1e-9;
      divergence += p * Math.log(p / q);
    }
  }
  return divergence;
}
