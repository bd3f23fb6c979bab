/**
 * @fileoverview int64 accumulators to activations. Accumulator and multiplier have at most 64 bits in all, so their
 * product, one of them being unsigned, fits an int64 with its sign.
 */
import { settle } from './accumulator.as';
import { roundsUp } from './elements.as';

/** See `Kernels.requantiseWide` in kernels.ts for the layouts. */
export function requantiseWide(
  accumulators: usize, filters: i32, pixels: i32, parameters: usize, low: i32, high: i32, out: usize,
  zeroPoint: i32, rounding: i32, bytes: i32, accumulatorBits: i32, wraps: i32,
): f64 {
  const least = -(<i64>1 << (accumulatorBits - 1));
  const most = ~least;
  let overflows: i64 = 0;
  for (let filter = 0; filter < filters; filter++) {
    const bias = load<i64>(parameters);
    const positive = <i64>load<u32>(parameters, 8);
    const negative = <i64>load<u32>(parameters, 12);
    const shift = <i64>load<u8>(parameters, 16);
    const mask = (<i64>1 << shift) - 1;
    const one = mask + 1;
    for (let pixel = 0; pixel < pixels; pixel++) {
      const exact = load<i64>(accumulators) + bias;
      overflows += <i64>(exact < least || exact > most);
      const value = settle(exact, least, most, wraps);
      const product = value * (value < 0 ? negative : positive);
      let scaled = product >> shift;
      // Twice the remainder minus the divisor; shift 0 leaves -1, which never rounds up.
      if (roundsUp(scaled, ((product & mask) << 1) - one, rounding)) scaled += 1;
      scaled = min<i64>(max<i64>(scaled, <i64>(low - zeroPoint)), <i64>(high - zeroPoint));
      if (bytes == 2) store<u16>(out, <u16>(<i32>scaled + zeroPoint));
      else store<u8>(out, <u8>(<i32>scaled + zeroPoint));
      accumulators += 8;
      out += bytes;
    }
    parameters += 20;
  }
  return <f64>overflows;
}
