import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { product } from '../../core/integers.ts';
import { layerNetwork } from '../../quant/layers.ts';
import { readTopology } from './read.ts';
import { outputSide, parseTopology } from './topology.ts';

const head =
  'Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n';
const parse = (text: string) => parseTopology(text, 'n.csv');
const layer = (text: string) => {
  const { at: _, ...values } = parse(text)[0]!;
  return values;
};

const plain = {
  name: 'Conv1',
  channels: 3,
  rows: 16,
  columns: 18,
  kernel: [5, 3],
  stride: [2, 2],
  filters: 8,
  depthwise: false,
};

describe('columns', () => {
  it.each([
    ['with a comma at the end', `${head}Conv1, 16, 18, 5, 3, 3, 8, 2,\n`],
    ['without', `${head.trim().slice(0, -1)}\nConv1,16,18,5,3,3,8,2`],
    [
      'in other words',
      '\ufeffLayer,\u00a0Ifmap height,ifmap width,filter height,filter width,channel,num filters,stride\r\nConv1,16,18,5,3,3,8,2\r\n',
    ],
    ['with empty lines', `${head},,,,,,,,\n\nConv1, 16, 18, 5, 3, 3, 8, 2,,,\n\n`],
    ['dense, a column of its own', `${head.trim()} Sparsity,\nConv1, 16, 18, 5, 3, 3, 8, 2, 4:4,\n`],
    ['dense, without a name', `${head}Conv1, 16, 18, 5, 3, 3, 8, 2, 1:1,\n`],
    ['a batch of one', `${head.trim()} Batch Size,\nConv1, 16, 18, 5, 3, 3, 8, 2, 1,\n`],
    ['the stride twice, without a name', `${head}Conv1, 16, 18, 5, 3, 3, 8, 2, 2,\n`],
  ])('%s', (_, text) => expect(layer(text)).toEqual(plain));

  it('two strides, by name and without', () => {
    const named = `${head.replace('Strides', 'Stride Height, Stride Width')}Conv1, 16, 18, 5, 3, 3, 8, 2, 1,\n`;
    const nameless = `${head}Conv1, 16, 18, 5, 3, 3, 8, 2, 1\n`;
    for (const text of [named, nameless]) expect(layer(text)).toEqual({ ...plain, stride: [2, 1] });
  });

  it('a product [M x K] times [K x N] is a convolution of one cell over M rows', () => {
    const common = { columns: 1, kernel: [1, 1], stride: [1, 1], depthwise: false };
    expect(parse('Layer, M, N, K,\nL0, 7, 5, 3,\n,2,1,1\n')).toMatchObject([
      { ...common, name: 'L0', rows: 7, filters: 5, channels: 3 },
      { ...common, name: 'layer2', rows: 2, filters: 1, channels: 1 },
    ]);
    expect(layer('L,M,N,K,Sparsity\nL0,7,5,3,2:2')).toMatchObject({ rows: 7, filters: 5, channels: 3 });
  });

  it('DP in a name stands for depthwise, as it does for SCALE-Sim', () => {
    const { nodes } = readTopology(`${head}DP1, 8, 8, 3, 3, 4, 2, 1,\n`, 'n.csv');
    expect(nodes[0]!.attributes).toMatchObject({ filters: 8, groups: 4 });
  });
});

