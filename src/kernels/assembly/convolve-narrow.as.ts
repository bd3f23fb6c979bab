/**
 * @fileoverview Convolution of one channel with few filters: the vector runs over the pixels of a row. Each input row
 * is laid out once as [pair of kernel columns][outColumns][2] int16, so that every pair of taps is one load per 4
 * pixels.
 */
import { align, multiplyAdd, SLACK, storePixels } from './convolve-common.as';
import { clamp } from './elements.as';

/** Packs weights [tap][filter] of W into [filter][kernel row][pair of kernel columns][2] of int16. */
export function packNarrow<W>(
  packed: usize, weights: usize, kernelRows: i32, kernelColumns: i32, filters: i32,
): void {
  let destination = packed;
  for (let filter = 0; filter < filters; filter++) {
    let source = weights + <usize>filter * sizeof<W>();
    for (let row = 0; row < kernelRows; row++) {
      for (let column = 0; column < kernelColumns; column++) {
        store<i16>(destination, <i16>load<W>(source));
        destination += 2;
        source += <usize>filters * sizeof<W>();
      }
      if (kernelColumns & 1) {
        store<i16>(destination, 0);
        destination += 2;
      }
    }
  }
}

/** Features of X less the zero point; the weights are packed. */
export function convolveNarrow<X>(
  features: usize, rowPitch: i32, rows: i32, columns: i32, padTop: i32, padLeft: i32,
  kernelRows: i32, kernelColumns: i32, strideRows: i32, strideColumns: i32,
  dilationRows: i32, dilationColumns: i32, outRows: i32, outColumns: i32,
  filters: i32, packedWeights: usize, accumulators: usize, accumulate: i32, scratch: usize, zeroPoint: i32,
): void {
  const packedRows = (outRows - 1) * strideRows + (kernelRows - 1) * dilationRows + 1;
  const pairs = (kernelColumns + 1) >> 1;
  const width = (outColumns + 7) & ~7;
  const span = (width - 1) * strideColumns + (2 * pairs - 1) * dilationColumns + 1;
  const pairBytes = width << 2;
  const rowBytes = pairs * pairBytes;

  const wideRow = align(scratch);
  const packed = align(wideRow + (<usize>span << 1) + SLACK);

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
    const source = features + <usize>(y * rowPitch) + <usize>(left - padLeft) * sizeof<X>();
    widenRow<X>(wideRow + (<usize>left << 1), source, right - left, zeroPoint);
    for (let pair = 0; pair < pairs; pair++) {
      pairRow(
        packedRow + <usize>(pair * pairBytes), wideRow + <usize>(pair * dilationColumns << 2), width,
        strideColumns, dilationColumns << 1,
      );
    }
  }

  for (let filter = 0; filter < filters; filter++) {
    const filterWeights = packedWeights + (<usize>(filter * kernelRows * pairs) << 2);
    for (let y = 0; y < outRows; y++) {
      const window = packed + <usize>(y * strideRows * rowBytes);
      let out = accumulators + (<usize>((filter * outRows + y) * outColumns) << 2);
      for (let x = 0; x < outColumns; x += 8) {
        let a = i64x2.splat(0);
        let b = a;
        let weight = filterWeights;
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

/** `count` elements as int16, less the zero point. */
function widenRow<X>(destination: usize, source: usize, count: i32, zeroPoint: i32): void {
  const zero = i16x8.splat(<i16>zeroPoint);
  let left = count;
  for (; left >= 8; left -= 8) {
    let values: v128;
    if (sizeof<X>() == 2) values = v128.load(source);
    else values = isSigned<X>() ? v128.load8x8_s(source) : v128.load8x8_u(source);
    v128.store(destination, i16x8.sub(values, zero));
    destination += 16;
    source += 8 * sizeof<X>();
  }
  for (; left > 0; left--) {
    store<i16>(destination, <i16>(<i32>load<X>(source) - zeroPoint));
    destination += 2;
    source += sizeof<X>();
  }
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
