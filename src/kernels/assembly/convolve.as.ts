/**
 * @fileoverview Convolution of int8 planes with int8 weights into int32 accumulators.
 *
 * The fast instruction is i32x4.dot_i16x8_s: eight 16-bit products, added in neighbouring pairs. Everything
 * here serves to feed it without a shuffle in the inner loop:
 *
 * - The needed part of the input is widened once a call to int16, zero padded, channels last. A window row is
 *   then one contiguous run of kernelColumns * channels numbers, whatever the stride, and any two neighbours
 *   of the run are a pair for the dot product. (With column dilation each tap is a run of its own.)
 * - The weights are packed into pairs in the order of the runs, 8 (or 4) filters side by side. A run of odd
 *   length ends in a zero weight, so the number read past its end does not count.
 * - The inner tile is 4 pixels x 8 filters (or 8 x 4): a pixel's pair is splatted, the filters' pairs are
 *   loaded. The vector runs over filters, hence the pixels of a tile may be any four: a table of window
 *   addresses flattens rows, and a 13 pixel wide map wastes no lanes.
 *
 * One channel with few filters (depthwise) would leave the filter lanes empty; there the vector runs over
 * pixels instead.
 */

/** Bytes the packed input may be read or written past its end. */
const SLACK: usize = 16;

// @ts-ignore: decorator
@inline
function align(address: usize): usize {
  return (address + 15) & ~15;
}

// @ts-ignore: decorator
@inline
function clamp(value: i32, low: i32, high: i32): i32 {
  return min(max(value, low), high);
}

// @ts-ignore: decorator
@inline
function memoryEnd(): usize {
  return (<usize>memory.size()) << 16;
}

// @ts-ignore: decorator
@inline
function multiplyAdd(sum: v128, a: v128, b: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(a, b));
}

