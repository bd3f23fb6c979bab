/**
 * @fileoverview Convolution of planes of up to 16 bits into int32 accumulators.
 *
 * The fast instruction is i32x4.dot_i16x8_s: eight 16-bit products, added in neighbouring pairs. Everything
 * here serves to feed it without a shuffle in the inner loop:
 *
 * - The needed part of the input is widened once a call to int16, zero padded, channels last. A window row is
 *   then one contiguous run of kernelColumns * channels numbers, whatever the stride, and any two neighbours
 *   of the run are a pair for the dot product. (With column dilation each tap is a run of its own.)
 * - The weights are packed into pairs in the order of the runs, 8 (or 4) filters side by side: for a block of
 *   filters at a time, or ahead of all calls. A run of odd length ends in a zero weight, so the number read past
 *   its end does not count.
 * - The vector runs over filters, hence the pixels of a tile may be any four: a table of window addresses flattens
 *   rows, and a 13 pixel wide map wastes no lanes.
 *
 * One channel with few filters (depthwise) would leave the filter lanes empty; there the vector runs over
 * pixels instead. Without SIMD the sum is computed as it is written.
 */
import { align, SLACK } from './convolve-common.as';
import { convolveNarrow, packNarrow } from './convolve-narrow.as';
import { packBlock, packInput } from './convolve-pack.as';
import { convolvePlain, packPlain } from './convolve-plain.as';
import { convolveEightFilters, convolveFourFilters } from './convolve-tiles.as';

/** What the weights are: int8 or int16 in the order of kernels.ts, or packed already. */
const PACKED = 0;

/** Bytes of packed weights, and of packed input beside them, that are to stay in a first level cache of 32 KiB. */
const WEIGHT_BYTES = 16384;
const CHUNK_BYTES = 8192;

/** See `Kernels.convolve` in kernels.ts for the layouts. */
export function convolve(
  features: usize, rowPitch: i32, planePitch: i32, rows: i32, columns: i32, channels: i32,
  padTop: i32, padLeft: i32, kernelRows: i32, kernelColumns: i32, strideRows: i32, strideColumns: i32,
  dilationRows: i32, dilationColumns: i32, outRows: i32, outColumns: i32,
  filters: i32, weights: usize, accumulators: usize, accumulate: i32, scratch: usize,
  unsigned: i32, zeroPoint: i32,
): void {
  if (unsigned) {
    convolveOf<u8>(
      features, rowPitch, planePitch, rows, columns, channels, padTop, padLeft, kernelRows, kernelColumns,
      strideRows, strideColumns, dilationRows, dilationColumns, outRows, outColumns, filters, weights,
      accumulators, accumulate, scratch, zeroPoint, 1,
    );
  } else {
    convolveOf<i8>(
      features, rowPitch, planePitch, rows, columns, channels, padTop, padLeft, kernelRows, kernelColumns,
      strideRows, strideColumns, dilationRows, dilationColumns, outRows, outColumns, filters, weights,
      accumulators, accumulate, scratch, zeroPoint, 1,
    );
  }
}

/** See `Kernels.convolve16` in kernels.ts for the layouts. */
export function convolve16(
  features: usize, rowPitch: i32, planePitch: i32, rows: i32, columns: i32, channels: i32,
  padTop: i32, padLeft: i32, kernelRows: i32, kernelColumns: i32, strideRows: i32, strideColumns: i32,
  dilationRows: i32, dilationColumns: i32, outRows: i32, outColumns: i32,
  filters: i32, weights: usize, accumulators: usize, accumulate: i32, scratch: usize, weightBytes: i32,
): void {
  convolveOf<i16>(
    features, rowPitch, planePitch, rows, columns, channels, padTop, padLeft, kernelRows, kernelColumns,
    strideRows, strideColumns, dilationRows, dilationColumns, outRows, outColumns, filters, weights,
    accumulators, accumulate, scratch, 0, weightBytes,
  );
}

