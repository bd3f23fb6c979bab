import { describe, expect, it } from 'vitest';
import { findOperator } from '../ops/index.ts';
import { buildGraph, type GraphDescription, type NodeDescription } from './build.ts';
import { graphRows } from './print.ts';

const node = (name: string, op: string, inputs: string[], attributes: object = {}): NodeDescription => ({
  name,
  op: findOperator(op)!,
  attributes,
  inputs,
});

const network = (nodes: NodeDescription[], more: Partial<GraphDescription> = {}) =>
  buildGraph({
    name: 'net',
    description: 'for tests',
    input: { name: 'in', shape: [4, 8, 8], preparation: { mean: [0, 0, 0, 0], divisor: 255 } },
    nodes,
    ...more,
  });

describe('buildGraph', () => {
  it('infers shapes, fills defaults, finds the outputs', () => {
    const graph = network([
      node('a', 'convolution', ['in'], { filters: 6, kernel: 3 }),
      node('b', 'maxPool', ['a'], { window: 2 }),
      node('c', 'relu', ['a']),
    ]);
    expect(graph.outputs).toEqual(['b', 'c']);
    expect(graph.nodes.map((one) => one.outputShape)).toEqual([
      [6, 6, 6],
      [6, 3, 3],
      [6, 6, 6],
    ]);
    expect(graph.nodes[0]!.attributes).toMatchObject({ stride: 1, padding: 'valid', bias: true });
    expect(graphRows(graph)[0]).toEqual({
      name: 'a',
      operator: 'convolution',
      output: [6, 6, 6],
      macs: 6 * 36 * 36,
      parameters: 6 * 36 + 6,
      bytes: { output: 6 * 36, parameters: 4 * (6 * 36 + 6) },
    });
  });

  it.each<[string, NodeDescription[], Partial<GraphDescription>, RegExp]>([
    [
      'a name twice',
      [node('a', 'relu', ['in']), node('a', 'relu', ['in'])],
      {},
      /^a: the name a is used twice$/,
    ],
    ['the input as a name', [node('in', 'relu', ['in'])], {}, /^in: the name in is used twice$/],
    ['a dangling input', [node('a', 'relu', ['b'])], {}, /^a: reads b, which nothing makes$/],
    [
      'a wrong order',
      [node('a', 'relu', ['b']), node('b', 'relu', ['in'])],
      {},
      /^a: reads b, which this node or a later/,
    ],
    ['a loop', [node('a', 'relu', ['a'])], {}, /^a: reads a, which this node/],
    ['two inputs', [node('a', 'relu', ['in', 'in'])], {}, /^a: relu reads 1 tensor\(s\), got 2$/],
    ['one summand', [node('a', 'add', ['in'])], {}, /^a: add reads 2 to 8 tensor\(s\), got 1$/],
    [
      'nine summands',
      [node('a', 'add', new Array<string>(9).fill('in'))],
      {},
      /^a: add reads 2 to 8 tensor\(s\), got 9$/,
    ],
    [
      'summands of two shapes',
      [node('a', 'maxPool', ['in'], { window: 2 }), node('b', 'add', ['in', 'a'])],
      {},
      /^b: adds 4 x 8 x 8 and 4 x 4 x 4, expected the same shape$/,
    ],
    [
      'maps of two sizes side by side',
      [node('a', 'maxPool', ['in'], { window: 2 }), node('b', 'concat', ['in', 'a'])],
      {},
      /^b: puts 4 x 8 x 8 and 4 x 4 x 4 side by side/,
    ],
    [
      'blocks that do not fit',
      [node('a', 'spaceToDepth', ['in'], { block: 3 })],
      {},
      /^a: block: 3 does not divide 8 rows and 8 columns alike$/,
    ],
    ['no nodes', [], {}, /no nodes/],
    ['an unknown output', [node('a', 'relu', ['in'])], { outputs: ['b'] }, /output b is made by no node/],
    ['an output twice', [node('a', 'relu', ['in'])], { outputs: ['a', 'a'] }, /twice/],
    [
      'a huge input',
      [node('a', 'relu', ['in'])],
      { input: { name: 'in', shape: [1e9, 8, 8], preparation: { mean: [], divisor: 1 } } },
      /^network net: input in has 1000000000 channels, expected at most 65536$/,
    ],
    [
      'a huge picture',
      [node('a', 'relu', ['in'])],
      { input: { name: 'in', shape: [3, 60000, 60000], preparation: { mean: [], divisor: 1 } } },
      /elements, expected at most 268435456/,
    ],
    [
      'huge filters',
      [
        node('a', 'convolution', ['in'], { filters: 65536, kernel: 1 }),
        node('b', 'convolution', ['a'], { filters: 65536, kernel: 1 }),
      ],
      {},
      /^b: b\/filters \(1 x 1 x 65536 x 65536\) has 4294967296 elements/,
    ],
    [
      'weights read in two shapes',
      [
        node('a', 'convolution', ['in'], {
          filters: 4,
          kernel: 1,
          bias: false,
          weightNames: { filters: 'w' },
        }),
        node('b', 'convolution', ['a'], {
          filters: 4,
          kernel: 3,
          bias: false,
          weightNames: { filters: 'w' },
        }),
      ],
      {},
      /^b: weights w are read as 3 x 3 x 4 x 4 here and as 1 x 1 x 4 x 4 before$/,
    ],
  ])('refuses %s', (_what, nodes, more, message) => {
    expect(() => network(nodes, more)).toThrow(message);
  });

  it('starts messages with the position if there is one', () => {
    const placed = {
      ...node('a', 'crossChannelPool', ['in'], { ratio: 3 }),
      position: { file: 'net.yaml', line: 7 },
    };
    expect(() => network([placed])).toThrow(/^net\.yaml:7: a: ratio: 3 does not divide 4 channels$/);
  });
});
