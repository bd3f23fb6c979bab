/** ONNX models of a few nodes that reach most of the reader. */
import {
  type Attribute,
  type Dims,
  encodeModel,
  type FileModel,
  type FileNode,
  floats,
  int64s,
  scalar,
  type TensorFields,
  tensor,
} from '../oracles/onnx-file.test-helper.ts';

const node = (
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
): FileNode => ({ op, inputs, outputs: [output], attributes, name: `the ${op}` });

const weights = floats([2, 3, 1, 1], [1, 2, 3, 4, 5, 6]);
const scales = { s: scalar('float32', 0.5), z: scalar('uint8', 3) };

const modelOf = (parts: {
  readonly nodes: readonly FileNode[];
  readonly constants: Readonly<Record<string, TensorFields>>;
  readonly dims?: Dims;
  readonly opset?: number;
}): FileModel => ({
  nodes: parts.nodes,
  constants: parts.constants,
  inputs: { x: ['float32', parts.dims ?? [1, 3, 4, 4]] },
  outputs: ['y'],
  ...(parts.opset === undefined ? {} : { opset: parts.opset }),
});

const models: readonly FileModel[] = [
  modelOf({
    nodes: [
      node('Pad', ['x', 'pads'], 'p'),
      node('Conv', ['p', 'wide'], 'c', { kernel_shape: [3, 3], strides: [1, 1] }),
      node('LeakyRelu', ['c'], 'l', { alpha: { float: 0.1 } }),
      node('Reshape', ['l', 'groups'], 'g'),
      node('ReduceMax', ['g'], 'm', { axes: [2], keepdims: 0 }),
      node('Resize', ['m', '', 'scales'], 'r', { mode: 'nearest' }),
      node('Flatten', ['r'], 'f'),
      node('Gemm', ['f', 'matrix'], 'y', { transB: 1 }),
    ],
    constants: {
      wide: floats([2, 3, 3, 3], new Array(54).fill(0.25)),
      pads: int64s(0, 0, 1, 1, 0, 0, 1, 1),
      groups: int64s(1, 1, 2, 4, 4),
      scales: floats([4], [1, 1, 2, 2]),
      matrix: floats([2, 64], new Array(128).fill(0.5)),
    },
  }),
  modelOf({
    nodes: [
      node('QuantizeLinear', ['x', 's', 'z'], 'q'),
      node('QLinearConv', ['q', 's', 'z', 'w', 's', 'wz', 's', 'z'], 'c'),
      node('MaxPool', ['c'], 'm', { kernel_shape: [2, 2], strides: [2, 2] }),
      node('DequantizeLinear', ['m', 's', 'z'], 'd'),
      node('Sigmoid', ['d'], 'g'),
      node('QuantizeLinear', ['g', 's', 'z'], 'h'),
      node('DequantizeLinear', ['h', 's', 'z'], 'y'),
    ],
    constants: {
      ...scales,
      w: tensor('int8', [2, 3, 1, 1], [1, -2, 3, -4, 5, -6]),
      wz: scalar('int8', 0),
    },
  }),
  modelOf({
    opset: 11,
    dims: ['batch', 3, 8, 8],
    nodes: [
      node('Shape', ['x'], 'shape'),
      node('Constant', [], 'index', { value: int64s(0) }),
      node('Gather', ['shape', 'index'], 'n'),
      node('Concat', ['n', 'rest'], 'target', { axis: 0 }),
      node('Conv', ['x', 'w'], 'c'),
      node('BatchNormalization', ['c', 'b', 'b', 'b', 'b'], 'bn'),
      node('Sigmoid', ['bn'], 'sig'),
      node('Mul', ['bn', 'sig'], 'silu'),
      node('GlobalAveragePool', ['silu'], 'pool'),
      node('Reshape', ['pool', 'target'], 'flat'),
      node('MatMul', ['flat', 'm'], 'mm'),
      node('Add', ['mm', 'b'], 'y'),
    ],
    constants: { w: weights, b: floats([2], [0.5, 1]), m: floats([2, 2], [1, 2, 3, 4]), rest: int64s(-1) },
  }),
];

/** Values in a file beside the model, of 64 bytes. */
const external = modelOf({
  nodes: [node('Conv', ['x', 'w'], 'y')],
  constants: {
    w: {
      dims: [2, 3, 1, 1],
      data_type: 1,
      data_location: 1,
      external_data: [
        { key: 'location', value: 'w.bin' },
        { key: 'offset', value: '8' },
        { key: 'length', value: '24' },
      ],
    },
  },
});

export const onnxModels = (): Uint8Array[] => [...models, external].map(encodeModel);