describe('what is wrong, and where', () => {
  const conv = (row: string) => `${head}${row}\n`;
  it.each([
    ['', 'n.csv: is empty, expected a line of column names'],
    [head, 'n.csv: has no layers, expected at least one line'],
    ['[net]\nwidth=3\n', "n.csv:1:1: the column names end before 'IFMAP Height', expected Layer name"],
    ['Conv1, 16, 18, 3, 3, 3, 8, 1,\n', "n.csv:1:8: the column names have '16' in place of 'IFMAP Height'"],
    ['Layer, M, K, N,\n', "n.csv:1:11: the column names have 'K' in place of 'N'"],
    [
      `${head.trim()} Dilation,\n`,
      "n.csv:1:100: column 'Dilation' is not known, expected a second stride, Sparsity or Batch Size",
    ],
    [
      conv('Conv1, 16, 18, 3, 3, 3, 8,'),
      'n.csv:2:1: the line has 6 values behind the name, expected 7 (IFMAP Height, ',
    ],
    ['Layer, M, N, K,\nL0, 3, 4\n', 'n.csv:2:1: the line has 2 values behind the name, expected 3 (M, N, K)'],
    [
      'Layer, M, N, K,\nL0, 3, 4, 5, 6\n',
      "n.csv:2:14: '6' stands behind the last column, expected 4 values in the line",
    ],
    [
      conv('Conv1, 16, 18, 3, 3, 3, 8, 1, 1, 1,'),
      "n.csv:2:34: '1' stands behind the last column, expected 8 values in the line",
    ],
    [
      conv('Conv1, B, 18, 3, 3, 3, 8, 1,'),
      "n.csv:2:8: IFMAP Height: expected a whole number from 1 to 65535, got 'B'",
    ],
    [
      conv('Conv1, 16, 0, 3, 3, 3, 8, 1,'),
      "n.csv:2:12: IFMAP Width: expected a whole number from 1 to 65535, got '0'",
    ],
    [
      conv('Conv1, 16, 18, 3, 3, -3, 8, 1,'),
      "n.csv:2:22: Channels: expected a whole number from 1 to 65536, got '-3'",
    ],
    [
      conv('Conv1, 16, 18, 3, 3, 3, 8.5, 1,'),
      "n.csv:2:25: Num Filter: expected a whole number from 1 to 65536, got '8.5'",
    ],
    [
      conv('Conv1, 16, 18, 3, 3, 3, 8, 99999999999,'),
      "n.csv:2:28: Strides: expected a whole number from 1 to 64, got '99999999999'",
    ],
    [
      conv('Conv1, 16, 18, 17, 3, 3, 8, 1,'),
      'n.csv:2:16: Filter Height: 17 is larger than the input of 16 rows',
    ],
    [
      conv('Conv1, 16, 18, 3, 19, 3, 8, 1,'),
      'n.csv:2:19: Filter Width: 19 is larger than the input of 18 columns',
    ],
    [
      conv('Conv1, 500, 500, 100, 3, 3, 8, 1,'),
      'n.csv:2:18: Filter Height: 100, expected at most 64; a filter as large as its input is a product',
    ],
    [
      conv('Conv1, 16, 18, 3, 3, 3, 8, 1, 2:4,'),
      "n.csv:2:31: Sparsity: '2:4' leaves weights out, which the machine can't, expected N:N (dense)",
    ],
    [conv('Conv1, 16, 18, 3, 3, 3, 8, 1, 0:0,'), "n.csv:2:31: Sparsity: expected N:M, got '0:0'"],
    [
      `${head.trim()} Batch,\nConv1, 16, 18, 3, 3, 3, 8, 1, 4,`,
      'n.csv:2:31: Batch Size: 4 is not run here, expected 1',
    ],
    [
      conv('Conv1, 65535, 65535, 3, 3, 3, 8, 1,'),
      "n.csv:2:1: layer 'Conv1': the input (3 x 65535 x 65535) has 12884508675 elements, expected at most",
    ],
    [
      `Layer, M, N, K,\nL0, 1, 1, 1\n${'L1, 4000, 65536, 65536\n'}`,
      "n.csv:3:1: layer 'L1': filters (1 x 1 x 65536 x 65536) has 4294967296 elements",
    ],
    [
      `Layer, M, N, K,\n${'L1, 4, 16384, 16384\n'.repeat(2)}`,
      'n.csv: has 536870912 parameters, expected at most 268435456',
    ],
  ])('%j', (text, message) => {
    expect(() => readTopology(text, 'n.csv')).toThrow(message);
  });

  it('names the second of two strides', () => {
    const text = `${head.trim()} Stride Width\nConv1, 16, 18, 3, 3, 3, 8, 1, 65\n`;
    expect(() => parse(text)).toThrow('n.csv:2:31: Stride Width: expected a whole number from 1 to 64');
  });

  it('bounds lines and cells', () => {
    expect(() => parse(head + 'C, 9, 9, 3, 3, 3, 8, 1,\n'.repeat(1001))).toThrow(
      'n.csv:1002:1: has more than 1000 layers',
    );
    expect(() => parse(`${head}C${',1'.repeat(64)}`)).toThrow('n.csv:2:1: the line has more than 64 cells');
    expect(readTopology(head + 'C, 3, 3, 3, 3, 3, 8, 1,\n'.repeat(1000), 'n.csv').outputs.length).toBe(1000);
  });
});

describe('the network', () => {
  it('has as many outputs as SCALE-Sim counts, whatever the stride', () => {
    const side = fc.integer({ min: 1, max: 40 });
    const conv = fc
      .record({
        rows: side,
        columns: side,
        stride: fc.integer({ min: 1, max: 9 }),
        channels: side,
        filters: side,
      })
      .chain((known) =>
        fc.record({
          known: fc.constant(known),
          tall: fc.integer({ min: 1, max: known.rows }),
          wide: fc.integer({ min: 1, max: known.columns }),
        }),
      );
    fc.assert(
      fc.property(fc.array(conv, { minLength: 1, maxLength: 6 }), (layers) => {
        const lines = layers.map(({ known: k, tall, wide }, i) =>
          [`C${i}`, k.rows, k.columns, tall, wide, k.channels, k.filters, k.stride].join(','),
        );
        const graph = readTopology(`${head}${lines.join('\n')}\n`, 'n.csv');
        const shapes = new Map(graph.nodes.map(({ name, outputShape }) => [name, outputShape]));
        expect(graph.outputs).toEqual(layers.map((_, i) => `C${i}`));
        let macs = 0;
        layers.forEach(({ known: k, tall, wide }, i) => {
          const rows = Math.ceil((k.rows - tall + k.stride) / k.stride);
          const columns = Math.ceil((k.columns - wide + k.stride) / k.stride);
          expect(shapes.get(`C${i}`)).toEqual([k.filters, rows, columns]);
          macs += product([rows, columns, tall, wide, k.channels, k.filters]);
        });
        const network = layerNetwork(graph);
        expect(network.macs).toBe(macs);
        expect(network.externalMaps.length).toBe(layers.length - 1);
      }),
      { seed: 3, numRuns: 300 },
    );
    expect(outputSide(56, 1, 2)).toBe(29);
  });

  it('pads where the last window hangs over the edge, and has larger maps where it would lie outside', () => {
    const graph = readTopology(`${head}A, 6, 7, 3, 3, 1, 1, 2,\nB, 56, 56, 1, 1, 2, 1, 2,\n`, 'n.csv');
    expect(graph.input.shape).toEqual([1, 6, 7]);
    expect(graph.nodes[0]!.attributes).toMatchObject({ padding: { bottom: 1, right: 0 } });
    expect(graph.nodes[1]!.outputShape).toEqual([2, 57, 57]);
    expect(graph.nodes[2]!.outputShape).toEqual([1, 29, 29]);
  });
});
