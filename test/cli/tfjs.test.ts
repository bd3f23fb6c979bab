/** TensorFlow.js layers models through the commands. */
import { describe, expect, it } from 'vitest';
import type { RunReport } from '../../src/report/run-report.ts';
import { edge256, ok, refused, scratch } from './command-line.ts';

const machine = ['--hw', edge256];

type Config = Readonly<Record<string, unknown>>;

const layer = (class_name: string, name: string, config: Config = {}, from?: readonly string[]) => ({
  class_name,
  config: { name, ...config },
  ...(from && { inbound_nodes: [from.map((one) => [one, 0, 0, {}])] }),
});
const conv = (config: Config = {}) =>
  layer('Conv2D', 'conv', { batch_input_shape: [null, 12, 10, 3], filters: 4, kernel_size: 3, ...config });

const bytes = Uint8Array.from({ length: 108 + 8 }, (_, i) => (i * 37) % 251);
scratch('shard.bin', bytes);
scratch('short.bin', bytes.subarray(1));

const manifest = (more: object = {}, shard = 'shard.bin') => [
  {
    paths: [shard],
    weights: [
      {
        name: 'conv/kernel',
        shape: [3, 3, 3, 4],
        dtype: 'float32',
        quantization: { dtype: 'uint8', scale: 0.01, min: -1.25 },
        ...more,
      },
      { name: 'conv/bias', shape: [4], dtype: 'float32', quantization: { dtype: 'float16' } },
    ],
  },
];

function model(
  layers: readonly object[],
  weightsManifest: unknown = manifest(),
  config: object = {},
): string {
  const functional = 'output_layers' in config;
  return scratch(
    'model.json',
    JSON.stringify({
      modelTopology: {
        class_name: functional ? 'Model' : 'Sequential',
        config: { name: 'small', layers, ...config },
      },
      weightsManifest,
    }),
  );
}

describe('TensorFlow.js layers models', () => {
  it('run with their quantised shards', async () => {
    const path = model([conv({ padding: 'same', strides: 2 }), layer('LeakyReLU', 'leaky')]);
    const report = JSON.parse(await ok('simulate', '--model', path, ...machine, '--json')) as RunReport;
    expect(report.outputs![0]!.shape).toEqual([4, 6, 5]);
    expect(await ok('validate', '--model', path, ...machine)).toContain('bit for bit');
  });

  it('take sizes that are left open by --dim', async () => {
    const path = model([conv({ batch_input_shape: [null, null, 10, 3] })]);
    expect(await refused('inspect', path)).toMatch(/symbolic dimension 1, expected --dim conv\.1=<size>/);
    expect(await ok('inspect', path, '--dim', 'conv.1=20')).toContain('4 x 18 x 8');
  });

  it.each<[string, () => string, RegExp]>([
    [
      'an unsupported layer',
      () => model([conv(), layer('ELU', 'odd')]),
      /model\.json:1:\d+: layer 'odd' \(ELU\): is not read here; supported: .*Conv2D/,
    ],
    [
      'an unsupported activation',
      () => model([conv({ activation: 'gelu' })]),
      /:1:\d+: layer 'conv' \(Conv2D\): activation: "gelu" is not read here, expected one of linear, relu/,
    ],
    [
      'channels first',
      () => model([conv({ data_format: 'channels_first' })]),
      /data_format: "channels_first" is not read here, expected channels_last/,
    ],
    [
      'a huge kernel',
      () => model([conv({ kernel_size: 1e9 })]),
      /kernel_size: 1000000000 is not read here, expected one or two integers from 1 to 64/,
    ],
    [
      'weights of another shape',
      () => model([conv()], manifest({ shape: [3, 3, 4, 3] })),
      /:1:\d+: shape: 'conv\/kernel' is \[3, 3, 4, 3\], expected \[3, 3, 3, 4\] for layer 'conv'/,
    ],
    [
      'weights that are not there',
      () => model([conv()], manifest({ name: 'other/kernel' })),
      /model\.json: has no weights 'conv\/kernel', expected them for layer 'conv' \(Conv2D\)/,
    ],
    [
      'a cycle',
      () =>
        model(
          [
            layer('InputLayer', 'in', { batch_input_shape: [null, 8, 8, 3] }),
            layer('Add', 'a', {}, ['in', 'b']),
            layer('ReLU', 'b', {}, ['a']),
          ],
          manifest(),
          { output_layers: [['b', 0, 0]] },
        ),
      /layer 'a' \(Add\): waits for its own output, expected no cycle/,
    ],
    [
      'a layer of nowhere',
      () =>
        model(
          [
            layer('InputLayer', 'in', { batch_input_shape: [null, 8, 8, 3] }),
            layer('ReLU', 'b', {}, ['nobody']),
          ],
          manifest(),
          { output_layers: [['b', 0, 0]] },
        ),
      /layer 'b' \(ReLU\): reads 'nobody', which is no layer here/,
    ],
    [
      'graph models',
      () => scratch('graph.json', '{"format": "graph-model", "modelTopology": {}}'),
      /:1:12: format: 'graph-model' is not read here, expected layers-model/,
    ],
  ])('refuses %s', async (_what, path, message) => {
    expect(await refused('inspect', path())).toMatch(message);
  });

  it('refuses shards of another size', async () => {
    const path = model([conv()], manifest({}, 'short.bin'));
    expect(await refused('simulate', '--model', path, ...machine)).toMatch(
      /short\.bin: holds 115 bytes, expected the 116 that the manifest needs\n$/,
    );
  });
});
