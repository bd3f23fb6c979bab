/**
 * Damage to ONNX models that leaves most of the model whole, so that readers get far: other operators, attributes, sizes,
 * values and connections, nodes put in and left out. Lengths are right, as the model is encoded anew.
 */
import {
  attributeTypes,
  type Decoded,
  dataTypes,
  type Encodable,
  modelProto,
} from '../../src/import/onnx/schema.ts';
import { decode, encode } from '../../src/import/onnx/wire.ts';
import type { Random } from './mutate.test-helper.ts';

type Mutable<T> = T extends Uint8Array
  ? T
  : T extends readonly (infer U)[]
    ? Mutable<U>[]
    : T extends object
      ? { -readonly [K in keyof T]: Mutable<T[K]> }
      : T;
type Model = Mutable<Decoded<typeof modelProto>>;
type Graph = NonNullable<Model['graph']>;
type Node = Graph['node'][number];
type Attribute = Node['attribute'][number];
type Tensor = Graph['initializer'][number];

const pick = <T>(random: Random, list: readonly T[]): T => list[random() % list.length]!;

/** Operators that can stand for each other, by how many inputs they read. */
const ON_ONE = [
  ...[
    'Relu',
    'LeakyRelu',
    'Sigmoid',
    'Tanh',
    'HardSwish',
    'Clip',
    'Identity',
    'Dropout',
    'Flatten',
    'Softmax',
  ],
  ...[
    'GlobalAveragePool',
    'GlobalMaxPool',
    'MaxPool',
    'AveragePool',
    'Transpose',
    'Squeeze',
    'Shape',
    'Cast',
  ],
  ...['ReduceMax', 'ReduceMean', 'SpaceToDepth', 'Concat', 'Sum', 'Elu', 'HardSigmoid', 'Constant'],
];
const ON_TWO = [
  'Add',
  'Sub',
  'Mul',
  'Div',
  'Concat',
  'Sum',
  'MatMul',
  'Gemm',
  'Conv',
  'PRelu',
  'Reshape',
  'Pad',
];
const ON_MORE = [
  'Conv',
  'Gemm',
  'Resize',
  'BatchNormalization',
  'Concat',
  'Sum',
  'QuantizeLinear',
  'QLinearAdd',
];
const ATTRIBUTES = [
  ...['kernel_shape', 'strides', 'pads', 'dilations', 'group', 'auto_pad', 'ceil_mode', 'count_include_pad'],
  ...['axis', 'axes', 'keepdims', 'alpha', 'beta', 'epsilon', 'mode', 'transA', 'transB', 'to', 'perm'],
  ...['blocksize', 'allowzero', 'noop_with_empty_axes', 'coordinate_transformation_mode', 'nearest_mode'],
];
const WORDS = [
  ...[
    'SAME_UPPER',
    'SAME_LOWER',
    'VALID',
    'NOTSET',
    'nearest',
    'linear',
    'constant',
    'reflect',
    'asymmetric',
  ],
  ...['half_pixel', 'align_corners', 'floor', 'ceil', '', '__proto__', 'x\ny'],
];
const SMALL = [0, 1, 1, 1, 2, 2, 3, 4, 5, -1, -2, 7, 8, 16];
const HUGE = [2 ** 31 - 1, 2 ** 31, 2 ** 40, 2 ** 53, -(2 ** 31), 65536, 4096, 255];
const REALS = [0, 1, -1, 0.5, 0.125, 6, 1e-7, 1e30, -1e30, 3.4e38, Number.NaN, Number.POSITIVE_INFINITY];

/** Mostly small ones, which networks have, now and then such as none has. */
const whole = (random: Random): number => pick(random, random() % 8 === 0 ? HUGE : SMALL);

/** One to three changes of a model; bytes that are none come back as they are. */
export function mutateOnnx(bytes: Uint8Array, random: Random): Uint8Array {
  const model = structuredClone(decode(bytes, modelProto, 'seed')) as Model;
  const { graph } = model;
  if (graph === undefined) return bytes;
  for (let left = random() % 2 === 0 ? 1 : 1 + (random() % 3); left > 0; left--) {
    pick(random, [changeNode, changeNode, changeNode, changeTensor, changeTensor, changeGraph, changeWiring])(
      graph,
      random,
      model,
    );
  }
  return encode(model as Encodable<typeof modelProto>, modelProto);
}

