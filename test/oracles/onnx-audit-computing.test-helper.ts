/** Ways of using operators that compute: products, activations, poolings, arithmetic, sums. */
import type { Draw } from './comparison.test-helper.ts';
import { floats } from './onnx-file.test-helper.ts';
import type { Form } from './onnx-spelling.test-helper.ts';
import {
  behindConv,
  type Constants,
  chain,
  clipped,
  drawnConv,
  drawnPooling,
  matrix,
  node,
  number,
  randoms,
  reduced,
  reshaped,
  single,
  statistics,
  twoMaps,
} from './onnx-spelling.test-helper.ts';

const channelConstant = (draw: Draw): Constants => ({ k: randoms(draw, [4, 1, 1], 0.5, 2) });

function arithmeticForms(op: string): Form[] {
  const onConstants: Form[] = [
    ['one number', (_, draw) => single(op, {}, { k: number(draw.real(0.5, 2)) })],
    ['one a channel', (_, draw) => single(op, {}, channelConstant(draw))],
    [
      'one a channel, four dimensions',
      (_, draw) => single(op, {}, { k: randoms(draw, [1, 4, 1, 1], 0.5, 2) }),
    ],
  ];
  const first: Form = [
    'constant first',
    (_, draw) => ({ nodes: [node(op, ['k', 'x'], 'y')], constants: channelConstant(draw) }),
    op === 'Div' ? { refused: /divides a constant by a map, expected it the other way round/ } : {},
  ];
  return [
    ...onConstants,
    first,
    [
      'constants that vary by cell',
      (_, draw) => single(op, {}, { k: randoms(draw, [6, 7], 0.5, 2) }),
      { refused: /a constant of 6 x 7 on 1 x 4 x 6 x 7, expected one number, or one a channel/ },
    ],
    [
      'broadcast and axis of sets before 7',
      (_, draw) => single(op, { broadcast: 1, axis: 1 }, { k: randoms(draw, [4]) }),
      { refused: /'broadcast' is no attribute of \w+ in operator set \d+, expected none/ },
    ],
  ];
}

