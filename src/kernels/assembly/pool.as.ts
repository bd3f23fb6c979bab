/**
 * @fileoverview Maximum and average pooling of planes.
 *
 * Windows are clipped to the input, row by row and column by column. Output columns whose window lies wholly
 * within a row form one interval; for the maximum with column stride 1 or 2 that interval is computed one vector
 * of outputs at a time, with one load (two and a shuffle that keeps the even elements, for stride 2) per tap.
 */
import { divideRound, memoryEnd } from './elements.as';

/** The first output whose window starts at or behind the padding. */
// @ts-ignore: decorator
@inline
function insideStart(pad: i32, stride: i32, count: i32): i32 {
  return pad > 0 ? min((pad + stride - 1) / stride, count) : 0;
}

/** One past the last output whose window ends within `size`. */
// @ts-ignore: decorator
@inline
function insideEnd(pad: i32, stride: i32, window: i32, size: i32, start: i32, count: i32): i32 {
  const room = size - window + pad;
  return room < 0 ? start : max(start, min(room / stride + 1, count));
}

/** Maximum of the window [top, bottom) x [left, right) of a plane; it is not empty. */
function maximumOf<T>(plane: usize, columns: i32, top: i32, bottom: i32, left: i32, right: i32): T {
  let best = load<T>(plane + <usize>(top * columns + left) * sizeof<T>());
  for (let y = top; y < bottom; y++) {
    const row = plane + <usize>(y * columns) * sizeof<T>();
    for (let x = left; x < right; x++) best = max<T>(best, load<T>(row + <usize>x * sizeof<T>()));
  }
  return best;
}