// @ts-ignore: decorator
@inline
function interleaveBytes(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

/** The 8 bytes at `address`; those past the end of the memory read as zero. */
// @ts-ignore: decorator
@inline
function loadEight(address: usize, end: usize): v128 {
  return address + 8 <= end ? v128.load64_zero(address) : loadEightAtEnd(address, end);
}

function loadEightAtEnd(address: usize, end: usize): v128 {
  let bits: u64 = 0;
  for (let i: usize = 0; address + i < end; i++) bits |= (<u64>load<u8>(address + i)) << (<u64>(i << 3));
  return i64x2.replace_lane(i64x2.splat(0), 0, bits);
}

/** See `Kernels.convolve` in kernels.ts for the layouts. */
export function convolve(
  features: usize, rowPitch: i32, planePitch: i32, rows: i32, columns: i32, channels: i32,
  padTop: i32, padLeft: i32, kernelRows: i32, kernelColumns: i32, strideRows: i32, strideColumns: i32,
  dilationRows: i32, dilationColumns: i32, outRows: i32, outColumns: i32,
  filters: i32, weights: usize, accumulators: usize, accumulate: i32, scratch: usize,
): void {
  if (channels == 1 && filters < 4) {
    convolveNarrow(
      features, rowPitch, rows, columns, padTop, padLeft, kernelRows, kernelColumns, strideRows, strideColumns,
      dilationRows, dilationColumns, outRows, outColumns, filters, weights, accumulators, accumulate, scratch,
    );
    return;
  }
  // A pointwise layer over whole rows is one long row, which packs without a tail per row.
  if (
    kernelRows == 1 && kernelColumns == 1 && strideRows == 1 && strideColumns == 1 && padTop == 0 &&
    padLeft == 0 && outColumns == columns && rowPitch == columns && outRows <= rows
  ) {
    columns = outColumns = outRows * outColumns;
    rows = outRows = 1;
    rowPitch = columns;
  }
  const packedRows = (outRows - 1) * strideRows + (kernelRows - 1) * dilationRows + 1;
  const packedColumns = (outColumns - 1) * strideColumns + (kernelColumns - 1) * dilationColumns + 1;
  const pixelBytes = channels << 1;
  const rowBytes = packedColumns * pixelBytes;
  const pixels = outRows * outColumns;

  const table = align(scratch);
  const packed = align(table + (<usize>(pixels + 8) << 2));
  const packedWeights = align(packed + <usize>(packedRows * rowBytes) + SLACK);

  packInput(
    packed, packedRows, packedColumns, features, rowPitch, planePitch, rows, columns, channels, padTop, padLeft,
  );
  fillTable(table, packed, outRows, outColumns, strideRows * rowBytes, strideColumns * pixelBytes);

  const contiguous = dilationColumns == 1 || kernelColumns == 1;
  const runsPerRow = contiguous ? 1 : kernelColumns;
  const tapsPerRun = contiguous ? kernelColumns : 1;
  const pairs = (tapsPerRun * channels + 1) >> 1;
  const rowStep = dilationRows * rowBytes;
  const runStep = dilationColumns * pixelBytes;

  for (let filter = 0; filter < filters; filter += 8) {
    const live = min(filters - filter, 8);
    const wide = live > 4;
    packWeights(
      packedWeights, weights + filter, wide, channels, kernelRows, kernelColumns, runsPerRow, tapsPerRun, filters,
    );
    const out = accumulators + (<usize>(filter * pixels) << 2);
    if (wide) {
      convolveEightFilters(
        table, packedWeights, kernelRows, rowStep, runsPerRow, runStep, pairs, out, pixels, live, accumulate,
      );
    } else {
      convolveFourFilters(
        table, packedWeights, kernelRows, rowStep, runsPerRow, runStep, pairs, out, pixels, live, accumulate,
      );
    }
  }
}

/** Addresses of the pixels' windows in the packed input, the last one repeated to fill the last tile. */
function fillTable(table: usize, packed: usize, outRows: i32, outColumns: i32, rowStep: i32, step: i32): void {
  let entry = table;
  let address = packed;
  for (let y = 0; y < outRows; y++) {
    address = packed + <usize>(y * rowStep);
    for (let x = 0; x < outColumns; x++) {
      store<u32>(entry, <u32>address);
      entry += 4;
      address += step;
    }
  }
  for (let i = 0; i < 8; i++) {
    store<u32>(entry, <u32>(address - step));
    entry += 4;
  }
}

/** Packs planes of int8 into [row][column][channel] of int16, zero where the box leaves the input. */
function packInput(
  packed: usize, packedRows: i32, packedColumns: i32, features: usize, rowPitch: i32, planePitch: i32,
  rows: i32, columns: i32, channels: i32, padTop: i32, padLeft: i32,
): void {
  const pixelBytes = channels << 1;
  const rowBytes = packedColumns * pixelBytes;
  const top = clamp(padTop, 0, packedRows);
  const bottom = clamp(rows + padTop, top, packedRows);
  const left = clamp(padLeft, 0, packedColumns);
  const right = clamp(columns + padLeft, left, packedColumns);
  if (top > 0 || bottom < packedRows || left > 0 || right < packedColumns) {
    memory.fill(packed, 0, <usize>(packedRows * rowBytes));
  }
  if (left == right) return;
  const end = memoryEnd();
  for (let y = top; y < bottom; y++) {
    let source = features + <usize>((y - padTop) * rowPitch + left - padLeft);
    let destination = packed + <usize>(y * rowBytes + left * pixelBytes);
    // Within eight pixels the last channels go first: with one to three of them a pixel is written four
    // channels wide, and what spills into the next pixel is written over by what follows, except behind the
    // last pixel of the row.
    const behind = destination + <usize>((right - left) * pixelBytes);
    const kept = load<u64>(behind);
    for (let width = right - left; width > 0; width -= 8) {
      let channel = channels & ~3;
      if (channel < channels) {
        packFourChannels(source, planePitch, channel, channels - channel, destination, pixelBytes, width, end);
      }
      if (channel & 4) {
        channel -= 4;
        packFourChannels(source, planePitch, channel, 4, destination, pixelBytes, width, end);
      }
      packEightChannels(source, planePitch, channel, destination, pixelBytes, width, end);
      source += 8;
      destination += pixelBytes << 3;
    }
    store<u64>(behind, kept);
  }
}

/** Packs channels [0, channels), a multiple of 8, of the first eight pixels, or of `live` if that is fewer. */
function packEightChannels(
  source: usize, planePitch: i32, channels: i32, destination: usize, pixelBytes: i32, live: i32, end: usize,
): void {
  for (let channel = 0; channel < channels; channel += 8) {
    const s1 = source + planePitch;
    const s2 = s1 + planePitch;
    const s3 = s2 + planePitch;
    const s4 = s3 + planePitch;
    const s5 = s4 + planePitch;
    const s6 = s5 + planePitch;
    const s7 = s6 + planePitch;
    const a = interleaveBytes(loadEight(source, end), loadEight(s1, end));
    const b = interleaveBytes(loadEight(s2, end), loadEight(s3, end));
    const c = interleaveBytes(loadEight(s4, end), loadEight(s5, end));
    const d = interleaveBytes(loadEight(s6, end), loadEight(s7, end));
    const ab0 = v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
    const ab4 = v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
    const cd0 = v128.shuffle<i16>(c, d, 0, 8, 1, 9, 2, 10, 3, 11);
    const cd4 = v128.shuffle<i16>(c, d, 4, 12, 5, 13, 6, 14, 7, 15);
    const p0 = v128.shuffle<i32>(ab0, cd0, 0, 4, 1, 5);
    const p2 = v128.shuffle<i32>(ab0, cd0, 2, 6, 3, 7);
    const p4 = v128.shuffle<i32>(ab4, cd4, 0, 4, 1, 5);
    const p6 = v128.shuffle<i32>(ab4, cd4, 2, 6, 3, 7);
    let d0 = destination;
    v128.store(d0, i16x8.extend_low_i8x16_s(p0));
    if (live > 1) v128.store((d0 += pixelBytes), i16x8.extend_high_i8x16_s(p0));
    if (live > 2) v128.store((d0 += pixelBytes), i16x8.extend_low_i8x16_s(p2));
    if (live > 3) v128.store((d0 += pixelBytes), i16x8.extend_high_i8x16_s(p2));
    if (live > 4) v128.store((d0 += pixelBytes), i16x8.extend_low_i8x16_s(p4));
    if (live > 5) v128.store((d0 += pixelBytes), i16x8.extend_high_i8x16_s(p4));
    if (live > 6) v128.store((d0 += pixelBytes), i16x8.extend_low_i8x16_s(p6));
    if (live > 7) v128.store(d0 + pixelBytes, i16x8.extend_high_i8x16_s(p6));
    source = s7 + planePitch;
    destination += 16;
  }
}

/** As packEightChannels for `some` = 1..4 channels from `channel` on; always writes four, see packInput. */
function packFourChannels(
  plane: usize, planePitch: i32, channel: i32, some: i32, pixel: usize, pixelBytes: i32, live: i32, end: usize,
): void {
  const source = plane + <usize>(channel * planePitch);
  const step1 = some > 1 ? planePitch : 0;
  const step2 = some > 2 ? step1 + planePitch : 0;
  const step3 = some > 3 ? step2 + planePitch : 0;
  const a = interleaveBytes(loadEight(source, end), loadEight(source + step1, end));
  const b = interleaveBytes(loadEight(source + step2, end), loadEight(source + step3, end));
  const ab0 = v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  const ab4 = v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
  const p0 = i16x8.extend_low_i8x16_s(ab0);
  const p2 = i16x8.extend_high_i8x16_s(ab0);
  const p4 = i16x8.extend_low_i8x16_s(ab4);
  const p6 = i16x8.extend_high_i8x16_s(ab4);
  let destination = pixel + (<usize>channel << 1);
  v128.store64_lane(destination, p0, 0);
  if (live > 1) v128.store64_lane((destination += pixelBytes), p0, 1);
  if (live > 2) v128.store64_lane((destination += pixelBytes), p2, 0);
  if (live > 3) v128.store64_lane((destination += pixelBytes), p2, 1);
  if (live > 4) v128.store64_lane((destination += pixelBytes), p4, 0);
  if (live > 5) v128.store64_lane((destination += pixelBytes), p4, 1);
  if (live > 6) v128.store64_lane((destination += pixelBytes), p6, 0);
  if (live > 7) v128.store64_lane(destination + pixelBytes, p6, 1);
}

/**
 * Packs one block of 8 (`wide`) or 4 filters into [run][pair][filter][2] of int16. `weights` points at the
 * block's first filter of the first tap; lanes of filters that do not exist hold whatever follows there, and
 * are never stored.
 */
function packWeights(
  packed: usize, weights: usize, wide: bool, channels: i32, kernelRows: i32, kernelColumns: i32,
  runsPerRow: i32, tapsPerRun: i32, filters: i32,
): void {
  const end = memoryEnd();
  const zero = i64x2.splat(0);
  const channelStep = kernelRows * kernelColumns * filters;
  const pairBytes: usize = wide ? 32 : 16;
  let destination = packed;
  for (let run = 0, runs = kernelRows * runsPerRow; run < runs; run++) {
    let first = zero;
    let pending = false;
    for (let tap = 0; tap < tapsPerRun; tap++) {
      let source = weights + <usize>((run * tapsPerRun + tap) * filters);
      let channel = 0;
      if (pending) {
        storePair(destination, first, loadEight(source, end), wide);
        destination += pairBytes;
        source += channelStep;
        channel = 1;
        pending = false;
      }
      for (; channel + 2 <= channels; channel += 2) {
        storePair(destination, loadEight(source, end), loadEight(source + channelStep, end), wide);
        destination += pairBytes;
        source += channelStep << 1;
      }
      if (channel < channels) {
        first = loadEight(source, end);
        pending = true;
      }
    }
    if (pending) {
      storePair(destination, first, zero, wide);
      destination += pairBytes;
    }
  }
}

// @ts-ignore: decorator
@inline
function storePair(destination: usize, first: v128, second: v128, wide: bool): void {
  const both = interleaveBytes(first, second);
  v128.store(destination, i16x8.extend_low_i8x16_s(both));
  if (wide) v128.store(destination, i16x8.extend_high_i8x16_s(both), 16);
}

/**
 * All pixels of up to 8 filters, in tiles of 4 pixels x 8 filters. One pair a turn: V8 moves instructions freely
 * within a basic block, and unrolled by hand it keeps so many operands alive that it spills; this way
 * everything stays in registers.
 */
function convolveEightFilters(
  table: usize, packedWeights: usize, kernelRows: i32, rowStep: i32, runsPerRow: i32, runStep: i32, pairs: i32,
  out: usize, pixels: i32, live: i32, accumulate: i32,
): void {
  const pitch = <usize>pixels << 2;
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
function convolveFourFilters(
  table: usize, packedWeights: usize, kernelRows: i32, rowStep: i32, runsPerRow: i32, runStep: i32, pairs: i32,
  out: usize, pixels: i32, live: i32, accumulate: i32,
): void {
  const pitch = <usize>pixels << 2;
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

// @ts-ignore: decorator
@inline
function storePixels(values: v128, out: usize, live: i32, accumulate: i32): void {
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

/**
 * One channel, few filters: the vector runs over the pixels of a row. Each input row is laid out once as
 * [pair of kernel columns][outColumns][2] int16, so that every pair of taps is one load per 4 pixels.
 */
function convolveNarrow(
  features: usize, rowPitch: i32, rows: i32, columns: i32, padTop: i32, padLeft: i32,
  kernelRows: i32, kernelColumns: i32, strideRows: i32, strideColumns: i32,
  dilationRows: i32, dilationColumns: i32, outRows: i32, outColumns: i32,
  filters: i32, weights: usize, accumulators: usize, accumulate: i32, scratch: usize,
): void {
  const packedRows = (outRows - 1) * strideRows + (kernelRows - 1) * dilationRows + 1;
  const pairs = (kernelColumns + 1) >> 1;
  const width = (outColumns + 7) & ~7;
  const span = (width - 1) * strideColumns + (2 * pairs - 1) * dilationColumns + 1;
  const pairBytes = width << 2;
  const rowBytes = pairs * pairBytes;

  const wideRow = align(scratch);
  const packed = align(wideRow + (<usize>span << 1) + SLACK);
  const packedWeights = packed + <usize>(packedRows * rowBytes);

  // Columns outside the input are the same in every row: cleared once, never written.
  memory.fill(wideRow, 0, <usize>span << 1);
  const left = clamp(padLeft, 0, span);
  const right = clamp(columns + padLeft, left, span);
  for (let row = 0; row < packedRows; row++) {
    const y = row - padTop;
    const packedRow = packed + <usize>(row * rowBytes);
    if (y < 0 || y >= rows) {
      memory.fill(packedRow, 0, rowBytes);
      continue;
    }
    widenRow(wideRow + (<usize>left << 1), features + <usize>(y * rowPitch + left - padLeft), right - left);
    for (let pair = 0; pair < pairs; pair++) {
      pairRow(
        packedRow + <usize>(pair * pairBytes), wideRow + <usize>(pair * dilationColumns << 2), width,
        strideColumns, dilationColumns << 1,
      );
    }
  }

  for (let filter = 0; filter < filters; filter++) {
    let destination = packedWeights;
    let source = weights + filter;
    for (let row = 0; row < kernelRows; row++) {
      for (let column = 0; column < kernelColumns; column++) {
        store<i16>(destination, <i16>load<i8>(source));
        destination += 2;
        source += filters;
      }
      if (kernelColumns & 1) {
        store<i16>(destination, 0);
        destination += 2;
      }
    }
    for (let y = 0; y < outRows; y++) {
      const window = packed + <usize>(y * strideRows * rowBytes);
      let out = accumulators + (<usize>((filter * outRows + y) * outColumns) << 2);
      for (let x = 0; x < outColumns; x += 8) {
        let a = i64x2.splat(0);
        let b = a;
        let weight = packedWeights;
        for (let row = 0; row < kernelRows; row++) {
          let address = window + <usize>(row * dilationRows * rowBytes + (x << 2));
          for (let pair = 0; pair < pairs; pair++) {
            const w = v128.load32_splat(weight);
            a = multiplyAdd(a, w, v128.load(address));
            b = multiplyAdd(b, w, v128.load(address, 16));
            weight += 4;
            address += pairBytes;
          }
        }
        const live = outColumns - x;
        storePixels(a, out, live, accumulate);
        if (live > 4) storePixels(b, out + 16, live - 4, accumulate);
        out += 32;
      }
    }
  }
}

function widenRow(destination: usize, source: usize, count: i32): void {
  let i = 0;
  for (; i + 8 <= count; i += 8) {
    v128.store(destination + (<usize>i << 1), v128.load8x8_s(source + i));
  }
  for (; i < count; i++) store<i16>(destination + (<usize>i << 1), <i16>load<i8>(source + i));
}

/** out[x] = (row[x * stride], row[x * stride + distance]) for `width` (a multiple of 8) pixels of int16. */
function pairRow(out: usize, row: usize, width: i32, stride: i32, distanceBytes: i32): void {
  const end = out + (<usize>width << 2);
  if (stride == 1) {
    for (; out < end; out += 32, row += 16) {
      const a = v128.load(row);
      const b = v128.load(row + distanceBytes);
      v128.store(out, v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11));
      v128.store(out, v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15), 16);
    }
  } else if (stride == 2 && distanceBytes == 2) {
    memory.copy(out, row, <usize>width << 2);
  } else {
    const step = <usize>stride << 1;
    for (; out < end; out += 4, row += step) {
      store<u16>(out, load<u16>(row));
      store<u16>(out, load<u16>(row + distanceBytes), 2);
    }
  }
}
