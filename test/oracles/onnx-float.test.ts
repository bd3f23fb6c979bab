/** Float ONNX models, written from the schema, against ONNX Runtime: every operator that is read, and its corners. */
import { describe, expect, it } from 'vitest';
import type { ImportedNetwork } from '../../src/import/imported-network.ts';
import { readOnnx } from '../../src/import/onnx/read.ts';
import { Draw } from './comparison.test-helper.ts';
import {
  channelsFirst,
  expectSameFloat,
  floatOutputs,
  randomInput,
  relativeError,
  runtimeOutputs,
} from './import.test-helper.ts';
import {
  type Attribute,
  encodeModel,
  type FileModel,
  type FileNode,
  floats,
  int64s,
  scalar,
  type TensorFields,
  tensor,
} from './onnx-file.test-helper.ts';

const draw = new Draw(20);
const random = (count: number, low = -1, high = 1) =>
  Float32Array.from({ length: count }, () => draw.real(low, high));
const product = (dims: readonly number[]) => dims.reduce((total, size) => total * size, 1);
const weights = (...dims: number[]) => floats(dims, random(product(dims), -0.5, 0.5));

interface Case {
  readonly dims?: readonly number[];
  readonly opset?: number;
  readonly nodes: readonly FileNode[];
  readonly constants?: Readonly<Record<string, TensorFields>>;
  readonly outputs?: readonly string[];
  /** Operators that it has to become. */
  readonly becomes?: readonly string[];
}

const node = (
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
): FileNode => ({ op, inputs, outputs: [output], attributes });

/** One operator on the input. */
const single = (
  op: string,
  attributes: Readonly<Record<string, Attribute>> = {},
  constants: Readonly<Record<string, TensorFields>> = {},
): Pick<Case, 'nodes' | 'constants'> => ({
  nodes: [node(op, ['x', ...Object.keys(constants)], 'y', attributes)],
  constants,
});

const modelOf = ({ dims = [1, 4, 6, 7], opset, nodes, constants, outputs = ['y'] }: Case): FileModel => ({
  ...(opset === undefined ? {} : { opset }),
  nodes,
  ...(constants && { constants }),
  inputs: { x: ['float32', dims] },
  outputs,
});

const operatorsOf = ({ graph }: ImportedNetwork) => graph.nodes.map(({ op }) => op.name);

const statistics = {
  gamma: floats([4], random(4, 0.5, 2)),
  beta: floats([4], random(4)),
  mean: floats([4], random(4)),
  variance: floats([4], random(4, 0.5, 2)),
};
const afterConv = (
  op: string,
  attributes: Readonly<Record<string, Attribute>> = {},
  constants: Readonly<Record<string, TensorFields>> = {},
): Pick<Case, 'nodes' | 'constants'> => ({
  nodes: [
    node('Conv', ['x', 'w'], 'c', { pads: [1, 1, 1, 1] }),
    node(op, ['c', ...Object.keys(constants)], 'y', attributes),
  ],
  constants: { w: weights(4, 4, 3, 3), ...constants },
});

