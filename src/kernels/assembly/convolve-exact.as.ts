/**
 * @fileoverview Convolution with an accumulator of any width: every single addition obeys its rule, hence one sum
 * after the other in the order the hardware is defined to add in.
 */
import { settle } from './accumulator.as';

/** See `Kernels.convolveExact` in kernels.ts for the layouts. */
export function convolveExact(
  features: usize, rowPitch: i32, planePitch: i32, rows: i32, columns: i32, channels: i32,
  padTop: i32, padLeft: i32, kernelRows: i32, kernelColumns: i32, strideRows: i32, strideColumns: i32,
  dilationRows: i32, dilationColumns: i32, outRows: i32, outColumns: i32,
  filters: i32, weights: usize, accumulators: usize, accumulate: i32,
  bytes: i32, unsigned: i32, zeroPoint: i32, weightBytes: i32, accumulatorBits: i32, wraps: i32,
): f64 {
  if (bytes == 2) {
    if (unsigned) {
      return convolveExactOf<u16>(
        features, rowPitch, planePitch, rows, columns, channels, padTop, padLeft, kernelRows, kernelColumns,
        strideRows, strideColumns, dilationRows, dilationColumns, outRows, outColumns, filters, weights,
        accumulators, accumulate, zeroPoint, weightBytes, accumulatorBits, wraps,
      );
    }
    return convolveExactOf<i16>(
      features, rowPitch, planePitch, rows, columns, channels, padTop, padLeft, kernelRows, kernelColumns,
      strideRows, strideColumns, dilationRows, dilationColumns, outRows, outColumns, filters, weights,
      accumulators, accumulate, zeroPoint, weightBytes, accumulatorBits, wraps,
    );
  }
  if (unsigned) {
    return convolveExactOf<u8>(
      features, rowPitch, planePitch, rows, columns, channels, padTop, padLeft, kernelRows, kernelColumns,
      strideRows, strideColumns, dilationRows, dilationColumns, outRows, outColumns, filters, weights,
      accumulators, accumulate, zeroPoint, weightBytes, accumulatorBits, wraps,
    );
  }
  return convolveExactOf<i8>(
    features, rowPitch, planePitch, rows, columns, channels, padTop, padLeft, kernelRows, kernelColumns,
    strideRows, strideColumns, dilationRows, dilationColumns, outRows, outColumns, filters, weights,
    accumulators, accumulate, zeroPoint, weightBytes, accumulatorBits, wraps,
  );
}

function convolveExactOf<X>(
  features: usize, rowPitch: i32, planePitch: i32, rows: i32, columns: i32, channels: i32,
  padTop: i32, padLeft: i32, kernelRows: i32, kernelColumns: i32, strideRows: i32, strideColumns: i32,
  dilationRows: i32, dilationColumns: i32, outRows: i32, outColumns: i32,
  filters: i32, weights: usize, accumulators: usize, accumulate: i32, zeroPoint: i32, weightBytes: i32,
  accumulatorBits: i32, wraps: i32,
): f64 {
  const least = -(<i64>1 << (accumulatorBits - 1));
  const most = ~least;
  const tapBytes = <usize>(filters * weightBytes);
  let overflows: i64 = 0;
  for (let filter = 0; filter < filters; filter++) {
    const filterWeights = weights + <usize>(filter * weightBytes);
    for (let outRow = 0; outRow < outRows; outRow++) {
      for (let outColumn = 0; outColumn < outColumns; outColumn++) {
        let sum: i64 = accumulate ? load<i64>(accumulators) : 0;
        for (let channel = 0; channel < channels; channel++) {
          for (let kernelRow = 0; kernelRow < kernelRows; kernelRow++) {
            const y = outRow * strideRows + kernelRow * dilationRows - padTop;
            if (y < 0 || y >= rows) continue;
            const row = features + <usize>(channel * planePitch + y * rowPitch);
            let weight = filterWeights + <usize>((channel * kernelRows + kernelRow) * kernelColumns) * tapBytes;
            for (let kernelColumn = 0; kernelColumn < kernelColumns; kernelColumn++, weight += tapBytes) {
              const x = outColumn * strideColumns + kernelColumn * dilationColumns - padLeft;
              if (x < 0 || x >= columns) continue;
              const value = <i64>load<X>(row + <usize>x * sizeof<X>()) - <i64>zeroPoint;
              sum += value * (weightBytes == 2 ? <i64>load<i16>(weight) : <i64>load<i8>(weight));
              if (sum < least || sum > most) {
                overflows += 1;
                sum = settle(sum, least, most, wraps);
              }
            }
          }
        }
        store<i64>(accumulators, sum);
        accumulators += 8;
      }
    }
  }
  return <f64>overflows;
}
