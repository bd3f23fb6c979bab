import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  manifests,
  messageOf,
  modelsFolder,
  scratch,
  sharedFolder,
  sharedIsHere,
} from './fixtures.test-helper.ts';
import { readModel, readModelFile } from './model-yaml.ts';
import { matchParameters } from './parameters.ts';
import { readTfjsWeights } from './tfjs-weights.ts';

const needsShared = sharedIsHere ? '' : ' (skipped: ../shared/models is not here)';

describe('trained weights', () => {
  it.skipIf(!sharedIsHere).each(Object.entries(manifests))(
    `%s fits its model, nothing left over${needsShared}`,
    (model, manifest) => {
      const graph = readModelFile(join(modelsFolder, `${model}.yaml`));
      const { values, unused } = matchParameters(
        graph,
        readTfjsWeights(join(sharedFolder, manifest)),
        manifest,
      );
      expect(unused).toEqual([]);
      expect(values.size).toBe(graph.nodes.flatMap((node) => node.parameters).length);
    },
  );
});

let files = 0;
/** A manifest and its shards in a folder of their own; the path of the manifest. */
function weights(manifest: unknown, shards: Readonly<Record<string, Uint8Array>> = {}): string {
  const folder = `weights${files++}`;
  for (const [name, bytes] of Object.entries(shards)) scratch(join(folder, name), bytes);
  const text = typeof manifest === 'string' ? manifest : JSON.stringify(manifest, undefined, 1);
  return scratch(join(folder, 'weights_manifest.json'), text);
}

const float = { name: 'a', shape: [2], dtype: 'float32' };

