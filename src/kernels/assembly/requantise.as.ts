/**
 * @fileoverview int32 accumulators to activations.
 *
 * |v * m| < 2^47 and the power of two only moves the exponent, so v * (m * 2^-shift) is exact in a double, and so
 * is half a unit more. Adding 1.5 * 2^52 then leaves the value rounded to the nearest integer, ties to even, in
 * the low bits of the significand: IEEE addition does the rounding, two lanes at a time. The other roundings round
 * down by themselves first. Clamping goes before rounding; as the bounds are integers it commutes with it.
 */
import { HALF_AWAY, HALF_EVEN, TRUNCATE } from './elements.as';

/** 1.5 * 2^52: the unit in the last place of a nearby double is one. */
const MAGIC: f64 = 6755399441055744.0;

/** See `Kernels.requantise` in kernels.ts for the layouts. */
export function requantise(
  accumulators: usize, filters: i32, pixels: i32, parameters: usize, low: i32, high: i32, out: usize,
  zeroPoint: i32, rounding: i32, bytes: i32,
): void {
  const accumulatorPitch = <usize>pixels << 2;
  const outPitch = bytes == 2 ? <usize>pixels << 1 : <usize>pixels;
  for (let filter = 0; filter < filters; filter++) {
    let done = 0;
    if (ASC_FEATURE_SIMD) {
      if (pixels >= 16) {
        done = pixels & ~15;
        requantiseSixteens(accumulators, done, parameters, low, high, out, zeroPoint, rounding, bytes);
        if (done < pixels) {
          // The rest are the last of sixteen, of which the first ones only become once more what they are.
          const again = pixels - 16;
          requantiseSixteens(
            accumulators + (<usize>again << 2), 16, parameters, low, high, out + <usize>(again * bytes), zeroPoint,
            rounding, bytes,
          );
          done = pixels;
        }
      }
    }
    const bias = load<i32>(parameters);
    const power = powerOf(parameters);
    const positive = <f64>load<u16>(parameters, 4) * power;
    const negative = <f64>load<u16>(parameters, 6) * power;
    for (let pixel = done; pixel < pixels; pixel++) {
      const value = load<i32>(accumulators + (<usize>pixel << 2)) + bias;
      const exact = <f64>value * (value < 0 ? negative : positive);
      const scaled = round(min<f64>(max<f64>(exact, low - zeroPoint), high - zeroPoint), rounding);
      if (bytes == 2) store<u16>(out + (<usize>pixel << 1), <u16>(scaled + zeroPoint));
      else store<u8>(out + <usize>pixel, <u8>(scaled + zeroPoint));
    }
    accumulators += accumulatorPitch;
    out += outPitch;
    parameters += 12;
  }
}

/** `count` (a multiple of 16) accumulators of one filter. */
function requantiseSixteens(
  accumulators: usize, count: i32, parameters: usize, low: i32, high: i32, out: usize, zeroPoint: i32,
  rounding: i32, bytes: i32,
): void {
  if (bytes == 2) {
    if (rounding == HALF_EVEN) requantiseMap<u16>(accumulators, count, parameters, low, high, out, zeroPoint);
    else requantiseMapBy<u16>(accumulators, count, parameters, low, high, out, zeroPoint, rounding);
  } else {
    if (rounding == HALF_EVEN) requantiseMap<u8>(accumulators, count, parameters, low, high, out, zeroPoint);
    else requantiseMapBy<u8>(accumulators, count, parameters, low, high, out, zeroPoint, rounding);
  }
}

/** 2^-shift of a record. */
// @ts-ignore: decorator
@inline
function powerOf(parameters: usize): f64 {
  return reinterpret<f64>((1023 - <u64>load<u8>(parameters, 8)) << 52);
}

// @ts-ignore: decorator
@inline
function round(value: f64, rounding: i32): i32 {
  if (rounding == HALF_EVEN) return <i32>nearest<f64>(value);
  if (rounding == TRUNCATE) return <i32>floor<f64>(value);
  if (rounding == HALF_AWAY && value < 0) return <i32>ceil<f64>(value - 0.5);
  return <i32>floor<f64>(value + 0.5);
}

