/** Small networks of other tools, with weights, as files for the commands. */
import { encodeModel, floats, scalar, tensor } from '../oracles/onnx-file.test-helper.ts';
import { scratch } from './command-line.ts';

/** A `.weights` file: a header of 64 bits of pictures seen, then the whole network's values in the file's order. */
export function darknetWeights(values: readonly number[]): Uint8Array {
  const header = new Int32Array([0, 2, 0, 1, 0]);
  const bytes = new Uint8Array(20 + 4 * values.length);
  bytes.set(new Uint8Array(header.buffer));
  bytes.set(new Uint8Array(Float32Array.from(values).buffer), 20);
  return bytes;
}

/** Numbers from -0.5 to 0.5. */
export const spread = (count: number): number[] =>
  Array.from({ length: count }, (_, i) => ((i * 37) % 19) / 19 - 0.5);

/** A convolution of any size of picture, `height` and `width`. */
export const symbolicOnnx = (): string =>
  scratch(
    'symbolic.onnx',
    encodeModel({
      nodes: [
        {
          op: 'Conv',
          name: '/model/conv/Conv',
          inputs: ['x', 'w'],
          outputs: ['c'],
          attributes: { pads: [1, 1, 1, 1] },
        },
        { op: 'Relu', inputs: ['c'], outputs: ['y'] },
      ],
      constants: { w: floats([4, 3, 3, 3], spread(108)) },
      inputs: { x: ['float32', ['batch', 3, 'height', 'width']] },
      outputs: ['y'],
    }),
  );

/** A quantised convolution on 16 x 16 pixels. */
export const quantisedOnnx = (): string =>
  scratch(
    'quantised.onnx',
    encodeModel({
      nodes: [
        { op: 'QuantizeLinear', inputs: ['x', 's', 'z'], outputs: ['q'] },
        {
          op: 'QLinearConv',
          inputs: ['q', 's', 'z', 'w', 'ws', 'wz', 's', 'z'],
          outputs: ['c'],
          attributes: { strides: [2, 2] },
        },
        { op: 'DequantizeLinear', inputs: ['c', 's', 'z'], outputs: ['y'] },
      ],
      constants: {
        s: scalar('float32', 2 ** -6),
        z: scalar('uint8', 131),
        w: tensor(
          'int8',
          [4, 3, 3, 3],
          spread(108).map((value) => Math.round(value * 255)),
        ),
        ws: scalar('float32', 2 ** -8),
        wz: scalar('int8', 0),
      },
      inputs: { x: ['float32', [1, 3, 16, 16]] },
      outputs: ['y'],
    }),
  );

/** A Darknet network with its weights beside it. */
export function darknetCfg(): string {
  const positive = spread(4).map((value) => value + 1);
  scratch(
    'small.weights',
    darknetWeights([...spread(4), ...positive, ...spread(4), ...positive, ...spread(4 * 27)]),
  );
  return scratch(
    'small.cfg',
    [
      '[net]\nwidth=20\nheight=12',
      '[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\npad=1\nactivation=leaky',
      '[maxpool]\nsize=2\nstride=1',
      '[upsample]\nstride=2',
      '[shortcut]\nfrom=-1\nactivation=linear',
      '',
    ].join('\n'),
  );
}

/** A TensorFlow.js layers model with its shard beside it: one convolution, its kernel in 8 bits. */
export function tfjsModel(name = 'layers/model.json'): string {
  const folder = name.replace(/[^/]*$/, '');
  scratch(
    `${folder}shard.bin`,
    Uint8Array.from({ length: 108 + 8 }, (_, i) => (i * 37) % 60),
  );
  const manifest = [
    {
      paths: ['shard.bin'],
      weights: [
        {
          name: 'conv/kernel',
          shape: [3, 3, 3, 4],
          dtype: 'float32',
          quantization: { dtype: 'uint8', scale: 0.01, min: -0.3 },
        },
        { name: 'conv/bias', shape: [4], dtype: 'float32', quantization: { dtype: 'float16' } },
      ],
    },
  ];
  const config = {
    name: 'conv',
    batch_input_shape: [null, 12, 10, 3],
    filters: 4,
    kernel_size: 3,
    padding: 'same',
    activation: 'relu',
  };
  const layers = [{ class_name: 'Conv2D', config }];
  const modelTopology = { class_name: 'Sequential', config: { name: 'small', layers } };
  return scratch(name, JSON.stringify({ modelTopology, weightsManifest: manifest }));
}
