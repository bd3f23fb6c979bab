/**
 * @fileoverview Number formats and roundings all kernels share. A format is (bytes, unsigned): int8, uint8, int16
 * or uint16. Loops are generic over the element type, so that the format is chosen once a call.
 */

/** Roundings as kernels.ts numbers them. */
export const HALF_EVEN = 0;
export const HALF_UP = 1;
export const HALF_AWAY = 2;
export const TRUNCATE = 3;

// @ts-ignore: decorator
@inline
export function clamp(value: i32, low: i32, high: i32): i32 {
  return min(max(value, low), high);
}

// @ts-ignore: decorator
@inline
export function memoryEnd(): usize {
  return (<usize>memory.size()) << 16;
}

/** One element of a format that is only known at run time. */
// @ts-ignore: decorator
@inline
export function loadElement(address: usize, bytes: i32, unsigned: i32): i32 {
  if (bytes == 2) return unsigned ? <i32>load<u16>(address) : <i32>load<i16>(address);
  return unsigned ? <i32>load<u8>(address) : <i32>load<i8>(address);
}

/** Whether a quotient `floor` with a remainder is rounded up: `excess` is twice the remainder minus the divisor. */
// @ts-ignore: decorator
@inline
export function roundsUp(floor: i64, excess: i64, rounding: i32): bool {
  if (rounding == TRUNCATE || excess < 0) return false;
  if (excess > 0 || rounding == HALF_UP) return true;
  return rounding == HALF_EVEN ? (floor & 1) != 0 : floor >= 0;
}

/** sum / count rounded to an integer; count > 0, |sum| < 2^62. */
export function divideRound(sum: i64, count: i32, rounding: i32): i32 {
  let quotient: i64;
  let rest: i64;
  if (sum == <i64>(<i32>sum)) {
    // 32-bit division is several times as fast.
    const quotient32 = <i32>sum / count;
    quotient = quotient32;
    rest = <i32>sum - quotient32 * count;
  } else {
    quotient = sum / count;
    rest = sum - quotient * count;
  }
  if (rest < 0) {
    quotient -= 1;
    rest += count;
  }
  return <i32>(roundsUp(quotient, (rest << 1) - count, rounding) ? quotient + 1 : quotient);
}
