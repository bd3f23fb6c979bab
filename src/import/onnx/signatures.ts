/**
 * What the standard lets a node of an operator have: attributes and number of inputs, by version.
 *
 * Attributes became inputs and inputs came to be from version to version. A node that says something in the words of
 * another version must not be read as if it had said nothing.
 *
 * Facts taken from docs/Changelog.md of the ONNX project (https://github.com/onnx/onnx, Apache-2.0), operator sets up
 * to 21, and docs/ContribOperators.md of ONNX Runtime (https://github.com/microsoft/onnxruntime, MIT).
 */
import { quote } from '../../config/source.ts';
import { InputError } from '../../core/diagnostics.ts';
import { MICROSOFT, type OnnxNode } from './node.ts';
import { attributeTypes } from './schema.ts';

type Kind = keyof typeof attributeTypes;
type Attributes = Readonly<Record<string, Kind>>;

/** From an operator set on, until the next one of the list. */
interface Version {
  readonly since: number;
  /** Most inputs; none: the operator is no more. */
  readonly inputs: number | undefined;
  readonly attributes: Attributes;
}

const from = (since: number, inputs: number, attributes: Attributes = {}): Version => ({
  since,
  inputs,
  attributes,
});
const ANY = Number.POSITIVE_INFINITY;

const window = {
  auto_pad: 'string',
  kernel_shape: 'ints',
  pads: 'ints',
  strides: 'ints',
} as const satisfies Attributes;
const convolving = { ...window, dilations: 'ints', group: 'int' } as const satisfies Attributes;
const normalising = { epsilon: 'float', momentum: 'float' } as const satisfies Attributes;
const averaging = { ...window, count_include_pad: 'int' } as const satisfies Attributes;
const resizing = {
  coordinate_transformation_mode: 'string',
  cubic_coeff_a: 'float',
  exclude_outside: 'int',
  extrapolation_value: 'float',
  mode: 'string',
  nearest_mode: 'string',
} as const satisfies Attributes;
const inline = {
  value: 'tensor',
  value_float: 'float',
  value_floats: 'floats',
  value_int: 'int',
  value_ints: 'ints',
} as const satisfies Attributes;
const slope = { alpha: 'float' } as const satisfies Attributes;
const axis = { axis: 'int' } as const satisfies Attributes;
const axes = { axes: 'ints' } as const satisfies Attributes;

const arithmetic = [from(7, 2)];
const unary = [from(1, 1)];
const reduction = [
  from(1, 1, { ...axes, keepdims: 'int' }),
  from(18, 2, { keepdims: 'int', noop_with_empty_axes: 'int' }),
];

const standard: Readonly<Record<string, readonly Version[]>> = {
  Add: arithmetic,
  AveragePool: [
    from(7, 1, averaging),
    from(10, 1, { ...averaging, ceil_mode: 'int' }),
    from(19, 1, { ...averaging, ceil_mode: 'int', dilations: 'ints' }),
  ],
  BatchNormalization: [
    from(7, 5, { ...normalising, spatial: 'int' }),
    from(9, 5, normalising),
    from(14, 5, { ...normalising, training_mode: 'int' }),
  ],
  Cast: [from(6, 1, { to: 'int' }), from(19, 1, { to: 'int', saturate: 'int' })],
  Ceil: unary,
  Clip: [from(6, 1, { min: 'float', max: 'float' }), from(11, 3)],
  Concat: [from(4, ANY, axis)],
  Constant: [from(1, 0, { value: 'tensor' }), from(12, 0, inline)],
  ConstantOfShape: [from(9, 1, { value: 'tensor' })],
  Conv: [from(1, 3, convolving)],
  DequantizeLinear: [from(10, 3), from(13, 3, axis), from(21, 3, { ...axis, block_size: 'int' })],
  Div: arithmetic,
  Dropout: [from(7, 1, { ratio: 'float' }), from(12, 3, { seed: 'int' })],
  Flatten: [from(1, 1, axis)],
  Floor: unary,
  Gather: [from(1, 2, axis)],
  Gemm: [from(7, 3, { alpha: 'float', beta: 'float', transA: 'int', transB: 'int' })],
  GlobalAveragePool: unary,
  GlobalMaxPool: unary,
  HardSigmoid: [from(6, 1, { alpha: 'float', beta: 'float' })],
  HardSwish: [from(14, 1)],
  Identity: unary,
  LeakyRelu: [from(6, 1, slope)],
  MatMul: [from(1, 2)],
  MaxPool: [
    from(1, 1, window),
    from(8, 1, { ...window, storage_order: 'int' }),
    from(10, 1, { ...window, storage_order: 'int', ceil_mode: 'int', dilations: 'ints' }),
  ],
  Mul: arithmetic,
  Neg: unary,
  PRelu: [from(7, 2)],
  Pad: [
    from(2, 1, { mode: 'string', pads: 'ints', value: 'float' }),
    from(11, 3, { mode: 'string' }),
    from(18, 4, { mode: 'string' }),
  ],
  QLinearConv: [from(10, 9, convolving)],
  QLinearMatMul: [from(10, 8)],
  QuantizeLinear: [
    from(10, 3),
    from(13, 3, axis),
    from(19, 3, { ...axis, saturate: 'int' }),
    from(21, 3, { ...axis, saturate: 'int', block_size: 'int', output_dtype: 'int' }),
  ],
  ReduceMax: reduction,
  ReduceMean: reduction,
  Relu: unary,
  Reshape: [from(5, 2), from(14, 2, { allowzero: 'int' })],
  Resize: [
    from(10, 2, { mode: 'string' }),
    from(11, 4, resizing),
    from(18, 4, { ...resizing, ...axes, antialias: 'int', keep_aspect_ratio_policy: 'string' }),
  ],
  Shape: [from(1, 1), from(15, 1, { start: 'int', end: 'int' })],
  Sigmoid: unary,
  Slice: [from(1, 1, { ...axes, starts: 'ints', ends: 'ints' }), from(10, 5)],
  Softmax: [from(1, 1, axis)],
  SpaceToDepth: [from(1, 1, { blocksize: 'int' })],
  Sqrt: unary,
  Squeeze: [from(1, 1, axes), from(13, 2)],
  Sub: arithmetic,
  Sum: [from(6, ANY)],
  Tanh: unary,
  Transpose: [from(1, 1, { perm: 'ints' })],
  Unsqueeze: [from(1, 1, axes), from(13, 2)],
  Upsample: [
    from(7, 1, { mode: 'string', scales: 'floats' }),
    from(9, 2, { mode: 'string' }),
    { since: 10, inputs: undefined, attributes: {} },
  ],
};

