/** Fully connected layer: every unit sees the whole map. */
import { z } from 'zod';
import { assert } from '../../core/diagnostics.ts';
import { product } from '../../core/integers.ts';
import type { Shape } from '../../graph/graph.ts';
import { type ConvolutionGeometry, defineOp, type ParameterSpec } from '../../graph/op.ts';
import { convolveInteger } from '../shared/convolve-integer.ts';
import { filtersFirst, rescaleFilters } from '../shared/filter-layout.ts';

const attributes = z.strictObject({
  units: z.int().min(1).max(65536).describe('output channels, 1..65536'),
  bias: z.boolean().default(true).describe('whether every unit has a bias'),
  weightNames: z
    .strictObject({
      weights: z.string().min(1).optional().describe('name of the weights in the weight manifest'),
      bias: z.string().min(1).optional().describe('name of the bias in the weight manifest'),
    })
    .optional()
    .describe('weight manifest entries to read instead of <node>/weights and <node>/bias'),
});

/** A convolution whose kernel is as large as the map. */
function geometryOf(units: number, [, rows, columns]: Shape): ConvolutionGeometry {
  return {
    groups: 1,
    filters: units,
    kernel: [rows, columns],
    stride: [1, 1],
    dilation: [1, 1],
    padding: { top: 0, bottom: 0, left: 0, right: 0 },
  };
}

/**
 * The weights have TensorFlow's shape [rows * columns * channels, units], the map flattened as NHWC has it: row after
 * row, cell after cell, a cell's channels side by side. That is a convolution's [rows, columns, channels, filters].
 */
export const fullyConnected = defineOp({
  name: 'fullyConnected',
  summary: 'Every unit is a weighted sum of the whole map (flattened row, column, channel) and a bias.',
  attributes,
  inputs: 1,
  inferShape: ({ units }) => [units, 1, 1],

  parameters(node, { units, bias, weightNames }, [input]) {
    const fanIn = product(input!);
    const parameters: ParameterSpec[] = [
      {
        name: weightNames?.weights ?? `${node}/weights`,
        shortName: 'weights',
        shape: [fanIn, units],
        initial: { kind: 'weights', fanIn },
        folded: true,
      },
    ];
    if (bias) {
      parameters.push({
        name: weightNames?.bias ?? `${node}/bias`,
        shortName: 'bias',
        shape: [units],
        initial: { kind: 'bias' },
        folded: true,
      });
    }
    return parameters;
  },

  macs: ({ units }, [input]) => units * product(input!),

  float(tf, { units, bias }, [map], read) {
    const flat = tf.reshape(map!, [1, map!.size]);
    const sums = tf.matMul(flat, tf.tensor2d(read('weights'), [map!.size, units]));
    return tf.reshape(bias ? tf.add(sums, tf.tensor1d(read('bias'))) : sums, [1, 1, 1, units]);
  },

  machine: {
    stage: 'array',
    convolution: ({ units }, input) => geometryOf(units, input),
    weights: ({ units, bias }, input, read) => ({
      weights: filtersFirst(read('weights'), geometryOf(units, input), input[0]),
      bias: bias ? read('bias').slice() : new Float32Array(units),
    }),
    rescale({ units, bias }, input, read, inputs, outputs) {
      const weights = rescaleFilters(read('weights'), geometryOf(units, input), input[0], inputs, outputs);
      const scaled = new Map([['weights', weights]]);
      if (bias)
        scaled.set(
          'bias',
          read('bias').map((value, unit) => value * outputs[unit]!),
        );
      return scaled;
    },
  },

  integer({ units }, [input], output, array) {
    assert(array !== undefined, 'a fully connected layer needs weights');
    return convolveInteger(geometryOf(units, input!.shape), input!, output, array);
  },
});
