/** Convolution: ordinary, grouped or depthwise, on zero-padded maps. */
import { z } from 'zod';
import { assert, InputError } from '../../core/diagnostics.ts';
import type { Shape } from '../../graph/graph.ts';
import { type ConvolutionGeometry, defineOp, type ParameterSpec } from '../../graph/op.ts';
import { convolveInteger } from '../shared/convolve-integer.ts';
import { filtersFirst, rescaleFilters } from '../shared/filter-layout.ts';
import { paddingDescription, paddingSchema, pairSchema, placeWindow } from '../shared/window.ts';
import { convolveFloat } from './float.ts';

const attributes = z.strictObject({
  filters: z
    .int()
    .min(1)
    .max(65536)
    .optional()
    .describe('output channels, 1..65536; left out when groups is depthwise'),
  kernel: pairSchema.describe('size of the window: a number or [rows, columns], 1..64'),
  stride: pairSchema.default(1).describe('step of the window: a number or [rows, columns], 1..64'),
  padding: paddingSchema.default('valid').describe(paddingDescription),
  dilation: pairSchema
    .default(1)
    .describe('distance between the taps of the window: a number or [rows, columns], 1..64'),
  groups: z
    .union([z.int().min(1).max(65536), z.literal('depthwise')])
    .default(1)
    .describe("blocks of channels convolved apart: a number 1..65536, or 'depthwise' for one a channel"),
  bias: z.boolean().default(true).describe('whether every filter has a bias'),
  weightNames: z
    .strictObject({
      filters: z.string().min(1).optional().describe('name of the filters in the weight manifest'),
      bias: z.string().min(1).optional().describe('name of the bias in the weight manifest'),
    })
    .optional()
    .describe('weight manifest entries to read instead of <node>/filters and <node>/bias'),
});

type Attributes = z.output<typeof attributes>;

/** Geometry and output shape, or an `InputError` that says what does not fit. */
function place(attributes: Attributes, input: Shape): { geometry: ConvolutionGeometry; output: Shape } {
  const [channels, rows, columns] = input;
  const depthwise = attributes.groups === 'depthwise';
  const filters = attributes.filters ?? (depthwise ? channels : undefined);
  if (filters === undefined) throw new InputError('filters: missing, expected the number of output channels');
  if (depthwise && filters !== channels) {
    throw new InputError(
      `filters: ${filters}, expected ${channels} (or none): a depthwise convolution keeps its channels`,
    );
  }
  const groups = attributes.groups === 'depthwise' ? channels : attributes.groups;
  if (channels % groups !== 0 || filters % groups !== 0) {
    throw new InputError(
      `groups: ${groups} does not divide ${channels} channels and ${filters} filters alike`,
    );
  }
  const { kernel, stride, dilation, padding, output } = placeWindow(attributes, rows, columns);
  return {
    geometry: { groups, filters, kernel, stride, dilation, padding },
    output: [filters, ...output],
  };
}

/** The shape that TensorFlow gives the filters: [rows, columns, channels per group, filters] or [rows, columns, channels, 1]. */
function filterShape(attributes: Attributes, geometry: ConvolutionGeometry, input: Shape): number[] {
  const [channels] = input;
  return attributes.groups === 'depthwise'
    ? [...geometry.kernel, channels, 1]
    : [...geometry.kernel, channels / geometry.groups, geometry.filters];
}

export const convolution = defineOp({
  name: 'convolution',
  summary:
    'Two-dimensional convolution, ordinary, grouped or depthwise, with zero padding and an optional bias.',
  attributes,
  inputs: 1,

  inferShape: (attributes, [input]) => place(attributes, input!).output,

  parameters(node, attributes, [input]) {
    const { geometry } = place(attributes, input!);
    const shape = filterShape(attributes, geometry, input!);
    const fanIn = geometry.kernel[0] * geometry.kernel[1] * (input![0] / geometry.groups);
    const parameters: ParameterSpec[] = [
      {
        name: attributes.weightNames?.filters ?? `${node}/filters`,
        shortName: 'filters',
        shape,
        initial: { kind: 'weights', fanIn },
        folded: true,
      },
    ];
    if (attributes.bias) {
      parameters.push({
        name: attributes.weightNames?.bias ?? `${node}/bias`,
        shortName: 'bias',
        shape: [geometry.filters],
        initial: { kind: 'bias' },
        folded: true,
      });
    }
    return parameters;
  },

  macs(attributes, [input], [filters, rows, columns]) {
    const { geometry } = place(attributes, input!);
    const taps = geometry.kernel[0] * geometry.kernel[1] * (input![0] / geometry.groups);
    return filters * rows * columns * taps;
  },

  float(tf, attributes, [map], read) {
    const [, rows, columns, channels] = map!.shape;
    const { geometry } = place(attributes, [channels, rows, columns]);
    return convolveFloat(tf, geometry, map!, read('filters'), attributes.bias ? read('bias') : undefined);
  },

  machine: {
    stage: 'array',
    convolution: (attributes, input) => place(attributes, input).geometry,
    weights(attributes, input, read) {
      const { geometry } = place(attributes, input);
      return {
        weights: filtersFirst(read('filters'), geometry, input[0] / geometry.groups),
        bias: attributes.bias ? read('bias').slice() : new Float32Array(geometry.filters),
      };
    },
    rescale(attributes, input, read, inputs, outputs) {
      const { geometry } = place(attributes, input);
      const filters = rescaleFilters(read('filters'), geometry, input[0], inputs, outputs);
      const scaled = new Map([['filters', filters]]);
      if (attributes.bias)
        scaled.set(
          'bias',
          read('bias').map((value, f) => value * outputs[f]!),
        );
      return scaled;
    },
  },

  integer(attributes, [input], output, array) {
    assert(array !== undefined, 'a convolution needs weights');
    return convolveInteger(place(attributes, input!.shape).geometry, input!, output, array);
  },
});
