import { describe, expect, it } from 'vitest';
import { buildGraph } from '../graph/build.ts';
import type { Graph } from '../graph/graph.ts';
import { findOperator } from '../ops/index.ts';
import { layerNetwork } from './layers.ts';

type Line = [name: string, op: string, input: string, attributes?: object];

function network(lines: Line[], outputs?: string[]): Graph {
  return buildGraph({
    name: 'net',
    description: '',
    input: { name: 'in', shape: [4, 8, 8], preparation: { mean: [0], divisor: 255 } },
    nodes: lines.map(([name, op, input, attributes]) => ({
      name,
      op: findOperator(op)!,
      attributes: attributes ?? {},
      inputs: [input],
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