/**
 * Values of two lanes: scaled exactly, clamped. With the larger multiplier on the positive side (`convex`, as all
 * usual activations have it) the larger product is the right one.
 */
// @ts-ignore: decorator
@inline
function scaleTwo(values: v128, positive: v128, negative: v128, low: v128, high: v128, convex: bool): v128 {
  const doubles = f64x2.convert_low_i32x4_s(values);
  let exact: v128;
  if (convex) {
    exact = f64x2.pmax(f64x2.mul(doubles, positive), f64x2.mul(doubles, negative));
  } else {
    exact = f64x2.pmin(f64x2.mul(doubles, positive), f64x2.mul(doubles, negative));
  }
  return f64x2.pmin(f64x2.pmax(exact, low), high);
}

/** Four accumulators to four clamped int32, ties to even. */
// @ts-ignore: decorator
@inline
function scaleFour(
  address: usize, bias: v128, positive: v128, negative: v128, low: v128, high: v128, convex: bool,
): v128 {
  const values = i32x4.add(v128.load(address), bias);
  const first = scaleTwo(values, positive, negative, low, high, convex);
  const second = scaleTwo(v128.shuffle<i32>(values, values, 2, 3, 2, 3), positive, negative, low, high, convex);
  const magic = f64x2.splat(MAGIC);
  return v128.shuffle<i32>(f64x2.add(first, magic), f64x2.add(second, magic), 0, 2, 4, 6);
}

/**
 * floor(|x| + half) with the sign of x where `flip` is the sign bit, floor(x + half) where it is zero: half and
 * flip make the three roundings besides half-even.
 */
// @ts-ignore: decorator
@inline
function roundTwo(values: v128, half: v128, flip: v128): v128 {
  const sign = v128.and(values, flip);
  const rounded = f64x2.floor(f64x2.add(v128.xor(values, sign), half));
  return f64x2.add(v128.xor(rounded, sign), f64x2.splat(MAGIC));
}

/** As scaleFour with another rounding. */
// @ts-ignore: decorator
@inline
function scaleFourBy(
  address: usize, bias: v128, positive: v128, negative: v128, low: v128, high: v128, convex: bool, half: v128,
  flip: v128,
): v128 {
  const values = i32x4.add(v128.load(address), bias);
  const first = scaleTwo(values, positive, negative, low, high, convex);
  const second = scaleTwo(v128.shuffle<i32>(values, values, 2, 3, 2, 3), positive, negative, low, high, convex);
  return v128.shuffle<i32>(roundTwo(first, half, flip), roundTwo(second, half, flip), 0, 2, 4, 6);
}

/** Adds the zero point and stores sixteen values, all of which fit one sign or the other of T. */
// @ts-ignore: decorator
@inline
function storeSixteen<T>(out: usize, a: v128, b: v128, c: v128, d: v128, zero: v128, unsigned: bool): void {
  a = i32x4.add(a, zero);
  b = i32x4.add(b, zero);
  c = i32x4.add(c, zero);
  d = i32x4.add(d, zero);
  if (sizeof<T>() == 2) {
    if (unsigned) {
      v128.store(out, i16x8.narrow_i32x4_u(a, b));
      v128.store(out, i16x8.narrow_i32x4_u(c, d), 16);
    } else {
      v128.store(out, i16x8.narrow_i32x4_s(a, b));
      v128.store(out, i16x8.narrow_i32x4_s(c, d), 16);
    }
  } else {
    const ab = i16x8.narrow_i32x4_s(a, b);
    const cd = i16x8.narrow_i32x4_s(c, d);
    v128.store(out, unsigned ? i8x16.narrow_i16x8_u(ab, cd) : i8x16.narrow_i16x8_s(ab, cd));
  }
}

