/** The range whose quantisation has the least mean squared error. */
import { formatRange } from '../../core/fixed-point.ts';
import { clamp } from '../../core/integers.ts';
import type { NumberOptions } from '../quantised.ts';
import { type TensorRange, tensorNumbers } from '../tensor-scale.ts';
import { BINS, type Histogram } from './histogram.ts';

/** Candidates are these parts of the range, down to one part. */
const PARTS = 128;

/**
 * Shrinks the range about zero as a whole, then (with a zero point) either end alone. What was seen as a whole is
 * among the candidates, so the error is never above min-max's, as far as the histogram tells.
 */
export function meanSquaredError(histogram: Histogram, numbers: NumberOptions): TensorRange {
  const { range, width } = histogram;
  // Too small to divide is as good as zero throughout.
  if (width === 0 || width / 2 ** numbers.activations.bits === 0) return range;
  let best = range;
  let least = squaredError(histogram, range, numbers);
  const search = (candidate: (part: number) => TensorRange) => {
    for (let part = PARTS - 1; part > 0; part--) {
      const one = candidate(part / PARTS);
      const error = squaredError(histogram, one, numbers);
      if (error < least) [best, least] = [one, error];
    }
  };
  search((part) => ({ low: range.low * part, high: range.high * part }));
  if (!numbers.activations.symmetric) {
    const { low, high } = best;
    search((part) => ({ low, high: Math.max(low, high * part) }));
    const settled = best.high;
    search((part) => ({ low: Math.min(settled, low * part), high: settled }));
  }
  return best;
}

/** Sum of squared errors of the histogram's values, each taken as its bin's centre. */
function squaredError({ counts, width }: Histogram, range: TensorRange, numbers: NumberOptions): number {
  const { scale, zeroPoint, format } = tensorNumbers('histogram', range, numbers);
  const ends = formatRange(format);
  const low = (ends.low - zeroPoint) * scale;
  const high = (ends.high - zeroPoint) * scale;
  // Steps next to or below a bin's width: the centre says nothing about where in its step a value lies.
  const uniform = scale < 4 * width ? scale ** 2 / 12 : undefined;
  let total = 0;
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    if (count === 0) continue;
    const centre = (i - BINS + 0.5) * width;
    const inside = clamp(centre, low, high);
    const error =
      uniform !== undefined
        ? (centre - inside) ** 2 + uniform
        : (centre - clamp(Math.round(centre / scale) * scale, low, high)) ** 2;
    total += count * error;
  }
  return total;
}