describe('readTfjsWeights', () => {
  it('reads halves', () => {
    const halves = new Uint8Array(Uint16Array.of(0x3c00, 0xc100, 0x0001, 0x8000, 0x7bff, 0x3555).buffer);
    const path = weights(
      [{ paths: ['s'], weights: [{ ...float, shape: [6], quantization: { dtype: 'float16' } }] }],
      { s: halves },
    );
    const { values } = readTfjsWeights(path).get('a')!;
    expect([...values]).toEqual([1, -2.5, 2 ** -24, 0, 65504, 1365 / 4096]);
  });

  it('reads every dtype, unaligned, over groups and shards', () => {
    const bytes = new DataView(new ArrayBuffer(17));
    bytes.setUint8(0, 3);
    bytes.setFloat32(1, 1.5, true);
    bytes.setFloat32(5, -2.25, true);
    bytes.setInt32(9, -7, true);
    bytes.setUint16(13, 513, true);
    bytes.setUint16(15, 65535, true);
    const all = new Uint8Array(bytes.buffer);
    const path = weights(
      [
        {
          paths: ['s1', 'deep/s2'],
          weights: [
            {
              name: 'q8',
              shape: [1],
              dtype: 'float32',
              quantization: { dtype: 'uint8', scale: 0.5, min: -1 },
            },
            float,
            { name: 'i', shape: [], dtype: 'int32', other: 'ignored' },
          ],
        },
        {
          paths: ['s3'],
          weights: [
            {
              name: 'q16',
              shape: [1, 2],
              dtype: 'float32',
              quantization: { dtype: 'uint16', scale: 2, min: 1 },
            },
          ],
        },
      ],
      { s1: all.subarray(0, 3), 'deep/s2': all.subarray(3, 13), s3: all.subarray(13) },
    );
    expect([...readTfjsWeights(path)].map(([name, t]) => [name, [...t.shape], [...t.values]])).toEqual([
      ['q8', [1], [0.5]],
      ['a', [2], [1.5, -2.25]],
      ['i', [], [-7]],
      ['q16', [1, 2], [1027, 131071]],
    ]);
  });

  it.each([
    ['[{]', /:1:3: not valid JSON: ']' stands here, expected a key in double quotes$/],
    [{}, /:1:1: expected a list, got a map$/],
    [[{ paths: ['s'] }], /:2:2: missing key 'weights', expected a list$/],
    [
      [{ paths: ['s'], weights: [{ ...float, dtype: 'bool' }] }],
      /:\d+:\d+: dtype: expected one of float32, int32, got a string 'bool'$/,
    ],
    [
      [{ paths: ['s'], weights: [{ ...float, quantization: { dtype: 'uint4' } }] }],
      /:\d+:\d+: dtype: expected one of uint8, uint16, float16/,
    ],
    [
      [{ paths: ['s'], weights: [float, float] }],
      /:15:13: name: 'a' is here twice, expected every name once$/,
    ],
    [
      [{ paths: ['s'], weights: [{ ...float, shape: [-1] }] }],
      /:\d+:\d+: shape\[0\]: expected at least 1, got -1$/,
    ],
    [
      [{ paths: ['s'], weights: [{ ...float, shape: [65536, 65536] }] }],
      /:\d+:\d+: shape: 4294967296 elements make \d+ bytes up to here, expected at most \d+ elements and \d+ bytes$/,
    ],
    [
      [{ paths: ['../s'], weights: [float] }],
      /:4:4: paths: '\.\.\/s' leads out of the manifest's folder, expected a file beside it$/,
    ],
    [[{ paths: ['/etc/passwd'], weights: [float] }], /:4:4: paths: '\/etc\/passwd' leads out/],
    [[{ paths: ['a\\..\\..\\s'], weights: [float] }], /:4:4: paths: .* leads out/],
    [[{ paths: ['C:\\s'], weights: [float] }], /:4:4: paths: .* leads out/],
    [
      [{ paths: ['none'], weights: [float] }],
      /none: cannot be read \(no such file or folder\), expected a shard of weights$/,
    ],
    [
      [{ paths: ['s'], weights: [{ ...float, shape: [3] }] }],
      /\/s: holds 8 bytes, expected the 12 that the manifest needs$/,
    ],
    [
      [{ paths: ['s'], weights: [{ ...float, shape: [1] }] }],
      /\/s: holds 8 bytes, expected the 4 that the manifest needs$/,
    ],
    [
      [{ paths: ['s', 's'], weights: [float] }],
      /:3:12: paths: these 2 shards hold 16 bytes, expected the 8 that the manifest needs$/,
    ],
    [
      [{ paths: ['nan'], weights: [float] }],
      /:8:13: name: element 1 of 'a' is NaN, expected finite numbers$/,
    ],
  ])('refuses %j', (manifest, message) => {
    const nan = new Uint8Array([0, 0, 0, 0, 0, 0, 0xc0, 0x7f]);
    const path = weights(manifest, { s: new Uint8Array(8), nan });
    const said = messageOf(() => readTfjsWeights(path));
    expect(said).toMatch(message);
    expect(said).not.toContain('\n');
  });
});

describe('matchParameters', () => {
  const graph = readModel(
    'name: t\ninput: { shape: [3, 4, 4] }\nlayers: [{ op: convolution, name: c, filters: 2, kernel: 1 }]',
    'm.yaml',
  );
  const filters = { shape: [1, 1, 3, 2], values: new Float32Array(6) };
  const bias = { shape: [2], values: new Float32Array(2) };

  it('takes what the network needs and names the rest', () => {
    const tensors = new Map([
      ['x', bias],
      ['c/filters', filters],
      ['c/bias', bias],
    ]);
    const { values, unused } = matchParameters(graph, tensors, 'w.json');
    expect([...values.keys()]).toEqual(['c/filters', 'c/bias']);
    expect(unused).toEqual(['x']);
  });

  it('names the first parameter that is missing or has another shape', () => {
    expect(messageOf(() => matchParameters(graph, new Map([['c/bias', bias]]), 'w.json'))).toBe(
      "w.json: has no 'c/filters', expected [1, 1, 3, 2] for 'c' of t",
    );
    const turned = new Map([['c/filters', { ...filters, shape: [2, 3, 1, 1] }]]);
    expect(messageOf(() => matchParameters(graph, turned, 'w.json'))).toBe(
      "w.json: 'c/filters' is [2, 3, 1, 1], expected [1, 1, 3, 2] for 'c' of t",
    );
  });
});