/** `count` (a multiple of 16) accumulators of one filter, ties to even; T is as wide as the output. */
function requantiseMap<T>(
  accumulators: usize, count: i32, parameters: usize, low: i32, high: i32, out: usize, zeroPoint: i32,
): void {
  if (load<u16>(parameters, 4) >= load<u16>(parameters, 6)) {
    requantiseConvex<T>(accumulators, count, parameters, low, high, out, zeroPoint, true);
  } else {
    requantiseConvex<T>(accumulators, count, parameters, low, high, out, zeroPoint, false);
  }
}

// @ts-ignore: decorator
@inline
function requantiseConvex<T>(
  accumulators: usize, count: i32, parameters: usize, low: i32, high: i32, out: usize, zeroPoint: i32,
  convex: bool,
): void {
  const power = powerOf(parameters);
  const bias = i32x4.splat(load<i32>(parameters));
  const positive = f64x2.splat(<f64>load<u16>(parameters, 4) * power);
  const negative = f64x2.splat(<f64>load<u16>(parameters, 6) * power);
  const low2 = f64x2.splat(low - zeroPoint);
  const high2 = f64x2.splat(high - zeroPoint);
  const zero = i32x4.splat(zeroPoint);
  const unsigned = low >= 0;
  for (let left = count; left > 0; left -= 16) {
    const a = scaleFour(accumulators, bias, positive, negative, low2, high2, convex);
    const b = scaleFour(accumulators + 16, bias, positive, negative, low2, high2, convex);
    const c = scaleFour(accumulators + 32, bias, positive, negative, low2, high2, convex);
    const d = scaleFour(accumulators + 48, bias, positive, negative, low2, high2, convex);
    storeSixteen<T>(out, a, b, c, d, zero, unsigned);
    accumulators += 64;
    out += 16 * sizeof<T>();
  }
}

/** As requantiseMap with another rounding. */
function requantiseMapBy<T>(
  accumulators: usize, count: i32, parameters: usize, low: i32, high: i32, out: usize, zeroPoint: i32,
  rounding: i32,
): void {
  if (load<u16>(parameters, 4) >= load<u16>(parameters, 6)) {
    requantiseConvexBy<T>(accumulators, count, parameters, low, high, out, zeroPoint, rounding, true);
  } else {
    requantiseConvexBy<T>(accumulators, count, parameters, low, high, out, zeroPoint, rounding, false);
  }
}

// @ts-ignore: decorator
@inline
function requantiseConvexBy<T>(
  accumulators: usize, count: i32, parameters: usize, low: i32, high: i32, out: usize, zeroPoint: i32,
  rounding: i32, convex: bool,
): void {
  const power = powerOf(parameters);
  const bias = i32x4.splat(load<i32>(parameters));
  const positive = f64x2.splat(<f64>load<u16>(parameters, 4) * power);
  const negative = f64x2.splat(<f64>load<u16>(parameters, 6) * power);
  const low2 = f64x2.splat(low - zeroPoint);
  const high2 = f64x2.splat(high - zeroPoint);
  const zero = i32x4.splat(zeroPoint);
  const unsigned = low >= 0;
  const half = f64x2.splat(rounding == TRUNCATE ? 0 : 0.5);
  const flip = i64x2.splat(rounding == HALF_AWAY ? i64.MIN_VALUE : 0);
  for (let left = count; left > 0; left -= 16) {
    const a = scaleFourBy(accumulators, bias, positive, negative, low2, high2, convex, half, flip);
    const b = scaleFourBy(accumulators + 16, bias, positive, negative, low2, high2, convex, half, flip);
    const c = scaleFourBy(accumulators + 32, bias, positive, negative, low2, high2, convex, half, flip);
    const d = scaleFourBy(accumulators + 48, bias, positive, negative, low2, high2, convex, half, flip);
    storeSixteen<T>(out, a, b, c, d, zero, unsigned);
    accumulators += 64;
    out += 16 * sizeof<T>();
  }
}
