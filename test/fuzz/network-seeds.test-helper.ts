/** Small networks of Darknet and TensorFlow.js that reach most of their readers. */
import { fixtures } from '../../src/import/damaged.test-helper.ts';

const passthrough = `[net]
width=8
height=8
channels=4
[convolutional]
batch_normalize=1
filters=4
size=3
pad=1
groups=2
activation=swish
[reorg]
stride=2
[route]
layers=-1
[maxpool]
size=2
stride=1
[convolutional]
filters=14
activation=linear
[region]
anchors=1,2, 3,4
num=2
classes=2
softmax=1
`;

const classifier = `[net]
width=6
height=4
[convolutional]
filters=6
size=3
stride=2
padding=1
dilation=1
activation=relu6
[reorg3d]
stride=1
[dropout]
probability=.5
[avgpool]
[connected]
output=5
activation=tanh
[softmax]
groups=1
[cost]
type=sse
`;

export const darknetSeeds: readonly string[] = [fixtures.cfg, passthrough, classifier];

const sequential = JSON.stringify({
  modelTopology: {
    model_config: {
      class_name: 'Sequential',
      config: [
        ['Rescaling', { batch_input_shape: [null, 9, 8, 3], scale: 0.0039, offset: 0 }],
        ['SeparableConv2D', { filters: 6, kernel_size: [3, 3], padding: 'same', use_bias: false }],
        ['BatchNormalization', { axis: 3, momentum: 0.99, epsilon: 0.001, center: true, scale: true }],
        ['LeakyReLU', { alpha: 0.125 }],
        ['MaxPooling2D', { pool_size: [2, 2], strides: [2, 2], padding: 'valid' }],
        ['Conv2D', { filters: 4, kernel_size: 1, activation: 'swish', dilation_rate: [1, 1] }],
        ['Dropout', { rate: 0.5 }],
        ['GlobalAveragePooling2D', {}],
        ['Dense', { units: 5, activation: 'softmax' }],
      ].map(([class_name, config], i) => ({
        class_name,
        config: { name: `layer${i}`, ...(config as object) },
      })),
    },
  },
});

export const tfjsSeeds: readonly string[] = [fixtures.json, sequential];
