/** The range that keeps most magnitudes. */
import { sum } from '../../core/integers.ts';
import type { TensorRange } from '../tensor-scale.ts';
import { clip, type Histogram, magnitudes } from './histogram.ts';

/** The least range [-t, t], cut to the values seen, that holds `percent` percent of them; t ends a bin. */
export function percentile(histogram: Histogram, percent: number): TensorRange {
  const counts = magnitudes(histogram, undefined);
  const enough = (sum([...counts]) * percent) / 100;
  let kept = 0;
  let bins = 0;
  while (bins < counts.length && kept < enough) kept += counts[bins++]!;
  return clip(histogram.range, bins * histogram.width);
}
