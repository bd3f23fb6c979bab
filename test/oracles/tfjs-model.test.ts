/** TensorFlow.js layers models beside the same layers built from TensorFlow.js' own operations. */
import { appendFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import type { FloatMap, Tf } from '../../src/graph/op.ts';
import { loadTensorflow } from '../../src/import/tensorflow.ts';
import { readTfjsFile } from '../../src/import/tfjs/read.ts';
import { runFloat } from '../../src/quant/float-reference.ts';
import { channelsFirst } from './import.test-helper.ts';

type Weights = Record<string, readonly number[]>;
type Values = Map<string, Float32Array>;

/** A model.json and its one shard. */
function modelFile(model: object, weights: Weights): { path: string; values: Values } {
  const folder = mkdtempSync(join(tmpdir(), 'condensim-tfjs-'));
  const draw = randomStream(3);
  const values: Values = new Map();
  for (const [name, shape] of Object.entries(weights)) {
    const size = shape.reduce((total, side) => total * side, 1);
    const low = /variance|gamma/.test(name) ? 0.5 : -0.5;
    values.set(
      name,
      Float32Array.from({ length: size }, () => draw() / 2 ** 32 + low),
    );
  }
  const manifest = [
    {
      paths: ['group1-shard1of1.bin'],
      weights: Object.entries(weights).map(([name, shape]) => ({ name, shape, dtype: 'float32' })),
    },
  ];
  for (const { buffer, byteOffset, byteLength } of values.values()) {
    appendFileSync(join(folder, 'group1-shard1of1.bin'), new Uint8Array(buffer, byteOffset, byteLength));
  }
  const path = join(folder, 'model.json');
  writeFileSync(
    path,
    JSON.stringify({
      format: 'layers-model',
      modelTopology: { model_config: model },
      weightsManifest: manifest,
    }),
  );
  return { path, values };
}

const layer = (className: string, name: string, config: object, from?: readonly string[]) => ({
  class_name: className,
  config: { name, trainable: true, ...config },
  name,
  ...(from && { inbound_nodes: from.length === 0 ? [] : [from.map((one) => [one, 0, 0, {}])] }),
});

async function compare(
  model: object,
  weights: Weights,
  reference: (tf: Tf, x: FloatMap, weight: (name: string) => FloatMap) => FloatMap,
) {
  const { path, values } = modelFile(model, weights);
  const { graph, parameters } = readTfjsFile(path);
  const [channels, rows, columns] = graph.input.shape;
  const draw = randomStream(8);
  const last = Float32Array.from({ length: channels * rows * columns }, () => draw() / 2 ** 31 - 1);
  const tf = await loadTensorflow();
  const wanted = tf.tidy(() => {
    const x = tf.tensor4d(last, [1, rows, columns, channels]);
    return reference(
      tf,
      x,
      (name) => tf.tensor(values.get(name)!, weights[name]! as [number, number, number, number]) as FloatMap,
    );
  });
  const [, high = 1, wide = 1] = wanted.shape.length === 4 ? wanted.shape : [];
  const expected = channelsFirst((await wanted.data()) as Float32Array, high, wide);
  const [output] = graph.outputs;
  const input = channelsFirst(last, rows, columns);
  const found = runFloat(tf, graph, parameters!(), input, (name) => name === output).get(output!)!;
  expect(found.length).toBe(expected.length);
  const scale = Math.max(...expected.map(Math.abs));
  expect(scale).toBeGreaterThan(0);
  expect(Math.max(...found.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThan(1e-5 * scale);
  return graph;
}

describe('TensorFlow.js layers models', () => {
  it('Sequential: asymmetric same padding, separable and depthwise with multipliers, Flatten and Dense', async () => {
    const model = {
      class_name: 'Sequential',
      config: {
        name: 'chain',
        layers: [
          layer('Conv2D', 'conv', {
            batch_input_shape: [null, 13, 10, 3],
            filters: 6,
            kernel_size: [3, 3],
            strides: [2, 2],
            padding: 'same',
            activation: 'linear',
            use_bias: true,
            dilation_rate: [1, 1],
            data_format: 'channels_last',
          }),
          layer('BatchNormalization', 'norm', { axis: [3], epsilon: 0.001, scale: true, center: true }),
          layer('ReLU', 'relu', { max_value: 6, negative_slope: 0, threshold: 0 }),
          layer('DepthwiseConv2D', 'depth', {
            kernel_size: [3, 3],
            depth_multiplier: 2,
            padding: 'same',
            activation: 'swish',
            use_bias: false,
          }),
          layer('SeparableConv2D', 'separable', {
            filters: 5,
            kernel_size: 2,
            padding: 'same',
            activation: 'tanh',
          }),
          layer('AveragePooling2D', 'mean', { pool_size: [2, 2], strides: [2, 2], padding: 'same' }),
          layer('Flatten', 'flat', {}),
          layer('Dropout', 'drop', { rate: 0.5 }),
          layer('Dense', 'dense', { units: 7, activation: 'softmax' }),
        ],
      },
    };
    const weights = {
      'conv/kernel': [3, 3, 3, 6],
      'conv/bias': [6],
      'norm/gamma': [6],
      'norm/beta': [6],
      'norm/moving_mean': [6],
      'norm/moving_variance': [6],
      'depth/depthwise_kernel': [3, 3, 6, 2],
      'separable/depthwise_kernel': [2, 2, 12, 1],
      'separable/pointwise_kernel': [1, 1, 12, 5],
      'separable/bias': [5],
      'dense/kernel': [4 * 3 * 5, 7],
      'dense/bias': [7],
    };
    await compare(model, weights, (tf, x, weight) => {
      let y: FloatMap = tf.add(tf.conv2d(x, weight('conv/kernel'), 2, 'same'), weight('conv/bias'));
      const [mean, variance, beta, gamma] = ['moving_mean', 'moving_variance', 'beta', 'gamma'].map((name) =>
        tf.reshape(weight(`norm/${name}`), [6]),
      );
      y = tf.batchNorm(y, mean as never, variance as never, beta as never, gamma as never, 1e-3);
      y = tf.clipByValue(y, 0, 6);
      y = tf.depthwiseConv2d(y, weight('depth/depthwise_kernel'), 1, 'same');
      y = tf.mul(y, tf.sigmoid(y));
      y = tf.separableConv2d(
        y,
        weight('separable/depthwise_kernel'),
        weight('separable/pointwise_kernel'),
        1,
        'same',
      );
      y = tf.tanh(tf.add(y, weight('separable/bias')));
      y = tf.avgPool(y, 2, 2, 'same');
      const flat = tf.reshape(y, [1, 60]);
      const sums = tf.add(tf.matMul(flat, weight('dense/kernel') as never), weight('dense/bias'));
      return tf.softmax(sums) as FloatMap;
    });
  });

  it('Functional: branches, layers out of order, zero padding, a layer used twice, normalisation behind an activation', async () => {
    const model = {
      class_name: 'Functional',
      config: {
        name: 'branches',
        layers: [
          layer('Concatenate', 'join', { axis: -1 }, ['up', 'leaky']),
          layer('InputLayer', 'image', { batch_input_shape: [null, 8, 6, 3] }, []),
          layer(
            'ZeroPadding2D',
            'pad',
            {
              padding: [
                [0, 1],
                [2, 1],
              ],
            },
            ['image'],
          ),
          layer('Conv2D', 'conv', { filters: 4, kernel_size: [3, 3], strides: 1, activation: 'relu' }, [
            'pad',
          ]),
          layer('BatchNormalization', 'norm', { scale: false, epsilon: 0.01 }, ['conv']),
          layer('MaxPooling2D', 'small', { pool_size: [2, 2], padding: 'same' }, ['norm']),
          {
            ...layer('Conv2D', 'twice', { filters: 4, kernel_size: [1, 1], use_bias: false }),
            inbound_nodes: [[['small', 0, 0, {}]], [['twice', 0, 0, {}]]],
          },
          {
            ...layer('Add', 'sum', {}),
            inbound_nodes: [
              [
                ['small', 0, 0, {}],
                ['twice', 1, 0, {}],
              ],
            ],
          },
          layer('UpSampling2D', 'up', { size: [2, 2], interpolation: 'nearest' }, ['sum']),
          layer('LeakyReLU', 'leaky', { alpha: 0.25 }, ['crop']),
          layer('Conv2D', 'crop', { filters: 2, kernel_size: [1, 2], padding: 'same', dilation_rate: 2 }, [
            'up',
          ]),
          layer('GlobalAveragePooling2D', 'global', {}, ['join']),
          layer('Dense', 'out', { units: 3, activation: 'sigmoid' }, ['global']),
        ],
        input_layers: [['image', 0, 0]],
        output_layers: [['out', 0, 0]],
      },
    };
    const weights = {
      'conv/kernel': [3, 3, 3, 4],
      'conv/bias': [4],
      'norm/beta': [4],
      'norm/moving_mean': [4],
      'norm/moving_variance': [4],
      'model/twice/kernel': [1, 1, 4, 4],
      'crop/kernel': [1, 2, 4, 2],
      'crop/bias': [2],
      'out/kernel': [6, 3],
      'out/bias': [3],
    };
    const graph = await compare(model, weights, (tf, x, weight) => {
      const padded = tf.pad(x, [
        [0, 0],
        [0, 1],
        [2, 1],
        [0, 0],
      ]);
      let y: FloatMap = tf.relu(
        tf.add(tf.conv2d(padded, weight('conv/kernel'), 1, 'valid'), weight('conv/bias')),
      );
      const vector = (name: string) => tf.reshape(weight(name), [4]) as never;
      y = tf.batchNorm(
        y,
        vector('norm/moving_mean'),
        vector('norm/moving_variance'),
        vector('norm/beta'),
        undefined,
        0.01,
      );
      const small = tf.maxPool(y, 2, 2, 'same');
      const kernel = weight('model/twice/kernel');
      const sum = tf.add(small, tf.conv2d(tf.conv2d(small, kernel, 1, 'valid'), kernel, 1, 'valid'));
      const [, rows, columns] = sum.shape as [number, number, number, number];
      const up = tf.image.resizeNearestNeighbor(sum as FloatMap, [2 * rows, 2 * columns]);
      const crop = tf.add(tf.conv2d(up, weight('crop/kernel'), 1, 'same', 'NHWC', 2), weight('crop/bias'));
      const joined = tf.concat([up, tf.leakyRelu(crop, 0.25) as FloatMap], 3);
      const means = tf.mean(joined, [1, 2]);
      return tf.sigmoid(
        tf.add(tf.matMul(means as never, weight('out/kernel') as never), weight('out/bias')),
      ) as FloatMap;
    });
    expect(graph.name).toBe('branches');
  });
});
