/**
 * @fileoverview int32 accumulators to int8, and int8 back to int32.
 *
 * |v * m| < 2^47 and the power of two only moves the exponent, so v * (m * 2^-shift) is exact in a double.
 * Adding 1.5 * 2^52 then leaves the value rounded to the nearest integer, ties to even, in the low bits of the
 * significand: IEEE addition does the rounding, two lanes at a time. Clamping goes first; as the bounds are
 * integers it commutes with rounding.
 */

/** 1.5 * 2^52: the unit in the last place of a nearby double is one. */
const ROUNDING: f64 = 6755399441055744.0;

// @ts-ignore: decorator
@inline
function scaleTwo(values: v128, positive: v128, negative: v128, low: v128, high: v128): v128 {
  const scale = v128.bitselect(negative, positive, i64x2.extend_low_i32x4_s(i32x4.shr_s(values, 31)));
  const exact = f64x2.mul(f64x2.convert_low_i32x4_s(values), scale);
  return f64x2.add(f64x2.pmin(f64x2.pmax(exact, low), high), f64x2.splat(ROUNDING));
}

/** Four accumulators to four clamped int32. */
// @ts-ignore: decorator
@inline
function scaleFour(address: usize, bias: v128, positive: v128, negative: v128, low: v128, high: v128): v128 {
  const values = i32x4.add(v128.load(address), bias);
  const first = scaleTwo(values, positive, negative, low, high);
  const second = scaleTwo(v128.shuffle<i32>(values, values, 2, 3, 2, 3), positive, negative, low, high);
  return v128.shuffle<i32>(first, second, 0, 2, 4, 6);
}

/** See `Kernels.requantise` in kernels.ts for the layouts. */
export function requantise(
  accumulators: usize, filters: i32, pixels: i32, parameters: usize, low: i32, high: i32, out: usize,
): void {
  const low2 = f64x2.splat(low);
  const high2 = f64x2.splat(high);
  for (let filter = 0; filter < filters; filter++) {
    const bias = load<i32>(parameters);
    const power = reinterpret<f64>((1023 - <u64>load<u8>(parameters, 8)) << 52);
    const positive = <f64>load<u16>(parameters, 4) * power;
    const negative = <f64>load<u16>(parameters, 6) * power;
    const bias4 = i32x4.splat(bias);
    const positive2 = f64x2.splat(positive);
    const negative2 = f64x2.splat(negative);
    let left = pixels;
    for (; left >= 16; left -= 16) {
      const a = scaleFour(accumulators, bias4, positive2, negative2, low2, high2);
      const b = scaleFour(accumulators + 16, bias4, positive2, negative2, low2, high2);
      const c = scaleFour(accumulators + 32, bias4, positive2, negative2, low2, high2);
      const d = scaleFour(accumulators + 48, bias4, positive2, negative2, low2, high2);
      v128.store(
        out,
        i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d)),
      );
      accumulators += 64;
      out += 16;
    }
    for (; left > 0; left--) {
      const value = load<i32>(accumulators) + bias;
      const exact = <f64>value * (value < 0 ? negative : positive);
      store<i8>(out, <i8>nearest<f64>(min<f64>(max<f64>(exact, low), high)));
      accumulators += 4;
      out += 1;
    }
    parameters += 12;
  }
}

/** See `Kernels.widen` in kernels.ts. */
export function widen(input: usize, count: i32, accumulators: usize): void {
  let left = count;
  for (; left >= 8; left -= 8) {
    const values = v128.load8x8_s(input);
    v128.store(accumulators, i32x4.extend_low_i16x8_s(values));
    v128.store(accumulators, i32x4.extend_high_i16x8_s(values), 16);
    input += 8;
    accumulators += 32;
  }
  for (; left > 0; left--) {
    store<i32>(accumulators, load<i8>(input));
    input += 1;
    accumulators += 4;
  }
}
