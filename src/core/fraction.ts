/** Exact fractions of small whole numbers: clock periods. */
import { greatestCommonDivisor } from './integers.ts';

/**
 * A decimal number (at most 9 decimals are kept) or text such as `5/6` as a reduced fraction.
 * The text must have the form digits/digits; a zero denominator stays zero, other text is 0/0.
 */
export function parseFraction(value: number | string): readonly [numerator: number, denominator: number] {
  let numerator: number;
  let denominator: number;
  if (typeof value === 'string') {
    [numerator, denominator] = value.split('/').map(Number) as [number, number];
  } else {
    denominator = 1e9;
    numerator = Math.round(value * denominator);
  }
  // Euclid's algorithm has no end on what is no number.
  if (!Number.isFinite(numerator) || !Number.isFinite(denominator)) return [0, 0];
  const divisor = greatestCommonDivisor(numerator, denominator) || 1;
  return [numerator / divisor, denominator / divisor];
}
