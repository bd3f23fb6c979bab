/** Keras' layers, a reader each, as TensorFlow.js runs them. */
import { InputError } from '../../core/diagnostics.ts';
import { product } from '../../core/integers.ts';
import type { AnyOp } from '../../graph/graph.ts';
import { add } from '../../ops/add/add.ts';
import { averagePool } from '../../ops/average-pool/average-pool.ts';
import { batchNormalization } from '../../ops/batch-normalization/batch-normalization.ts';
import { clippedRelu } from '../../ops/clipped-relu/clipped-relu.ts';
import { concat } from '../../ops/concat/concat.ts';
import { convolution } from '../../ops/convolution/convolution.ts';
import { fullyConnected } from '../../ops/fully-connected/fully-connected.ts';
import { globalAveragePool } from '../../ops/global-average-pool/global-average-pool.ts';
import { hardSwish } from '../../ops/hard-swish/hard-swish.ts';
import { leakyRelu } from '../../ops/leaky-relu/leaky-relu.ts';
import { maxPool } from '../../ops/max-pool/max-pool.ts';
import { relu } from '../../ops/relu/relu.ts';
import { sigmoid } from '../../ops/sigmoid/sigmoid.ts';
import { silu } from '../../ops/silu/silu.ts';
import { softmax } from '../../ops/softmax/softmax.ts';
import { tanh } from '../../ops/tanh/tanh.ts';
import { upsampleNearest } from '../../ops/upsample-nearest/upsample-nearest.ts';
import type { Edges, TfjsContext, Value } from './context.ts';
import type { KerasLayer } from './layer.ts';

export type LayerReader = (layer: KerasLayer, inputs: readonly Value[], context: TfjsContext) => Value;

/** Activations by name, with the attributes that Keras means. */
type Activation = readonly [op: AnyOp, attributes: Readonly<Record<string, number>>];

const ACTIVATIONS: ReadonlyMap<string, Activation> = new Map(
  Object.entries<Activation>({
    relu: [relu, {}],
    relu6: [clippedRelu, { maximum: 6 }],
    leaky_relu: [leakyRelu, { slope: 0.2 }],
    sigmoid: [sigmoid, {}],
    tanh: [tanh, {}],
    swish: [silu, {}],
    silu: [silu, {}],
    hard_swish: [hardSwish, {}],
    hard_silu: [hardSwish, {}],
    softmax: [softmax, {}],
  }),
);

/** The one input of a layer. */
function single(inputs: readonly Value[]): Value {
  const [value, ...more] = inputs;
  if (value === undefined || more.length > 0)
    throw new InputError(`reads ${inputs.length} maps, expected one`);
  return value;
}

/** An input without padding in front. */
function unpadded(inputs: readonly Value[]): Value {
  const value = single(inputs);
  if (value.padding !== undefined) throw new InputError(paddingMessage);
  return value;
}

const paddingMessage = 'reads the map of a ZeroPadding2D, expected a convolution or a pooling behind it';

/** An input whose last dimension is our channels. */
function map(inputs: readonly Value[], context: TfjsContext): Value {
  const value = unpadded(inputs);
  checkMap(value, context);
  return value;
}

function checkMap(value: Value, context: TfjsContext): void {
  const [channels, rows, columns] = context.shapeOf(value);
  if (value.flat && rows * columns > 1) {
    throw new InputError(
      `reads a flattened map of ${channels} x ${rows} x ${columns}, expected Dense or functions of one value behind Flatten`,
    );
  }
}

function activated(layer: KerasLayer, value: Value, context: TfjsContext, part: string): Value {
  const name = layer.word('activation', 'linear', ['linear', ...ACTIVATIONS.keys()]);
  const found = ACTIVATIONS.get(name);
  if (found === undefined) return value;
  if (found[0] === softmax) checkMap(value, context);
  return {
    ...value,
    tensor: context.emit(layer, part === '' ? '' : name, found[0], found[1], [value.tensor]),
  };
}

/** The padding that a window layer asks for, and what a ZeroPadding2D in front adds. */
function windowPadding(layer: KerasLayer, value: Value): 'same' | 'valid' | Edges {
  const padding = layer.word('padding', 'valid', ['valid', 'same']);
  if (value.padding === undefined) return padding;
  if (padding === 'same') return layer.refuse('padding', "'valid' behind a ZeroPadding2D");
  return value.padding;
}

function checkMapOrPadded(inputs: readonly Value[], context: TfjsContext): Value {
  const value = single(inputs);
  checkMap(value, context);
  return value;
}

function biasOf(layer: KerasLayer, context: TfjsContext, units: number) {
  const bias = layer.flag('use_bias', true);
  return { bias, makers: bias ? { bias: context.weight(layer, 'bias', [units]) } : {} };
}

