/** Model files and their weights: what is written comes back the same, value by value, and makes the same bytes again. */
import { mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/diagnostics.ts';
import { randomStream } from '../../src/core/random.ts';
import { modelFiles, type NetworkToWrite, writeModel } from '../../src/export/model/model.ts';
import { writeQuantisedOnnx } from '../../src/export/onnx/quantised.ts';
import { buildGraph } from '../../src/graph/build.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { withWeights } from '../../src/import/model-weights.ts';
import { readModelFile, readModelNetwork, readModelText } from '../../src/import/model-yaml.ts';
import { readOnnx } from '../../src/import/onnx/read.ts';
import { readSafetensors } from '../../src/import/safetensors/read.ts';
import { findOperator, operators } from '../../src/ops/index.ts';
import { layerNetwork } from '../../src/quant/layers.ts';
import { defaultNumbers } from '../../src/quant/numbers.ts';
import type { NumberOptions } from '../../src/quant/quantised.ts';
import { seededParameters } from '../../src/quant/seeded-weights.ts';
import { buildNetwork, networkRecipe, randomIntegers } from './random-networks.test-helper.ts';

const folder = mkdtempSync(join(tmpdir(), 'condensim-model-'));

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

function back(files: ReturnType<typeof modelFiles>) {
  const { graph, quantisation } = readModelText(files.text, 'm.yaml');
  const tensors = readSafetensors(joined(files.weights!), 'm.safetensors');
  return withWeights(graph, quantisation, tensors, 'm.safetensors');
}

/** Operators are compared by identity; everything else value by value. */
function expectSame(network: NetworkToWrite): void {
  const files = modelFiles(network, 'm.safetensors');
  const read = back(files);
  expect(read.graph).toEqual(network.graph);
  for (const [i, { op }] of read.graph.nodes.entries()) expect(op).toBe(network.graph.nodes[i]!.op);
  const parameters = network.parameters!();
  const values = read.parameters!();
  for (const { parameters: wanted } of network.graph.nodes) {
    for (const { name } of wanted) {
      const [ours, theirs] = [values.get(name)!, parameters.get(name)!];
      expect(Buffer.from(ours.buffer, ours.byteOffset, ours.byteLength)).toEqual(
        Buffer.from(theirs.buffer, theirs.byteOffset, theirs.byteLength),
      );
    }
  }
  expect(read.given).toEqual(network.given);
  const again = modelFiles(read, 'm.safetensors');
  expect(again.text).toBe(files.text);
  expect(joined(again.weights!)).toEqual(joined(files.weights!));
}

describe('random networks', () => {
  // (No recipe has maps under another shape: flat.test.ts runs them.)
  const reorganised = readModelText(
    'name: r\ninput: { shape: [4, 6, 4] }\nlayers:\n  - { op: reorg, stride: 2 }\n  - { op: convolution, filters: 3, kernel: 1 }\n',
    'r.yaml',
  ).graph;
  const graphs = [...fc.sample(networkRecipe, { seed: 11, numRuns: 250 }).map(buildNetwork), reorganised];

  it('250 of them, weights included', () => {
    for (const [i, graph] of graphs.entries()) {
      const parameters = seededParameters(graph, i);
      expectSame({ graph, parameters: () => parameters });
    }
  });

  it.each([8, 16])('with scales and integers of their own, %i bits', (bits) => {
    let written = 0;
    for (const [i, graph] of graphs.slice(0, 60).entries()) {
      if (graph.nodes.some(({ op }) => op.machine.stage === 'host')) continue;
      const parameters = seededParameters(graph, i);
      const activations = { bits, signed: i % 2 === 0, symmetric: false };
      const numbers: NumberOptions = {
        ...defaultNumbers(i % 4 === 0 ? 'shift' : 'multiplier'),
        activations,
        weightBits: i % 3 === 0 ? 16 : 8,
        accumulator: { bits: 32, overflow: 'saturate' },
      };
      const quantised = randomIntegers(layerNetwork(graph), numbers, i);
      const imported = readOnnx(writeQuantisedOnnx(quantised, parameters), 'm.onnx');
      expect(imported.given).toBeDefined();
      expectSame(imported);
      written++;
    }
    expect(written).toBeGreaterThan(40);
  });

  it('have every operator among them', () => {
    const seen = new Set(graphs.flatMap(({ nodes }) => nodes.map(({ op }) => op)));
    // Maps from outside have a test of their own: external-maps.test.ts.
    const drawn = operators.filter(({ machine }) => machine.stage !== 'given');
    expect(drawn.filter((op) => !seen.has(op)).map(({ name }) => name)).toEqual([]);
  });
});

const net = (more: Partial<Parameters<typeof buildGraph>[0]> = {}): Graph =>
  buildGraph({
    name: 'net',
    description: 'a: "b" # c\n- d',
    input: { name: 'image', shape: [4, 6, 6], preparation: { mean: [1.5, 0, -2, 1e-7], divisor: 0.1 } },
    nodes: [
      {
        name: 'null',
        op: findOperator('convolution')!,
        attributes: { filters: 6, kernel: 1 },
        inputs: ['image'],
      },
      { name: 'yes', op: findOperator('relu')!, inputs: ['null'] },
    ],
    ...more,
  });

describe('the text', () => {
  it('is a line a layer, without defaults', () => {
    const graph = net({ name: 'plain', description: '' });
    const parameters = seededParameters(graph, 1);
    expect(modelFiles({ graph, parameters: () => parameters }, 'm.safetensors').text).toBe(
      [
        'name: plain',
        'input: { name: image, shape: [ 4, 6, 6 ], mean: [ 1.5, 0, -2, 1e-7 ], divisor: 0.1 }',
        'layers:',
        '  - { op: convolution, name: "null", filters: 6, kernel: 1 }',
        '  - { op: relu, name: yes }',
        'outputs: [ yes ]',
        'weights: m.safetensors',
        '',
      ].join('\n'),
    );
  });

  it('keeps words that YAML would take for something else, and weights that layers share', () => {
    const attributes = { filters: 4, kernel: 1, weightNames: { filters: '~', bias: '1.0' } };
    const convolution = findOperator('convolution')!;
    const graph = net({
      nodes: [
        { name: 'true', op: convolution, attributes, inputs: ['image'] },
        { name: 'b', op: convolution, attributes, inputs: ['true'] },
        { name: 'constructor', op: findOperator('add')!, inputs: ['image', 'b'] },
        { name: '__proto__', op: findOperator('relu')!, inputs: ['true'] },
      ],
      outputs: ['__proto__', 'constructor'],
    });
    const parameters = seededParameters(graph, 1);
    expectSame({ graph, parameters: () => parameters });
  });

  it('of the shipped models comes back the same', () => {
    for (const name of [
      'tiny-yolov2',
      'condensation-net',
      'tiny-face-detector',
      'separable-tiny-yolov2-face',
    ]) {
      const graph = readModelFile(`models/${name}.yaml`);
      const { text } = modelFiles({ graph }, '');
      expect(readModelText(text, 'm.yaml').graph).toEqual(graph);
    }
  });
});

describe('files', () => {
  it('are written side by side and read through the name that the model file has', () => {
    const graph = net();
    const parameters = seededParameters(graph, 3);
    const path = join(folder, 'deep', 'm.yaml');
    expect(writeModel({ graph, parameters: () => parameters }, path)).toEqual([
      path.replace('.yaml', '.safetensors'),
      path,
    ]);
    const read = readModelNetwork(path);
    expect(read.graph).toEqual(graph);
    expect([...read.parameters!()]).toEqual([...parameters]);
  });

  it('weights lie in the folder or below', () => {
    const graph = net();
    const parameters = seededParameters(graph, 3);
    writeModel({ graph, parameters: () => parameters }, join(folder, 'm.yaml'));
    symlinkSync(join(folder, 'm.safetensors'), join(folder, 'deep', 'link.safetensors'));
    const text = readFileSync(join(folder, 'm.yaml'), 'utf8');
    const path = join(folder, 'deep', 'out.yaml');
    for (const [location, message] of [
      ['../m.safetensors', /out\.yaml:\d+:10: weights '\.\.\/m\.safetensors' leads out of the folder/],
      ['/etc/passwd', /leads out of the folder/],
      ['C:\\m.safetensors', /leads out of the folder/],
      ['link.safetensors', /is a link that leads out of the folder/],
      ['none.safetensors', /cannot be read \(no such file/],
      ['m.yaml', /byte 0: a header of \d+ bytes, expected a safetensors file/],
    ] as const) {
      writeFileSync(path, text.replace('weights: m.safetensors', `weights: ${location}`));
      expect(() => readModelNetwork(path)).toThrow(InputError);
      expect(() => readModelNetwork(path)).toThrow(message);
    }
  });

  it('weights must be those of the layers', () => {
    const graph = net();
    const parameters = seededParameters(graph, 3);
    const { text, weights } = modelFiles({ graph, parameters: () => parameters }, 'm.safetensors');
    const tensors = readSafetensors(joined(weights!), 'm.safetensors');
    const read = (changed: string) => {
      const { graph: other } = readModelText(changed, 'm.yaml');
      return withWeights(other, undefined, tensors, 'm.safetensors');
    };
    expect(() => read(text.replace('filters: 6', 'filters: 7'))).toThrow(
      "m.safetensors: 'null/filters' is F32 [1, 1, 4, 6], expected F32 or F64 or F16 or BF16 [1, 1, 4, 7]",
    );
    expect(() => read(text.replace('name: "null"', 'name: other'))).toThrow(
      "m.safetensors: has no 'other/filters', expected F32",
    );
  });

  it('need a name that ends in .yaml', () => {
    expect(() => writeModel({ graph: net() }, join(folder, 'm.json'))).toThrow(/m\.json: expected a name/);
  });
});

describe('safetensors of others', () => {
  const file = (header: unknown, data = new Uint8Array(0)): Uint8Array => {
    const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
    const length = new Uint8Array(8);
    new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true);
    return new Uint8Array(Buffer.concat([length, text, data]));
  };
  const random = randomStream(5);
  const bytes = (count: number) => Uint8Array.from({ length: count }, () => random() & 0x3f);
  const one = (dtype: string, shape: readonly number[], end: number, begin = 0) => ({
    dtype,
    shape,
    data_offsets: [begin, end],
  });

  it('in every element type, wherever they lie', () => {
    const data = bytes(1 + 2 + 2 + 2 + 4 + 4 + 8 + 1);
    const header = {
      __metadata__: { format: 'pt' },
      a: one('I8', [1], 1),
      b: one('F16', [1], 3, 1),
      c: one('BF16', [], 5, 3),
      d: one('I16', [1, 1], 7, 5),
      e: one('F32', [1], 11, 7),
      f: one('I32', [1], 15, 11),
      g: one('F64', [1], 23, 15),
      h: one('U8', [1], 24, 23),
      empty: one('F32', [0, 3], 24, 24),
    };
    const tensors = readSafetensors(file(header, data), 'm');
    const view = new DataView(data.buffer);
    const value = (name: string) => tensors.get(name)!.values()[0];
    expect(value('a')).toBe(view.getInt8(0));
    expect(value('d')).toBe(view.getInt16(5, true));
    expect(value('e')).toBe(view.getFloat32(7, true));
    expect(value('f')).toBe(view.getInt32(11, true));
    expect(value('g')).toBe(view.getFloat64(15, true));
    expect(value('h')).toBe(view.getUint8(23));
    expect(tensors.get('empty')!.values().length).toBe(0);
    expect(tensors.has('__metadata__')).toBe(false);
    const half = file(
      { x: one('F16', [4], 8) },
      new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff).buffer),
    );
    expect([...readSafetensors(half, 'm').get('x')!.values()]).toEqual([1, -2, 2 ** -24, 65504]);
    const brain = file({ x: one('BF16', [2], 4) }, new Uint8Array(Uint16Array.of(0x3f80, 0xc040).buffer));
    expect([...readSafetensors(brain, 'm').get('x')!.values()]).toEqual([1, -3]);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /^m: byte 0: has 0 bytes/],
    [
      'another format',
      bytes(100).fill(0x50, 0, 8),
      /^m: byte 0: a header of \d+ bytes, expected a safetensors file/,
    ],
    [
      'a header cut off',
      file({ x: one('F32', [1], 4) }, bytes(4)).subarray(0, 20),
      /^m: byte 8: .* is cut off/,
    ],
    ['a header that is a list', file([1]), /^m: byte 8: expected '\{'/],
    ['broken JSON', file('{"x": }'), /^m:1:7: not valid JSON/],
    ['a name twice', file('{"x": {}, "x": {}}'), /^m:1:11: key 'x' is here twice/],
    [
      'an unknown element type',
      file({ x: one('F8_E4M3', [1], 1) }, bytes(1)),
      /dtype: expected one of|dtype: expected/,
    ],
    ['a negative size', file({ x: one('F32', [-1], 4) }, bytes(4)), /shape\[0\]: expected at least 0|shape/],
    [
      'sizes that overflow',
      file({ x: one('F32', [2 ** 28, 2 ** 28, 2 ** 28], 4) }, bytes(4)),
      /elements, expected at most/,
    ],
    [
      'offsets of another size',
      file({ x: one('F32', [2], 4) }, bytes(4)),
      /^m:1:\d+: 'x': F32 \[2\] takes 8 bytes, its offsets hold 4/,
    ],
    [
      'offsets backwards',
      file({ x: { dtype: 'F32', shape: [0], data_offsets: [4, 0] } }, bytes(4)),
      /its offsets hold -4/,
    ],
    [
      'data cut off',
      file({ x: one('F32', [2], 8) }, bytes(4)),
      /'x': ends at byte 8 of the data, expected at most 4/,
    ],
    ['bytes of nobody', file({ x: one('F32', [1], 4) }, bytes(5)), /holds 5 bytes of data, expected the 4/],
    ['a gap', file({ x: one('I8', [1], 2, 1) }, bytes(2)), /'x': starts at byte 1 of the data, expected 0/],
    [
      'tensors on top of each other',
      file({ x: one('I8', [2], 2), y: one('I8', [1], 2, 1) }, bytes(2)),
      /'y': starts at byte 1 of the data, expected 2/,
    ],
    ['metadata of numbers', file({ __metadata__: { a: 1 } }), /^m:1:22: a: expected a string, got 1/],
  ])('refuses %s', (_, content, message) => {
    expect(() => readSafetensors(content, 'm')).toThrow(InputError);
    expect(() => readSafetensors(content, 'm')).toThrow(message);
  });

  it('refuses values that are no numbers when they are asked for', () => {
    const data = new Uint8Array(Float32Array.of(1, Number.NaN).buffer);
    const tensors = readSafetensors(file({ x: one('F32', [2], 8) }, data), 'm');
    expect(() => tensors.get('x')!.values()).toThrow("m: element 1 of 'x' is NaN, expected finite numbers");
  });
});
