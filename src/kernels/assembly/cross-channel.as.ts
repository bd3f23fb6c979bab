/**
 * @fileoverview Maximum and mean over groups of consecutive maps. The maximum takes one vector of pixels at a time
 * down the maps of a group, as every map is contiguous and the same pixel lies one map length further on.
 */
import { divideRound } from './elements.as';

/** See `Kernels.crossChannelMaximum` in kernels.ts for the layouts. */
export function crossChannelMaximum(
  input: usize, groups: i32, ratio: i32, pixels: i32, out: usize, bytes: i32, unsigned: i32,
): void {
  if (bytes == 2) {
    if (unsigned) maximum<u16>(input, groups, ratio, pixels, out);
    else maximum<i16>(input, groups, ratio, pixels, out);
  } else {
    if (unsigned) maximum<u8>(input, groups, ratio, pixels, out);
    else maximum<i8>(input, groups, ratio, pixels, out);
  }
}

/** See `Kernels.crossChannelMean` in kernels.ts for the layouts. */
export function crossChannelMean(
  input: usize, groups: i32, ratio: i32, pixels: i32, out: usize, bytes: i32, unsigned: i32, rounding: i32,
): void {
  if (bytes == 2) {
    if (unsigned) mean<u16>(input, groups, ratio, pixels, out, rounding);
    else mean<i16>(input, groups, ratio, pixels, out, rounding);
  } else {
    if (unsigned) mean<u8>(input, groups, ratio, pixels, out, rounding);
    else mean<i8>(input, groups, ratio, pixels, out, rounding);
  }
}

function maximum<T>(input: usize, groups: i32, ratio: i32, pixels: i32, out: usize): void {
  const mapBytes = <usize>pixels * sizeof<T>();
  for (let group = 0; group < groups; group++) {
    let offset: usize = 0;
    if (ASC_FEATURE_SIMD) {
      for (; offset + 16 <= mapBytes; offset += 16) {
        let address = input + offset;
        let best = v128.load(address);
        for (let map = 1; map < ratio; map++) {
          address += mapBytes;
          best = v128.max<T>(best, v128.load(address));
        }
        v128.store(out + offset, best);
      }
    }
    for (; offset < mapBytes; offset += sizeof<T>()) {
      let address = input + offset;
      let best = load<T>(address);
      for (let map = 1; map < ratio; map++) {
        address += mapBytes;
        best = max<T>(best, load<T>(address));
      }
      store<T>(out + offset, best);
    }
    input += <usize>ratio * mapBytes;
    out += mapBytes;
  }
}

function mean<T>(input: usize, groups: i32, ratio: i32, pixels: i32, out: usize, rounding: i32): void {
  const mapBytes = <usize>pixels * sizeof<T>();
  for (let group = 0; group < groups; group++) {
    for (let offset: usize = 0; offset < mapBytes; offset += sizeof<T>()) {
      let address = input + offset;
      let sum: i64 = 0;
      for (let map = 0; map < ratio; map++) {
        sum += <i64>load<T>(address);
        address += mapBytes;
      }
      store<T>(out + offset, <T>divideRound(sum, ratio, rounding));
    }
    input += <usize>ratio * mapBytes;
    out += mapBytes;
  }
}