const conv2d: LayerReader = (layer, inputs, context) => {
  layer.checkChannelsLast();
  const value = checkMapOrPadded(inputs, context);
  const [channels] = context.shapeOf(value);
  const filters = layer.integer('filters', undefined, 1, 65536);
  const kernel = layer.pair('kernel_size', undefined);
  const groups = layer.integer('groups', 1, 1, 65536);
  if (channels % groups !== 0) throw new InputError(`groups: ${groups} does not divide ${channels} channels`);
  const { bias, makers } = biasOf(layer, context, filters);
  const tensor = context.emit(
    layer,
    '',
    convolution,
    {
      filters,
      kernel,
      stride: layer.pair('strides', [1, 1]),
      padding: windowPadding(layer, value),
      dilation: layer.pair('dilation_rate', [1, 1]),
      groups,
      bias,
    },
    [value.tensor],
    { filters: context.weight(layer, 'kernel', [...kernel, channels / groups, filters]), ...makers },
  );
  return activated(layer, { tensor }, context, 'activation');
};

/** The depthwise part of a layer: every channel gives `depth_multiplier` of them. */
function depthwisePart(
  layer: KerasLayer,
  value: Value,
  context: TfjsContext,
  part: string,
  hasBias: boolean,
): { tensor: string; channels: number } {
  layer.checkChannelsLast();
  const [channels] = context.shapeOf(value);
  const kernel = layer.pair('kernel_size', undefined);
  const multiplier = layer.integer('depth_multiplier', 1, 1, 64);
  const made = channels * multiplier;
  const tensor = context.emit(
    layer,
    part,
    convolution,
    {
      ...(multiplier === 1 ? { groups: 'depthwise' } : { groups: channels, filters: made }),
      kernel,
      stride: layer.pair('strides', [1, 1]),
      padding: windowPadding(layer, value),
      dilation: layer.pair('dilation_rate', [1, 1]),
      bias: hasBias,
    },
    [value.tensor],
    {
      // [rows, columns, channels, multiplier] has the values in the order of [rows, columns, 1, filters].
      filters: context.weight(layer, 'depthwise_kernel', [...kernel, channels, multiplier]),
      ...(hasBias && { bias: context.weight(layer, 'bias', [made]) }),
    },
  );
  return { tensor, channels: made };
}

const depthwiseConv2d: LayerReader = (layer, inputs, context) => {
  const value = checkMapOrPadded(inputs, context);
  const { tensor } = depthwisePart(layer, value, context, '', layer.flag('use_bias', true));
  return activated(layer, { tensor }, context, 'activation');
};

const separableConv2d: LayerReader = (layer, inputs, context) => {
  const value = checkMapOrPadded(inputs, context);
  const { tensor: between, channels } = depthwisePart(layer, value, context, 'depthwise', false);
  const filters = layer.integer('filters', undefined, 1, 65536);
  const { bias, makers } = biasOf(layer, context, filters);
  const tensor = context.emit(layer, '', convolution, { filters, kernel: 1, bias }, [between], {
    filters: context.weight(layer, 'pointwise_kernel', [1, 1, channels, filters]),
    ...makers,
  });
  return activated(layer, { tensor }, context, 'activation');
};

/** On a flattened map, every unit sees all of it; on another, every cell alone. */
const dense: LayerReader = (layer, inputs, context) => {
  const value = unpadded(inputs);
  const shape = context.shapeOf(value);
  const units = layer.integer('units', undefined, 1, 65536);
  const { bias, makers } = biasOf(layer, context, units);
  if (value.flat || shape[1] * shape[2] === 1) {
    const weights = context.weight(layer, 'kernel', [product(shape), units]);
    const tensor = context.emit(layer, '', fullyConnected, { units, bias }, [value.tensor], {
      weights,
      ...makers,
    });
    return activated(layer, { tensor, ...(value.flat && { flat: true }) }, context, 'activation');
  }
  const filters = context.weight(layer, 'kernel', [shape[0], units]);
  const tensor = context.emit(layer, '', convolution, { filters: units, kernel: 1, bias }, [value.tensor], {
    filters,
    ...makers,
  });
  return activated(layer, { tensor }, context, 'activation');
};

const normalization: LayerReader = (layer, inputs, context) => {
  const value = map(inputs, context);
  const [channels] = context.shapeOf(value);
  const axis = layer.raw('axis') ?? -1;
  const at = Array.isArray(axis) && axis.length === 1 ? axis[0] : axis;
  if (at !== -1 && at !== (value.flat ? 1 : 3)) return layer.refuse('axis', 'the channels (-1)');
  const constant = (number: number) => () => new Float32Array(channels).fill(number);
  const weight = (what: string) => context.weight(layer, what, [channels]);
  const tensor = context.emit(
    layer,
    '',
    batchNormalization,
    { epsilon: layer.number('epsilon', 1e-3, 1e-12, 1) },
    [value.tensor],
    {
      gamma: layer.flag('scale', true) ? weight('gamma') : constant(1),
      beta: layer.flag('center', true) ? weight('beta') : constant(0),
      mean: weight('moving_mean'),
      variance: weight('moving_variance'),
    },
  );
  return { ...value, tensor };
};