/** The elements at even places of two neighbouring vectors. */
// @ts-ignore: decorator
@inline
function evenElements<T>(a: v128, b: v128): v128 {
  return sizeof<T>() == 2
    ? v128.shuffle<i16>(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
    : v128.shuffle<i8>(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}

/** See `Kernels.maximumPool` in kernels.ts for the layouts. */
export function maximumPool(
  input: usize, channels: i32, rows: i32, columns: i32, inPlanePitch: i32, windowRows: i32, windowColumns: i32,
  strideRows: i32, strideColumns: i32, padTop: i32, padLeft: i32, outRows: i32, outColumns: i32, out: usize,
  outPlanePitch: i32, bytes: i32, unsigned: i32,
): void {
  for (let channel = 0; channel < channels; channel++) {
    if (bytes == 2) {
      if (unsigned) {
        maximumPoolPlane<u16>(
          input, rows, columns, windowRows, windowColumns, strideRows, strideColumns, padTop, padLeft, outRows,
          outColumns, out,
        );
      } else {
        maximumPoolPlane<i16>(
          input, rows, columns, windowRows, windowColumns, strideRows, strideColumns, padTop, padLeft, outRows,
          outColumns, out,
        );
      }
    } else if (unsigned) {
      maximumPoolPlane<u8>(
        input, rows, columns, windowRows, windowColumns, strideRows, strideColumns, padTop, padLeft, outRows,
        outColumns, out,
      );
    } else {
      maximumPoolPlane<i8>(
        input, rows, columns, windowRows, windowColumns, strideRows, strideColumns, padTop, padLeft, outRows,
        outColumns, out,
      );
    }
    input += inPlanePitch;
    out += outPlanePitch;
  }
}

function maximumPoolPlane<T>(
  input: usize, rows: i32, columns: i32, windowRows: i32, windowColumns: i32, strideRows: i32,
  strideColumns: i32, padTop: i32, padLeft: i32, outRows: i32, outColumns: i32, out: usize,
): void {
  const size = <i32>sizeof<T>();
  const lanes = 16 / size;
  const end = memoryEnd();
  const start = insideStart(padLeft, strideColumns, outColumns);
  const stop = insideEnd(padLeft, strideColumns, windowColumns, columns, start, outColumns);
  const rowBytes = columns * size;
  for (let y = 0; y < outRows; y++) {
    const firstRow = y * strideRows - padTop;
    const top = max(firstRow, 0);
    const bottom = min(firstRow + windowRows, rows);
    const outRow = out + <usize>(y * outColumns * size);
    let x = 0;
    while (x < outColumns) {
      if (ASC_FEATURE_SIMD) {
        if (x >= start && x < stop && strideColumns <= 2) {
          const live = min(stop - x, lanes);
          let address = input + <usize>(top * rowBytes + (x * strideColumns - padLeft) * size);
          // Unneeded lanes may read beyond the plane, but not beyond the memory.
          if (address + <usize>((bottom - top) * rowBytes + windowColumns * size + 16 * strideColumns) <= end) {
            let best = v128.load(address);
            if (strideColumns == 2) best = evenElements<T>(best, v128.load(address, 16));
            for (let row = top; row < bottom; row++) {
              const rowEnd = address + <usize>(windowColumns * size);
              if (strideColumns == 1) {
                for (let tap = address; tap < rowEnd; tap += sizeof<T>()) {
                  best = v128.max<T>(best, v128.load(tap));
                }
              } else {
                for (let tap = address; tap < rowEnd; tap += sizeof<T>()) {
                  best = v128.max<T>(best, evenElements<T>(v128.load(tap), v128.load(tap, 16)));
                }
              }
              address += rowBytes;
            }
            storeBytes(outRow + <usize>(x * size), best, live * size);
            x += live;
            continue;
          }
        }
      }
      const firstColumn = x * strideColumns - padLeft;
      const left = max(firstColumn, 0);
      const right = min(firstColumn + windowColumns, columns);
      store<T>(outRow + <usize>(x * size), maximumOf<T>(input, columns, top, bottom, left, right));
      x += 1;
    }
  }
}

/** Stores the first `live` (1..16) bytes. */
// @ts-ignore: decorator
@inline
function storeBytes(out: usize, values: v128, live: i32): void {
  if (live == 16) {
    v128.store(out, values);
    return;
  }
  let bits = <u64>i64x2.extract_lane(values, 0);
  if (live >= 8) {
    store<u64>(out, bits);
    bits = <u64>i64x2.extract_lane(values, 1);
    out += 8;
    live -= 8;
  }
  for (; live > 0; live--) {
    store<u8>(out, <u8>bits);
    bits >>= 8;
    out += 1;
  }
}

/** See `Kernels.averagePool` in kernels.ts for the layouts. */
export function averagePool(
  input: usize, channels: i32, rows: i32, columns: i32, inPlanePitch: i32, windowRows: i32, windowColumns: i32,
  strideRows: i32, strideColumns: i32, padTop: i32, padLeft: i32, outRows: i32, outColumns: i32, out: usize,
  outPlanePitch: i32, countIncludesPadding: i32, bytes: i32, unsigned: i32, zeroPoint: i32, rounding: i32,
): void {
  for (let channel = 0; channel < channels; channel++) {
    let address = out;
    for (let y = 0; y < outRows; y++) {
      const firstRow = y * strideRows - padTop;
      const top = max(firstRow, 0);
      const bottom = min(firstRow + windowRows, rows);
      for (let x = 0; x < outColumns; x++) {
        const firstColumn = x * strideColumns - padLeft;
        const left = max(firstColumn, 0);
        const right = min(firstColumn + windowColumns, columns);
        let sum: i64;
        if (bytes == 2) {
          if (unsigned) sum = sumOf<u16>(input, columns, top, bottom, left, right);
          else sum = sumOf<i16>(input, columns, top, bottom, left, right);
        } else {
          if (unsigned) sum = sumOf<u8>(input, columns, top, bottom, left, right);
          else sum = sumOf<i8>(input, columns, top, bottom, left, right);
        }
        let count = (bottom - top) * (right - left);
        if (countIncludesPadding) {
          const all = windowRows * windowColumns;
          sum += <i64>(all - count) * zeroPoint;
          count = all;
        }
        const average = divideRound(sum, count, rounding);
        if (bytes == 2) {
          store<u16>(address, <u16>average);
          address += 2;
        } else {
          store<u8>(address, <u8>average);
          address += 1;
        }
      }
    }
    input += inPlanePitch;
    out += outPlanePitch;
  }
}

/** Sum of the window [top, bottom) x [left, right) of a plane. */
function sumOf<T>(plane: usize, columns: i32, top: i32, bottom: i32, left: i32, right: i32): i64 {
  let sum: i64 = 0;
  for (let y = top; y < bottom; y++) {
    const row = plane + <usize>(y * columns) * sizeof<T>();
    for (let x = left; x < right; x++) sum += <i64>load<T>(row + <usize>x * sizeof<T>());
  }
  return sum;
}
