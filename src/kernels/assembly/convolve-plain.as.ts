/** @fileoverview Convolution without SIMD, for engines that lack it: the same results from the plain sum. */

/** See `Kernels.convolve` in kernels.ts for the layouts. */
export function convolvePlain<X, W>(
  features: usize, rowPitch: i32, planePitch: i32, rows: i32, columns: i32, channels: i32,
  padTop: i32, padLeft: i32, kernelRows: i32, kernelColumns: i32, strideRows: i32, strideColumns: i32,
  dilationRows: i32, dilationColumns: i32, outRows: i32, outColumns: i32,
  filters: i32, weights: usize, accumulators: usize, accumulate: i32, zeroPoint: i32,
): void {
  const tapBytes = <usize>filters * sizeof<W>();
  for (let filter = 0; filter < filters; filter++) {
    const filterWeights = weights + <usize>filter * sizeof<W>();
    for (let outRow = 0; outRow < outRows; outRow++) {
      for (let outColumn = 0; outColumn < outColumns; outColumn++) {
        let sum = accumulate ? load<i32>(accumulators) : 0;
        for (let channel = 0; channel < channels; channel++) {
          for (let kernelRow = 0; kernelRow < kernelRows; kernelRow++) {
            const y = outRow * strideRows + kernelRow * dilationRows - padTop;
            if (y < 0 || y >= rows) continue;
            const row = features + <usize>(channel * planePitch + y * rowPitch);
            const rowWeights =
              filterWeights + <usize>((channel * kernelRows + kernelRow) * kernelColumns) * tapBytes;
            for (let kernelColumn = 0; kernelColumn < kernelColumns; kernelColumn++) {
              const x = outColumn * strideColumns + kernelColumn * dilationColumns - padLeft;
              if (x < 0 || x >= columns) continue;
              const value = <i32>load<X>(row + <usize>x * sizeof<X>()) - zeroPoint;
              sum += value * <i32>load<W>(rowWeights + <usize>kernelColumn * tapBytes);
            }
          }
        }
        store<i32>(accumulators, sum);
        accumulators += 4;
      }
    }
  }
}

/** "Packed" weights of the plain sum are int16 in the order they came in. */
export function packPlain(weights: usize, weightBytes: i32, count: i32, packed: usize): void {
  for (let i: usize = 0; i < <usize>count; i++) {
    store<i16>(packed + (i << 1), weightBytes == 2 ? load<i16>(weights + (i << 1)) : <i16>load<i8>(weights + i));
  }
}