const activation: LayerReader = (layer, inputs, context) => activated(layer, unpadded(inputs), context, '');

const reluLayer: LayerReader = (layer, inputs, context) => {
  const value = unpadded(inputs);
  const slope = layer.number('negative_slope', 0, 0, 1);
  layer.number('threshold', 0, 0, 0);
  const bounded = layer.raw('max_value') !== undefined;
  if (bounded && slope !== 0) return layer.refuse('negative_slope', '0 where there is a max_value');
  const [op, attributes] = bounded
    ? ([clippedRelu, { maximum: layer.number('max_value', undefined, 1e-6, 1e6) }] as const)
    : slope === 0
      ? ([relu, {}] as const)
      : ([leakyRelu, { slope }] as const);
  return { ...value, tensor: context.emit(layer, '', op, attributes, [value.tensor]) };
};

const leakyReluLayer: LayerReader = (layer, inputs, context) => {
  const value = unpadded(inputs);
  // Keras 3 calls it otherwise.
  const key = layer.raw('alpha') === undefined ? 'negative_slope' : 'alpha';
  const slope = layer.number(key, 0.3, 0, 1);
  return { ...value, tensor: context.emit(layer, '', leakyRelu, { slope }, [value.tensor]) };
};

const softmaxLayer: LayerReader = (layer, inputs, context) => {
  const value = map(inputs, context);
  const axis = layer.raw('axis') ?? -1;
  if (axis !== -1 && axis !== (value.flat ? 1 : 3)) return layer.refuse('axis', 'the channels (-1)');
  return { ...value, tensor: context.emit(layer, '', softmax, {}, [value.tensor]) };
};

/** Windows over the map; `same` leaves cells outside out of maxima and means, as TensorFlow does. */
function pool(op: AnyOp): LayerReader {
  return (layer, inputs, context) => {
    layer.checkChannelsLast();
    const value = checkMapOrPadded(inputs, context);
    const window = layer.pair('pool_size', [2, 2]);
    const stride = layer.pair('strides', window);
    const padding = windowPadding(layer, value);
    const zeros = value.padding !== undefined;
    if (zeros && op === maxPool) checkNotNegative(value, context);
    const tensor = context.emit(
      layer,
      '',
      op,
      { window, stride, padding, ...(zeros && op === averagePool && { countIncludesPadding: true }) },
      [value.tensor],
    );
    return { tensor };
  };
}

/** Zeros around a map take no part in maxima only where no value is below them. */
function checkNotNegative({ tensor }: Value, context: TfjsContext): void {
  const node = context.builder.node(tensor);
  const machine = node?.op.machine;
  const holds =
    node !== undefined &&
    machine?.stage === 'activation' &&
    machine.activation(node.op.attributes.parse(node.attributes)).negativeSlope === 0;
  if (!holds) {
    throw new InputError(
      'takes maxima of a map padded with zeros, expected ReLU in front of the ZeroPadding2D',
    );
  }
}

const globalAverage: LayerReader = (layer, inputs, context) => {
  layer.checkChannelsLast();
  const value = map(inputs, context);
  const flat = !layer.flag('keepdims', false);
  return { tensor: context.emit(layer, '', globalAveragePool, {}, [value.tensor]), flat };
};

const globalMaximum: LayerReader = (layer, inputs, context) => {
  layer.checkChannelsLast();
  const value = map(inputs, context);
  const [, rows, columns] = context.shapeOf(value);
  const flat = !layer.flag('keepdims', false);
  return { tensor: context.emit(layer, '', maxPool, { window: [rows, columns] }, [value.tensor]), flat };
};

/** Several maps under one view. */
function together(inputs: readonly Value[]): { tensors: string[]; flat: boolean } {
  if (inputs.some(({ padding }) => padding !== undefined)) throw new InputError(paddingMessage);
  const flat = inputs.every((value) => value.flat === true);
  if (!flat && inputs.some((value) => value.flat === true)) {
    throw new InputError('reads flattened and other maps together, expected one kind');
  }
  return { tensors: inputs.map(({ tensor }) => tensor), flat };
}

const addLayer: LayerReader = (layer, inputs, context) => {
  const { tensors, flat } = together(inputs);
  return { tensor: context.emit(layer, '', add, {}, tensors), flat };
};

const concatenate: LayerReader = (layer, inputs, context) => {
  const { tensors, flat } = together(inputs);
  for (const value of inputs) checkMap(value, context);
  const axis = layer.raw('axis') ?? -1;
  if (axis !== -1 && axis !== (flat ? 1 : 3)) return layer.refuse('axis', 'the channels (-1)');
  return { tensor: context.emit(layer, '', concat, {}, tensors), flat };
};

