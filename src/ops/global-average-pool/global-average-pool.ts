/** Global average pooling: one mean a channel. */
import { z } from 'zod';
import { assert } from '../../core/diagnostics.ts';
import type { Shape } from '../../graph/graph.ts';
import { type ConvolutionGeometry, defineOp } from '../../graph/op.ts';
import { convolveInteger } from '../shared/convolve-integer.ts';

/** A depthwise convolution whose kernel is as large as the map. */
function geometryOf([channels, rows, columns]: Shape): ConvolutionGeometry {
  return {
    groups: channels,
    filters: channels,
    kernel: [rows, columns],
    stride: [1, 1],
    dilation: [1, 1],
    padding: { top: 0, bottom: 0, left: 0, right: 0 },
  };
}

/** Sums on the PE array, so that the mean gets the output's own scale and one rounding. */
export const globalAveragePool = defineOp({
  name: 'globalAveragePool',
  summary: 'Mean of every channel over the whole map.',
  attributes: z.strictObject({}),
  inputs: 1,
  inferShape: (_attributes, [input]) => [input![0], 1, 1],
  macs: (_attributes, [input]) => input![0] * input![1] * input![2],
  float: (tf, _attributes, [map]) => tf.mean(map!, [1, 2], true),

  machine: {
    stage: 'array',
    convolution: (_attributes, input) => geometryOf(input),
    weights: (_attributes, [channels, rows, columns]) => ({
      weights: new Float32Array(channels * rows * columns).fill(1 / (rows * columns)),
      bias: new Float32Array(channels),
    }),
  },

  integer(_attributes, [input], output, array) {
    assert(array !== undefined, 'a global average needs weights');
    return convolveInteger(geometryOf(input!.shape), input!, output, array);
  },
});
