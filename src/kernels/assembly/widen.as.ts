/**
 * @fileoverview Maps of any format turned into accumulators, scaled and added up: what streams past the multipliers
 * into the requantiser.
 */

/** See `Kernels.widen` in kernels.ts. */
export function widen(
  input: usize, count: i32, bytes: i32, unsigned: i32, zeroPoint: i32, multiplier: i32, accumulators: usize,
  accumulate: i32,
): void {
  if (bytes == 2) {
    if (unsigned) widenFrom<u16>(input, count, zeroPoint, multiplier, accumulators, accumulate);
    else widenFrom<i16>(input, count, zeroPoint, multiplier, accumulators, accumulate);
  } else {
    if (unsigned) widenFrom<u8>(input, count, zeroPoint, multiplier, accumulators, accumulate);
    else widenFrom<i8>(input, count, zeroPoint, multiplier, accumulators, accumulate);
  }
}

/** See `Kernels.widenWide` in kernels.ts. */
export function widenWide(
  input: usize, count: i32, bytes: i32, unsigned: i32, zeroPoint: i32, multiplier: i32, accumulators: usize,
  accumulate: i32,
): void {
  if (bytes == 2) {
    if (unsigned) widenWideFrom<u16>(input, count, zeroPoint, multiplier, accumulators, accumulate);
    else widenWideFrom<i16>(input, count, zeroPoint, multiplier, accumulators, accumulate);
  } else {
    if (unsigned) widenWideFrom<u8>(input, count, zeroPoint, multiplier, accumulators, accumulate);
    else widenWideFrom<i8>(input, count, zeroPoint, multiplier, accumulators, accumulate);
  }
}

function widenFrom<T>(
  input: usize, count: i32, zeroPoint: i32, multiplier: i32, accumulators: usize, accumulate: i32,
): void {
  const keep = accumulate ? -1 : 0;
  let left = count;
  if (ASC_FEATURE_SIMD) {
    const zero = i32x4.splat(zeroPoint);
    const factor = i32x4.splat(multiplier);
    const keep4 = i32x4.splat(keep);
    for (; left >= 8; left -= 8) {
      const values = loadEightAsI16<T>(input);
      // A uint16 does not fit the int16 lanes, but extends from them like the other unsigned formats.
      const first = isSigned<T>() ? i32x4.extend_low_i16x8_s(values) : i32x4.extend_low_i16x8_u(values);
      const second = isSigned<T>() ? i32x4.extend_high_i16x8_s(values) : i32x4.extend_high_i16x8_u(values);
      addFour(first, zero, factor, keep4, accumulators);
      addFour(second, zero, factor, keep4, accumulators + 16);
      input += 8 * sizeof<T>();
      accumulators += 32;
    }
  }
  for (; left > 0; left--) {
    const value = (<i32>load<T>(input) - zeroPoint) * multiplier;
    store<i32>(accumulators, (load<i32>(accumulators) & keep) + value);
    input += sizeof<T>();
    accumulators += 4;
  }
}

// @ts-ignore: decorator
@inline
function loadEightAsI16<T>(address: usize): v128 {
  if (sizeof<T>() == 2) return v128.load(address);
  return isSigned<T>() ? v128.load8x8_s(address) : v128.load8x8_u(address);
}

// @ts-ignore: decorator
@inline
function addFour(values: v128, zero: v128, factor: v128, keep: v128, accumulators: usize): void {
  const scaled = i32x4.mul(i32x4.sub(values, zero), factor);
  v128.store(accumulators, i32x4.add(v128.and(v128.load(accumulators), keep), scaled));
}

function widenWideFrom<T>(
  input: usize, count: i32, zeroPoint: i32, multiplier: i32, accumulators: usize, accumulate: i32,
): void {
  const keep: i64 = accumulate ? -1 : 0;
  for (let left = count; left > 0; left--) {
    const value = <i64>(<i32>load<T>(input) - zeroPoint) * <i64>multiplier;
    store<i64>(accumulators, (load<i64>(accumulators) & keep) + value);
    input += sizeof<T>();
    accumulators += 8;
  }
}