const upsampling: LayerReader = (layer, inputs, context) => {
  layer.checkChannelsLast();
  const value = map(inputs, context);
  layer.word('interpolation', 'nearest', ['nearest']);
  const factor = layer.pair('size', [2, 2]);
  return { tensor: context.emit(layer, '', upsampleNearest, { factor }, [value.tensor]) };
};

const zeroPadding: LayerReader = (layer, inputs, context) => {
  layer.checkChannelsLast();
  const value = checkMapOrPadded(inputs, context);
  const given = layer.raw('padding') ?? 1;
  const pairs = Array.isArray(given) ? given : [given, given];
  const edges = pairs.flatMap((side) => (Array.isArray(side) ? side : [side, side])) as unknown[];
  if (edges.length !== 4 || edges.some((cells) => !Number.isInteger(cells) || !inRange(cells as number))) {
    return layer.refuse(
      'padding',
      'a number, [rows, columns], or [[top, bottom], [left, right]] of 0 to 4095',
    );
  }
  const [top, bottom, left, right] = edges as [number, number, number, number];
  const before = value.padding ?? { top: 0, bottom: 0, left: 0, right: 0 };
  return {
    tensor: value.tensor,
    padding: {
      top: top + before.top,
      bottom: bottom + before.bottom,
      left: left + before.left,
      right: right + before.right,
    },
  };
};

const inRange = (cells: number) => cells >= 0 && cells <= 4095;

const flatten: LayerReader = (layer, inputs) => {
  layer.checkChannelsLast();
  return { tensor: unpadded(inputs).tensor, flat: true };
};

/** Only what moves nothing: to the map's own shape, and to a vector. */
const reshape: LayerReader = (layer, inputs, context) => {
  const value = unpadded(inputs);
  const [channels, rows, columns] = context.shapeOf(value);
  const elements = channels * rows * columns;
  const target = layer.raw('target_shape');
  if (!Array.isArray(target) || target.some((side) => !Number.isInteger(side)) || target.length > 8) {
    return layer.refuse('target_shape', 'a list of integers');
  }
  const known = product(target.filter((side) => side !== -1));
  const sides = (target as number[]).map((side) => (side === -1 ? elements / known : side));
  if (sides.length === 1 && sides[0] === elements) return { tensor: value.tensor, flat: true };
  if (sides.join() === [rows, columns, channels].join()) return { tensor: value.tensor };
  return layer.refuse('target_shape', `[${elements}] or [${rows}, ${columns}, ${channels}]`);
};

/** Where pixels are scaled in front of everything, the host does it. */
const rescaling: LayerReader = (layer, inputs, context) => {
  const value = unpadded(inputs);
  if (value.tensor !== context.builder.input.name || context.rescaling !== undefined) {
    throw new InputError('is not the first layer, expected it in front of the others');
  }
  const scale = layer.number('scale', undefined, 1e-6, 1e6);
  const [channels] = context.shapeOf(value);
  const offset = layer.raw('offset') ?? 0;
  const offsets: unknown[] = Array.isArray(offset) ? offset : new Array(channels).fill(offset);
  if (offsets.length !== channels || offsets.some((one) => typeof one !== 'number' || Math.abs(one) > 1e6)) {
    return layer.refuse('offset', 'a number, or one a channel');
  }
  context.rescaling = { scale, offsets: offsets as number[] };
  return value;
};

/** Layers that a run passes through. */
const passes: LayerReader = (_layer, inputs) => single(inputs);

/** By Keras' class names. */
export const layerReaders: ReadonlyMap<string, LayerReader> = new Map([
  ['InputLayer', passes],
  ['Conv2D', conv2d],
  ['DepthwiseConv2D', depthwiseConv2d],
  ['SeparableConv2D', separableConv2d],
  ['Dense', dense],
  ['BatchNormalization', normalization],
  ['Activation', activation],
  ['ReLU', reluLayer],
  ['LeakyReLU', leakyReluLayer],
  ['Softmax', softmaxLayer],
  ['MaxPooling2D', pool(maxPool)],
  ['AveragePooling2D', pool(averagePool)],
  ['GlobalAveragePooling2D', globalAverage],
  ['GlobalMaxPooling2D', globalMaximum],
  ['Add', addLayer],
  ['Concatenate', concatenate],
  ['UpSampling2D', upsampling],
  ['ZeroPadding2D', zeroPadding],
  ['Flatten', flatten],
  ['Reshape', reshape],
  ['Rescaling', rescaling],
  ['Dropout', passes],
  ['SpatialDropout2D', passes],
  ['GaussianNoise', passes],
]);

export function supportedLayers(): string[] {
  return [...layerReaders.keys()];
}