/** See `Kernels.convolvePacked` in kernels.ts. */
export function convolvePacked(
  features: usize, rowPitch: i32, planePitch: i32, rows: i32, columns: i32, channels: i32,
  padTop: i32, padLeft: i32, kernelRows: i32, kernelColumns: i32, strideRows: i32, strideColumns: i32,
  dilationRows: i32, dilationColumns: i32, outRows: i32, outColumns: i32,
  filters: i32, weights: usize, accumulators: usize, accumulate: i32, scratch: usize,
  bytes: i32, unsigned: i32, zeroPoint: i32,
): void {
  if (bytes == 2) {
    convolveOf<i16>(
      features, rowPitch, planePitch, rows, columns, channels, padTop, padLeft, kernelRows, kernelColumns,
      strideRows, strideColumns, dilationRows, dilationColumns, outRows, outColumns, filters, weights,
      accumulators, accumulate, scratch, zeroPoint, PACKED,
    );
  } else if (unsigned) {
    convolveOf<u8>(
      features, rowPitch, planePitch, rows, columns, channels, padTop, padLeft, kernelRows, kernelColumns,
      strideRows, strideColumns, dilationRows, dilationColumns, outRows, outColumns, filters, weights,
      accumulators, accumulate, scratch, zeroPoint, PACKED,
    );
  } else {
    convolveOf<i8>(
      features, rowPitch, planePitch, rows, columns, channels, padTop, padLeft, kernelRows, kernelColumns,
      strideRows, strideColumns, dilationRows, dilationColumns, outRows, outColumns, filters, weights,
      accumulators, accumulate, scratch, zeroPoint, PACKED,
    );
  }
}

/** Whether the vector runs over pixels. */
// @ts-ignore: decorator
@inline
function isNarrow(channels: i32, filters: i32): bool {
  return channels == 1 && filters < 4;
}

/** See `Kernels.packWeights` in kernels.ts. */
export function packWeights(
  weights: usize, weightBytes: i32, channels: i32, kernelRows: i32, kernelColumns: i32, dilationColumns: i32,
  filters: i32, packed: usize,
): void {
  if (!ASC_FEATURE_SIMD) {
    packPlain(weights, weightBytes, channels * kernelRows * kernelColumns * filters, packed);
    return;
  }
  if (isNarrow(channels, filters)) {
    if (weightBytes == 2) packNarrow<i16>(packed, weights, kernelRows, kernelColumns, filters);
    else packNarrow<i8>(packed, weights, kernelRows, kernelColumns, filters);
    return;
  }
  const contiguous = dilationColumns == 1 || kernelColumns == 1;
  const runsPerRow = contiguous ? 1 : kernelColumns;
  const tapsPerRun = contiguous ? kernelColumns : 1;
  const pairs = (tapsPerRun * channels + 1) >> 1;
  const blockBytes = <usize>(kernelRows * runsPerRow * pairs) << 5;
  for (let filter = 0; filter < filters; filter += 8) {
    const wide = filters - filter > 4;
    if (weightBytes == 2) {
      packBlock<i16>(
        packed, weights + (<usize>filter << 1), wide, channels, kernelRows, kernelColumns, runsPerRow,
        tapsPerRun, filters,
      );
    } else {
      packBlock<i8>(
        packed, weights + filter, wide, channels, kernelRows, kernelColumns, runsPerRow, tapsPerRun, filters,
      );
    }
    packed += blockBytes;
  }
}

