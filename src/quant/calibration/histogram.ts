/** How often a tensor's values occur: bins of equal width to both sides of zero. */
import type { NumberOptions } from '../quantised.ts';
import type { TensorRange } from '../tensor-scale.ts';

/** Bins from 0 to the largest magnitude. */
export const BINS = 2048;

export interface Histogram {
  /** Smallest and largest value. */
  readonly range: TensorRange;
  /** max |x| / BINS; 0 for a tensor of zeros. */
  readonly width: number;
  /** counts[BINS + i] values lie in [i, i + 1) * width, i from -BINS to BINS - 1. */
  readonly counts: Float64Array;
}

export function makeHistogram(range: TensorRange): Histogram {
  const width = Math.max(Math.abs(range.low), Math.abs(range.high)) / BINS;
  return { range, width, counts: new Float64Array(2 * BINS) };
}

/** Counts values that lie in the histogram's range. */
export function addValues({ width, counts }: Histogram, values: ArrayLike<number>): void {
  if (width === 0) return;
  for (let i = 0; i < values.length; i++) {
    // The largest value itself lies on the last bin's end.
    counts[Math.min(2 * BINS - 1, Math.max(0, Math.floor(values[i]! / width) + BINS))]! += 1;
  }
}

/** Counts of |x| by bin; where the format has no negative numbers and no zero point, of the positive x alone. */
export function magnitudes(
  { counts }: Histogram,
  activations: NumberOptions['activations'] | undefined,
): Float64Array {
  const folded = counts.slice(BINS);
  if (activations?.symmetric && !activations.signed) return folded;
  for (let i = 0; i < BINS; i++) folded[i]! += counts[BINS - 1 - i]!;
  return folded;
}

/** The range without what lies beyond `limit` on either side. */
export function clip({ low, high }: TensorRange, limit: number): TensorRange {
  return { low: Math.min(high, Math.max(low, -limit)), high: Math.max(low, Math.min(high, limit)) };
}
