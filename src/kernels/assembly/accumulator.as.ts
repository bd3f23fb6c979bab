/** @fileoverview The rule of an accumulator that holds least..most = -2^(bits - 1)..2^(bits - 1) - 1. */

/** What an exact sum becomes in the accumulator. */
// @ts-ignore: decorator
@inline
export function settle(exact: i64, least: i64, most: i64, wraps: i32): i64 {
  if (exact >= least && exact <= most) return exact;
  // -least is the accumulator's sign bit alone, `most` are the bits below it.
  if (wraps) return exact & -least ? (exact & most) | least : exact & most;
  return exact < 0 ? least : most;
}
