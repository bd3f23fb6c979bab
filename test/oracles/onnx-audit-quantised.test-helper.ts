/** The quantised half of the audit: operators between DequantizeLinear and QuantizeLinear, and QLinear operators, by operator set. */

import type { Draw } from './comparison.test-helper.ts';
import { scalar, type TensorFields, tensor } from './onnx-file.test-helper.ts';
import { Builder, type Drawn, type Style } from './onnx-quantised-models.test-helper.ts';
import {
  chain,
  clipped,
  type Parts,
  padded,
  reduced,
  reshaped,
  resized,
  squeezed,
} from './onnx-spelling.test-helper.ts';

/** QuantizeLinear came with this set. */
export const OLDEST_QUANTISED = 10;

export interface QuantisedCase {
  readonly operator: string;
  readonly form: string;
  readonly from: number;
  readonly to: number;
  readonly linear: boolean;
  /** Makes maps of 8 bits whatever the others have. */
  readonly narrow?: boolean;
  /** Puts the operator behind `input`, and rounds what it makes. */
  make(builder: Builder, input: Drawn): Drawn;
  readonly refused?: RegExp;
}

type Shape = Drawn['shape'];

/** Nodes that read 'x' and make 'y', between real numbers of the builder's. */
function inlined(builder: Builder, input: string, parts: Parts): string {
  const prefix = builder.fresh('p');
  const name = (value: string) => (value === '' ? '' : value === 'x' ? input : `${prefix}/${value}`);
  for (const [key, value] of Object.entries(parts.constants ?? {})) builder.constants[name(key)] = value;
  for (const { name: _, inputs, outputs, ...rest } of parts.nodes) {
    builder.nodes.push({ ...rest, inputs: inputs.map(name), outputs: outputs.map(name) });
  }
  return name('y');
}

type Make = (
  opset: number,
  shape: Shape,
) => { readonly parts: Parts; readonly out?: Shape; readonly keeps?: boolean };

