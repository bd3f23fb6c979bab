/** Small networks of other tools, to be damaged. */
const layer = (class_name: string, name: string, config: object, from: readonly string[]) => ({
  class_name,
  config: { name, ...config },
  inbound_nodes: from.length === 0 ? [] : [from.map((one) => [one, 0, 0, {}])],
});

export const fixtures = {
  cfg: `[net]
width=16
height=16
[convolutional]
batch_normalize=1
filters=14
size=3
stride=2
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[route]
layers=-1
[upsample]
stride=2
[shortcut]
from=0
[yolo]
mask=0,1
anchors=10,14, 23,27
classes=2
num=2
`,
  json: JSON.stringify({
    modelTopology: {
      class_name: 'Functional',
      config: {
        layers: [
          layer('InputLayer', 'in', { batch_input_shape: [null, 16, 16, 3] }, []),
          layer(
            'ZeroPadding2D',
            'pad',
            {
              padding: [
                [0, 1],
                [0, 1],
              ],
            },
            ['in'],
          ),
          layer('Conv2D', 'conv', { filters: 4, kernel_size: [3, 3], strides: 2, activation: 'relu' }, [
            'pad',
          ]),
          layer('DepthwiseConv2D', 'depth', { kernel_size: 3, padding: 'same', depth_multiplier: 1 }, [
            'conv',
          ]),
          layer('BatchNormalization', 'norm', { axis: -1, epsilon: 0.001 }, ['depth']),
          layer('Add', 'sum', {}, ['conv', 'norm']),
          layer('UpSampling2D', 'up', { size: [2, 2] }, ['sum']),
          layer('Flatten', 'flat', {}, ['up']),
          layer('Dense', 'out', { units: 3 }, ['flat']),
        ],
        output_layers: [['out', 0, 0]],
      },
    },
  }),
};
