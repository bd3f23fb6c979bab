/** How far one set of values is from another. */
import { assert } from '../core/diagnostics.ts';

type Values = ArrayLike<number>;

/**
 * Signal to quantisation noise: 10 log10(sum of reference^2 / sum of error^2), in decibels. Infinity when nothing
 * differs, -Infinity when the reference is all zeros and the values are not. JSON has neither: see `decibelsForJson`.
 */
export function sqnrDb(reference: Values, values: Values): number {
  sameLength(reference, values);
  let signal = 0;
  let noise = 0;
  for (let i = 0; i < reference.length; i++) {
    signal += reference[i]! ** 2;
    noise += (reference[i]! - values[i]!) ** 2;
  }
  return noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(signal / noise);
}

/** Decibels as a JSON file carries them: a number, or "Infinity" / "-Infinity", which `Number()` turns back. */
export function decibelsForJson(decibels: number): number | string {
  return Number.isFinite(decibels) ? decibels : String(decibels);
}

/** The largest difference. */
export function maxAbsError(reference: Values, values: Values): number {
  sameLength(reference, values);
  let largest = 0;
  for (let i = 0; i < reference.length; i++) {
    largest = Math.max(largest, Math.abs(reference[i]! - values[i]!));
  }
  return largest;
}

/** Cosine of the angle between the two as vectors, -1..1; 1 if both are all zeros, 0 if one of them is. */
export function cosine(reference: Values, values: Values): number {
  sameLength(reference, values);
  let across = 0;
  let first = 0;
  let second = 0;
  for (let i = 0; i < reference.length; i++) {
    across += reference[i]! * values[i]!;
    first += reference[i]! ** 2;
    second += values[i]! ** 2;
  }
  if (first === 0 || second === 0) return first === second ? 1 : 0;
  return across / Math.sqrt(first * second);
}

function sameLength(a: Values, b: Values): void {
  assert(a.length === b.length, `comparing ${a.length} values with ${b.length}`);
}
