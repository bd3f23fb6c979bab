/** @fileoverview What the convolution kernels share: alignment, the dot product step, stores of accumulators. */

/** Bytes the packed input may be read or written past its end. */
export const SLACK: usize = 16;

// @ts-ignore: decorator
@inline
export function align(address: usize): usize {
  return (address + 15) & ~15;
}

// @ts-ignore: decorator
@inline
export function multiplyAdd(sum: v128, a: v128, b: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(a, b));
}

/** Stores or adds the first `live` of four accumulators. */
// @ts-ignore: decorator
@inline
export function storePixels(values: v128, out: usize, live: i32, accumulate: i32): void {
  if (live >= 4) {
    v128.store(out, accumulate ? i32x4.add(values, v128.load(out)) : values);
  } else {
    storeSomePixels(values, out, live, accumulate);
  }
}

function storeSomePixels(values: v128, out: usize, live: i32, accumulate: i32): void {
  const keep = accumulate ? -1 : 0;
  store<i32>(out, i32x4.extract_lane(values, 0) + (load<i32>(out) & keep));
  if (live > 1) store<i32>(out, i32x4.extract_lane(values, 1) + (load<i32>(out, 4) & keep), 4);
  if (live > 2) store<i32>(out, i32x4.extract_lane(values, 2) + (load<i32>(out, 8) & keep), 8);
}
