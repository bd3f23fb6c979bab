import { describe, expect, it } from 'vitest';
import { buildGraph } from '../graph/build.ts';
import type { Graph } from '../graph/graph.ts';
import { findOperator } from '../ops/index.ts';
import { layerNetwork } from './layers.ts';

type Line = [name: string, op: string, input: string | string[], attributes?: object];

function network(lines: Line[], outputs?: string[]): Graph {
  return buildGraph({
    name: 'net',
    description: '',
    input: { name: 'in', shape: [4, 8, 8], preparation: { mean: [0], divisor: 255 } },
    nodes: lines.map(([name, op, input, attributes]) => ({
      name,
      op: findOperator(op)!,
      attributes: attributes ?? {},
      inputs: [input].flat(),
    })),
    outputs,
  });
}

const conv = { filters: 6, kernel: 3, bias: false };

describe('layerNetwork', () => {
  it('melts batch norm and activation into the convolution', () => {
    const { layers, macs, parameters } = layerNetwork(
      network([
        ['a', 'convolution', 'in', conv],
        ['b', 'batchNormalization', 'a'],
        ['c', 'leakyRelu', 'b', { slope: 0.25 }],
        ['d', 'maxPool', 'c', { window: 2 }],
        ['e', 'clippedRelu', 'd'],
      ]),
    );
    expect(layers.map(({ name, output, work }) => [name, output, work.stage])).toEqual([
      ['a', 'c', 'array'],
      ['d', 'd', 'pool'],
      ['e', 'e', 'activation'],
    ]);
    expect(layers[0]!.merged.map((node) => node.name)).toEqual(['b', 'c']);
    expect(layers[0]!.work).toMatchObject({ activation: { negativeSlope: 0.25 } });
    expect(layers[2]!.work).toEqual({ stage: 'activation', activation: { negativeSlope: 0, upper: 6 } });
    // Folding leaves six offsets behind.
    expect([macs, parameters]).toEqual([6 * 36 * 36, 6 * 36 + 6]);
  });

  it('counts a bias once and takes a lone convolution as linear', () => {
    const biased = network([
      ['a', 'convolution', 'in', { ...conv, bias: true }],
      ['b', 'batchNormalization', 'a'],
    ]);
    expect(layerNetwork(biased).parameters).toBe(6 * 36 + 6);
    const lone = layerNetwork(network([['a', 'convolution', 'in', conv]]));
    expect(lone.parameters).toBe(6 * 36);
    expect(lone.layers[0]!.work).toMatchObject({ activation: { negativeSlope: 1 } });
  });

  it('keeps apart what somebody else reads', () => {
    const lines: Line[] = [
      ['a', 'convolution', 'in', conv],
      ['b', 'relu', 'a'],
    ];
    expect(layerNetwork(network(lines)).layers.length).toBe(1);
    expect(layerNetwork(network(lines, ['a', 'b'])).layers.length).toBe(2);
    expect(layerNetwork(network([...lines, ['c', 'maxPool', 'a', { window: 2 }]])).layers.length).toBe(3);
  });

  it('melts tables behind arrays and activations, activations behind sums', () => {
    const { layers } = layerNetwork(
      network([
        ['a', 'convolution', 'in', conv],
        ['b', 'batchNormalization', 'a'],
        ['c', 'silu', 'b'],
        ['d', 'convolution', 'c', { ...conv, padding: 'same' }],
        ['e', 'relu', 'd'],
        ['f', 'tanh', 'e'],
        ['g', 'sigmoid', 'f'],
        ['h', 'add', ['c', 'g', 'f']],
        ['i', 'clippedRelu', 'h'],
        ['j', 'relu', 'i'],
        ['k', 'hardSwish', 'j'],
        ['l', 'concat', ['k', 'k']],
        ['m', 'upsampleNearest', 'l', { factor: 2 }],
      ]),
    );
    expect(layers.map(({ name, inputs, output, work }) => [name, inputs.join(), output, work.stage])).toEqual(
      [
        ['a', 'in', 'c', 'array'],
        ['d', 'c', 'f', 'array'],
        ['g', 'f', 'g', 'activation'],
        ['h', 'c,g,f', 'i', 'sum'],
        ['j', 'i', 'k', 'activation'],
        ['l', 'k,k', 'l', 'join'],
        ['m', 'l', 'm', 'rearrange'],
      ],
    );
    expect(layers[1]!.work).toMatchObject({ activation: { negativeSlope: 0 }, table: { name: 'f' } });
    expect(layers[2]!.work).toMatchObject({ activation: { negativeSlope: 1 }, table: { name: 'g' } });
    expect(layers[3]!.work).toEqual({ stage: 'sum', activation: { negativeSlope: 0, upper: 6 } });
  });

  it('leaves the last nodes to the host', () => {
    const lines: Line[] = [
      ['a', 'convolution', 'in', conv],
      ['b', 'softmax', 'a'],
      ['c', 'relu', 'a'],
    ];
    const layered = layerNetwork(network(lines, ['b', 'c', 'a']));
    expect(layered.hostNodes.map((node) => node.name)).toEqual(['b']);
    expect(layered.layers.map((layer) => layer.output)).toEqual(['a', 'c']);
    expect(layered.machineOutputs).toEqual(['a', 'c']);
    expect(() => layerNetwork(network(lines, ['c']))).toThrow(/^b: softmax runs on the host.*outputs$/);
    const read: Line[] = [...lines, ['d', 'relu', 'b']];
    expect(() => layerNetwork(network(read))).toThrow(/^b: softmax runs on the host.*; d cannot read it$/);
    expect(() => layerNetwork(network([['a', 'softmax', 'in']]))).toThrow(/expected a layer in front/);
  });

  it.each<[string, Line[], string[] | undefined]>([
    ['on the input', [['a', 'batchNormalization', 'in']], undefined],
    [
      'behind an activation',
      [
        ['c', 'convolution', 'in', conv],
        ['r', 'relu', 'c'],
        ['a', 'batchNormalization', 'r'],
      ],
      undefined,
    ],
    [
      'behind an output',
      [
        ['c', 'convolution', 'in', conv],
        ['a', 'batchNormalization', 'c'],
      ],
      ['c', 'a'],
    ],
  ])('refuses batch norm %s', (_where, lines, outputs) => {
    expect(() => layerNetwork(network(lines, outputs))).toThrow(/^a: batchNormalization has no convolution/);
  });
});
