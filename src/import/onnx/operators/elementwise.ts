/** Operators that look at one cell at a time: activations, batch normalisation, sums, factors and offsets a channel. */
import { InputError } from '../../../core/diagnostics.ts';
import { product } from '../../../core/integers.ts';
import type { AnyOp } from '../../../graph/graph.ts';
import { add } from '../../../ops/add/add.ts';
import { batchNormalization } from '../../../ops/batch-normalization/batch-normalization.ts';
import { clippedRelu } from '../../../ops/clipped-relu/clipped-relu.ts';
import { hardSwish } from '../../../ops/hard-swish/hard-swish.ts';
import { leakyRelu } from '../../../ops/leaky-relu/leaky-relu.ts';
import { relu } from '../../../ops/relu/relu.ts';
import { sigmoid } from '../../../ops/sigmoid/sigmoid.ts';
import { softmax } from '../../../ops/softmax/softmax.ts';
import { tanh } from '../../../ops/tanh/tanh.ts';
import type { Constant } from '../constant.ts';
import { type Conversion, finite, paddingMessage } from '../conversion.ts';
import { axisOf, type OnnxNode } from '../node.ts';
import type { MapValue } from '../value.ts';
import { CHANNELS, isWhole, sameView, sizesOf } from '../view.ts';
import type { Handler, Handlers } from './handler.ts';
import { isNeverNegative } from './sign.ts';

/** The least that the operator takes: it must not move the variance of 1 that a factor is written with. */
const LEAST_EPSILON = 1e-12;

/** One of ours in place of one of theirs; whatever view of the map it stands behind stays. */
export function apply(
  node: OnnxNode,
  conversion: Conversion,
  value: MapValue,
  op: AnyOp,
  attributes: Readonly<Record<string, unknown>> = {},
): MapValue {
  if (value.padding !== undefined) throw new InputError(paddingMessage);
  return conversion.madeView(conversion.emit(node.name, op, attributes, [value.tensor]), value.view);
}

const unary =
  (op: AnyOp): Handler =>
  (node, conversion) =>
    apply(node, conversion, conversion.real(node, 0), op);

