/** Convolution on integers, straight from the definition: out[f] = sum over taps of weight[f][tap] * seen[tap]. */
import { accumulate } from '../../core/fixed-point.ts';
import type { Shape } from '../../graph/graph.ts';
import type { ArrayArithmetic, ConvolutionGeometry, IntegerMap } from '../../graph/op.ts';
import { realOutputs } from './window.ts';

/**
 * Int32 where the accumulator has at most 32 bits and the caller promises that no sum leaves it, else doubles (which
 * hold every integer the accumulator can).
 *
 * @returns accumulators without bias, [filters][rows][columns]
 */
export function convolveInteger(
  geometry: ConvolutionGeometry,
  input: IntegerMap,
  output: Shape,
  array: ArrayArithmetic,
): Int32Array | Float64Array {
  return array.mayOverflow || array.accumulator.bits > 32
    ? convolveInOrder(geometry, input, output, array)
    : convolveFast(geometry, input, output, array.weights);
}

/** Tap after tap: a cell's sum sees its addends in the accumulator's order, channel, kernel row, kernel column. */
function convolveInOrder(
  geometry: ConvolutionGeometry,
  input: IntegerMap,
  output: Shape,
  { weights, accumulator, overflows }: ArrayArithmetic,
): Float64Array {
  const [filters, rows, columns] = output;
  const groupChannels = input.shape[0] / geometry.groups;
  const groupFilters = filters / geometry.groups;
  const kernelTaps = geometry.kernel[0] * geometry.kernel[1];
  const taps = groupChannels * kernelTaps;
  const cells = rows * columns;
  const result = new Float64Array(filters * cells);
  const seen = new Int32Array(cells);
  const half = 2 ** (accumulator.bits - 1);
  for (let group = 0; group < geometry.groups; group++) {
    for (let tap = 0; tap < taps; tap++) {
      const channel = group * groupChannels + Math.floor(tap / kernelTaps);
      look(seen, geometry, input, output, channel, tap % kernelTaps);
      for (let f = group * groupFilters; f < (group + 1) * groupFilters; f++) {
        const weight = weights[f * taps + tap]!;
        for (let cell = 0; cell < cells; cell++) {
          const at = f * cells + cell;
          const product = weight * seen[cell]!;
          const sum = result[at]! + product;
          // Only what leaves the accumulator needs its rule, and is rare.
          result[at] =
            sum >= -half && sum < half ? sum : accumulate(result[at]!, product, accumulator, overflows);
        }
      }
    }
  }
  return result;
}

/** Four taps at once, in 32 bits: right in whatever order as long as no sum leaves them. */
function convolveFast(
  geometry: ConvolutionGeometry,
  input: IntegerMap,
  output: Shape,
  weights: Int8Array | Int16Array,
): Int32Array {
  const [filters, rows, columns] = output;
  const groupChannels = input.shape[0] / geometry.groups;
  const groupFilters = filters / geometry.groups;
  const kernelTaps = geometry.kernel[0] * geometry.kernel[1];
  // A filter's taps over all its channels: they stand in this order in `weights`.
  const taps = groupChannels * kernelTaps;
  const cells = rows * columns;
  const result = new Int32Array(filters * cells);
  // Four taps a pass: one at a time spends its time fetching and storing the sums.
  const seen = [0, 1, 2, 3].map(() => new Int32Array(cells)) as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  for (let group = 0; group < geometry.groups; group++) {
    for (let first = 0; first < taps; first += 4) {
      const count = Math.min(4, taps - first);
      for (let i = 0; i < count; i++) {
        const channel = group * groupChannels + Math.floor((first + i) / kernelTaps);
        look(seen[i]!, geometry, input, output, channel, (first + i) % kernelTaps);
      }
      for (let f = group * groupFilters; f < (group + 1) * groupFilters; f++) {
        const at = f * taps + first;
        // Taps behind the last have weight 0, whatever is left in their `seen`.
        const second = count > 1 ? weights[at + 1]! : 0;
        const third = count > 2 ? weights[at + 2]! : 0;
        const fourth = count > 3 ? weights[at + 3]! : 0;
        addProducts(result, f * cells, seen, weights[at]!, second, third, fourth);
      }
    }
  }
  return result;
}

/** Fills `seen` with what one tap of one channel sees from every output cell: a value less the zero point; padding is 0. */
function look(
  seen: Int32Array,
  geometry: ConvolutionGeometry,
  input: IntegerMap,
  [, rows, columns]: Shape,
  channel: number,
  tap: number,
): void {
  const [, inputRows, inputColumns] = input.shape;
  const [strideY, strideX] = geometry.stride;
  const ky = Math.floor(tap / geometry.kernel[1]);
  const kx = tap % geometry.kernel[1];
  const offsetY = ky * geometry.dilation[0] - geometry.padding.top;
  const offsetX = kx * geometry.dilation[1] - geometry.padding.left;
  const y = realOutputs(inputRows, rows, strideY, offsetY);
  const x = realOutputs(inputColumns, columns, strideX, offsetX);
  seen.fill(0);
  for (let oy = y.first; oy < y.end; oy++) {
    const row = (channel * inputRows + oy * strideY + offsetY) * inputColumns + offsetX;
    for (let ox = x.first; ox < x.end; ox++) {
      seen[oy * columns + ox] = input.data[row + ox * strideX]! - input.zeroPoint;
    }
  }
}

/** result[at + i] += sum over the four taps of weight * seen[i]. */
function addProducts(
  result: Int32Array,
  at: number,
  [a, b, c, d]: readonly [Int32Array, Int32Array, Int32Array, Int32Array],
  weightA: number,
  weightB: number,
  weightC: number,
  weightD: number,
): void {
  for (let i = 0; i < a.length; i++) {
    const products =
      Math.imul(weightA, a[i]!) +
      Math.imul(weightB, b[i]!) +
      Math.imul(weightC, c[i]!) +
      Math.imul(weightD, d[i]!);
    result[at + i] = (result[at + i]! + products) | 0;
  }
}
