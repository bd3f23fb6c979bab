/** @fileoverview Maxima over groups of filters of sums with their bias, in place. */
import { settle } from './accumulator.as';

/** See `Kernels.crossChannelSums` in kernels.ts for the layouts. */
export function crossChannelSums(
  accumulators: usize, groups: i32, ratio: i32, open: i32, pixels: i32, parameters: usize, isWide: i32,
  accumulatorBits: i32, wraps: i32,
): f64 {
  const least = -(<i64>1 << (accumulatorBits - 1));
  const most = ~least;
  const planeBytes = <usize>pixels * (isWide ? 8 : 4);
  const recordBytes: usize = isWide ? 20 : 12;
  let overflows: i64 = 0;
  // Group g's maxima land on plane g, which no later group reads: its filters begin at g * ratio or, in turns, at g.
  for (let group = 0; group < groups; group++) {
    const first = (group / open) * ratio * open + (group % open);
    const out = accumulators + <usize>group * planeBytes;
    for (let pixel = 0; pixel < pixels; pixel++) {
      let best: i64 = 0;
      for (let member = 0; member < ratio; member++) {
        const filter = <usize>(first + member * open);
        const record = parameters + filter * recordBytes;
        const plane = accumulators + filter * planeBytes;
        let value: i64;
        if (isWide) {
          const exact = load<i64>(plane + ((<usize>pixel) << 3)) + load<i64>(record);
          overflows += <i64>(exact < least || exact > most);
          value = settle(exact, least, most, wraps);
        } else {
          value = <i64>load<i32>(plane + ((<usize>pixel) << 2)) + <i64>load<i32>(record);
        }
        if (member == 0 || value > best) best = value;
      }
      if (isWide) store<i64>(out + ((<usize>pixel) << 3), best);
      else store<i32>(out + ((<usize>pixel) << 2), <i32>best);
    }
  }
  return <f64>overflows;
}
