/** Nodes as each operator set spells them, and windows, sizes and weights that are drawn. */
import type { Draw } from './comparison.test-helper.ts';
import {
  type Attribute,
  type FileNode,
  floats,
  int64s,
  scalar,
  type TensorFields,
} from './onnx-file.test-helper.ts';

export interface Parts {
  readonly dims?: readonly number[];
  readonly nodes: readonly FileNode[];
  readonly constants?: Readonly<Record<string, TensorFields>>;
}

export type Attributes = Readonly<Record<string, Attribute>>;
export type Constants = Readonly<Record<string, TensorFields>>;

export const product = (dims: readonly number[]) => dims.reduce((total, size) => total * size, 1);

export const node = (
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: Attributes = {},
): FileNode => ({
  op,
  inputs,
  outputs: [output],
  attributes,
  name: `${op}/${output}`,
});

/** One operator on the input and constants. */
export const single = (op: string, attributes: Attributes = {}, constants: Constants = {}): Parts => ({
  nodes: [node(op, ['x', ...Object.keys(constants)], 'y', attributes)],
  constants,
});

export const randoms = (draw: Draw, dims: readonly number[], low = -0.5, high = 0.5): TensorFields =>
  floats(
    dims,
    Float32Array.from({ length: product(dims) }, () => draw.real(low, high)),
  );

/** Constants that are nothing but one number. */
export const number = (value: number): TensorFields => scalar('float32', value);

/** Whole numbers that are an attribute in sets before `since` and an input from there on. */
export function listed(
  op: string,
  input: string,
  output: string,
  opset: number,
  since: number,
  [name, values]: readonly [string, readonly number[]],
  attributes: Attributes = {},
): Parts {
  if (opset < since) return { nodes: [node(op, [input], output, { ...attributes, [name]: values })] };
  const constant = `${output}/${name}`;
  return {
    nodes: [node(op, [input, constant], output, attributes)],
    constants: { [constant]: int64s(...values) },
  };
}

export function chain(...parts: readonly Parts[]): Parts {
  return {
    nodes: parts.flatMap(({ nodes }) => nodes),
    constants: Object.assign({}, ...parts.map(({ constants }) => constants)) as Constants,
  };
}

export const padded = (
  input: string,
  output: string,
  opset: number,
  pads: readonly number[],
  value?: number,
  mode = 'constant',
): Parts => {
  if (opset < 11) {
    return {
      nodes: [
        node('Pad', [input], output, {
          mode,
          pads,
          ...(value === undefined ? {} : { value: { float: value } }),
        }),
      ],
    };
  }
  const inputs = [input, `${output}/pads`, ...(value === undefined ? [] : [`${output}/value`])];
  return {
    nodes: [node('Pad', inputs, output, { mode })],
    constants: {
      [`${output}/pads`]: int64s(...pads),
      ...(value === undefined ? {} : { [`${output}/value`]: number(value) }),
    },
  };
};

export const clipped = (
  input: string,
  output: string,
  opset: number,
  low: number | undefined,
  high?: number,
): Parts => {
  const bounds = { min: low, max: high };
  const given = Object.entries(bounds).filter((entry): entry is [string, number] => entry[1] !== undefined);
  if (opset < 11) {
    const attributes = Object.fromEntries(given.map(([name, value]) => [name, { float: value }]));
    return { nodes: [node('Clip', [input], output, attributes)] };
  }
  const names = Object.keys(bounds).map((name) =>
    given.some(([key]) => key === name) ? `${output}/${name}` : '',
  );
  return {
    nodes: [node('Clip', [input, ...names], output)],
    constants: Object.fromEntries(given.map(([name, value]) => [`${output}/${name}`, number(value)])),
  };
};

/** Resize, or Upsample where that was its name. */
export function resized(
  opset: number,
  scales: readonly number[],
  attributes: Attributes = {},
  input = 'x',
  output = 'y',
): Parts {
  const list = `${output}/scales`;
  const constants = { [list]: floats([scales.length], scales) };
  if (opset < 9) {
    return { nodes: [node('Upsample', [input], output, { ...attributes, scales: { floats: scales } })] };
  }
  if (opset === 9) return { nodes: [node('Upsample', [input, list], output, attributes)], constants };
  if (opset === 10) return { nodes: [node('Resize', [input, list], output, attributes)], constants };
  const region = opset < 13 ? 'region' : '';
  return {
    nodes: [node('Resize', [input, region, list], output, attributes)],
    constants: { ...constants, ...(region === '' ? {} : { region: floats([0], []) }) },
  };
}

export const squeezed = (op: 'Squeeze' | 'Unsqueeze', input: string, output: string, opset: number): Parts =>
  listed(op, input, output, opset, 13, ['axes', [2, 3]]);

export const reduced = (
  op: string,
  input: string,
  output: string,
  opset: number,
  axes: readonly number[],
  keepdims: number,
): Parts => listed(op, input, output, opset, 18, ['axes', axes], { keepdims });

export const reshaped = (input: string, output: string, ...sizes: number[]): Parts => ({
  nodes: [node('Reshape', [input, `${output}/shape`], output)],
  constants: { [`${output}/shape`]: int64s(...sizes) },
});

/** A convolution of one cell in front. */
export const behindConv = (draw: Draw, filters = 4): Parts => ({
  nodes: [node('Conv', ['x', 'w'], 'c')],
  constants: { w: randoms(draw, [filters, 4, 1, 1]) },
});