/** The shortest decimal that is the same float32: 0.1, not 0.10000000149011612. */
export function decimal(value: number): number {
  for (let digits = 1; digits < 10; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return value;
}

function clip(node: OnnxNode, conversion: Conversion): MapValue {
  const value = conversion.real(node, 0);
  const bound = (index: number, name: string, fallback: number): number => {
    if (node.opset < 11) return node.float(name, fallback);
    const constant = conversion.optionalConstant(node, index, name);
    if (constant === undefined) return fallback;
    if (product(constant.dims) !== 1) throw new InputError(`${name}: expected one number`);
    return constant.reader()(0);
  };
  const low = bound(1, 'min', Number.NEGATIVE_INFINITY);
  const high = bound(2, 'max', Number.POSITIVE_INFINITY);
  const open = high > 3.4e38;
  if (low < -3.4e38 && open) return value;
  const isBelow = low < 0 && isNeverNegative(conversion, value);
  if (isBelow && open) return value;
  if (low !== 0 && !isBelow) {
    throw new InputError(`min: ${low}, expected 0 (a ReLU with or without a ceiling), or less behind a ReLU`);
  }
  return open
    ? apply(node, conversion, value, relu)
    : apply(node, conversion, value, clippedRelu, { maximum: decimal(high) });
}

function slopes(node: OnnxNode, conversion: Conversion): MapValue {
  const value = conversion.real(node, 0);
  const constant = conversion.constant(node, 1, 'the slope');
  const read = constant.reader();
  const slope = read(0);
  const count = product(constant.dims);
  for (let i = 1; i < count; i++) {
    if (read(i) !== slope)
      throw new InputError(`slopes ${slope} and ${read(i)}, expected one for all channels`);
  }
  if (count === 0) throw new InputError('has no slope, expected one');
  return leaky(node, conversion, value, slope);
}

export function leaky(node: OnnxNode, conversion: Conversion, value: MapValue, slope: number): MapValue {
  return slope === 0
    ? apply(node, conversion, value, relu)
    : apply(node, conversion, value, leakyRelu, { slope: decimal(slope) });
}

function normalise(node: OnnxNode, conversion: Conversion): MapValue {
  const value = conversion.real(node, 0);
  if (node.opset < 9 && node.int('spatial', 1) === 0) {
    throw new InputError('spatial: 0, expected statistics a channel');
  }
  if (node.int('training_mode', 0) !== 0 || (node.opset < 7 && node.int('is_test', 0) === 0)) {
    throw new InputError('runs in training mode, expected a trained network');
  }
  if (value.view.length < 2 || !isWhole(value.view[1]!, CHANNELS, conversion.shapeOf(value.tensor))) {
    throw new InputError(`reads ${sizesOf(value.view).join(' x ')}, expected channels in dimension 1`);
  }
  const channels = conversion.shapeOf(value.tensor)[0];
  const statistics = (['gamma', 'beta', 'mean', 'variance'] as const).map((name, i) => {
    const constant = conversion.constant(node, i + 1, name);
    if (product(constant.dims) !== channels) {
      throw new InputError(`${name} of ${constant.dims.join(' x ')}, expected ${channels} elements`);
    }
    return [name, constant] as const;
  });
  const epsilon = decimal(node.float('epsilon', 1e-5));
  const result = apply(node, conversion, value, batchNormalization, {
    epsilon: Math.max(epsilon, LEAST_EPSILON),
  });
  const made = conversion.nodes.get(result.tensor)!;
  for (const [name, constant] of statistics) {
    conversion.setParameter(made, name, () => {
      const read = constant.reader();
      return finite(Float32Array.from({ length: channels }, (_, c) => read(c)));
    });
  }
  return result;
}

/** A constant as one number a channel of the map; undefined when it varies otherwise. */
function perChannel(
  conversion: Conversion,
  value: MapValue,
  constant: Constant,
): (() => Float32Array) | undefined {
  const shape = conversion.shapeOf(value.tensor);
  const rank = value.view.length;
  const { dims } = constant;
  if (dims.slice(0, Math.max(0, dims.length - rank)).some((size) => size !== 1)) return undefined;
  const elements = product(dims);
  const along = dims.findIndex((size) => size !== 1);
  if (along !== -1) {
    const axis = along + rank - dims.length;
    const parts = value.view[axis];
    if (elements !== dims[along] || parts === undefined || !isWhole(parts, CHANNELS, shape)) return undefined;
    if (elements !== shape[0]) return undefined;
  }
  return () => {
    const read = constant.reader();
    return Float32Array.from({ length: shape[0] }, (_, c) => read(elements === 1 ? 0 : c));
  };
}

/** y = factor * x + offset, as a batch normalisation that has nothing to normalise. */
function affine(
  node: OnnxNode,
  conversion: Conversion,
  value: MapValue,
  factors: (() => Float32Array) | undefined,
  offsets: (() => Float32Array) | undefined,
): MapValue {
  const result = apply(node, conversion, value, batchNormalization, { epsilon: LEAST_EPSILON });
  const made = conversion.nodes.get(result.tensor)!;
  const channels = made.shape[0];
  const constant = (x: number) => () => new Float32Array(channels).fill(x);
  const makers = {
    gamma: factors ?? constant(1),
    beta: offsets ?? constant(0),
    mean: constant(0),
    variance: constant(1),
  };
  for (const [name, make] of Object.entries(makers)) {
    conversion.setParameter(made, name, () => finite(make()));
  }
  return result;
}

/** An operator on a map and a constant, or the sum of maps. */
function arithmetic(op: 'Add' | 'Sub' | 'Mul' | 'Div'): Handler {
  return (node, conversion) => {
    const values = [conversion.value(node, 0), conversion.value(node, 1)] as const;
    const at = values.findIndex((value) => value.kind === 'map');
    const constant = values[1 - at]!;
    if (constant.kind !== 'constant') {
      if (op === 'Add')
        return addMaps(node, conversion, [conversion.real(node, 0), conversion.real(node, 1)]);
      throw new InputError(
        'of two maps, expected a constant (or the spelling of SiLU or hard-swish: x times sigmoid or hard sigmoid of x)',
      );
    }
    const value = conversion.real(node, at);
    const numbers = perChannel(conversion, value, constant);
    if (numbers === undefined) {
      throw new InputError(
        `a constant of ${constant.dims.join(' x ')} on ${sizesOf(value.view).join(' x ')}, expected one number, or one a channel`,
      );
    }
    switch (op) {
      case 'Add':
        if (conversion.addBias(node.inputs[at]!, value, constant)) return value;
        return affine(node, conversion, value, undefined, numbers);
      case 'Sub':
        return at === 0
          ? affine(node, conversion, value, undefined, () => numbers().map((x) => -x))
          : affine(node, conversion, value, () => numbers().fill(-1), numbers);
      case 'Mul':
        return affine(node, conversion, value, numbers, undefined);
      case 'Div':
        if (at === 1) throw new InputError('divides a constant by a map, expected it the other way round');
        return affine(node, conversion, value, () => numbers().map((x) => 1 / x), undefined);
    }
  };
}

/** The elementwise sum of maps under the same view. */
export function addMaps(node: OnnxNode, conversion: Conversion, values: readonly MapValue[]): MapValue {
  if (values.some(({ padding }) => padding !== undefined)) throw new InputError(paddingMessage);
  const [first] = values;
  const alike = values.every(
    ({ view, tensor }) =>
      sameView(view, first!.view) &&
      conversion.shapeOf(tensor).join() === conversion.shapeOf(first!.tensor).join(),
  );
  if (!alike) {
    const sizes = values.map(({ view }) => sizesOf(view).join(' x '));
    throw new InputError(`adds ${sizes.join(' and ')}, expected maps of the same shape and order`);
  }
  const made = conversion.emit(
    node.name,
    add,
    {},
    values.map(({ tensor }) => tensor),
  );
  return conversion.madeView(made, first!.view);
}

function normaliseExponentials(node: OnnxNode, conversion: Conversion): MapValue {
  const value = conversion.real(node, 0);
  const rank = value.view.length;
  const axis = axisOf(node.int('axis', node.opset < 13 ? 1 : -1), rank);
  // Older sets take all dimensions from the axis on as one.
  const parts = node.opset < 13 ? value.view.slice(axis).flat() : value.view[axis]!;
  if (!isWhole(parts, CHANNELS, conversion.shapeOf(value.tensor))) {
    throw new InputError(`axis: ${axis} of ${sizesOf(value.view).join(' x ')}, expected the channels`);
  }
  return apply(node, conversion, value, softmax);
}

export const elementwise: Handlers = {
  Relu: unary(relu),
  LeakyRelu: (node, conversion) =>
    leaky(node, conversion, conversion.real(node, 0), node.float('alpha', 0.01)),
  PRelu: slopes,
  Clip: clip,
  Sigmoid: unary(sigmoid),
  Tanh: unary(tanh),
  HardSwish: unary(hardSwish),
  Softmax: normaliseExponentials,
  BatchNormalization: normalise,
  Add: arithmetic('Add'),
  Sub: arithmetic('Sub'),
  Mul: arithmetic('Mul'),
  Div: arithmetic('Div'),
  Sum(node, conversion) {
    const values = node.inputs.map((_, i) => conversion.real(node, i));
    return values.length === 1 ? values[0]! : addMaps(node, conversion, values);
  },
};