const turned = { channels_last: 'int' } as const satisfies Attributes;

const microsoft: Readonly<Record<string, readonly Version[]>> = {
  DequantizeLinear: [from(1, 3, { ...axis, block_size: 'int' })],
  QGemm: [from(1, 9, { alpha: 'float', transA: 'int', transB: 'int' })],
  QLinearAdd: [from(1, 8)],
  QLinearAveragePool: [from(1, 5, { ...averaging, ...turned, ceil_mode: 'int' })],
  QLinearConcat: [from(1, ANY, axis)],
  QLinearConv: [from(1, 9, { ...convolving, ...turned })],
  QLinearGlobalAveragePool: [from(1, 5, turned)],
  QLinearLeakyRelu: [from(1, 5, slope)],
  QLinearSigmoid: [from(1, 5)],
  QuantizeLinear: [from(1, 3, { ...axis, block_size: 'int' })],
};

function versionsOf({ domain, opType }: OnnxNode): readonly Version[] | undefined {
  const table = domain === '' ? standard : domain === MICROSOFT ? microsoft : {};
  return Object.hasOwn(table, opType) ? table[opType] : undefined;
}

/** The operator sets of the standard in which an operator got a new signature, ascending. */
export function versionsSince(opType: string): readonly number[] {
  return (Object.hasOwn(standard, opType) ? standard[opType]! : []).map(({ since }) => since);
}

/**
 * Whether a node says what an operator of its set can say; operators that are not known here pass.
 * @throws InputError without position for operators of newer or older sets, for attributes that the operator does not
 *   have in this one or that are of another kind, and for too many inputs
 */
export function checkSignature(node: OnnxNode): void {
  const versions = versionsOf(node);
  if (versions === undefined) return;
  const { opType, opset } = node;
  const version = versions.findLast(({ since }) => since <= opset);
  if (version === undefined) {
    throw new InputError(
      `is not in operator set ${opset}, expected ${versions[0]!.since} or newer for ${opType}`,
    );
  }
  const { since, inputs, attributes } = version;
  if (inputs === undefined) {
    throw new InputError(`is no more from operator set ${since} on, expected a set before, or Resize`);
  }
  // Empty names at the end are inputs that were left out.
  const given = node.inputs.findLastIndex((name) => name !== '') + 1;
  if (given > inputs) {
    throw new InputError(
      `has ${given} inputs, expected at most ${inputs} (${opType} of operator set ${opset})`,
    );
  }
  for (const { name = '', type } of node.attributes) {
    const kind = Object.hasOwn(attributes, name) ? attributes[name]! : undefined;
    if (kind === undefined) {
      const known = Object.keys(attributes).join(', ');
      throw new InputError(
        `${quote(name)} is no attribute of ${opType} in operator set ${opset}, expected ${known === '' ? 'none' : `some of ${known}`}`,
      );
    }
    if (type !== undefined && type !== 0 && type !== attributeTypes[kind]) {
      throw new InputError(`${name}: is of another kind, expected ${KINDS[kind]}`);
    }
  }
}

const KINDS: Readonly<Record<Kind, string>> = {
  float: 'a number',
  int: 'a whole number',
  string: 'text',
  tensor: 'a tensor',
  floats: 'numbers',
  ints: 'whole numbers',
};