/** Operators on one quantised map, the result rounded to other numbers unless it `keeps` them. */
const unaryForms: Readonly<Record<string, readonly (readonly [form: string, make: Make, from?: number])[]>> =
  {
    Relu: [['as it is', () => ({ parts: { nodes: [one('Relu')] } })]],
    LeakyRelu: [['slope 1/8', () => ({ parts: { nodes: [one('LeakyRelu', { alpha: { float: 0.125 } })] } })]],
    PRelu: [
      [
        'one slope',
        () => ({
          parts: {
            nodes: [{ op: 'PRelu', inputs: ['x', 's'], outputs: ['y'] }],
            constants: { s: tensor('float32', [1], [0.25]) },
          },
        }),
      ],
    ],
    Clip: [['from 0 to a ceiling', (opset) => ({ parts: clipped('x', 'y', opset, 0, 1) })]],
    Sigmoid: [['as it is', () => ({ parts: { nodes: [one('Sigmoid')] } })]],
    Tanh: [['as it is', () => ({ parts: { nodes: [one('Tanh')] } })]],
    HardSwish: [['as it is', () => ({ parts: { nodes: [one('HardSwish')] } }), 14]],
    MaxPool: [
      [
        'pads',
        (_, [c, h, w]) => ({
          parts: { nodes: [one('MaxPool', { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })] },
          out: [c, h, w],
        }),
      ],
    ],
    AveragePool: [
      [
        'four cells',
        (_, [c, h, w]) => ({
          parts: { nodes: [one('AveragePool', { kernel_shape: [2, 2], strides: [2, 2] })] },
          out: [c, h / 2, w / 2],
        }),
      ],
    ],
    GlobalMaxPool: [['as it is', (_, [c]) => ({ parts: { nodes: [one('GlobalMaxPool')] }, out: [c, 1, 1] })]],
    Mul: [['a power of two', () => ({ parts: constantOn('Mul', 0.5) })]],
    Div: [['a power of two', () => ({ parts: constantOn('Div', 2) })]],
    Sub: [['a power of two', () => ({ parts: constantOn('Sub', 0.25) })]],
    Sum: [
      [
        'of a map and itself',
        () => ({ parts: { nodes: [{ op: 'Sum', inputs: ['x', 'x'], outputs: ['y'] }] } }),
      ],
    ],
    GlobalAveragePool: [
      ['as it is', (_, [c]) => ({ parts: { nodes: [one('GlobalAveragePool')] }, out: [c, 1, 1] })],
    ],
    ReduceMean: [
      [
        'over all cells',
        (opset, [c]) => ({ parts: reduced('ReduceMean', 'x', 'y', opset, [2, 3], 1), out: [c, 1, 1] }),
      ],
      [
        'over groups of channels',
        (opset, [c, h, w]) => ({
          parts: chain(reshaped('x', 'g', 1, c / 2, 2, h, w), reduced('ReduceMean', 'g', 'y', opset, [2], 0)),
          out: [c / 2, h, w],
        }),
      ],
    ],
    ReduceMax: [
      [
        'over all cells',
        (opset, [c]) => ({ parts: reduced('ReduceMax', 'x', 'y', opset, [2, 3], 1), out: [c, 1, 1] }),
      ],
      [
        'over groups of channels',
        (opset, [c, h, w]) => ({
          parts: chain(reshaped('x', 'g', 1, c / 2, 2, h, w), reduced('ReduceMax', 'g', 'y', opset, [2], 0)),
          out: [c / 2, h, w],
        }),
      ],
    ],
    Resize: [
      [
        'scales',
        (opset, [c, h, w]) => ({ parts: resized(opset, [1, 1, 2, 2]), out: [c, 2 * h, 2 * w], keeps: true }),
      ],
    ],
    SpaceToDepth: [
      [
        'blocksize',
        (_, [c, h, w]) => ({
          parts: { nodes: [one('SpaceToDepth', { blocksize: 2 })] },
          out: [4 * c, h / 2, w / 2],
        }),
      ],
    ],
    'Reshape, SpaceToDepth, Reshape': [
      [
        "Darknet's reorg",
        () => ({
          parts: chain(
            reshaped('x', 'wide', 1, 1, 8, 16),
            { nodes: [{ ...one('SpaceToDepth', { blocksize: 2 }), inputs: ['wide'], outputs: ['deep'] }] },
            reshaped('deep', 'y', 1, 16, 2, 4),
          ),
          out: [16, 2, 4],
        }),
      ],
    ],
    Pad: [
      [
        'zeros in front of AveragePool',
        (opset, [c, h, w]) => ({
          parts: chain(padded('x', 'p', opset, [0, 0, 1, 1, 0, 0, 1, 1]), {
            nodes: [{ ...one('AveragePool', { kernel_shape: [2, 2], strides: [2, 2] }), inputs: ['p'] }],
          }),
          out: [c, h / 2 + 1, w / 2 + 1],
        }),
      ],
    ],
    Reshape: [
      [
        'there and back',
        (_, [c, h, w]) => ({ parts: chain(reshaped('x', 'a', 1, -1), reshaped('a', 'y', 1, c, h, w)) }),
      ],
    ],
    Transpose: [
      [
        'there and back',
        () => ({
          parts: {
            nodes: [
              { op: 'Transpose', inputs: ['x'], outputs: ['t'], attributes: { perm: [0, 2, 3, 1] } },
              { op: 'Transpose', inputs: ['t'], outputs: ['y'], attributes: { perm: [0, 3, 1, 2] } },
            ],
          },
        }),
      ],
    ],
    Flatten: [
      [
        'of one cell',
        (_, [c]) => ({
          parts: chain(onePooled(), { nodes: [{ ...one('Flatten'), inputs: ['g'] }] }),
          out: [c, 1, 1],
        }),
      ],
    ],
    Squeeze: [
      [
        'with Unsqueeze',
        (opset, [c]) => ({
          parts: chain(
            onePooled(),
            squeezed('Squeeze', 'g', 's', opset),
            squeezed('Unsqueeze', 's', 'y', opset),
          ),
          out: [c, 1, 1],
        }),
      ],
    ],
    Identity: [['as it is', () => ({ parts: { nodes: [one('Identity')] } })]],
    Dropout: [['in inference', () => ({ parts: { nodes: [one('Dropout')] } })]],
  };

function one(op: string, attributes: Parts['nodes'][number]['attributes'] = {}): Parts['nodes'][number] {
  return { op, inputs: ['x'], outputs: ['y'], attributes };
}

function constantOn(op: string, value: number): Parts {
  return { nodes: [{ op, inputs: ['x', 'k'], outputs: ['y'] }], constants: { k: scalar('float32', value) } };
}

function onePooled(): Parts {
  return { nodes: [{ op: 'GlobalMaxPool', inputs: ['x'], outputs: ['g'] }] };
}

/** Layers that the builder knows how to spell. */
const layerForms: Readonly<
  Record<string, readonly (readonly [form: string, make: QuantisedCase['make']])[]>
> = {
  Conv: [
    ['integer weights and bias', (builder, input) => builder.convolution(input, false)],
    ['with Relu', (builder, input) => builder.convolution(input, true)],
  ],
  Gemm: [['integer weights', (builder, input) => builder.matrix(input)]],
  Add: [['two maps', (builder, input) => builder.add(input, builder.convolved(input))]],
  Concat: [['two maps', (builder, input) => builder.concat([input, builder.convolved(input)])]],
};

const linearForms: typeof layerForms = {
  QLinearConv: [
    ['weights a tensor or a filter, bias, groups', (builder, input) => builder.convolution(input)],
  ],
  QLinearMatMul: [['of a flattened map', (builder, input) => builder.product(input)]],
  'com.microsoft QGemm': [['transB, bias', (builder, input) => builder.gemm(input)]],
  'com.microsoft QLinearAdd': [
    ['two maps', (builder, input) => builder.add(input, builder.convolved(input))],
  ],
  'com.microsoft QLinearConcat': [
    ['along the channels', (builder, input) => builder.concat([input, builder.convolved(input)])],
  ],
  'com.microsoft QLinearAveragePool': [['four cells', (builder, input) => builder.average(input)]],
  'com.microsoft QLinearGlobalAveragePool': [
    [
      'as it is',
      (builder, input) => builder.microsoft('QLinearGlobalAveragePool', input, [input.shape[0], 1, 1]),
    ],
  ],
  'com.microsoft QLinearLeakyRelu': [
    [
      'slope 1/4',
      (builder, input) =>
        builder.microsoft('QLinearLeakyRelu', input, input.shape, { alpha: { float: 0.25 } }),
    ],
  ],
  'com.microsoft QLinearSigmoid': [
    ['as it is', (builder, input) => builder.microsoft('QLinearSigmoid', input)],
  ],
};