const cases: Readonly<Record<string, Case>> = {
  'Conv: plain, no bias': { ...single('Conv', {}, { w: weights(5, 4, 3, 3) }), becomes: ['convolution'] },
  'Conv: strides, uneven pads, dilations, bias': single(
    'Conv',
    { strides: [2, 1], pads: [0, 1, 2, 1], dilations: [1, 2], kernel_shape: [3, 2] },
    { w: weights(5, 4, 3, 2), b: weights(5) },
  ),
  'Conv: groups': single('Conv', { group: 2 }, { w: weights(6, 2, 3, 3), b: weights(6) }),
  'Conv: depthwise': single('Conv', { group: 4 }, { w: weights(4, 1, 3, 3) }),
  'Conv: depthwise with a multiplier': single('Conv', { group: 4 }, { w: weights(8, 1, 3, 3) }),
  'Conv: SAME_UPPER': single('Conv', { auto_pad: 'SAME_UPPER', strides: [2, 2] }, { w: weights(3, 4, 4, 3) }),
  'Conv: SAME_LOWER': single('Conv', { auto_pad: 'SAME_LOWER', strides: [2, 2] }, { w: weights(3, 4, 4, 3) }),
  'Conv: VALID': single('Conv', { auto_pad: 'VALID' }, { w: weights(3, 4, 1, 1) }),
  'BatchNormalization behind a convolution': {
    ...afterConv('BatchNormalization', { epsilon: { float: 1e-3 } }, statistics),
    becomes: ['convolution', 'batchNormalization'],
  },
  'BatchNormalization of opset 7': {
    ...afterConv('BatchNormalization', { spatial: 1 }, statistics),
    opset: 7,
  },
  'BatchNormalization of opset 9': { ...afterConv('BatchNormalization', {}, statistics), opset: 9 },
  'BatchNormalization of the input': {
    ...single('BatchNormalization', {}, statistics),
    becomes: ['convolution'],
  },
  'BatchNormalization behind a sum': {
    nodes: [node('Add', ['x', 'x'], 'a'), node('BatchNormalization', ['a', ...Object.keys(statistics)], 'y')],
    constants: statistics,
    becomes: ['add', 'convolution'],
  },
  Relu: { ...single('Relu'), becomes: ['relu'] },
  LeakyRelu: { ...single('LeakyRelu', { alpha: { float: 0.1 } }), becomes: ['leakyRelu'] },
  'LeakyRelu by default': single('LeakyRelu'),
  'PRelu with one slope': single('PRelu', {}, { slope: floats([1], [0.25]) }),
  'PRelu with equal slopes': single('PRelu', {}, { slope: floats([4, 1, 1], [0.3, 0.3, 0.3, 0.3]) }),
  'Clip: ReLU6 by attributes': {
    ...single('Clip', { min: { float: 0 }, max: { float: 6 } }),
    opset: 9,
    becomes: ['clippedRelu'],
  },
  'Clip: by inputs': single('Clip', {}, { min: scalar('float32', 0), max: scalar('float32', 1.5) }),
  'Clip: no ceiling': {
    nodes: [node('Clip', ['x', 'low'], 'y')],
    constants: { low: scalar('float32', 0) },
    becomes: ['relu'],
  },
  'Clip: ceiling by input alone is none of ours, unbounded is nothing': {
    nodes: [node('Clip', ['x'], 'a'), node('Relu', ['a'], 'y')],
    becomes: ['relu'],
  },
  Sigmoid: { ...single('Sigmoid'), becomes: ['sigmoid'] },
  Tanh: { ...single('Tanh'), becomes: ['tanh'] },
  HardSwish: { ...single('HardSwish'), becomes: ['hardSwish'] },
  'HardSwish: x * HardSigmoid(x)': {
    nodes: [
      node('HardSigmoid', ['x'], 'g', { alpha: { float: 1 / 6 }, beta: { float: 0.5 } }),
      node('Mul', ['x', 'g'], 'y'),
    ],
    becomes: ['hardSwish'],
  },
  'HardSwish: x * Clip(x + 3, 0, 6) / 6': {
    nodes: [
      node('Add', ['x', 'three'], 'a'),
      node('Clip', ['a', 'low', 'high'], 'b'),
      node('Mul', ['x', 'b'], 'c'),
      node('Div', ['c', 'high'], 'y'),
    ],
    constants: {
      three: scalar('float32', 3),
      low: scalar('float32', 0),
      high: scalar('float32', 6),
    },
    becomes: ['hardSwish'],
  },
  'HardSwish: (Clip(x + 3, 0, 6) / 6) * x': {
    opset: 9,
    nodes: [
      node('Constant', [], 'three', { value: floats([1], [3]) }),
      node('Constant', [], 'six', { value: floats([], [6]) }),
      node('Add', ['three', 'x'], 'a'),
      node('Clip', ['a'], 'b', { min: { float: 0 }, max: { float: 6 } }),
      node('Div', ['b', 'six'], 'g'),
      node('Mul', ['g', 'x'], 'y'),
    ],
    becomes: ['hardSwish'],
  },
  'SiLU: x * Sigmoid(x)': {
    nodes: [node('Sigmoid', ['x'], 'g'), node('Mul', ['g', 'x'], 'y')],
    becomes: ['silu'],
  },
  'SiLU whose gate has another reader': {
    nodes: [node('Sigmoid', ['x'], 'g'), node('Mul', ['x', 'g'], 'y')],
    outputs: ['y', 'g'],
  },
  'Softmax over channels': { ...single('Softmax', { axis: 1 }), becomes: ['softmax'] },
  'Softmax of a vector': { ...single('Softmax'), dims: [1, 9] },
  'Softmax of opset 9, of a flattened map': {
    opset: 9,
    dims: [1, 9, 1, 1],
    nodes: [node('Flatten', ['x'], 'f'), node('Softmax', ['f'], 'y')],
  },
  'MaxPool: stride 1 by default': { ...single('MaxPool', { kernel_shape: [2, 3] }), becomes: ['maxPool'] },
  'MaxPool: pads, strides': single('MaxPool', { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 0, 1, 2] }),
  'MaxPool: ceil_mode': single('MaxPool', { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
  'MaxPool: ceil_mode and pads': single('MaxPool', {
    kernel_shape: [3, 2],
    strides: [2, 3],
    pads: [1, 1, 0, 0],
    ceil_mode: 1,
  }),
  'MaxPool: SAME_UPPER': single('MaxPool', { kernel_shape: [2, 2], strides: [1, 1], auto_pad: 'SAME_UPPER' }),
  'MaxPool: SAME_LOWER': single('MaxPool', { kernel_shape: [2, 2], strides: [2, 2], auto_pad: 'SAME_LOWER' }),
  'MaxPool of opset 8': { ...single('MaxPool', { kernel_shape: [2, 2], storage_order: 0 }), opset: 8 },
  'AveragePool: pads left out': single('AveragePool', { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
  'AveragePool: pads counted': single('AveragePool', {
    kernel_shape: [3, 3],
    pads: [1, 1, 1, 1],
    count_include_pad: 1,
  }),
  'AveragePool: ceil_mode': single('AveragePool', { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
  'AveragePool of opset 7': { ...single('AveragePool', { kernel_shape: [2, 2], strides: [2, 2] }), opset: 7 },
  'Pad in front of AveragePool': {
    nodes: [
      node('Pad', ['x', 'pads'], 'p'),
      node('AveragePool', ['p'], 'y', { kernel_shape: [3, 3], strides: [2, 2] }),
    ],
    constants: { pads: int64s(0, 0, 1, 1, 0, 0, 1, 1) },
  },
  GlobalAveragePool: { ...single('GlobalAveragePool'), becomes: ['globalAveragePool'] },
  GlobalMaxPool: { ...single('GlobalMaxPool'), becomes: ['maxPool'] },
  'ReduceMean over cells': { ...single('ReduceMean', { axes: [2, 3] }), becomes: ['globalAveragePool'] },
  'ReduceMean over cells, dimensions dropped, then Gemm': {
    nodes: [node('ReduceMean', ['x'], 'm', { axes: [-1, -2], keepdims: 0 }), node('Gemm', ['m', 'w'], 'y')],
    constants: { w: weights(4, 3) },
  },
  'ReduceMean of opset 18': { ...single('ReduceMean', {}, { axes: int64s(2, 3) }), opset: 18 },
  'ReduceMax over cells': single('ReduceMax', { axes: [2, 3] }),
  'Gemm: transB, alpha, beta': {
    ...single(
      'Gemm',
      { transB: 1, alpha: { float: 0.5 }, beta: { float: 2 } },
      { w: weights(5, 9), b: weights(5) },
    ),
    dims: [1, 9],
    becomes: ['fullyConnected'],
  },
  'Gemm: one bias for all': { ...single('Gemm', {}, { w: weights(9, 5), b: weights(1) }), dims: [1, 9] },
  'Gemm of a flattened map': {
    nodes: [node('Flatten', ['x'], 'f'), node('Gemm', ['f', 'w'], 'y', { transB: 1 })],
    constants: { w: weights(5, 168) },
  },
  'Gemm of a map flattened the other way': {
    nodes: [
      node('Transpose', ['x'], 't', { perm: [0, 2, 3, 1] }),
      node('Reshape', ['t', 'shape'], 'f'),
      node('Gemm', ['f', 'w'], 'y'),
    ],
    constants: { w: weights(168, 5), shape: int64s(1, -1) },
  },
  'MatMul and Add': {
    nodes: [node('Flatten', ['x'], 'f'), node('MatMul', ['f', 'w'], 'm'), node('Add', ['m', 'b'], 'y')],
    constants: { w: weights(168, 5), b: weights(5) },
    becomes: ['fullyConnected'],
  },
  'MatMul with transposed weights': {
    dims: [1, 9],
    nodes: [node('Transpose', ['w'], 't'), node('MatMul', ['x', 't'], 'y')],
    constants: { w: weights(5, 9) },
  },
  'Conv and Add of a bias': {
    ...afterConv('Add', {}, { b: weights(1, 4, 1, 1) }),
    becomes: ['convolution'],
  },
  'Add of a bias that somebody reads around': {
    nodes: [node('Conv', ['x', 'w'], 'c'), node('Add', ['c', 'b'], 'y'), node('Relu', ['c'], 'z')],
    constants: { w: weights(4, 4, 1, 1), b: weights(4, 1, 1) },
    outputs: ['y', 'z'],
  },
  'Mul, Sub, Div a channel': {
    nodes: [
      node('Mul', ['x', 'm'], 'a'),
      node('Sub', ['a', 's'], 'b'),
      node('Div', ['b', 'd'], 'c'),
      node('Sub', ['one', 'c'], 'y'),
    ],
    constants: {
      m: weights(4, 1, 1),
      s: weights(1, 4, 1, 1),
      d: floats([], [0.7]),
      one: floats([1], [1]),
    },
  },
  'Add of maps': {
    nodes: [node('Relu', ['x'], 'r'), node('Add', ['r', 'x'], 'y')],
    becomes: ['relu', 'add'],
  },
  'Sum of three': {
    nodes: [node('Relu', ['x'], 'r'), node('Tanh', ['x'], 't'), node('Sum', ['r', 'x', 't'], 'y')],
    becomes: ['relu', 'tanh', 'add'],
  },
  Concat: {
    nodes: [node('Relu', ['x'], 'r'), node('Concat', ['r', 'x'], 'y', { axis: 1 })],
    becomes: ['relu', 'concat'],
  },
  'Concat, axis from the end': {
    nodes: [node('Relu', ['x'], 'r'), node('Concat', ['x', 'r', 'x'], 'y', { axis: -3 })],
  },
  'Upsample of opset 7': {
    ...single('Upsample', { mode: 'nearest', scales: { floats: [1, 1, 2, 3] } }),
    opset: 7,
    becomes: ['upsampleNearest'],
  },
  'Upsample of opset 9': {
    ...single('Upsample', { mode: 'nearest' }, { s: floats([4], [1, 1, 2, 2]) }),
    opset: 9,
  },
  'Resize of opset 10': { ...single('Resize', {}, { s: floats([4], [1, 1, 3, 2]) }), opset: 10 },
  'Resize by sizes': {
    nodes: [node('Resize', ['x', '', '', 'sizes'], 'y')],
    constants: { sizes: int64s(1, 4, 12, 21) },
    becomes: ['upsampleNearest'],
  },
  'Resize with a region that does not count': {
    opset: 11,
    nodes: [
      node('Resize', ['x', 'roi', 'scales'], 'y', {
        coordinate_transformation_mode: 'asymmetric',
        nearest_mode: 'floor',
      }),
    ],
    constants: { roi: floats([0], []), scales: floats([4], [1, 1, 2, 2]) },
  },
  'Resize with axes': {
    opset: 18,
    nodes: [node('Resize', ['x', '', 'scales'], 'y', { axes: [2, 3] })],
    constants: { scales: floats([2], [4, 2]) },
  },
  'Resize for TensorFlow': {
    opset: 11,
    nodes: [
      node('Resize', ['x', 'roi', 'scales'], 'y', {
        coordinate_transformation_mode: 'tf_half_pixel_for_nn',
        nearest_mode: 'floor',
      }),
    ],
    constants: { roi: floats([0], []), scales: floats([4], [1, 1, 5, 3]) },
  },
  SpaceToDepth: {
    ...single('SpaceToDepth', { blocksize: 2 }),
    dims: [1, 4, 6, 8],
    becomes: ['spaceToDepth'],
  },
  'SpaceToDepth in steps': {
    dims: [1, 4, 6, 8],
    nodes: [
      node('Reshape', ['x', 'split'], 'a'),
      node('Transpose', ['a'], 'b', { perm: [0, 3, 5, 1, 2, 4] }),
      node('Reshape', ['b', 'whole'], 'c'),
      node('Relu', ['c'], 'd'),
      node('Conv', ['d', 'w'], 'y'),
    ],
    constants: { split: int64s(1, 4, 3, 2, 4, 2), whole: int64s(1, 16, 3, 4), w: weights(3, 16, 1, 1) },
    becomes: ['relu', 'spaceToDepth', 'convolution'],
  },
  'Flatten, Squeeze, Unsqueeze, Identity, Dropout, Reshape with zeros': {
    dims: [1, 4, 1, 1],
    nodes: [
      node('Identity', ['x'], 'a'),
      node('Dropout', ['a'], 'b'),
      node('Squeeze', ['b', 'axes'], 'c'),
      node('Unsqueeze', ['c', 'axes'], 'd'),
      node('Reshape', ['d', 'zeros'], 'e'),
      node('Relu', ['e'], 'y'),
    ],
    constants: { axes: int64s(2, 3), zeros: int64s(0, 0, 1, -1) },
    becomes: ['relu'],
  },
  'Squeeze, Unsqueeze and Dropout of opset 9': {
    opset: 9,
    dims: [1, 4, 1, 1],
    nodes: [
      node('Squeeze', ['x'], 'a', { axes: [2, 3] }),
      node('Unsqueeze', ['a'], 'b', { axes: [2, 3] }),
      node('Dropout', ['b'], 'c', { ratio: { float: 0.3 } }),
      node('Relu', ['c'], 'y'),
    ],
  },
  'Pad in front of Conv, by attributes': {
    opset: 9,
    nodes: [
      node('Pad', ['x'], 'p', { pads: [0, 0, 1, 0, 0, 0, 0, 1] }),
      node('Conv', ['p', 'w'], 'y', { pads: [1, 1, 1, 1] }),
    ],
    constants: { w: weights(3, 4, 3, 3) },
    becomes: ['convolution'],
  },
  'Pad with axes, and SAME behind it': {
    opset: 18,
    nodes: [
      node('Pad', ['x', 'pads', '', 'axes'], 'p'),
      node('Conv', ['p', 'w'], 'y', { auto_pad: 'SAME_UPPER', strides: [2, 2] }),
    ],
    constants: { w: weights(3, 4, 3, 3), pads: int64s(1, 1), axes: int64s(-1) },
  },
  'Pad in front of MaxPool behind a ReLU': {
    nodes: [
      node('Relu', ['x'], 'r'),
      node('Pad', ['r', 'pads'], 'p'),
      node('MaxPool', ['p'], 'y', { kernel_shape: [3, 3], strides: [2, 2] }),
    ],
    constants: { pads: int64s(0, 0, 1, 1, 0, 0, 1, 1) },
    becomes: ['relu', 'maxPool'],
  },
  'Pad with minus infinity in front of MaxPool': {
    nodes: [
      node('Pad', ['x', 'pads', 'value'], 'p'),
      node('MaxPool', ['p'], 'y', { kernel_shape: [3, 3], strides: [2, 2] }),
    ],
    constants: { pads: int64s(0, 0, 0, 1, 0, 0, 1, 1), value: scalar('float32', Number.NEGATIVE_INFINITY) },
  },
  'shapes worked out in the graph': {
    nodes: [
      node('Shape', ['x'], 's'),
      node('Constant', [], 'zero', { value: int64s(0) }),
      node('Gather', ['s', 'zero'], 'n'),
      node('Cast', ['n'], 'n32', { to: 6 }),
      node('Cast', ['n32'], 'n64', { to: 7 }),
      node('Constant', [], 'rest', { value_ints: [-1] }),
      node('Concat', ['n64', 'rest'], 'shape', { axis: 0 }),
      node('Reshape', ['x', 'shape'], 'f'),
      node('Gemm', ['f', 'w'], 'y'),
    ],
    constants: { w: weights(168, 2) },
    becomes: ['fullyConnected'],
  },
  'sizes of Resize worked out in the graph': {
    nodes: [
      node('Shape', ['x'], 's'),
      node('Slice', ['s', 'two', 'four', 'axis'], 'cells'),
      node('Mul', ['cells', 'twos'], 'doubled'),
      node('Slice', ['s', 'axis', 'two', 'axis'], 'kept'),
      node('Concat', ['kept', 'doubled'], 'sizes', { axis: 0 }),
      node('Resize', ['x', '', '', 'sizes'], 'y'),
    ],
    constants: { two: int64s(2), four: int64s(4), axis: int64s(0), twos: int64s(2, 2) },
    becomes: ['upsampleNearest'],
  },
  'cross-channel maximum: Reshape and ReduceMax': {
    nodes: [node('Reshape', ['x', 'groups'], 'g'), node('ReduceMax', ['g'], 'y', { axes: [2], keepdims: 0 })],
    constants: { groups: int64s(1, 2, 2, 6, 7) },
    becomes: ['crossChannelPool'],
  },
  'cross-channel maximum with a Reshape back': {
    opset: 18,
    nodes: [
      node('Reshape', ['x', 'groups'], 'g'),
      node('ReduceMax', ['g', 'axes'], 'm'),
      node('Reshape', ['m', 'back'], 'z'),
      node('Conv', ['z', 'w'], 'y'),
    ],
    constants: {
      groups: int64s(0, 2, 2, 6, 7),
      axes: int64s(2),
      back: int64s(0, -1, 6, 7),
      w: weights(3, 2, 1, 1),
    },
    becomes: ['crossChannelPool', 'convolution'],
  },
  'cross-channel maximum: MaxPool over the turned map': {
    nodes: [
      node('Transpose', ['x'], 't', { perm: [0, 3, 2, 1] }),
      node('MaxPool', ['t'], 'm', { kernel_shape: [1, 2], strides: [1, 2] }),
      node('Transpose', ['m'], 'y', { perm: [0, 3, 2, 1] }),
    ],
    becomes: ['crossChannelPool'],
  },
  'cross-channel maximum: MaxPool over channels as rows': {
    nodes: [
      node('Reshape', ['x', 'flat'], 'f'),
      node('MaxPool', ['f'], 'm', { kernel_shape: [4, 1], strides: [4, 1] }),
      node('Reshape', ['m', 'back'], 'y'),
    ],
    constants: { flat: int64s(1, 1, 4, 42), back: int64s(1, 1, 6, 7) },
    becomes: ['crossChannelPool'],
  },
  'cross-channel mean': {
    nodes: [
      node('Reshape', ['x', 'groups'], 'g'),
      node('ReduceMean', ['g'], 'y', { axes: [2], keepdims: 0 }),
    ],
    constants: { groups: int64s(1, 2, 2, 6, 7) },
    becomes: ['crossChannelPool'],
  },
  'weights as float_data, float16, double and through Cast': {
    nodes: [
      node('Conv', ['x', 'packed'], 'a'),
      node('Cast', ['half'], 'h', { to: 1 }),
      node('Conv', ['a', 'h'], 'b'),
      node('Cast', ['wide'], 'd', { to: 1 }),
      node('Conv', ['b', 'd'], 'y'),
    ],
    constants: {
      packed: { dims: [2, 4, 1, 1], data_type: 1, float_data: [...random(8)] },
      half: tensor('float16', [2, 2, 1, 1], [0x3c00, 0xb800, 0x0001, 0x4248]),
      wide: tensor('double', [1, 2, 1, 1], [0.25, -0.1]),
    },
    becomes: ['convolution', 'convolution', 'convolution'],
  },
  'nodes out of order, and some that nobody needs': {
    nodes: [
      node('Relu', ['a'], 'y'),
      node('Conv', ['x', 'w'], 'a'),
      node('Elu', ['a'], 'unused'),
      node('Loop', ['unused'], 'unused2'),
    ],
    constants: { w: weights(2, 4, 1, 1) },
    becomes: ['convolution', 'relu'],
  },
};

describe('operators of float models', () => {
  it.each(Object.entries(cases))('%s', async (_, one) => {
    // ONNX Runtime does not take nodes that it does not know, needed or not.
    const known = one.nodes.filter(({ op }) => op !== 'Loop');
    const model = modelOf({ ...one, nodes: known });
    const input = randomInput(draw, model);
    const full = readOnnx(encodeModel(modelOf(one)), 'test.onnx');
    const ours = await floatOutputs(full, input);
    const theirs = Object.values(await runtimeOutputs(model, input));
    for (const [i, { data }] of theirs.entries()) expect(relativeError(ours[i]!, data)).toBeLessThan(1e-4);
    if (one.becomes !== undefined) expect(operatorsOf(full)).toEqual(one.becomes);
  });

  it('takes inputs and weights in channels-last order, turned in front of the first layer', async () => {
    const model: FileModel = {
      nodes: [
        node('Transpose', ['x'], 't', { perm: [0, 3, 1, 2] }),
        node('Conv', ['t', 'w'], 'c', { pads: [1, 1, 1, 1] }),
        node('Transpose', ['c'], 'y', { perm: [0, 2, 3, 1] }),
      ],
      constants: { w: weights(5, 3, 3, 3) },
      inputs: { x: ['float32', [1, 6, 7, 3]] },
      outputs: ['y'],
    };
    const input = randomInput(draw, model);
    const imported = readOnnx(encodeModel(model), 'test.onnx');
    expect(imported.graph.input.shape).toEqual([3, 6, 7]);
    const [ours] = await floatOutputs(imported, channelsFirst(input, 6, 7));
    const [theirs] = Object.values(await runtimeOutputs(model, input));
    expect(relativeError(ours!, channelsFirst(Float32Array.from(theirs!.data), 6, 7))).toBeLessThan(1e-4);
  });

  it('pixels of bytes: Cast in front', async () => {
    const model: FileModel = {
      nodes: [node('Cast', ['x'], 'f', { to: 1 }), node('Conv', ['f', 'w'], 'y')],
      constants: { w: weights(2, 3, 3, 3) },
      inputs: { x: ['uint8', [1, 3, 5, 5]] },
      outputs: ['y'],
    };
    const pixels = Uint8Array.from({ length: 75 }, () => draw.integer(0, 255));
    const imported = readOnnx(encodeModel(model), 'test.onnx');
    expect(imported.graph.input.preparation).toEqual({ mean: [0, 0, 0], divisor: 1 });
    const [ours] = await floatOutputs(imported, Float32Array.from(pixels));
    const [theirs] = Object.values(await runtimeOutputs(model, pixels));
    expect(relativeError(ours!, theirs!.data)).toBeLessThan(1e-4);
  });
});

/** A chain of layers with branches, drawn so that it fits. */
function randomModel(draw: Draw): FileModel {
  const constants: Record<string, TensorFields> = {};
  const nodes: FileNode[] = [];
  let count = 0;
  const fresh = (prefix: string) => `${prefix}${count++}`;
  const constant = (dims: readonly number[], low = -0.4, high = 0.4): string => {
    const name = fresh('w');
    constants[name] = floats(
      dims,
      Float32Array.from({ length: product(dims) }, () => draw.real(low, high)),
    );
    return name;
  };
  const add = (
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ) => {
    const output = fresh('v');
    nodes.push(node(op, inputs, output, attributes));
    return output;
  };
  let [channels, rows, columns] = [draw.integer(1, 4), draw.integer(6, 14), draw.integer(6, 14)];
  const dims = [1, channels, rows, columns];
  let at = 'x';
  const convolve = (): void => {
    const filters = 2 * draw.integer(1, 4);
    const [kh, kw] = [draw.integer(1, 3), draw.integer(1, 3)];
    const strides = [draw.integer(1, 2), draw.integer(1, 2)];
    const pads = [
      draw.integer(0, kh - 1),
      draw.integer(0, kw - 1),
      draw.integer(0, kh - 1),
      draw.integer(0, kw - 1),
    ];
    const inputs = [at, constant([filters, channels, kh, kw])];
    if (draw.chance()) inputs.push(constant([filters]));
    at = add('Conv', inputs, { strides, pads });
    channels = filters;
    rows = Math.floor((rows + pads[0]! + pads[2]! - kh) / strides[0]!) + 1;
    columns = Math.floor((columns + pads[1]! + pads[3]! - kw) / strides[1]!) + 1;
  };
  const steps = [
    convolve,
    convolve,
    () => {
      const names = [
        constant([channels]),
        constant([channels]),
        constant([channels]),
        constant([channels], 0.5, 2),
      ];
      at = add('BatchNormalization', [at, ...names]);
    },
    () => {
      at = add(draw.pick(['Relu', 'Sigmoid', 'Tanh', 'HardSwish']), [at]);
    },
    () => {
      at = add('LeakyRelu', [at], { alpha: { float: draw.real(0.01, 0.5) } });
    },
    () => {
      if (rows < 2 || columns < 2) return;
      at = add(draw.pick(['MaxPool', 'AveragePool']), [at], { kernel_shape: [2, 2], strides: [2, 2] });
      [rows, columns] = [Math.floor(rows / 2), Math.floor(columns / 2)];
    },
    () => {
      const other = add('Relu', [at]);
      at = draw.chance() ? add('Add', [at, other]) : add('Concat', [other, at], { axis: 1 });
      if (nodes.at(-1)!.op === 'Concat') channels *= 2;
    },
    () => {
      if (channels % 2 !== 0) return;
      const shape = fresh('s');
      constants[shape] = int64s(1, channels / 2, 2, rows, columns);
      at = add('ReduceMax', [add('Reshape', [at, shape])], { axes: [2], keepdims: 0 });
      channels /= 2;
    },
    () => {
      if (rows > 12) return;
      const scales = fresh('s');
      constants[scales] = floats([4], [1, 1, 2, 2]);
      at = add('Resize', [at, '', scales]);
      [rows, columns] = [rows * 2, columns * 2];
    },
  ];
  convolve();
  for (let i = draw.integer(2, 8); i > 0; i--) draw.pick(steps)();
  if (draw.chance()) {
    at = add('Gemm', [add('Flatten', [at]), constant([draw.integer(1, 5), channels * rows * columns])], {
      transB: 1,
    });
  }
  return {
    opset: draw.pick([14, 15, 16, 17]),
    nodes,
    constants,
    inputs: { x: ['float32', dims] },
    outputs: [at],
  };
}

describe('random float models', () => {
  it('120 of them within 1e-4 of ONNX Runtime', async () => {
    const seeded = new Draw(77);
    for (let i = 0; i < 120; i++) {
      const model = randomModel(seeded);
      await expectSameFloat(model, randomInput(seeded, model));
    }
  });
});