type Change = (graph: Graph, random: Random, model: Model) => void;

/** The operator, or what its attributes say. */
const changeNode: Change = ({ node: nodes }, random) => {
  if (nodes.length === 0) return;
  const node = pick(random, nodes);
  const { attribute: attributes } = node;
  const kind = random() % 10;
  if (kind === 0) {
    const count = node.input.length;
    node.op_type = pick(random, count <= 1 ? ON_ONE : count === 2 ? ON_TWO : ON_MORE);
    // Half of the time without what another operator would not know.
    if (random() % 2 === 0) node.attribute = [];
  } else if (kind === 1) {
    attributes.push(newAttribute(random));
  } else if (kind === 2 && attributes.length > 0) {
    attributes.splice(random() % attributes.length, 1);
  } else if (kind === 3 && attributes.length > 0) {
    pick(random, attributes).name = pick(random, ATTRIBUTES);
  } else if (kind === 4) {
    node.domain = pick(random, ['com.microsoft', 'ai.onnx', 'ai.onnx.ml', '']);
  } else if (attributes.length > 0) {
    changeAttribute(pick(random, attributes), random);
  } else {
    attributes.push(newAttribute(random));
  }
};

function newAttribute(random: Random): Attribute {
  const one: Attribute = {
    name: pick(random, ATTRIBUTES),
    f: undefined,
    i: undefined,
    s: undefined,
    t: undefined,
    floats: [],
    ints: [],
    type: undefined,
  };
  const type = pick(random, ['int', 'ints', 'float', 'string'] as const);
  one.type = attributeTypes[type];
  if (type === 'int') one.i = whole(random);
  else if (type === 'float') one.f = pick(random, REALS);
  else if (type === 'string') one.s = new TextEncoder().encode(pick(random, WORDS));
  else one.ints = Array.from({ length: pick(random, [0, 1, 2, 2, 4, 4, 8]) }, () => whole(random));
  return one;
}

function changeAttribute(one: Attribute, random: Random): void {
  if (random() % 12 === 0) one.type = 1 + (random() % 8);
  if (one.i !== undefined) one.i = whole(random);
  else if (one.f !== undefined) one.f = pick(random, REALS);
  else if (one.s !== undefined) one.s = new TextEncoder().encode(pick(random, WORDS));
  else if (one.t !== undefined) changeNumbers(one.t, random);
  else if (one.ints.length > 0) changeList(one.ints, random);
  else if (one.floats.length > 0) one.floats[random() % one.floats.length] = pick(random, REALS);
}

function changeList(list: number[], random: Random): void {
  const at = random() % list.length;
  const kind = random() % 6;
  if (kind === 0) list.splice(at, 1);
  else if (kind === 1) list.splice(at, 0, whole(random));
  else if (kind === 2) list.reverse();
  else list[at] = whole(random);
}

/** Values, types and sizes of what stands in the file. */
const changeTensor: Change = ({ initializer: tensors }, random) => {
  if (tensors.length === 0) return;
  const tensor = pick(random, tensors);
  const kind = random() % 6;
  if (kind === 0) {
    changeList(tensor.dims.length === 0 ? [1] : tensor.dims, random);
  } else if (kind === 1) {
    tensor.data_type = pick(random, Object.values(dataTypes));
  } else if (kind === 2) {
    // Other sizes, and as many values.
    const at = random() % Math.max(1, tensor.dims.length);
    const size = 1 + (random() % 6);
    const before = tensor.dims[at] ?? 1;
    if (before === 0) return;
    tensor.dims[at] = size;
    if (tensor.raw_data !== undefined) {
      const old = tensor.raw_data;
      const length = Math.min(65536, Math.round((old.length / before) * size));
      tensor.raw_data = Uint8Array.from({ length }, (_, i) => old[i % Math.max(1, old.length)] ?? 0);
    }
  } else if (kind === 3 && tensor.dims.length > 1) {
    // The same values under other dimensions.
    tensor.dims = pick(random, [[...tensor.dims].reverse(), [1, ...tensor.dims], tensor.dims.slice().sort()]);
  } else {
    changeNumbers(tensor, random);
  }
};

