import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { schemaFiles } from '../../scripts/export-schemas.ts';
import { sum } from '../core/integers.ts';
import type { Graph } from '../graph/graph.ts';
import { parameterSize } from '../graph/parameters.ts';
import { messageOf, modelsFolder, scratch } from './fixtures.test-helper.ts';
import { readModel, readModelFile } from './model-yaml.ts';
import { readText } from './read-file.ts';

function macsOf(graph: Graph): number {
  return sum(graph.nodes.map((n) => n.op.macs?.(n.attributes, n.inputShapes, n.outputShape) ?? 0));
}

/** Batch normalization leaves one bias a channel behind when it is folded. */
function foldedParametersOf(graph: Graph): number {
  return sum(
    graph.nodes.map((node) =>
      node.op.machine.stage === 'affine'
        ? node.outputShape[0]
        : sum(node.parameters.filter((parameter) => parameter.folded).map(parameterSize)),
    ),
  );
}

describe('models/', () => {
  const expected: Readonly<Record<string, readonly [macs: number, parameters: number]>> = {
    'tiny-yolov2.yaml': [3_468_215_296, 15_756_217],
    'condensation-net.yaml': [4_465_017_856, 17_328_537],
    'tiny-face-detector.yaml': [198_760_528, 193_321],
    'separable-tiny-yolov2-face.yaml': [408_282_368, 1_794_500],
    'example.yaml': [115_712, 538],
  };

  it.each(Object.entries(expected))('%s has its multiply-accumulates and parameters', (file, counts) => {
    const graph = readModelFile(join(modelsFolder, file));
    expect(graph.name).toBe(file.replace('.yaml', ''));
    expect([macsOf(graph), foldedParametersOf(graph)]).toEqual(counts);
  });

  it('every file is in the table above', () => {
    expect(
      readdirSync(modelsFolder)
        .filter((file) => file.endsWith('.yaml'))
        .sort(),
    ).toEqual(Object.keys(expected).sort());
  });
});

describe('schema/', () => {
  it.each(schemaFiles())('$path is what scripts/export-schemas.ts writes', ({ path, text }) => {
    expect(readText(path, 'a schema')).toBe(text);
  });
});

const head = 'name: t\ninput: { shape: [3, 8, 8] }\n';

describe('readModel', () => {
  it('names layers, wires them and prepares the input', () => {
    const graph = readModel(
      `${head}layers:
  - { op: convolution, filters: 4, kernel: 1 }
  - { op: relu }
  - { op: relu, name: side, from: convolution1 }
  - { op: relu, from: [relu1] }
`,
      'm.yaml',
    );
    expect(graph.nodes.map((node) => [node.name, ...node.inputs])).toEqual([
      ['convolution1', 'image'],
      ['relu1', 'convolution1'],
      ['side', 'convolution1'],
      ['relu3', 'relu1'],
    ]);
    expect(graph.outputs).toEqual(['side', 'relu3']);
    expect(graph.input.preparation).toEqual({ mean: [0, 0, 0], divisor: 255 });
  });

  it.each([
    [`${head}layers: []`, /^m\.yaml:3:9: layers: expected at least 1 entries, got 0$/],
    [`${head}layers:\n  - { op: rleu }`, /^m\.yaml:4:11: op: expected one of .*; did you mean 'relu'\?$/],
    [`${head}layers:\n  - { op: relu, slope: 1 }`, /^m\.yaml:4:17: unknown key 'slope', expected one of /],
    [
      `${head}layers:\n  - { op: convolution, filters: 2, kernel: 0 }`,
      /^m\.yaml:4:44: kernel: expected at least 1, got 0$/,
    ],
    [
      `${head}layers:\n  - { op: convolution, filters: 2, kernel: 9 }`,
      /^m\.yaml:4:5: convolution1: .*does not fit/,
    ],
    [`${head}layers:\n  - { op: relu }\n  - { op: relu, from: nobody }`, /^m\.yaml:5:5: relu2: reads nobody/],
    [`${head}layers:\n  - { op: relu, name: image }`, /^m\.yaml:4:5: image: the name image is used twice$/],
    [
      `${head}layers:\n  - { op: relu, name: 'a b' }`,
      /^m\.yaml:4:23: name: expected text like .*, got a string 'a b'$/,
    ],
    [`${head}layers: [{ op: relu }]\noutputs: [x]`, /^m\.yaml:1:1: network t: output x is made by no node$/],
    [
      'name: t\ninput: { shape: [3, 8, 99999] }\nlayers: [{ op: relu }]',
      /^m\.yaml:2:24: shape\[2\]: expected at most 65536, got 99999$/,
    ],
    [
      'name: t\ninput: { shape: [8192, 8192, 8192] }\nlayers: [{ op: relu }]',
      /^m\.yaml:1:1: network t: input image .*expected at most/,
    ],
    [
      'name: t\ninput: { shape: [3, 8, 8], mean: [1] }\nlayers: [{ op: relu }]',
      /^m\.yaml:2:34: mean: expected 3 entries, one a channel, got 1$/,
    ],
    [
      'name: t\ninput: { shape: [3, 8, 8], divisor: 0 }\nlayers: [{ op: relu }]',
      /^m\.yaml:2:37: divisor: expected at least 0\.000001, got 0$/,
    ],
    [
      `${head}layers: [{ op: relu }]\ndetector: { kind: yolov2, classes: [a], anchors: [[1, 1]] }`,
      /^m\.yaml:4:11: detector: 1 anchors need 5 output channels, 'relu1' has 3$/,
    ],
    [
      `${head}layers: [{ op: relu }]\ndetector: { kind: yolov2, classes: [a, b], anchors: [[1, 1]] }`,
      /^m\.yaml:4:36: classes: expected one class as classScores is false, got 2$/,
    ],
  ])('refuses %j', (text, message) => {
    expect(messageOf(() => readModel(text, 'm.yaml'))).toMatch(message);
  });

  it('refuses more parameters than memory is for', () => {
    const wide = '  - { op: convolution, filters: 8192, kernel: 1 }\n'.repeat(6);
    expect(messageOf(() => readModel(`${head}layers:\n${wide}`, 'm.yaml'))).toBe(
      'm.yaml:4:3: layers: 335618048 parameters, expected at most 268435456 (2^28)',
    );
  });

  it('refuses files that are none', () => {
    expect(messageOf(() => readModelFile('/no/such.yaml'))).toBe(
      '/no/such.yaml: cannot be read (no such file or folder), expected a model file',
    );
    expect(messageOf(() => readModelFile('/tmp'))).toBe('/tmp: is a folder, expected a model file');
    expect(messageOf(() => readModelFile('/dev/zero'))).toBe(
      '/dev/zero: is not a regular file, expected a model file',
    );
    const binary = scratch('binary.yaml', new Uint8Array([0x6e, 0xff, 0xfe]));
    expect(messageOf(() => readModelFile(binary))).toBe(
      `${binary}: is not UTF-8 text, expected a model file`,
    );
  });
});
