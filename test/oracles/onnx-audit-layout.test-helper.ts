/** Ways of using operators that move, repeat or name values: sizes, orders, edges, constants, and the arithmetic on shapes. */

import { floats, int64s, tensor } from './onnx-file.test-helper.ts';
import type { Form } from './onnx-spelling.test-helper.ts';
import {
  chain,
  drawnResize,
  drawnScales,
  matrix,
  node,
  number,
  type Parts,
  padded,
  randoms,
  reshaped,
  resized,
  single,
  squeezed,
} from './onnx-spelling.test-helper.ts';

export const layoutForms: Readonly<Record<string, readonly Form[]>> = {
  Resize: [
    ['scales', drawnScales, { from: 10 }],
    [
      'scales or sizes, every coordinate and nearest mode',
      drawnResize,
      {
        from: 11,
        count: 10,
        sometimes: true,
        refused: /resizes \d cells by \d, expected whole factors 1\.\.64 and a rule that repeats every cell/,
      },
    ],
    [
      'axes',
      () => ({
        nodes: [node('Resize', ['x', '', 's'], 'y', { axes: [2, 3] })],
        constants: { s: floats([2], [2, 3]) },
      }),
      { from: 18 },
    ],
    [
      'linear',
      (opset) => resized(opset, [1, 1, 2, 2], { mode: 'linear' }),
      { from: 10, refused: /mode: linear, expected nearest/ },
    ],
    [
      'keep_aspect_ratio_policy',
      () => ({
        nodes: [
          node('Resize', ['x', '', '', 's'], 'y', { axes: [2, 3], keep_aspect_ratio_policy: 'not_larger' }),
        ],
        constants: { s: int64s(12, 12) },
      }),
      { from: 18, refused: /keep_aspect_ratio_policy: not_larger, expected stretch/ },
    ],
  ],
  Upsample: [
    ['scales', drawnScales, { to: 9 }],
    ['mode nearest', (opset) => resized(opset, [1, 1, 2, 3], { mode: 'nearest' }), { to: 9 }],
    [
      'linear',
      (opset) => resized(opset, [1, 1, 2, 2], { mode: 'linear' }),
      { to: 9, refused: /mode: linear, expected nearest/ },
    ],
    [
      'sets from 10 on',
      () => single('Upsample', {}, { s: floats([4], [1, 1, 2, 2]) }),
      { from: 10, refused: /is no more from operator set 10 on, expected a set before, or Resize/ },
    ],
  ],
  Flatten: [
    [
      'every axis',
      (_, draw) =>
        chain(
          { nodes: [node('Flatten', ['x'], 'f', { axis: draw.integer(0, 4) })] },
          reshaped('f', 'g', 1, 4, 6, 7),
          { nodes: [node('Relu', ['g'], 'y')] },
        ),
      { count: 4 },
    ],
    [
      'axis from the end',
      () =>
        chain({ nodes: [node('Flatten', ['x'], 'f', { axis: -3 })] }, reshaped('f', 'g', 1, 4, 6, 7), {
          nodes: [node('Relu', ['g'], 'y')],
        }),
      { from: 11 },
    ],
  ],
  Reshape: [
    [
      'views, zeros and -1',
      () =>
        chain(reshaped('x', 'a', 0, 2, 2, -1, 7), reshaped('a', 'b', 0, 4, 6, 7), {
          nodes: [node('Relu', ['b'], 'y')],
        }),
    ],
    [
      'allowzero',
      () => ({
        nodes: [node('Reshape', ['x', 's'], 'r', { allowzero: 1 }), node('Relu', ['r'], 'y')],
        constants: { s: int64s(1, 4, -1, 7) },
      }),
      { from: 14 },
    ],
    [
      'what cuts across rows',
      (_, draw) =>
        chain(reshaped('x', 'r', 1, 4, 14, 3), {
          nodes: [node('Conv', ['r', 'w'], 'y')],
          constants: { w: randoms(draw, [2, 4, 1, 1]) },
        }),
      {
        refused:
          /cuts across rows, columns or channels|is no view of a map of 4 x 6 x 7 that the machine has/,
      },
    ],
  ],
  Transpose: [
    [
      'there and back',
      () => ({
        nodes: [
          node('Transpose', ['x'], 't', { perm: [0, 2, 3, 1] }),
          node('Relu', ['t'], 'r'),
          node('Transpose', ['r'], 'y', { perm: [0, 3, 1, 2] }),
        ],
      }),
    ],
    [
      'in front of Gemm',
      (_, draw) =>
        chain({ nodes: [node('Transpose', ['x'], 't', { perm: [0, 2, 3, 1] })] }, reshaped('t', 'f', 1, -1), {
          nodes: [node('MatMul', ['f', 'm'], 'y')],
          constants: { m: matrix(draw, 168, 3) },
        }),
    ],
    [
      'of weights',
      (_, draw) => ({
        dims: [1, 9],
        nodes: [node('Transpose', ['w'], 't'), node('MatMul', ['x', 't'], 'y')],
        constants: { w: matrix(draw, 5, 9) },
      }),
    ],
    [
      'what moves values',
      (_, draw) => ({
        nodes: [node('Transpose', ['x'], 't', { perm: [0, 1, 3, 2] }), node('Conv', ['t', 'w'], 'y')],
        constants: { w: randoms(draw, [2, 4, 1, 1]) },
      }),
      { refused: /is no view of a map of 4 x 6 x 7 that the machine has/ },
    ],
  ],
  Squeeze: [
    [
      'axes',
      (opset) => ({
        ...chain(squeezed('Squeeze', 'x', 'a', opset), squeezed('Unsqueeze', 'a', 'b', opset), {
          nodes: [node('Relu', ['b'], 'y')],
        }),
        dims: [1, 4, 1, 1],
      }),
    ],
    [
      'all dimensions of 1',
      () => ({
        ...chain({ nodes: [node('Squeeze', ['x'], 'a')] }, reshaped('a', 'b', 1, 4, 1, 1), {
          nodes: [node('Relu', ['b'], 'y')],
        }),
        dims: [1, 4, 1, 1],
      }),
    ],
    [
      'axes as an attribute in sets from 13 on',
      () => ({ ...single('Squeeze', { axes: [2, 3] }), dims: [1, 4, 1, 1] }),
      { from: 13, refused: /'axes' is no attribute of Squeeze in operator set \d+, expected none/ },
    ],
  ],
  Unsqueeze: [
    [
      'axes',
      (opset) => ({
        ...chain(squeezed('Unsqueeze', 'x', 'a', opset), { nodes: [node('Relu', ['a'], 'y')] }),
        dims: [1, 9],
      }),
    ],
    [
      'axes as an attribute in sets from 13 on',
      () => ({ ...single('Unsqueeze', { axes: [2, 3] }), dims: [1, 4] }),
      { from: 13, refused: /'axes' is no attribute of Unsqueeze in operator set \d+, expected none/ },
    ],
  ],
  Pad: [
    [
      'zeros in front of Conv',
      (opset, draw) =>
        chain(
          padded(
            'x',
            'p',
            opset,
            [0, 0, draw.integer(0, 2), 1, 0, 0, 0, draw.integer(0, 2)],
            draw.chance() ? 0 : undefined,
          ),
          { nodes: [node('Conv', ['p', 'w'], 'y')], constants: { w: randoms(draw, [2, 4, 3, 3]) } },
        ),
      { count: 2 },
    ],
    [
      'zeros in front of AveragePool',
      (opset) =>
        chain(padded('x', 'p', opset, [0, 0, 1, 1, 0, 0, 1, 1]), {
          nodes: [node('AveragePool', ['p'], 'y', { kernel_shape: [2, 2], strides: [2, 2] })],
        }),
    ],
    [
      'the lowest value in front of MaxPool',
      (opset) =>
        chain(padded('x', 'p', opset, [0, 0, 1, 1, 0, 0, 1, 1], -3.4028234663852886e38), {
          nodes: [node('MaxPool', ['p'], 'y', { kernel_shape: [3, 3], strides: [2, 2] })],
        }),
    ],
    [
      'axes',
      (_, draw) => ({
        nodes: [node('Pad', ['x', 'pads', '', 'axes'], 'p'), node('Conv', ['p', 'w'], 'y')],
        constants: { w: randoms(draw, [2, 4, 3, 3]), pads: int64s(1, 2), axes: int64s(-1) },
      }),
      { from: 18 },
    ],
    [
      'reflect, edge, wrap',
      (opset) => padded('x', 'y', opset, [0, 0, 1, 1, 0, 0, 1, 1], undefined, 'reflect'),
      { refused: /mode: reflect, expected constant/ },
    ],
    [
      'negative numbers',
      (opset, draw) =>
        chain(padded('x', 'p', opset, [0, 0, -1, 0, 0, 0, 0, 0]), {
          nodes: [node('Conv', ['p', 'w'], 'y')],
          constants: { w: randoms(draw, [2, 4, 1, 1]) },
        }),
      { refused: /pads: 0, 0, -1, 0, 0, 0, 0, 0, expected 0\.\.4095/ },
    ],
    [
      'attributes of sets before 11',
      () => single('Pad', { pads: [0, 0, 1, 1, 0, 0, 1, 1] }),
      { from: 11, refused: /'pads' is no attribute of Pad in operator set \d+, expected some of mode/ },
    ],
  ],
  SpaceToDepth: [
    ['blocksize', () => ({ ...single('SpaceToDepth', { blocksize: 2 }), dims: [1, 4, 6, 8] })],
    [
      'in steps (Reshape, Transpose, Reshape)',
      (_, draw) => ({
        ...chain(
          reshaped('x', 'a', 1, 4, 3, 2, 4, 2),
          { nodes: [node('Transpose', ['a'], 'b', { perm: [0, 3, 5, 1, 2, 4] })] },
          reshaped('b', 'c', 1, 16, 3, 4),
          { nodes: [node('Conv', ['c', 'w'], 'y')], constants: { w: randoms(draw, [3, 16, 1, 1]) } },
        ),
        dims: [1, 4, 6, 8],
      }),
    ],
  ],
  'Reshape, SpaceToDepth, Reshape': [
    [
      "Darknet's reorg",
      (_, draw) => ({
        ...chain(
          reshaped('x', 'wide', 1, 2, 8, 16),
          { nodes: [node('SpaceToDepth', ['wide'], 'deep', { blocksize: 2 })] },
          reshaped('deep', 'r', 1, 32, 2, 4),
          { nodes: [node('Conv', ['r', 'w'], 'y')], constants: { w: randoms(draw, [3, 32, 1, 1]) } },
        ),
        dims: [1, 8, 4, 8],
      }),
    ],
    [
      'of a map of another shape',
      () => ({
        ...chain(
          reshaped('x', 'wide', 1, 2, 8, 16),
          { nodes: [node('SpaceToDepth', ['wide'], 'deep', { blocksize: 2 })] },
          reshaped('deep', 'y', 1, 32, 2, 4),
        ),
        dims: [1, 8, 8, 4],
      }),
      { refused: /ends a reorg of 8 x 4 x 8 .*expected a map of that shape in front of it/ },
    ],
  ],
  Identity: [['as it is', () => ({ nodes: [node('Identity', ['x'], 'i'), node('Relu', ['i'], 'y')] })]],
  Dropout: [
    [
      'in inference',
      (opset) =>
        opset < 12
          ? { nodes: [node('Dropout', ['x'], 'd', { ratio: { float: 0.3 } }), node('Relu', ['d'], 'y')] }
          : {
              nodes: [node('Dropout', ['x', 'ratio', 'mode'], 'd'), node('Relu', ['d'], 'y')],
              constants: { ratio: number(0.3), mode: tensor('bool', [], [0]) },
            },
    ],
    [
      'training_mode',
      () => ({
        nodes: [node('Dropout', ['x', '', 'mode'], 'd'), node('Relu', ['d'], 'y')],
        constants: { mode: tensor('bool', [], [1]) },
      }),
      { from: 12, refused: /runs in training mode, expected a trained network/ },
    ],
  ],
  Cast: [
    [
      'weights of float16 and double',
      () => ({
        nodes: [
          node('Cast', ['half'], 'h', { to: 1 }),
          node('Conv', ['x', 'h'], 'a'),
          node('Cast', ['wide'], 'd', { to: 1 }),
          node('Conv', ['a', 'd'], 'y'),
        ],
        constants: {
          half: tensor('float16', [2, 4, 1, 1], [0x3c00, 0xb800, 1, 0x4248, 0x3800, 0, 0xbc00, 0x3555]),
          wide: tensor('double', [1, 2, 1, 1], [0.25, -0.1]),
        },
      }),
    ],
    [
      'maps to whole numbers',
      () => ({ nodes: [node('Cast', ['x'], 'i', { to: 6 }), node('Cast', ['i'], 'y', { to: 1 })] }),
      { refused: /to: int32, expected real numbers of real numbers, or of pixels/ },
    ],
  ],
  Constant: [
    [
      'value',
      (_, draw) => ({
        nodes: [
          node('Constant', [], 'w', { value: randoms(draw, [3, 4, 1, 1]) }),
          node('Conv', ['x', 'w'], 'y'),
        ],
      }),
    ],
    [
      'value_float, value_floats',
      () => ({
        nodes: [
          node('Constant', [], 'a', { value_float: { float: 0.5 } }),
          node('Constant', [], 'b', { value_floats: { floats: [1.5] } }),
          node('Mul', ['x', 'a'], 'm'),
          node('Add', ['m', 'b'], 'y'),
        ],
      }),
      { from: 12 },
    ],
    [
      'value_int, value_ints',
      () => ({
        nodes: [
          node('Constant', [], 's', { value_ints: [1, 4, -1, 7] }),
          node('Reshape', ['x', 's'], 'r'),
          node('Relu', ['r'], 'y'),
        ],
      }),
      { from: 12 },
    ],
    [
      'text and sparse values',
      () => ({
        nodes: [node('Constant', [], 'k', { value_string: 'x' }), node('Add', ['x', 'k'], 'y')],
      }),
      {
        from: 12,
        refused: /'value_string' is no attribute of Constant that is read|'value_string' is no attribute/,
      },
    ],
  ],
  Shape: [
    [
      'with Gather, Slice, Concat, Cast and arithmetic, in front of Reshape',
      (opset) => {
        const sliced: Parts =
          opset < 10
            ? { nodes: [node('Slice', ['s'], 'head', { starts: [0], ends: [2], axes: [0] })] }
            : {
                nodes: [node('Slice', ['s', 'zero', 'two', 'zero'], 'head')],
                constants: { two: int64s(2), zero: int64s(0) },
              };
        return chain(
          {
            nodes: [node('Shape', ['x'], 's')],
            constants: { three: int64s(3), rest: int64s(-1), one: int64s(1) },
          },
          sliced,
          {
            nodes: [
              node('Gather', ['s', 'three'], 'width'),
              node('Cast', ['width'], 'w32', { to: 1 }),
              node('Floor', ['w32'], 'floored'),
              node('Cast', ['floored'], 'w64', { to: 7 }),
              node('Mul', ['w64', 'one'], 'same'),
              node('Concat', ['head', 'rest', 'same'], 'target', { axis: 0 }),
              node('Reshape', ['x', 'target'], 'r'),
              node('Relu', ['r'], 'y'),
            ],
          },
        );
      },
    ],
    [
      'with ConstantOfShape, Sqrt, Ceil, Neg and Div',
      () => ({
        nodes: [
          node('ConstantOfShape', ['one'], 'nines', { value: floats([1], [8.5]) }),
          node('Ceil', ['nines'], 'whole'),
          node('Sqrt', ['whole'], 'three'),
          node('Neg', ['three'], 'negative'),
          node('Div', ['negative', 'three'], 'rest'),
          node('Cast', ['rest'], 'open', { to: 7 }),
          node('Concat', ['head', 'open'], 'target', { axis: 0 }),
          node('Reshape', ['x', 'target'], 'r'),
          node('Relu', ['r'], 'y'),
        ],
        constants: { one: int64s(1), head: int64s(1, 4, 6) },
      }),
      { from: 9 },
    ],
    [
      'with ConstantOfShape, Sqrt, Ceil, Neg and Div',
      () => ({
        nodes: [
          node('ConstantOfShape', ['one'], 'halves', { value: floats([1], [8.5]) }),
          node('Ceil', ['halves'], 'nine'),
          node('Sqrt', ['nine'], 'three'),
          node('Neg', ['three'], 'negative'),
          node('Div', ['negative', 'three'], 'rest'),
          node('Cast', ['rest'], 'open', { to: 7 }),
          node('Concat', ['head', 'open'], 'target', { axis: 0 }),
          node('Reshape', ['x', 'target'], 'r'),
          node('Relu', ['r'], 'y'),
        ],
        constants: { one: int64s(1), head: int64s(1, 4, 6) },
      }),
      { from: 9 },
    ],
    [
      'start, end',
      () => ({
        nodes: [
          node('Shape', ['x'], 's', { start: 0, end: 2 }),
          node('Concat', ['s', 'rest', 'seven'], 't', { axis: 0 }),
          node('Reshape', ['x', 't'], 'r'),
          node('Relu', ['r'], 'y'),
        ],
        constants: { rest: int64s(-1), seven: int64s(7) },
      }),
      { from: 15 },
    ],
  ],
};