/** Features of X less the zero point; weights of `weightBytes` bytes, or packed if that is PACKED. */
function convolveOf<X>(
  features: usize, rowPitch: i32, planePitch: i32, rows: i32, columns: i32, channels: i32,
  padTop: i32, padLeft: i32, kernelRows: i32, kernelColumns: i32, strideRows: i32, strideColumns: i32,
  dilationRows: i32, dilationColumns: i32, outRows: i32, outColumns: i32,
  filters: i32, weights: usize, accumulators: usize, accumulate: i32, scratch: usize, zeroPoint: i32,
  weightBytes: i32,
): void {
  if (!ASC_FEATURE_SIMD) {
    if (weightBytes == 1) {
      convolvePlain<X, i8>(
        features, rowPitch, planePitch, rows, columns, channels, padTop, padLeft, kernelRows, kernelColumns,
        strideRows, strideColumns, dilationRows, dilationColumns, outRows, outColumns, filters, weights,
        accumulators, accumulate, zeroPoint,
      );
    } else {
      convolvePlain<X, i16>(
        features, rowPitch, planePitch, rows, columns, channels, padTop, padLeft, kernelRows, kernelColumns,
        strideRows, strideColumns, dilationRows, dilationColumns, outRows, outColumns, filters, weights,
        accumulators, accumulate, zeroPoint,
      );
    }
    return;
  }
  if (isNarrow(channels, filters)) {
    let packed = weights;
    if (weightBytes != PACKED) {
      packed = align(scratch);
      scratch = packed + (<usize>(kernelRows * ((kernelColumns + 1) >> 1) * filters) << 2);
      if (weightBytes == 2) packNarrow<i16>(packed, weights, kernelRows, kernelColumns, filters);
      else packNarrow<i8>(packed, weights, kernelRows, kernelColumns, filters);
    }
    convolveNarrow<X>(
      features, rowPitch, rows, columns, padTop, padLeft, kernelRows, kernelColumns, strideRows, strideColumns,
      dilationRows, dilationColumns, outRows, outColumns, filters, packed, accumulators, accumulate, scratch,
      zeroPoint,
    );
    return;
  }
  // A pointwise layer over whole rows is one long row, which packs without a tail per row.
  if (
    kernelRows == 1 && kernelColumns == 1 && strideRows == 1 && strideColumns == 1 && padTop <= 0 &&
    padLeft == 0 && outColumns == columns && rowPitch == columns * <i32>sizeof<X>() && outRows - padTop <= rows
  ) {
    features -= <usize>(padTop * rowPitch);
    padTop = 0;
    columns = outColumns = outRows * outColumns;
    rows = outRows = 1;
    rowPitch = columns * <i32>sizeof<X>();
  }
  const packedRows = (outRows - 1) * strideRows + (kernelRows - 1) * dilationRows + 1;
  const packedColumns = (outColumns - 1) * strideColumns + (kernelColumns - 1) * dilationColumns + 1;
  const pixelBytes = channels << 1;
  const rowBytes = packedColumns * pixelBytes;
  const pixels = outRows * outColumns;

  const table = align(scratch);
  const packed = align(table + (<usize>(pixels + 8) << 2));
  const packedWeights = align(packed + <usize>(packedRows * rowBytes) + SLACK);

  packInput<X>(
    packed, packedRows, packedColumns, features, rowPitch, planePitch, rows, columns, channels, padTop, padLeft,
    zeroPoint,
  );
  fillTable(table, packed, outRows, outColumns, strideRows * rowBytes, strideColumns * pixelBytes);

  const contiguous = dilationColumns == 1 || kernelColumns == 1;
  const runsPerRow = contiguous ? 1 : kernelColumns;
  const tapsPerRun = contiguous ? kernelColumns : 1;
  const pairs = (tapsPerRun * channels + 1) >> 1;
  const rowStep = dilationRows * rowBytes;
  const runStep = dilationColumns * pixelBytes;

  const pitch = <usize>pixels << 2;
  if (weightBytes == PACKED) {
    // As many blocks of filters as half of a first level cache holds share a chunk of pixels of a quarter.
    const blockBytes = (kernelRows * runsPerRow * pairs) << 5;
    const blocks = max(WEIGHT_BYTES / blockBytes, 1);
    const chunk = blocks == 1 ? pixels : max((CHUNK_BYTES / (kernelRows * strideColumns * pixelBytes)) & ~7, 8);
    for (let group = 0; group < filters; group += blocks << 3) {
      const groupEnd = min(group + (blocks << 3), filters);
      for (let pixel = 0; pixel < pixels; pixel += chunk) {
        const some = min(chunk, pixels - pixel);
        for (let filter = group; filter < groupEnd; filter += 8) {
          convolveBlock(
            table + (<usize>pixel << 2), weights + <usize>((filter >> 3) * blockBytes), kernelRows, rowStep,
            runsPerRow, runStep, pairs, accumulators + <usize>filter * pitch + (<usize>pixel << 2), pitch, some,
            filters - filter, accumulate,
          );
        }
      }
    }
    return;
  }
  for (let filter = 0; filter < filters; filter += 8) {
    const live = filters - filter;
    if (weightBytes == 2) {
      packBlock<i16>(
        packedWeights, weights + (<usize>filter << 1), live > 4, channels, kernelRows, kernelColumns,
        runsPerRow, tapsPerRun, filters,
      );
    } else {
      packBlock<i8>(
        packedWeights, weights + filter, live > 4, channels, kernelRows, kernelColumns, runsPerRow, tapsPerRun,
        filters,
      );
    }
    convolveBlock(
      table, packedWeights, kernelRows, rowStep, runsPerRow, runStep, pairs,
      accumulators + <usize>filter * pitch, pitch, pixels, live, accumulate,
    );
  }
}

/** Some pixels of the first 8 of `live` filters, or of as many as there are. */
// @ts-ignore: decorator
@inline
function convolveBlock(
  table: usize, packedWeights: usize, kernelRows: i32, rowStep: i32, runsPerRow: i32, runStep: i32, pairs: i32,
  out: usize, pitch: usize, pixels: i32, live: i32, accumulate: i32,
): void {
  if (live > 4) {
    convolveEightFilters(
      table, packedWeights, kernelRows, rowStep, runsPerRow, runStep, pairs, out, pitch, pixels, min(live, 8),
      accumulate,
    );
  } else {
    convolveFourFilters(
      table, packedWeights, kernelRows, rowStep, runsPerRow, runStep, pairs, out, pitch, pixels, live, accumulate,
    );
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