export const statistics = (draw: Draw, channels = 4): Constants => ({
  gamma: randoms(draw, [channels], 0.5, 2),
  beta: randoms(draw, [channels]),
  mean: randoms(draw, [channels]),
  variance: randoms(draw, [channels], 0.5, 2),
});

/** Padding of a window: numbers, or a rule. */
export function drawnPadding(draw: Draw, kernel: readonly number[], most = 1): Attributes {
  const rule = draw.pick(['pads', 'pads', 'SAME_UPPER', 'SAME_LOWER', 'VALID', 'NOTSET', 'none']);
  if (rule === 'none') return {};
  if (rule !== 'pads') return { auto_pad: rule };
  return { pads: [...kernel, ...kernel].map((size) => draw.integer(0, Math.min(most, size - 1))) };
}

export const isSame = ({ auto_pad: rule = '' }: Attributes) => String(rule).startsWith('SAME');

/** ONNX Runtime refuses SAME where strides leave cells out. */
export const drawnStrides = (draw: Draw, kernel: readonly number[], same: boolean): Attributes =>
  draw.chance() ? { strides: kernel.map((size) => draw.integer(1, same ? size : 3)) } : {};

export function drawnConv(_: number, draw: Draw): Parts {
  const kernel = [draw.integer(1, 3), draw.integer(1, 3)];
  const groups = draw.pick([1, 1, 2, 4]);
  const filters = groups * draw.integer(1, 3);
  const padding = drawnPadding(draw, kernel, 2);
  const automatic = isSame(padding);
  const attributes = {
    ...padding,
    ...(draw.chance() ? { kernel_shape: kernel } : {}),
    ...drawnStrides(draw, kernel, automatic),
    // ONNX Runtime has no dilations with SAME.
    ...(draw.chance() && !automatic ? { dilations: [draw.integer(1, 2), draw.integer(1, 2)] } : {}),
    ...(groups > 1 ? { group: groups } : {}),
  };
  const w = randoms(draw, [filters, 4 / groups, ...kernel]);
  return {
    ...single('Conv', attributes, draw.chance() ? { w, b: randoms(draw, [filters]) } : { w }),
    dims: [1, 4, draw.integer(5, 9), draw.integer(5, 9)],
  };
}

export function drawnPooling(op: 'MaxPool' | 'AveragePool', opset: number, draw: Draw): Parts {
  const kernel = [draw.integer(1, 3), draw.integer(1, 3)];
  const padding = drawnPadding(draw, kernel);
  const attributes = {
    kernel_shape: kernel,
    ...padding,
    ...drawnStrides(draw, kernel, isSame(padding)),
    ...(opset >= 10 && draw.chance() ? { ceil_mode: draw.integer(0, 1) } : {}),
    ...(op === 'AveragePool' && draw.chance() ? { count_include_pad: draw.integer(0, 1) } : {}),
    ...(op === 'MaxPool' && opset >= 8 && draw.chance() ? { storage_order: draw.integer(0, 1) } : {}),
  };
  return { ...single(op, attributes), dims: [1, 2, draw.integer(5, 9), draw.integer(5, 9)] };
}

export const drawnScales = (opset: number, draw: Draw): Parts =>
  chain(resized(opset, [1, 1, draw.integer(1, 4), draw.integer(1, 4)], {}, 'x', 'r'), {
    nodes: [node('Relu', ['r'], 'y')],
  });

export const PLACES = ['half_pixel', 'pytorch_half_pixel', 'asymmetric', 'align_corners'];
export const ROUNDINGS = ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'];

export function drawnResize(opset: number, draw: Draw): Parts {
  const places = [
    ...PLACES,
    ...(opset < 13 ? ['tf_half_pixel_for_nn'] : []),
    ...(opset >= 19 ? ['half_pixel_symmetric'] : []),
  ];
  const attributes = {
    mode: 'nearest',
    ...(draw.chance() ? { coordinate_transformation_mode: draw.pick(places) } : {}),
    ...(draw.chance() ? { nearest_mode: draw.pick(ROUNDINGS) } : {}),
  };
  const factors = [draw.integer(1, 4), draw.integer(2, 4)];
  if (draw.chance()) return resized(opset, [1, 1, ...factors], attributes);
  return {
    nodes: [
      node('Resize', ['x', opset < 13 ? 'region' : '', opset < 13 ? 'none' : '', 'sizes'], 'y', attributes),
    ],
    constants: {
      region: floats([0], []),
      none: floats([0], []),
      sizes: int64s(1, 4, 6 * factors[0]!, 7 * factors[1]!),
    },
  };
}

export const OLDEST = 7;
export const NEWEST = 21;

export interface AuditCase {
  readonly operator: string;
  /** In a few words, for the table. */
  readonly form: string;
  /** Operator sets that have it. */
  readonly from: number;
  readonly to: number;
  /** How many models are drawn in each set. */
  readonly count: number;
  make(opset: number, draw: Draw): Parts;
  /** What the one line says: always, or for draws of a kind (`sometimes`). */
  readonly refused?: RegExp;
  readonly sometimes?: boolean;
}

export interface Options {
  readonly from?: number;
  readonly to?: number;
  readonly count?: number;
  readonly refused?: RegExp;
  readonly sometimes?: boolean;
}

export type Form = readonly [form: string, make: AuditCase['make'], options?: Options];

export const matrix = (draw: Draw, units: number, inputs: number): TensorFields =>
  randoms(draw, [units, inputs]);

/** Another input that is a map. */
export const twoMaps: Parts = { nodes: [node('Relu', ['x'], 'r')] };
