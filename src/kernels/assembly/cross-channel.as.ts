/**
 * @fileoverview Maximum over groups of consecutive maps: sixteen pixels at a time down the maps of a group, as
 * every map is contiguous and the same pixel lies one map length further on.
 */

/** See `Kernels.crossChannelMaximum` in kernels.ts for the layouts. */
export function crossChannelMaximum(input: usize, groups: i32, ratio: i32, pixels: i32, out: usize): void {
  for (let group = 0; group < groups; group++) {
    let pixel = 0;
    for (; pixel + 16 <= pixels; pixel += 16) {
      let address = input + pixel;
      let best = v128.load(address);
      for (let map = 1; map < ratio; map++) {
        address += pixels;
        best = i8x16.max_s(best, v128.load(address));
      }
      v128.store(out + pixel, best);
    }
    for (; pixel < pixels; pixel++) {
      let address = input + pixel;
      let best: i32 = load<i8>(address);
      for (let map = 1; map < ratio; map++) {
        address += pixels;
        best = max<i32>(best, load<i8>(address));
      }
      store<i8>(out + pixel, best);
    }
    input += <usize>(ratio * pixels);
    out += pixels;
  }
}