function changeNumbers(tensor: Tensor, random: Random): void {
  const raw = tensor.raw_data;
  if (raw === undefined || raw.length === 0) return;
  const bytes = raw.slice();
  const view = new DataView(bytes.buffer);
  for (let left = 1 + (random() % 3); left > 0; left--) {
    if (tensor.data_type === dataTypes.float32 && bytes.length >= 4) {
      view.setFloat32(4 * (random() % (bytes.length >> 2)), pick(random, REALS), true);
    } else if (tensor.data_type === dataTypes.int64 && bytes.length >= 8) {
      view.setBigInt64(8 * (random() % (bytes.length >> 3)), BigInt(whole(random)), true);
    } else {
      bytes[random() % bytes.length] = random() & 255;
    }
  }
  tensor.raw_data = bytes;
}

/** Inputs, outputs, operator sets, and names. */
const changeGraph: Change = (graph, random, model) => {
  const kind = random() % 7;
  const dims = graph.input[0]?.type?.tensor_type?.shape?.dim ?? [];
  if (kind === 0 && model.opset_import.length > 0) {
    model.opset_import[0]!.version = 6 + (random() % 17);
  } else if (kind <= 2 && dims.length > 0) {
    const dim = pick(random, dims);
    dim.dim_value = pick(random, [1, 2, 3, 4, 5, 6, 8, 12, 0, -1, 2 ** 31, 2 ** 53]);
    dim.dim_param = random() % 8 === 0 ? 'size' : undefined;
  } else if (kind === 3 && dims.length > 0) {
    changeList(dims as unknown as number[], () => 0);
  } else if (kind === 4 && graph.input[0]?.type?.tensor_type !== undefined) {
    graph.input[0].type.tensor_type.elem_type = pick(random, Object.values(dataTypes));
  } else if (kind === 5) {
    const names = graph.node.flatMap(({ output }) => output);
    if (names.length > 0 && graph.output.length > 0) graph.output[0]!.name = pick(random, names);
  } else if (graph.output.length > 0) {
    graph.output.push({ ...graph.output[0]!, name: pick(random, graph.node)?.output[0] });
  }
};

/** Who reads what: nodes left out, put in, doubled, in another order. */
const changeWiring: Change = (graph, random) => {
  const { node: nodes } = graph;
  if (nodes.length === 0) return;
  const at = random() % nodes.length;
  const node = nodes[at]!;
  const names = [
    ...nodes.flatMap(({ output }) => output),
    ...graph.initializer.map(({ name = '' }) => name),
    graph.input[0]?.name ?? '',
  ];
  const kind = random() % 7;
  if (kind === 0) {
    // Its readers read what it read.
    nodes.splice(at, 1);
    rename(graph, node.output[0] ?? '', node.input[0] ?? '');
  } else if (kind === 1 && node.output[0] !== undefined) {
    // Another one behind it.
    const between = `${node.output[0]}/between`;
    rename(graph, node.output[0], between);
    nodes.push({ ...nothing, op_type: pick(random, ON_ONE), input: [node.output[0]], output: [between] });
  } else if (kind === 2) {
    // The same again, and a sum of both.
    const twin = `${node.output[0] ?? ''}/twin`;
    const sum = `${node.output[0] ?? ''}/sum`;
    rename(graph, node.output[0] ?? '', sum);
    nodes.push({ ...structuredClone(node), name: twin, output: [twin] });
    nodes.push({ ...nothing, op_type: 'Add', input: [node.output[0] ?? '', twin], output: [sum] });
  } else if (kind === 3 && node.input.length > 0) {
    node.input[random() % node.input.length] = random() % 4 === 0 ? '' : pick(random, names);
  } else if (kind === 4 && node.input.length > 1) {
    node.input.reverse();
  } else if (kind === 5) {
    node.input.push(pick(random, names));
  } else {
    nodes.splice(random() % nodes.length, 0, ...nodes.splice(at, 1));
  }
};

const nothing: Node = {
  input: [],
  output: [],
  name: undefined,
  op_type: undefined,
  attribute: [],
  domain: undefined,
};

function rename({ node, output }: Graph, from: string, to: string): void {
  for (const one of node) one.input = one.input.map((name) => (name === from ? to : name));
  for (const one of output) if (one.name === from) one.name = to;
}
