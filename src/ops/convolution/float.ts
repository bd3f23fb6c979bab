/** Convolution on TensorFlow.js, kept to kernels that its WebAssembly backend has. */
import type { ConvolutionGeometry, FloatMap, Tf } from '../../graph/op.ts';
import { padMap } from '../shared/window.ts';

/**
 * @param map [1, rows, columns, channels]
 * @param filters TensorFlow's order, see `layout.ts`
 * @returns [1, output rows, output columns, filters]
 */
export function convolveFloat(
  tf: Tf,
  geometry: ConvolutionGeometry,
  map: FloatMap,
  filters: Float32Array,
  bias: Float32Array | undefined,
): FloatMap {
  const { groups, kernel } = geometry;
  const channels = map.shape[3];
  const padded = padMap(tf, map, geometry.padding, 0);
  // TensorFlow does not step and dilate at once: then every position is computed, and the steps picked out.
  const both = Math.max(...geometry.stride) > 1 && Math.max(...geometry.dilation) > 1;
  const stride: [number, number] = both ? [1, 1] : [...geometry.stride];
  const dilation: [number, number] = [...geometry.dilation];

  let result: FloatMap;
  if (groups > 1 && groups === channels) {
    const tensor = tf.tensor4d(filters, [...kernel, channels, geometry.filters / channels]);
    result = tf.depthwiseConv2d(padded, tensor, stride, 'valid', 'NHWC', dilation);
  } else {
    const tensor = tf.tensor4d(filters, [...kernel, channels / groups, geometry.filters]);
    // The backend has no grouped convolution: cut the channels and the filters, convolve, put side by side.
    const maps = groups === 1 ? [padded] : (tf.split(padded, groups, 3) as FloatMap[]);
    const kernels = groups === 1 ? [tensor] : (tf.split(tensor, groups, 3) as FloatMap[]);
    const parts = maps.map((part, g) => tf.conv2d(part, kernels[g]!, stride, 'valid', 'NHWC', dilation));
    result = parts.length === 1 ? parts[0]! : tf.concat(parts, 3);
  }
  if (both) {
    result = tf.stridedSlice(result, [0, 0, 0, 0], result.shape, [1, ...geometry.stride, 1]) as FloatMap;
  }
  return bias === undefined ? result : tf.add(result, tf.tensor1d(bias));
}
