/** What ONNX files can have wrong: one line each, whatever the bytes. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type Attribute,
  type Dims,
  type ElementType,
  encodeModel,
  type FileModel,
  type FileNode,
  floats,
  int64s,
  scalar,
  type TensorFields,
  tensor,
} from '../../../test/oracles/onnx-file.test-helper.ts';
import { InputError } from '../../core/diagnostics.ts';
import { messageOf, scratch } from '../fixtures.test-helper.ts';
import { readOnnx, readOnnxFile } from './read.ts';

const node = (
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
): FileNode => ({ op, inputs, outputs: [output], attributes, name: `the ${op}` });

interface Parts {
  readonly nodes?: readonly FileNode[];
  readonly constants?: Readonly<Record<string, TensorFields>>;
  readonly dims?: Dims;
  readonly type?: ElementType;
  readonly outputs?: readonly string[];
  readonly opset?: number;
}

const convolution = node('Conv', ['x', 'w'], 'y');
const weights = floats([2, 3, 1, 1], [1, 2, 3, 4, 5, 6]);

const modelOf = ({ nodes = [convolution], constants = { w: weights }, ...more }: Parts): FileModel => ({
  nodes,
  constants,
  inputs: { x: [more.type ?? 'float32', more.dims ?? [1, 3, 4, 4]] },
  outputs: more.outputs ?? ['y'],
  ...(more.opset === undefined ? {} : { opset: more.opset }),
});

const complaint = (parts: Parts) =>
  messageOf(() => readOnnx(encodeModel(modelOf(parts)), 'm.onnx').parameters!());

const single = (
  op: string,
  attributes: Readonly<Record<string, Attribute>> = {},
  constants: Parts['constants'] = {},
) => ({
  nodes: [node(op, ['x', ...Object.keys(constants)], 'y', attributes)],
  constants,
});

const scales = { s: scalar('float32', 0.5), z: scalar('uint8', 3) };

const cases: readonly [what: string, parts: Parts, line: RegExp][] = [
  [
    'an operator that is not read',
    { nodes: [node('Elu', ['x'], 'y')] },
    /^m\.onnx: node 'the Elu' \(Elu\): is not read here; supported: Add, AveragePool, .*; com\.microsoft .*QLinearAdd/,
  ],
  [
    'an operator of another domain',
    { nodes: [{ ...node('Fancy', ['x'], 'y'), domain: 'ai.example' }] },
    /^m\.onnx: node 'the Fancy' \(ai\.example\.Fancy\): is not read here/,
  ],
  [
    'a name that nothing makes',
    { nodes: [node('Relu', ['q'], 'y')] },
    /node 'the Relu' \(Relu\): reads 'q', which nothing makes/,
  ],
  [
    'a cycle',
    { nodes: [node('Add', ['x', 'b'], 'a'), node('Relu', ['a'], 'b'), node('Relu', ['b'], 'y')] },
    /waits for its own result, expected no cycle/,
  ],
  [
    'a value that two nodes make',
    { nodes: [node('Relu', ['x'], 'y'), node('Tanh', ['x'], 'y')] },
    /node 'the Tanh' \(Tanh\): makes 'y', which there is already/,
  ],
  [
    'a node that makes an initialiser',
    { nodes: [node('Relu', ['x'], 'w')] },
    /makes 'w', which there is already/,
  ],
  ['an output that nothing makes', { outputs: ['q'] }, /^m\.onnx: output 'q' is made by no node/],
  ['an output that is the input', { outputs: ['x'] }, /output 'x' is the input/],
  ['an output that is a constant', { outputs: ['w'] }, /output 'w' is a constant/],
  ['an operator set that is too old', { opset: 6 }, /is of operator set 6, expected 7 to 21/],
  ['an operator set that is too new', { opset: 99 }, /is of operator set 99, expected 7 to 21/],
  ['a batch of two', { dims: [2, 3, 4, 4] }, /input 'x' is 2 x 3 x 4 x 4, expected a batch of 1/],
  [
    'a symbolic dimension',
    { dims: ['N', 3, 'height', 4] },
    /symbolic dimension 2, expected --dim height=<size>/,
  ],
  [
    'a dimension without a name',
    { dims: [1, 3, 4, null] },
    /symbolic dimension 3, expected --dim x\.3=<size>/,
  ],
  ['a negative dimension', { dims: [1, 3, -4, 4] }, /input 'x' is 3 x -4 x 4, expected three whole numbers/],
  [
    'a huge dimension',
    { dims: [1, 3, 2 ** 40, 4] },
    /input 'x' \(3 x 1099511627776 x 4\) has .* elements, expected at most/,
  ],
  [
    'dimensions whose product overflows',
    { dims: [1, 2 ** 16, 2 ** 53, 2 ** 53] },
    /elements, expected at most/,
  ],
  [
    'a tensor of negative size',
    { constants: { w: { dims: [-1, 3], data_type: 1, raw_data: new Uint8Array(4) } } },
    /tensor 'w' is -1 x 3, expected whole numbers/,
  ],
  [
    'a tensor whose product overflows',
    { constants: { w: { dims: [2 ** 40, 2 ** 40, 2 ** 40], data_type: 1, raw_data: new Uint8Array(4) } } },
    /tensor 'w' .* expected at most 268435456/,
  ],
  [
    'a huge size beside a zero',
    { constants: { w: { dims: [0, 2 ** 50], data_type: 1 } } },
    /tensor 'w' .* expected at most 268435456/,
  ],
  [
    'a tensor with less data than it says',
    { constants: { w: { dims: [2, 3, 1, 1], data_type: 1, raw_data: new Uint8Array(20) } } },
    /tensor 'w' \(2 x 3 x 1 x 1 float32\) holds 20 bytes of data, expected 24/,
  ],
  [
    'a tensor with fewer numbers than it says',
    { constants: { w: { dims: [3], data_type: 7, int64_data: [1, 2] } } },
    /tensor 'w' \(3 int64\) holds 2 numbers, expected 3/,
  ],
  [
    'a tensor of strings',
    { constants: { w: { dims: [1], data_type: 8 } } },
    /tensor 'w' has element type 8, expected one of float32/,
  ],
  [
    'a tensor of many dimensions',
    { constants: { w: { dims: new Array(9).fill(1), data_type: 1, float_data: [1] } } },
    /tensor 'w' has 9 dimensions, expected at most 8/,
  ],
  [
    'weights that are not finite',
    { constants: { w: floats([2, 3, 1, 1], [1, 2, Number.NaN, 4, 5, 6]) } },
    /^m\.onnx: the_Conv: weights hold NaN, expected finite numbers/,
  ],
  [
    'weights for other channels',
    { dims: [1, 4, 4, 4] },
    /\(Conv\): weights for 3 channels in 1 group\(s\), expected 4/,
  ],
  [
    'weights that the network computes',
    { nodes: [node('Relu', ['x'], 'r'), node('Conv', ['x', 'r'], 'y')] },
    /the weights: computed by the network, expected a constant/,
  ],
  ['a node without inputs', { nodes: [node('Relu', [], 'y')] }, /\(Relu\): lacks input 1/],
  ['two inputs to Conv left out', { nodes: [node('Conv', ['x'], 'y')] }, /\(Conv\): lacks input 2/],
  [
    'a convolution along one axis',
    { constants: { w: floats([2, 3, 1], [1, 2, 3, 4, 5, 6]) } },
    /weights of 2 x 3 x 1, expected four dimensions/,
  ],
  [
    'negative padding',
    single('MaxPool', { kernel_shape: [2, 2], pads: [-1, 0, 0, 0] }),
    /pads: -1, 0, 0, 0, expected four/,
  ],
  [
    'a window of one number',
    single('MaxPool', { kernel_shape: [2] }),
    /kernel_shape: 2, expected two numbers/,
  ],
  [
    'a huge window',
    single('MaxPool', { kernel_shape: [2 ** 40, 1] }),
    /window: .*expected size of the window/,
  ],
  [
    'an unknown auto_pad',
    single('MaxPool', { kernel_shape: [2, 2], auto_pad: 'SAME' }),
    /auto_pad: SAME, expected NOTSET/,
  ],
  [
    'dilated pooling',
    single('MaxPool', { kernel_shape: [2, 2], dilations: [2, 2] }),
    /dilations: 2, 2, expected 1/,
  ],
  ['an attribute of another kind', single('LeakyRelu', { alpha: [1] }), /alpha: is of another kind/],
  [
    'a slope above 1',
    single('LeakyRelu', { alpha: { float: 2 } }),
    /slope: 2, expected factor of negative values, 0\.\.1/,
  ],
  [
    'slopes a channel',
    single('PRelu', {}, { slope: floats([3, 1, 1], [0.1, 0.2, 0.3]) }),
    /slopes 0\.1.* and 0\.2.*, expected one for all channels/,
  ],
  ['Clip to other than 0', single('Clip', {}, { low: scalar('float32', -1) }), /min: -1, expected 0/],
  [
    'the product of two maps',
    { nodes: [node('Tanh', ['x'], 't'), node('Mul', ['x', 't'], 'y')] },
    /of two maps, expected a constant/,
  ],
  [
    'a constant that varies by cell',
    single('Add', {}, { c: floats([4, 4], new Array(16).fill(1)) }),
    /a constant of 4 x 4 on 1 x 3 x 4 x 4, expected one number, or one a channel/,
  ],
  [
    'a constant along columns of as many as there are filters',
    {
      nodes: [node('Conv', ['x', 'w'], 'c'), node('Add', ['c', 'b'], 'y')],
      constants: { w: floats([4, 3, 1, 1], new Array(12).fill(1)), b: floats([4], [1, 2, 3, 4]) },
    },
    /a constant of 4 on 1 x 4 x 4 x 4, expected one number, or one a channel/,
  ],
  [
    'a Reshape that cuts across rows',
    {
      nodes: [node('Reshape', ['x', 's'], 'r'), node('Conv', ['r', 'w'], 'y')],
      constants: { w: weights, s: int64s(1, 3, 2, 8) },
    },
    /\(Conv\): reads 1 x 3 x 2 x 8, which is no view of a map of 3 x 4 x 4/,
  ],
  [
    'a Reshape to another size',
    single('Reshape', {}, { s: int64s(1, 5, -1) }),
    /\(Reshape\): cannot make 1 x 5 x -1 of 1 x 3 x 4 x 4/,
  ],
  [
    'a Transpose that stays',
    { nodes: [node('Transpose', ['x'], 't', { perm: [0, 2, 1, 3] }), node('Conv', ['t', 'w'], 'y')] },
    /is no view of a map of 3 x 4 x 4 that the machine has/,
  ],
  [
    'a wrong permutation',
    single('Transpose', { perm: [0, 1, 1, 2] }),
    /perm: 0, 1, 1, 2, expected the 4 axes/,
  ],
  [
    'an interpolating Resize',
    {
      nodes: [node('Resize', ['x', '', 's'], 'y', { mode: 'linear' })],
      constants: { s: floats([4], [1, 1, 2, 2]) },
    },
    /mode: linear, expected nearest/,
  ],
  [
    'a Resize that does not repeat evenly',
    {
      nodes: [
        node('Resize', ['x', '', 's'], 'y', {
          coordinate_transformation_mode: 'asymmetric',
          nearest_mode: 'ceil',
        }),
      ],
      constants: { s: floats([4], [1, 1, 2, 2]) },
    },
    /resizes 4 cells by 2, expected whole factors 1\.\.64 and a rule that repeats every cell/,
  ],
  [
    'a mode that objects have and Resize has not',
    {
      nodes: [node('Resize', ['x', '', 's'], 'y', { coordinate_transformation_mode: '__proto__' })],
      constants: { s: floats([4], [1, 1, 2, 2]) },
    },
    /coordinate_transformation_mode: __proto__, expected one of half_pixel, /,
  ],
  [
    'a Resize by one and a half',
    { nodes: [node('Resize', ['x', '', 's'], 'y')], constants: { s: floats([4], [1, 1, 1.5, 1.5]) } },
    /resizes 4 cells by 1\.5/,
  ],
  [
    'padding that a maximum would see',
    {
      nodes: [node('Pad', ['x', 'p'], 'q'), node('MaxPool', ['q'], 'y', { kernel_shape: [2, 2] })],
      constants: { p: int64s(0, 0, 1, 1, 0, 0, 1, 1) },
    },
    /takes the maximum of a map padded with 0, expected padding with the lowest value, or with 0 behind a ReLU/,
  ],
  [
    'padding in front of an activation',
    {
      nodes: [node('Pad', ['x', 'p'], 'q'), node('Relu', ['q'], 'y')],
      constants: { p: int64s(0, 0, 1, 1, 0, 0, 1, 1) },
    },
    /reads a padded map, expected Pad in front of a convolution or a pooling only/,
  ],
  [
    'reflected padding',
    { nodes: [node('Pad', ['x', 'p'], 'y', { mode: 'reflect' })], constants: { p: int64s(0) } },
    /mode: reflect/,
  ],
  [
    'a maximum over channels that lie apart',
    {
      nodes: [node('Reshape', ['x', 's'], 'r'), node('ReduceMax', ['r'], 'y', { axes: [1], keepdims: 0 })],
      constants: { s: int64s(1, 2, 3, 4, 4) },
      dims: [1, 6, 4, 4],
    },
    /axes: 1, expected those of all cells of a map, or of consecutive channels/,
  ],
  [
    'Concat along rows',
    { nodes: [node('Concat', ['x', 'x'], 'y', { axis: 2 })] },
    /along axis 2, expected whole maps along the channels/,
  ],
  ['Softmax over cells', single('Softmax', { axis: 2 }), /axis: 2 of 1 x 3 x 4 x 4, expected the channels/],
  [
    'several rows times a matrix',
    single('MatMul', {}, { w: floats([4, 2], new Array(8).fill(1)) }),
    /multiplies several rows/,
  ],
  [
    'a Dropout that drops',
    {
      nodes: [node('Dropout', ['x', '', 't'], 'd'), node('Relu', ['d'], 'y')],
      constants: { t: tensor('bool', [], [1]) },
    },
    /runs in training mode/,
  ],
  [
    'an output for training',
    {
      nodes: [{ op: 'Dropout', inputs: ['x'], outputs: ['d', 'mask'] }, node('Relu', ['mask'], 'y')],
    },
    /reads 'mask', an output that is not computed here/,
  ],
  [
    'a large constant that is computed',
    {
      nodes: [node('ConstantOfShape', ['s'], 'c'), node('Add', ['x', 'c'], 'y')],
      constants: { s: int64s(1, 3000, 3000, 10) },
    },
    /of a constant of 90000000 elements, expected at most 65536/,
  ],
  [
    'integers that are read as real numbers',
    { nodes: [node('QuantizeLinear', ['x', 's', 'z'], 'q'), node('Relu', ['q'], 'y')], constants: scales },
    /reads integers \(q\), expected DequantizeLinear in front/,
  ],
  [
    'other numbers than the tensor has',
    {
      nodes: [node('QuantizeLinear', ['x', 's', 'z'], 'q'), node('DequantizeLinear', ['q', 't', 'z'], 'y')],
      constants: { ...scales, t: scalar('float32', 0.25) },
    },
    /reads with scale 0\.25 and zero point 3 what was made with 0\.5 and 3/,
  ],
  [
    'a scale of zero',
    {
      nodes: [node('QuantizeLinear', ['x', 's', 'z'], 'y')],
      constants: { s: scalar('float32', 0), z: scalar('uint8', 0) },
    },
    /scale 0, expected a positive number/,
  ],
  [
    'real weights in a quantised network',
    {
      nodes: [
        node('QuantizeLinear', ['x', 's', 'z'], 'q'),
        node('DequantizeLinear', ['q', 's', 'z'], 'r'),
        node('Conv', ['r', 'w'], 'y'),
      ],
      constants: { ...scales, w: weights },
    },
    /the_Conv: weights are real numbers in a quantised network/,
  ],
  [
    'quantised in part',
    {
      nodes: [
        convolution,
        node('QuantizeLinear', ['y', 's', 'z'], 'q'),
        node('DequantizeLinear', ['q', 's', 'z'], 'r'),
      ],
      constants: { ...scales, w: weights },
      outputs: ['r'],
    },
    /quantises the_Conv but not its input x, expected all or nothing/,
  ],
  [
    "ONNX Runtime's own QLinearConv of maps with the channels last",
    {
      nodes: [
        node('QuantizeLinear', ['x', 's', 'z'], 'q'),
        {
          ...node('QLinearConv', ['q', 's', 'z', 'w', 's', 'wz', 's', 'z'], 'y', { channels_last: 1 }),
          domain: 'com.microsoft',
        },
      ],
      constants: {
        ...scales,
        w: tensor('int8', [2, 3, 1, 1], [1, 2, 3, 4, 5, 6]),
        wz: scalar('int8', 0),
      },
    },
    /\(com\.microsoft\.QLinearConv\): channels_last: 1, expected 0/,
  ],
  [
    'an attribute that the operator has not',
    {
      nodes: [node('Relu', ['x'], 'r'), node('Flatten', ['r'], 'y', { axis: 1, Axis: 1 })],
    },
    /'Axis' is no attribute of Flatten in operator set 17, expected some of axis/,
  ],
  [
    'a value read in front of its rounding and behind',
    {
      nodes: [
        node('QuantizeLinear', ['x', 's', 'z'], 'q'),
        node('DequantizeLinear', ['q', 's', 'z'], 'r'),
        node('Relu', ['r'], 'a'),
        node('QuantizeLinear', ['a', 's', 'z'], 'b'),
        node('DequantizeLinear', ['b', 's', 'z'], 'c'),
        node('Add', ['a', 'c'], 'y'),
      ],
      constants: scales,
    },
    /reads the_Relu in front of its QuantizeLinear and behind it/,
  ],
];

describe('one line for', () => {
  it.each(cases)('%s', (_, parts, line) => {
    const message = complaint(parts);
    expect(message).toMatch(line);
    expect(message.startsWith('m.onnx: ')).toBe(true);
    expect(message).not.toContain('\n');
  });

  it('two inputs, and none', () => {
    const model = modelOf({});
    const two = { ...model, inputs: { ...model.inputs, z: ['float32', [1]] as const } };
    expect(messageOf(() => readOnnx(encodeModel(two), 'm.onnx'))).toBe(
      "m.onnx: has 2 inputs ('x', 'z'), expected one",
    );
    const none = { ...model, inputs: {} };
    expect(messageOf(() => readOnnx(encodeModel(none), 'm.onnx'))).toBe('m.onnx: has 0 inputs, expected one');
  });

  it('metadata that condensim did not write', () => {
    const model = { ...modelOf({}), metadata: { condensim: '{"name": 3}' } };
    expect(messageOf(() => readOnnx(encodeModel(model), 'm.onnx'))).toMatch(
      /^m\.onnx: metadata condensim: name: /,
    );
    const broken = { ...modelOf({}), metadata: { condensim: '{' } };
    expect(messageOf(() => readOnnx(encodeModel(broken), 'm.onnx'))).toMatch(/is no JSON/);
  });
});

describe('bytes that are no model', () => {
  const whole = encodeModel(modelOf({}));

  it('says so where it is', () => {
    const of = (bytes: Uint8Array) => messageOf(() => readOnnx(bytes, 'm.onnx'));
    expect(of(new Uint8Array(0))).toBe('m.onnx: byte 0: holds no graph, expected an ONNX model');
    const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
    expect(of(png)).toMatch(/^m\.onnx: byte \d+: /);
    expect(of(new TextEncoder().encode('name: example\ninput: {}\n'))).toMatch(/^m\.onnx: byte \d+: /);
    expect(of(whole.subarray(0, whole.length - 30))).toMatch(/^m\.onnx: byte \d+: .* is cut off/);
    expect(of(new Uint8Array(64).fill(0xff))).toMatch(/^m\.onnx: byte 0: /);
  });

  it('refuses to make more values than a network has', () => {
    // A graph of half a million empty nodes takes two bytes each.
    const nodes = new Uint8Array(2 ** 21).map((_, i) => (i % 2 === 0 ? 0x0a : 0));
    const header = [0x3a, 0x80, 0x80, 0x80, 0x01];
    const bytes = new Uint8Array(header.length + nodes.length);
    bytes.set(header);
    bytes.set(nodes, header.length);
    expect(messageOf(() => readOnnx(bytes, 'm.onnx'))).toMatch(
      /byte \d+: more than 1048576 values|nodes, expected at most/,
    );
  });

  it('refuses groups within groups without end', () => {
    expect(messageOf(() => readOnnx(new Uint8Array(100_000).fill(0x7b), 'm.onnx'))).toMatch(
      /^m\.onnx: byte \d+: /,
    );
  });

  it('every prefix is refused in one line, but where a message ends', () => {
    let read = 0;
    for (let length = 0; length < whole.length; length++) {
      try {
        readOnnx(whole.subarray(0, length), 'm.onnx');
        read++;
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
      }
    }
    // Without the second operator set, which nothing uses.
    expect(read).toBeLessThanOrEqual(1);
  });
});

describe('symbolic dimensions', () => {
  const open = encodeModel(modelOf({ dims: ['N', 3, 'height', 'width'] }));

  it('take their sizes by name; the batch is 1', () => {
    const dims = new Map([
      ['height', 5],
      ['width', 7],
    ]);
    expect(readOnnx(open, 'm.onnx', { dims }).graph.input.shape).toEqual([3, 5, 7]);
  });

  it('complain of names that there are not, and of a batch of several', () => {
    const of = (entries: [string, number][]) =>
      messageOf(() => readOnnx(open, 'm.onnx', { dims: new Map(entries) }));
    expect(of([['height', 5], ['width', 7], ['depth', 1]])).toMatch(/no symbolic dimension 'depth'/); // biome-ignore format: one line
    expect(of([['N', 2], ['height', 5], ['width', 7]])).toMatch(/is 2 x 3 x 5 x 7, expected a batch of 1/); // biome-ignore format: one line
  });
});

describe('external data', () => {
  const external = (entries: Readonly<Record<string, string>>): TensorFields => ({
    dims: [2, 3, 1, 1],
    data_type: 1,
    data_location: 1,
    external_data: Object.entries(entries).map(([key, value]) => ({ key, value })),
  });
  const values = Float32Array.from([1, 2, 3, 4, 5, 6]);
  const bytes = new Uint8Array(values.buffer);

  const modelWith = (entries: Readonly<Record<string, string>>, name = 'external/model.onnx') =>
    scratch(name, encodeModel(modelOf({ constants: { w: external(entries) } })));

  it('is read from beside the model, wherever it stands in the file', () => {
    scratch('external/deep/weights.bin', Uint8Array.of(...new Uint8Array(8), ...bytes, 0, 0, 0));
    const path = modelWith({ location: 'deep/weights.bin', offset: '8', length: '24' });
    const filters = readOnnxFile(path).parameters!().get('the_Conv/filters')!;
    expect([...filters]).toEqual([1, 4, 2, 5, 3, 6]);
  });

  it('a length and an offset may be left out', () => {
    scratch('external/whole.bin', bytes);
    expect(readOnnxFile(modelWith({ location: 'whole.bin' })).parameters!().size).toBe(1);
  });

  it.each([
    ['up', '../secret.bin'],
    ['up and down', 'a/../../secret.bin'],
    ['the root', '/etc/passwd'],
    ['a drive', 'C:\\secret.bin'],
    ['backslashes', '..\\secret.bin'],
    ['a null character', 'weights\0.bin'],
  ])('refuses a path that leads out: %s', (_, location) => {
    scratch('secret.bin', bytes);
    expect(messageOf(() => readOnnxFile(modelWith({ location })))).toMatch(/leads out of the folder/);
  });

  it('refuses links that lead out', () => {
    const secret = scratch('elsewhere/secret.bin', bytes);
    const link = scratch('external/link.bin');
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(secret, link);
    expect(messageOf(() => readOnnxFile(modelWith({ location: 'link.bin' })))).toMatch(
      /is a link that leads out of the folder/,
    );
    const folder = scratch('external/folder');
    symlinkSync(dirname(secret), folder);
    expect(messageOf(() => readOnnxFile(modelWith({ location: 'folder/secret.bin' })))).toMatch(/is a link/);
  });

  it.each([
    ['missing', { location: 'none.bin' }, /cannot be read \(no such file/],
    ['no location', {}, /has no location/],
    ['a folder', { location: '.' }, /is a folder/],
    ['too short', { location: 'short.bin' }, /has 10 bytes, expected 24 from byte 0 on/],
    [
      'an offset behind the end',
      { location: 'whole.bin', offset: '999999999999' },
      /expected 24 from byte 999999999999/,
    ],
    ['an offset that is no number', { location: 'whole.bin', offset: '-1' }, /offset is no number of bytes/],
    ['another length', { location: 'whole.bin', length: '25' }, /holds 25 bytes of data, expected 24/],
  ] as const)('refuses %s', (_, entries, line) => {
    scratch('external/whole.bin', bytes);
    scratch('external/short.bin', new Uint8Array(10));
    expect(messageOf(() => readOnnxFile(modelWith(entries)))).toMatch(line);
  });

  it('refuses it all for models that come from no folder', () => {
    const model = encodeModel(modelOf({ constants: { w: external({ location: 'whole.bin' }) } }));
    expect(messageOf(() => readOnnx(model, 'm.onnx'))).toMatch(/expected a model that holds its values/);
  });
});

describe('a large file', () => {
  it('60 MB of weights are viewed, not copied, until they are asked for', () => {
    const values = new Float32Array(15 * 2 ** 20);
    for (let i = 0; i < values.length; i++) values[i] = (i % 1000) / 1000;
    const model = modelOf({
      dims: [1, 1024, 1, 1],
      constants: { w: tensor('float32', [15360, 1024, 1, 1], values) },
    });
    const path = scratch('large.onnx');
    writeFileSync(path, encodeModel(model));
    const before = process.memoryUsage().arrayBuffers;
    const imported = readOnnxFile(path);
    // The file itself, and nothing of its size beside it.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(62 * 2 ** 20 + 2 ** 22);
    const parameters = imported.parameters!();
    expect(parameters.get('the_Conv/filters')!.length).toBe(values.length);
    expect(parameters.get('the_Conv/filters')![15360]).toBeCloseTo(0.001);
  });
});