/** What QuantizeLinear and DequantizeLinear themselves can say. */
const aroundForms: readonly QuantisedCase[] = [
  around('zero point left out (uint8)', OLDEST_QUANTISED, (builder, input) => {
    const scale = builder.constant(scalar('float32', 2 ** -5));
    const rounded = builder.op('QuantizeLinear', [builder.real(input), scale]);
    const zero = builder.constant(scalar('uint8', 0));
    return { name: rounded, scale, zero, shape: input.shape };
  }),
  around(
    'scales of one element',
    OLDEST_QUANTISED,
    (builder, input) => {
      const scale = builder.constant(tensor('float32', [1], [2 ** -5]));
      const zero = builder.constant(tensor('int8', [1], [3]));
      return {
        name: builder.op('QuantizeLinear', [builder.real(input), scale, zero]),
        scale,
        zero,
        shape: input.shape,
      };
    },
    undefined,
    13,
  ),
  around('output_dtype', 21, (builder, input) => {
    const scale = builder.constant(scalar('float32', 2 ** -5));
    const rounded = builder.op('QuantizeLinear', [builder.real(input), scale], { output_dtype: 3 });
    const zero = builder.constant(scalar('int8', 0));
    return { name: rounded, scale, zero, shape: input.shape };
  }),
  around(
    'scales a channel on a feature map',
    13,
    (builder, input) => channelScales(builder, input, { axis: 1 }),
    /scales a channel on a feature map, expected one scale and zero point/,
  ),
  around(
    'blocks of scales',
    21,
    (builder, input) => channelScales(builder, input, { axis: 1, block_size: 2 }),
    /block_size: 2, expected scales a tensor or a channel/,
  ),
  around(
    'attributes of sets from 13 on',
    OLDEST_QUANTISED,
    (builder, input) => channelScales(builder, input, { axis: 1 }),
    /'axis' is no attribute of QuantizeLinear in operator set \d+, expected none/,
    OLDEST_QUANTISED,
    12,
  ),
];

function around(
  form: string,
  from: number,
  make: QuantisedCase['make'],
  refused?: RegExp,
  since = from,
  to = 21,
): QuantisedCase {
  return {
    operator: 'QuantizeLinear',
    form,
    from: Math.max(from, since),
    to,
    linear: false,
    narrow: true,
    make,
    ...(refused && { refused }),
  };
}

function channelScales(
  builder: Builder,
  input: Drawn,
  attributes: { axis: number; block_size?: number },
): Drawn {
  const [channels] = input.shape;
  const list = (value: TensorFields) => builder.constant(value);
  const scale = list(tensor('float32', [channels], new Array(channels).fill(0.25)));
  const zero = list(tensor('int8', [channels], new Array(channels).fill(0)));
  return {
    name: builder.op('QuantizeLinear', [builder.real(input), scale, zero], attributes),
    scale,
    zero,
    shape: input.shape,
  };
}

function layers(list: typeof layerForms, linear: boolean): QuantisedCase[] {
  return Object.entries(list).flatMap(([operator, some]) =>
    some.map(([form, make]) => ({ operator, form, from: OLDEST_QUANTISED, to: 21, linear, make })),
  );
}

export const quantisedCases: readonly QuantisedCase[] = [
  ...layers(layerForms, false),
  ...Object.entries(unaryForms).flatMap(([operator, list]) =>
    list.map(
      ([form, make, from = OLDEST_QUANTISED]): QuantisedCase => ({
        operator,
        form,
        from,
        to: 21,
        linear: false,
        make(builder, input) {
          const { parts, out = input.shape, keeps = false } = make(builder.opset, input.shape);
          const made = inlined(builder, builder.real(input), parts);
          return builder.rounded(made, out, keeps ? input : builder.numbers(2 ** -6));
        },
      }),
    ),
  ),
  ...aroundForms,
  ...layers(linearForms, true),
];

/** A model with the case's operator behind a quantised input of real numbers or integers. */
export function quantisedModel(draw: Draw, style: Style, { make, linear }: QuantisedCase) {
  const builder = new Builder(draw, style);
  // As many cells as a power of two: ONNX Runtime's means multiply by the inverse, and other numbers have none.
  const shape = [4, 4, 8] as const;
  const numbers = builder.numbers(2 ** -6);
  const first = linear ? { name: 'x', ...numbers, shape } : builder.rounded('x', shape, numbers);
  const last = make(builder, first);
  return { model: builder.model(first, last, !linear), shape };
}
