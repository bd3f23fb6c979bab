/**
 * @fileoverview Maximum and average pooling of int8 planes.
 *
 * Windows are clipped to the input, row by row and column by column. Output columns whose window lies wholly
 * within a row form one interval; for the maximum with column stride 1 or 2 that interval is computed sixteen
 * outputs at a time, with one load (two and a shuffle that keeps the even bytes, for stride 2) per tap.
 */

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

/** Maximum of the window [top, bottom) x [left, right) of a plane. */
function maximumOf(plane: usize, columns: i32, top: i32, bottom: i32, left: i32, right: i32): i32 {
  let best: i32 = -128;
  for (let y = top; y < bottom; y++) {
    const row = plane + <usize>(y * columns);
    for (let x = left; x < right; x++) best = max<i32>(best, load<i8>(row + x));
  }
  return best;
}

// @ts-ignore: decorator
@inline
function evenBytes(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}

/** See `Kernels.maximumPool` in kernels.ts for the layouts. */
export function maximumPool(
  input: usize, channels: i32, rows: i32, columns: i32, inPlanePitch: i32, windowRows: i32, windowColumns: i32,
  strideRows: i32, strideColumns: i32, padTop: i32, padLeft: i32, outRows: i32, outColumns: i32, out: usize,
  outPlanePitch: i32,
): void {
  const end = (<usize>memory.size()) << 16;
  const start = insideStart(padLeft, strideColumns, outColumns);
  const stop = insideEnd(padLeft, strideColumns, windowColumns, columns, start, outColumns);
  const step = 16 * strideColumns;
  for (let channel = 0; channel < channels; channel++) {
    for (let y = 0; y < outRows; y++) {
      const firstRow = y * strideRows - padTop;
      const top = max(firstRow, 0);
      const bottom = min(firstRow + windowRows, rows);
      const outRow = out + <usize>(y * outColumns);
      let x = 0;
      while (x < outColumns) {
        if (x >= start && x < stop && strideColumns <= 2) {
          const live = min(stop - x, 16);
          let address = input + <usize>(top * columns + x * strideColumns - padLeft);
          // Unneeded lanes may read beyond the plane, but not beyond the memory.
          if (address + <usize>((bottom - top) * columns + windowColumns + step) <= end) {
            let best = i8x16.splat(-128);
            for (let row = top; row < bottom; row++) {
              if (strideColumns == 1) {
                for (let tap = 0; tap < windowColumns; tap++) {
                  best = i8x16.max_s(best, v128.load(address + tap));
                }
              } else {
                for (let tap = 0; tap < windowColumns; tap++) {
                  const pair = evenBytes(v128.load(address + tap), v128.load(address + tap, 16));
                  best = i8x16.max_s(best, pair);
                }
              }
              address += columns;
            }
            storeLanes(outRow + x, best, live);
            x += live;
            continue;
          }
        }
        const firstColumn = x * strideColumns - padLeft;
        const left = max(firstColumn, 0);
        const right = min(firstColumn + windowColumns, columns);
        store<i8>(outRow + x, maximumOf(input, columns, top, bottom, left, right));
        x += 1;
      }
    }
    input += inPlanePitch;
    out += outPlanePitch;
  }
}

/** Stores the first `live` (1..16) bytes. */
// @ts-ignore: decorator
@inline
function storeLanes(out: usize, values: v128, live: i32): void {
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

/** sum / count to the nearest integer, ties to even; count > 0. */
function divideHalfEven(sum: i32, count: i32): i32 {
  let quotient = sum / count;
  let rest = sum - quotient * count;
  if (rest < 0) {
    quotient -= 1;
    rest += count;
  }
  const twice = rest << 1;
  return twice > count || (twice == count && quotient & 1) ? quotient + 1 : quotient;
}

/** See `Kernels.averagePool` in kernels.ts for the layouts. */
export function averagePool(
  input: usize, channels: i32, rows: i32, columns: i32, inPlanePitch: i32, windowRows: i32, windowColumns: i32,
  strideRows: i32, strideColumns: i32, padTop: i32, padLeft: i32, outRows: i32, outColumns: i32, out: usize,
  outPlanePitch: i32, countIncludesPadding: i32,
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
        let sum = 0;
        for (let row = top; row < bottom; row++) {
          const line = input + <usize>(row * columns);
          for (let column = left; column < right; column++) sum += load<i8>(line + column);
        }
        const count = countIncludesPadding ? windowRows * windowColumns : (bottom - top) * (right - left);
        store<i8>(address, divideHalfEven(sum, count));
        address += 1;
      }
    }
    input += inPlanePitch;
    out += outPlanePitch;
  }
}
