/**
 * @fileoverview The inner tiles of a convolution over packed operands. A tile is 4 pixels x 8 filters (or 8 x 4): a
 * pixel's pair of numbers is splatted, the filters' pairs are loaded, and the dot product adds both into lanes that
 * stand for filters. Nothing is shuffled before the end.
 */
import { multiplyAdd, storePixels } from './convolve-common.as';

/**
 * Some pixels of up to 8 filters, whose accumulators lie `pitch` bytes apart, in tiles of 4 x 8. One pair a turn: V8 moves instructions freely
 * within a basic block, and unrolled by hand it keeps so many operands alive that it spills; this way
 * everything stays in registers.
 */
export function convolveEightFilters(
  table: usize, packedWeights: usize, kernelRows: i32, rowStep: i32, runsPerRow: i32, runStep: i32, pairs: i32,
  out: usize, pitch: usize, pixels: i32, live: i32, accumulate: i32,
): void {
  for (let left = pixels; left > 0; left -= 4) {
    let weights = packedWeights;
    let a0 = i64x2.splat(0);
    let a1 = a0;
    let a2 = a0;
    let a3 = a0;
    let b0 = a0;
    let b1 = a0;
    let b2 = a0;
    let b3 = a0;
    let offset: usize = 0;
    for (let row = 0; row < kernelRows; row++) {
      let runOffset = offset;
      for (let run = 0; run < runsPerRow; run++) {
        let p0 = <usize>load<u32>(table) + runOffset;
        let p1 = <usize>load<u32>(table, 4) + runOffset;
        let p2 = <usize>load<u32>(table, 8) + runOffset;
        let p3 = <usize>load<u32>(table, 12) + runOffset;
        for (let pair = 0; pair < pairs; pair++) {
          const u = v128.load(weights);
          const v = v128.load(weights, 16);
          let x = v128.load32_splat(p0);
          a0 = multiplyAdd(a0, u, x);
          b0 = multiplyAdd(b0, v, x);
          x = v128.load32_splat(p1);
          a1 = multiplyAdd(a1, u, x);
          b1 = multiplyAdd(b1, v, x);
          x = v128.load32_splat(p2);
          a2 = multiplyAdd(a2, u, x);
          b2 = multiplyAdd(b2, v, x);
          x = v128.load32_splat(p3);
          a3 = multiplyAdd(a3, u, x);
          b3 = multiplyAdd(b3, v, x);
          p0 += 4;
          p1 += 4;
          p2 += 4;
          p3 += 4;
          weights += 32;
        }
        runOffset += runStep;
      }
      offset += rowStep;
    }
    storeTile(a0, a1, a2, a3, out, pitch, live, left, accumulate);
    storeTile(b0, b1, b2, b3, out + (pitch << 2), pitch, live - 4, left, accumulate);
    table += 16;
    out += 16;
  }
}

/** As convolveEightFilters for up to 4 filters, in tiles of 8 pixels x 4 filters. */
export function convolveFourFilters(
  table: usize, packedWeights: usize, kernelRows: i32, rowStep: i32, runsPerRow: i32, runStep: i32, pairs: i32,
  out: usize, pitch: usize, pixels: i32, live: i32, accumulate: i32,
): void {
  for (let left = pixels; left > 0; left -= 8) {
    let weights = packedWeights;
    let a0 = i64x2.splat(0);
    let a1 = a0;
    let a2 = a0;
    let a3 = a0;
    let a4 = a0;
    let a5 = a0;
    let a6 = a0;
    let a7 = a0;
    let offset: usize = 0;
    for (let row = 0; row < kernelRows; row++) {
      let runOffset = offset;
      for (let run = 0; run < runsPerRow; run++) {
        let p0 = <usize>load<u32>(table) + runOffset;
        let p1 = <usize>load<u32>(table, 4) + runOffset;
        let p2 = <usize>load<u32>(table, 8) + runOffset;
        let p3 = <usize>load<u32>(table, 12) + runOffset;
        let p4 = <usize>load<u32>(table, 16) + runOffset;
        let p5 = <usize>load<u32>(table, 20) + runOffset;
        let p6 = <usize>load<u32>(table, 24) + runOffset;
        let p7 = <usize>load<u32>(table, 28) + runOffset;
        for (let pair = 0; pair < pairs; pair++) {
          const u = v128.load(weights);
          a0 = multiplyAdd(a0, u, v128.load32_splat(p0));
          a1 = multiplyAdd(a1, u, v128.load32_splat(p1));
          a2 = multiplyAdd(a2, u, v128.load32_splat(p2));
          a3 = multiplyAdd(a3, u, v128.load32_splat(p3));
          a4 = multiplyAdd(a4, u, v128.load32_splat(p4));
          a5 = multiplyAdd(a5, u, v128.load32_splat(p5));
          a6 = multiplyAdd(a6, u, v128.load32_splat(p6));
          a7 = multiplyAdd(a7, u, v128.load32_splat(p7));
          p0 += 4;
          p1 += 4;
          p2 += 4;
          p3 += 4;
          p4 += 4;
          p5 += 4;
          p6 += 4;
          p7 += 4;
          weights += 16;
        }
        runOffset += runStep;
      }
      offset += rowStep;
    }
    storeTile(a0, a1, a2, a3, out, pitch, live, left, accumulate);
    if (left > 4) {
      storeTile(a4, a5, a6, a7, out + 16, pitch, live, left - 4, accumulate);
    }
    table += 32;
    out += 32;
  }
}

/** Writes 4 pixels of 4 filters each as 4 filters of 4 pixels, or as many of either as are live. */
// @ts-ignore: decorator
@inline
function storeTile(
  p0: v128, p1: v128, p2: v128, p3: v128, out: usize, pitch: usize, liveFilters: i32, livePixels: i32,
  accumulate: i32,
): void {
  const p01 = v128.shuffle<i32>(p0, p1, 0, 4, 1, 5);
  const q01 = v128.shuffle<i32>(p0, p1, 2, 6, 3, 7);
  const p23 = v128.shuffle<i32>(p2, p3, 0, 4, 1, 5);
  const q23 = v128.shuffle<i32>(p2, p3, 2, 6, 3, 7);
  const f0 = v128.shuffle<i64>(p01, p23, 0, 2);
  const f1 = v128.shuffle<i64>(p01, p23, 1, 3);
  const f2 = v128.shuffle<i64>(q01, q23, 0, 2);
  const f3 = v128.shuffle<i64>(q01, q23, 1, 3);
  storePixels(f0, out, livePixels, accumulate);
  if (liveFilters > 1) storePixels(f1, out + pitch, livePixels, accumulate);
  if (liveFilters > 2) storePixels(f2, out + (pitch << 1), livePixels, accumulate);
  if (liveFilters > 3) storePixels(f3, out + pitch * 3, livePixels, accumulate);
}