const productOfMaps = {
  refused: /of two maps, expected a constant \(or the spelling of SiLU or hard-swish/,
} as const;

export const computingForms: Readonly<Record<string, readonly Form[]>> = {
  Conv: [
    ['kernel, strides, pads, auto_pad, dilations, groups, bias', drawnConv, { count: 6 }],
    [
      'one or three axes',
      (_, draw) => single('Conv', {}, { w: randoms(draw, [2, 4, 3]) }),
      { refused: /weights of 2 x 4 x 3, expected four dimensions/ },
    ],
  ],
  BatchNormalization: [
    [
      'behind a convolution',
      (_, draw) => {
        const constants = statistics(draw);
        return chain(behindConv(draw), {
          nodes: [
            node('BatchNormalization', ['c', ...Object.keys(constants)], 'y', { epsilon: { float: 1e-3 } }),
          ],
          constants,
        });
      },
    ],
    ['elsewhere', (_, draw) => single('BatchNormalization', { momentum: { float: 0.5 } }, statistics(draw))],
    ['spatial', (_, draw) => single('BatchNormalization', { spatial: 1 }, statistics(draw)), { to: 8 }],
    [
      'spatial 0',
      (_, draw) => single('BatchNormalization', { spatial: 0 }, statistics(draw)),
      { to: 8, refused: /spatial: 0, expected statistics a channel/ },
    ],
    [
      'training_mode',
      (_, draw) => single('BatchNormalization', { training_mode: 1 }, statistics(draw)),
      { from: 14, refused: /runs in training mode, expected a trained network/ },
    ],
  ],
  Relu: [['as it is', () => single('Relu')]],
  LeakyRelu: [
    ['slope 0 to 1', (_, draw) => single('LeakyRelu', { alpha: { float: draw.real(0, 0.9) } })],
    ['slope left out (0.01)', () => single('LeakyRelu')],
    [
      'other slopes',
      () => single('LeakyRelu', { alpha: { float: -0.5 } }),
      { refused: /slope: -0\.5, expected factor of negative values, 0\.\.1/ },
    ],
  ],
  PRelu: [
    ['one slope', (_, draw) => single('PRelu', {}, { s: floats([1], [draw.real(0, 1)]) })],
    ['equal slopes', () => single('PRelu', {}, { s: floats([4, 1, 1], [0.3, 0.3, 0.3, 0.3]) })],
    [
      'a slope a channel',
      () => single('PRelu', {}, { s: floats([4, 1, 1], [0.1, 0.2, 0.3, 0.4]) }),
      { refused: /slopes 0\.1\d* and 0\.2\d*, expected one for all channels/ },
    ],
  ],
  Clip: [
    ['from 0 to a ceiling', (opset, draw) => clipped('x', 'y', opset, 0, draw.real(0.5, 2))],
    ['from 0', (opset) => clipped('x', 'y', opset, 0)],
    [
      'without bounds',
      (opset) => chain(clipped('x', 'a', opset, undefined), { nodes: [node('Relu', ['a'], 'y')] }),
    ],
    [
      'a ceiling behind a ReLU',
      (opset) => chain({ nodes: [node('Relu', ['x'], 'r')] }, clipped('r', 'y', opset, undefined, 1)),
    ],
    [
      'from below 0 behind a ReLU',
      (opset) => chain({ nodes: [node('Relu', ['x'], 'r')] }, clipped('r', 'y', opset, -1, 1)),
    ],
    [
      'from elsewhere',
      (opset) => clipped('x', 'y', opset, -1, 1),
      { refused: /min: -1, expected 0 \(a ReLU with or without a ceiling/ },
    ],
    [
      'attributes of sets before 11',
      () => single('Clip', { min: { float: 0 }, max: { float: 6 } }),
      { from: 11, refused: /'min' is no attribute of Clip in operator set \d+, expected none/ },
    ],
    [
      'inputs of sets from 11 on',
      () => single('Clip', {}, { low: number(0) }),
      { to: 10, refused: /has 2 inputs, expected at most 1 \(Clip of operator set \d+\)/ },
    ],
  ],
  Sigmoid: [['as it is', () => single('Sigmoid')]],
  Tanh: [['as it is', () => single('Tanh')]],
  HardSwish: [
    ['as it is', () => single('HardSwish'), { from: 14 }],
    [
      'x times HardSigmoid(x)',
      () => ({
        nodes: [
          node('HardSigmoid', ['x'], 'g', { alpha: { float: 1 / 6 }, beta: { float: 0.5 } }),
          node('Mul', ['x', 'g'], 'y'),
        ],
      }),
    ],
    [
      'x times Clip(x + 3, 0, 6) / 6',
      (opset) =>
        chain(
          { nodes: [node('Add', ['x', 'three'], 'a')], constants: { three: number(3), six: number(6) } },
          clipped('a', 'b', opset, 0, 6),
          { nodes: [node('Mul', ['x', 'b'], 'm'), node('Div', ['m', 'six'], 'y')] },
        ),
    ],
    [
      'sets before 14',
      () => single('HardSwish'),
      { to: 13, refused: /is not in operator set \d+, expected 14 or newer for HardSwish/ },
    ],
  ],
  Softmax: [
    [
      'over the channels, by default',
      (opset) =>
        opset < 13 ? { ...single('Softmax'), dims: [1, 9] } : { ...single('Softmax'), dims: [1, 9] },
    ],
    ['over the channels, by axis', () => single('Softmax', { axis: 1 }), { from: 13 }],
    ['axis from the end', () => ({ ...single('Softmax', { axis: -1 }), dims: [1, 9] }), { from: 11 }],
    [
      'of a whole map (sets before 13)',
      () => single('Softmax'),
      { to: 12, refused: /axis: 1 of 1 x 4 x 6 x 7, expected the channels/ },
    ],
    [
      'over cells',
      () => single('Softmax'),
      { from: 13, refused: /axis: 3 of 1 x 4 x 6 x 7, expected the channels/ },
    ],
  ],
  MaxPool: [
    [
      'kernel, strides, pads, auto_pad, ceil_mode, storage_order',
      (opset, draw) => drawnPooling('MaxPool', opset, draw),
      {
        count: 12,
        sometimes: true,
        refused: /window that holds nothing but padding|hold nothing but padding/,
      },
    ],
    [
      'over channels of a turned map',
      () => ({
        nodes: [
          node('Transpose', ['x'], 't', { perm: [0, 3, 2, 1] }),
          node('MaxPool', ['t'], 'm', { kernel_shape: [1, 2], strides: [1, 2] }),
          node('Transpose', ['m'], 'y', { perm: [0, 3, 2, 1] }),
        ],
      }),
    ],
    [
      'dilations',
      () => single('MaxPool', { kernel_shape: [2, 2], dilations: [2, 2] }),
      { from: 10, refused: /dilations: 2, 2, expected 1/ },
    ],
    [
      'Indices',
      () => ({
        nodes: [
          { ...node('MaxPool', ['x'], 'm', { kernel_shape: [2, 2] }), outputs: ['m', 'places'] },
          node('Cast', ['places'], 'y', { to: 1 }),
        ],
      }),
      { from: 8, refused: /reads 'places', an output that is not computed here/ },
    ],
  ],
  AveragePool: [
    [
      'kernel, strides, pads, auto_pad, ceil_mode, count_include_pad',
      (opset, draw) => drawnPooling('AveragePool', opset, draw),
      {
        count: 16,
        sometimes: true,
        refused:
          /hold nothing but padding|ceil_mode and count_include_pad with windows that leave the padded map, expected one of them/,
      },
    ],
    [
      'dilations',
      () => single('AveragePool', { kernel_shape: [2, 2], dilations: [2, 2] }),
      { from: 19, refused: /dilations: 2, 2, expected 1/ },
    ],
    [
      'ceil_mode in sets before 10',
      () => single('AveragePool', { kernel_shape: [2, 2], ceil_mode: 1 }),
      { to: 9, refused: /'ceil_mode' is no attribute of AveragePool in operator set \d+/ },
    ],
  ],
  GlobalAveragePool: [['as it is', () => single('GlobalAveragePool')]],
  GlobalMaxPool: [['as it is', () => single('GlobalMaxPool')]],
  ReduceMax: reduction('ReduceMax'),
  ReduceMean: reduction('ReduceMean'),
  Gemm: [
    [
      'alpha, beta, transB, bias of every shape',
      (_, draw) => {
        const transB = draw.integer(0, 1);
        const bias = draw.pick([[5], [1, 5], [1], [], [1, 1]]);
        return {
          ...single(
            'Gemm',
            { transB, alpha: { float: draw.real(0.2, 2) }, beta: { float: draw.real(0.2, 2) } },
            { w: transB === 1 ? matrix(draw, 5, 9) : matrix(draw, 9, 5), b: randoms(draw, bias) },
          ),
          dims: [1, 9],
        };
      },
      { count: 4 },
    ],
    [
      'of a flattened map',
      (_, draw) => ({
        nodes: [node('Flatten', ['x'], 'f'), node('Gemm', ['f', 'w', 'b'], 'y', { transB: 1 })],
        constants: { w: matrix(draw, 5, 168), b: randoms(draw, [5]) },
      }),
    ],
    [
      'no bias',
      (_, draw) => ({ ...single('Gemm', {}, { w: matrix(draw, 9, 5) }), dims: [1, 9] }),
      { from: 11 },
    ],
    [
      'transA',
      (_, draw) => ({ ...single('Gemm', { transA: 1 }, { w: matrix(draw, 1, 5) }), dims: [1, 9] }),
      { refused: /transA: 1, expected 0/ },
    ],
  ],
  MatMul: [
    ['of a vector', (_, draw) => ({ ...single('MatMul', {}, { w: matrix(draw, 9, 5) }), dims: [1, 9] })],
    [
      'of a flattened map, with Add of a bias',
      (_, draw) => ({
        nodes: [node('Flatten', ['x'], 'f'), node('MatMul', ['f', 'w'], 'm'), node('Add', ['m', 'b'], 'y')],
        constants: { w: matrix(draw, 168, 5), b: randoms(draw, [5]) },
      }),
    ],
    [
      'of several rows',
      (_, draw) => single('MatMul', {}, { w: matrix(draw, 7, 5) }),
      { refused: /multiplies several rows, expected one \(a flattened map\)/ },
    ],
  ],
  Add: [
    ['two maps', () => chain(twoMaps, { nodes: [node('Add', ['r', 'x'], 'y')] })],
    [
      'behind a convolution (its bias)',
      (_, draw) =>
        chain(behindConv(draw), { nodes: [node('Add', ['c', 'k'], 'y')], constants: channelConstant(draw) }),
    ],
    ...arithmeticForms('Add'),
  ],
  Sub: arithmeticForms('Sub'),
  Mul: [
    ['x times Sigmoid(x)', () => ({ nodes: [node('Sigmoid', ['x'], 'g'), node('Mul', ['g', 'x'], 'y')] })],
    ...arithmeticForms('Mul'),
    ['two maps', () => chain(twoMaps, { nodes: [node('Mul', ['r', 'x'], 'y')] }), productOfMaps],
  ],
  Div: [
    ...arithmeticForms('Div'),
    ['two maps', () => chain(twoMaps, { nodes: [node('Div', ['r', 'x'], 'y')] }), productOfMaps],
  ],
  Sum: [
    ['maps', () => chain(twoMaps, { nodes: [node('Sum', ['r', 'x', 'r'], 'y')] })],
    ['one map', () => chain(twoMaps, { nodes: [node('Sum', ['r'], 'y')] })],
  ],
  Concat: [
    ['along the channels', () => chain(twoMaps, { nodes: [node('Concat', ['r', 'x'], 'y', { axis: 1 })] })],
    [
      'axis from the end',
      () => chain(twoMaps, { nodes: [node('Concat', ['r', 'x'], 'y', { axis: -3 })] }),
      { from: 11 },
    ],
    [
      'along rows or columns',
      () => chain(twoMaps, { nodes: [node('Concat', ['r', 'x'], 'y', { axis: 2 })] }),
      { refused: /along axis 2, expected whole maps along the channels/ },
    ],
  ],
};

/** ReduceMax and ReduceMean. */
function reduction(op: string): Form[] {
  return [
    ['over all cells', (opset) => reduced(op, 'x', 'y', opset, [2, 3], 1)],
    ['over all cells, keepdims 0', (opset) => reduced(op, 'x', 'y', opset, [3, 2], 0)],
    ['axes from the end', (opset) => reduced(op, 'x', 'y', opset, [-1, -2], 1), { from: 11 }],
    [
      'over groups of channels behind a Reshape',
      (opset) => chain(reshaped('x', 'g', 1, 2, 2, 6, 7), reduced(op, 'g', 'y', opset, [2], 0)),
    ],
    ['over all channels', (opset) => reduced(op, 'x', 'y', opset, [1], 1)],
    [
      'no axes, noop_with_empty_axes',
      () => ({
        nodes: [node(op, ['x'], 'a', { noop_with_empty_axes: 1 }), node('Relu', ['a'], 'y')],
      }),
      { from: 18 },
    ],
    ['no axes', () => single(op), { refused: /axes: none, expected those to reduce/ }],
    [
      'over rows alone',
      (opset) => reduced(op, 'x', 'y', opset, [2], 1),
      { refused: /axes: 2, expected those of all cells of a map, or of consecutive channels/ },
    ],
    [
      'axes as an attribute in sets from 18 on',
      () => single(op, { axes: [2, 3] }),
      {
        from: 18,
        refused: /'axes' is no attribute of Reduce\w+ in operator set \d+, expected some of keepdims/,
      },
    ],
  ];
}
