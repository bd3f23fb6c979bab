/** SCALE-Sim's files on the command line: topologies as networks, configurations as machines. */
import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readNetworkFile } from '../../src/import/formats.ts';
import { layerNetwork } from '../../src/quant/layers.ts';
import { condensimProcess, edge256, ok, projectFile, refused, scratch } from './command-line.ts';

const convolutions =
  'Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n';

const small = `${convolutions}Conv1, 12, 14, 3, 3, 3, 8, 2,\nConv2, 9, 9, 1, 1, 8, 20, 2,\nDP3, 7, 7, 3, 3, 4, 1, 1,\n`;
const products = 'Layer, M, N, K,\nL0, 40, 24, 30,\nL1, 1, 50, 64,\n';

describe('a topology', () => {
  it.each([
    ['convolutions', small, ['Conv1', 'Conv2', 'DP3'], 9_072 + 4_000 + 900],
    ['products', products, ['L0', 'L1'], 28_800 + 3_200],
  ])('of %s runs as it is, and the same once it is imported', async (name, text, layers, macs) => {
    const csv = scratch(`${name}.csv`, text);
    const yaml = scratch(`${name}.yaml`);
    expect(await ok('import', csv, '--out', yaml, '--quiet')).toBe('');
    expect(existsSync(scratch(`${name}.safetensors`))).toBe(false);
    const run = (model: string, ...more: string[]) =>
      ok('simulate', '--model', model, '--hw', edge256, '--json', '--quiet', ...more);
    const direct = await run(csv);
    expect(await run(yaml)).toBe(direct);
    const report = JSON.parse(direct);
    expect(report.model.macs).toBe(macs);
    expect(report.layers.map((layer: { name: string }) => layer.name)).toEqual(layers);
    expect(report.outputs.map((output: { name: string }) => output.name)).toEqual(layers);
    const timing = JSON.parse(await run(csv, '--mode', 'timing'));
    expect(timing.totals.cycles).toBe(report.totals.cycles);
  });

  it('is validated, compared and inspected as any network', async () => {
    const csv = scratch('any.csv', small);
    const validation = JSON.parse(await ok('validate', '--model', csv, '--hw', edge256, '--json', '--quiet'));
    expect(validation.acceleratorEqualsInteger).toBe(true);
    expect(validation.bytesEqualClosedForm).toBe(true);
    const comparison = JSON.parse(
      await ok('compare', csv, csv, '--hw', edge256, '--mode', 'timing', '--json', '--quiet'),
    );
    expect(comparison.runs.length).toBe(2);
    expect(await ok('inspect', csv)).toMatch(/Conv2\/input +externalMap +8 x 9 x 9/);
    expect(await ok('inspect', csv, '--graph', 'dot')).toContain('externalMap');
    expect(await refused('export', '--model', csv, '--out', scratch('any.onnx'))).toContain(
      'Conv2/input: externalMap cannot be written as ONNX',
    );
  });

  it('keeps its file when --json stands in front of it', async () => {
    const csv = scratch('kept.csv', small);
    expect(await refused('compare', '--hw', edge256, '--json', csv)).toContain(
      'Expected a file to write JSON to',
    );
    expect(readFileSync(csv, 'utf8')).toBe(small);
  });

  it('is refused in one line with its place', async () => {
    const csv = scratch(
      'bad.csv',
      `${convolutions}Conv1, 12, 14, 3, 3, 3, 8, 2,\nConv2, 9, 9, 11, 1, 8, 20, 2,\n`,
    );
    const message = `${csv}:3:14: Filter Height: 11 is larger than the input of 9 rows`;
    const out = scratch('bad.yaml');
    expect(await refused('import', csv, '--out', out)).toContain(message);
    expect(existsSync(out)).toBe(false);
    expect(await refused('simulate', '--model', csv, '--hw', edge256)).toContain(message);
    expect(await refused('inspect', csv, '--dim', 'n=3')).toContain('has no symbolic dimension');
  });

  it('has a line a layer in the model file', async () => {
    const yaml = scratch('nameless.yaml');
    await ok('import', scratch('lines.csv', small), '--out', yaml, '--quiet');
    expect(parse(readFileSync(yaml, 'utf8')).layers).toEqual([
      {
        op: 'convolution',
        name: 'Conv1',
        filters: 8,
        kernel: 3,
        stride: 2,
        padding: { top: 0, bottom: 1, left: 0, right: 1 },
        bias: false,
      },
      { op: 'externalMap', name: 'Conv2/input', shape: [8, 9, 9], seed: 2 },
      { op: 'convolution', name: 'Conv2', filters: 20, kernel: 1, stride: 2, bias: false },
      { op: 'externalMap', name: 'DP3/input', shape: [4, 7, 7], seed: 3 },
      { op: 'convolution', name: 'DP3', filters: 4, kernel: 3, groups: 4, bias: false },
    ]);
  });
});

/** Tiny-YOLOv2's convolutions at 416 x 416, padding in the maps, as SCALE-Sim takes them. */
const tinyYolo = readFileSync(projectFile('models/topologies/tiny-yolov2.csv'), 'utf8');

const configuration = (
  rows: number,
  columns: number,
  dataflow: string,
  more: { bandwidth?: 'CALC' | 'USER'; extra?: string } = {},
) => `[general]
run_name = ${dataflow} ${rows}x${columns}

[architecture_presets]
ArrayHeight:    ${rows}
ArrayWidth:     ${columns}
IfmapSramSzkB:  64
FilterSramSzkB: 64
OfmapSramSzkB:  64
IfmapOffset: 0
Dataflow : ${dataflow}
Bandwidth : 10
${more.extra ?? ''}
[run_presets]
InterfaceBandwidth: ${more.bandwidth ?? 'CALC'}
UseRamulatorTrace: False
`;

/** SCALE-Sim's cycles of a layer without stalls, as a count: it prints the last cycle's index, which is one less. */
function closedForm(
  dataflow: string,
  { pixels, products: k, filters }: { pixels: number; products: number; filters: number },
  rows: number,
  columns: number,
): number {
  const folds = (down: number, across: number) => Math.ceil(down / rows) * Math.ceil(across / columns);
  switch (dataflow) {
    case 'os':
      return folds(pixels, filters) * (k + rows + columns - 2);
    case 'ws':
      return folds(k, filters) * (pixels + 2 * rows + columns - 2);
    default:
      return folds(k, pixels) * (filters + 2 * rows + columns - 2);
  }
}

async function cyclesOf(csv: string, cfg: string): Promise<number[]> {
  const [model, hw] = [scratch('cycles.csv', csv), scratch('cycles-machine.yaml')];
  await ok('import', scratch('cycles.cfg', cfg), '--out', hw, '--quiet');
  const argv = ['--model', model, '--hw', hw, '--mode', 'timing', '--json', '--quiet'];
  const { layers, totals } = JSON.parse(await ok('simulate', ...argv));
  const cycles: number[] = layers.map((layer: { cycles: number }) => layer.cycles);
  expect(cycles.reduce((all, one) => all + one, 0)).toBe(totals.cycles);
  return cycles;
}

describe('a configuration', () => {
  // Conv1-3, 5 and 9 (ws 32x32), Conv5 and 9 (os 32x32) and Conv9 (16x16) were run with SCALE-Sim 3.0.0; the others are its
  // closed form, which every layer that was run met.
  it.each([
    ['os', 32, [481312, 278512, 236600, 216920, 213664, 227136, 896640, 1781376, 26064]],
    ['ws', 32, [173150, 216790, 196380, 201456, 221760, 302976, 1211904, 2423808, 33664]],
    ['os', 16, [616512, 940992, 859872, 819312, 813216, 821568, 3265152, 6509184, 92752]],
    ['ws', 16, [346204, 779580, 782064, 792000, 831744, 990720, 3962880, 7925760, 110080]],
  ])("%s on a side of %i takes SCALE-Sim's cycles for Tiny-YOLOv2", async (dataflow, side, expected) => {
    expect(await cyclesOf(tinyYolo, configuration(side, side, dataflow))).toEqual(expected);
  });

  const layersOfYolo = [...tinyYolo.matchAll(/^Conv.*$/gm)].map(([line]) => {
    const [side, , kernel, , channels, filters] = line.split(', ').slice(1).map(Number) as number[];
    return { pixels: (side! - kernel! + 1) ** 2, products: kernel! ** 2 * channels!, filters: filters! };
  });

  it.each([
    ['is', 16, 16],
    ['is', 32, 32],
    ['os', 12, 14],
    ['ws', 12, 14],
    ['is', 12, 14],
    ['os', 64, 8],
    ['ws', 8, 64],
    ['is', 8, 64],
  ])('%s on %i x %i takes the closed form', async (dataflow, rows, columns) => {
    const expected = layersOfYolo.map((layer) => closedForm(dataflow, layer, rows, columns));
    expect(await cyclesOf(tinyYolo, configuration(rows, columns, dataflow))).toEqual(expected);
  });

  it('takes the closed form for whatever layers', async () => {
    const to = (max: number) => fc.integer({ min: 1, max });
    const array = fc.record({ rows: to(40), columns: to(40), dataflow: fc.constantFrom('os', 'ws', 'is') });
    const convolution = fc
      .record({ rows: to(40), columns: to(40), channels: to(40), filters: to(70), stride: to(3) })
      .chain((size) =>
        fc.record({
          size: fc.constant(size),
          kernel: fc.tuple(to(Math.min(5, size.rows)), to(Math.min(5, size.columns))),
          depthwise: fc.nat(4).map((n) => n === 0),
        }),
      );
    const matrices = fc.record({ m: to(300), n: to(90), k: to(200) });
    const several = { minLength: 1, maxLength: 5 };
    await fc.assert(
      fc.asyncProperty(
        array,
        fc.array(convolution, several),
        fc.array(matrices, several),
        async (a, convs, gemms) => {
          const cfg = configuration(a.rows, a.columns, a.dataflow);
          const rows = convs.map(({ size: s, kernel, depthwise }, i) =>
            [
              `${depthwise ? 'DP' : 'C'}${i}`,
              s.rows,
              s.columns,
              ...kernel,
              s.channels,
              s.filters,
              s.stride,
              '\n',
            ].join(','),
          );
          expect(await cyclesOf(convolutions + rows.join(''), cfg)).toEqual(
            convs.map(({ size: s, kernel, depthwise }) => {
              const side = (length: number, window: number) =>
                Math.ceil((length - window + s.stride) / s.stride);
              const pixels = side(s.rows, kernel[0]) * side(s.columns, kernel[1]);
              // Depthwise: a layer of one channel, as often as there are channels.
              const [times, channels] = depthwise ? [s.channels, 1] : [1, s.channels];
              const size = { pixels, products: kernel[0] * kernel[1] * channels, filters: s.filters };
              return times * closedForm(a.dataflow, size, a.rows, a.columns);
            }),
          );
          const lines = gemms.map(({ m, n, k }, i) => `L${i},${m},${n},${k},\n`);
          expect(await cyclesOf(`Layer, M, N, K,\n${lines.join('')}`, cfg)).toEqual(
            gemms.map(({ m, n, k }) =>
              closedForm(a.dataflow, { pixels: m, products: k, filters: n }, a.rows, a.columns),
            ),
          );
        },
      ),
      { seed: 5, numRuns: 40 },
    );
  });

  it('of a fixed bandwidth has buffers and a memory of that bandwidth, and computes the same', async () => {
    const csv = scratch('user.csv', small);
    for (const dataflow of ['os', 'ws', 'is']) {
      const hw = scratch(`user-${dataflow}.yaml`);
      const cfg = scratch('user.cfg', configuration(8, 12, dataflow, { bandwidth: 'USER' }));
      await ok('import', cfg, '--out', hw, '--quiet');
      const machine = parse(readFileSync(hw, 'utf8'));
      expect(machine.buffers.feature).toEqual({ bytes: 65536, banks: 12 });
      expect(machine.dram).toEqual({ kind: 'ideal', bandwidthMBps: 10_000, latencyNs: 1, capacityMiB: 1024 });
      const validation = JSON.parse(await ok('validate', '--model', csv, '--hw', hw, '--json', '--quiet'));
      expect(validation).toMatchObject({
        acceleratorEqualsInteger: true,
        bytesEqualClosedForm: true,
        timingEqualsFull: true,
      });
    }
  });

  it.each([
    [
      'ArrayHeight:    8',
      'ArrayHeight:    0',
      /:5:17: ArrayHeight: expected an integer from 1 to 256, got '0'/,
    ],
    [
      'ArrayWidth:     12',
      'ArrayWidth:     many',
      /:6:17: ArrayWidth: expected an integer from 1 to 256, got 'many'/,
    ],
    ['ArrayWidth:     12', 'ArrayWidht:     12', /:4:1: \[architecture_presets\] lacks 'ArrayWidth'/],
    [
      'ArrayWidth:     12',
      'ArrayWidth: 12\nArrayDepth: 3',
      /:7:1: unknown key 'ArrayDepth' .*did you mean 'ArrayWidth'/,
    ],
    ['IfmapOffset: 0', 'arrayheight = 3', /:10:1: key 'ArrayHeight' is here twice/],
    ['Dataflow : ws', 'Dataflow : rs', /:11:12: Dataflow: expected os, ws or is, got 'rs'/],
    [
      'Bandwidth : 10',
      'Bandwidth : 10, 20, 10',
      /:12:13: Bandwidth: expected words a cycle .*the same for all/,
    ],
    ['USER', 'ASK', /:15:21: InterfaceBandwidth: expected CALC or USER, got 'ASK'/],
    [
      'UseRamulatorTrace: False',
      'UseRamulatorTrace: True',
      /:16:20: UseRamulatorTrace: 'True': latencies out of a file/,
    ],
    [
      '[run_presets]',
      '[sparsity]\nSparsitySupport : true\n[run_presets]',
      /:15:19: SparsitySupport: 'true': sparse weights/,
    ],
    ['[run_presets]', '[presets]', /:14:1: \[presets\] is not known, expected one of general, /],
    ['[run_presets]', '[general]', /:14:1: \[general\] is here twice/],
    ['[run_presets]\nInterfaceBandwidth: USER\nUseRamulatorTrace: False\n', '', /lacks \[run_presets\]/],
  ])('with %j as %j is refused with its place', async (from, to, message) => {
    const text = configuration(8, 12, 'ws', { bandwidth: 'USER' });
    expect(text).toContain(from);
    const out = scratch('never.yaml');
    expect(await refused('import', scratch('wrong.cfg', text.replace(from, to)), '--out', out)).toMatch(
      message,
    );
    expect(existsSync(out)).toBe(false);
  });

  it('is no network, and takes no weights; a Darknet network is no configuration', async () => {
    const cfg = scratch('machine.cfg', configuration(8, 8, 'os'));
    expect(await refused('inspect', cfg)).toContain(
      'is a SCALE-Sim machine, expected a network; condensim import makes a machine file of it',
    );
    expect(await refused('import', cfg, '--out', scratch('m.txt'))).toContain(
      'expected a name that ends in .yaml',
    );
    expect(await refused('import', cfg, '--out', scratch('m.yaml'), '--dim', 'n=1')).toContain(
      'is a machine',
    );
    const net = scratch(
      'net.cfg',
      '[net]\nwidth=8\nheight=8\n[convolutional]\nfilters=2\nactivation=linear\n',
    );
    expect(await refused('import', net, '--out', scratch('net.yaml'))).toContain('holds no weights');
  });
});

describe('topologies that come along', () => {
  it.each([
    ['tiny-yolov2', 9, 3_485_520_896],
    ['alexnet', 8, 665_784_864],
    ['vgg-16', 13, 15_346_630_656],
    ['resnet-50', 54, 3_857_973_248],
  ])('%s has the layers and multiply-accumulates of its network', async (name, layers, macs) => {
    const file = projectFile(`models/topologies/${name}.csv`);
    const { graph } = readNetworkFile(file);
    const network = layerNetwork(graph);
    expect(network.layers.length).toBe(layers);
    expect(network.macs).toBe(macs);
  });
});

describe('without a name for what it writes', () => {
  it('import takes the name of the file, and writes over nothing', async () => {
    const csv = scratch('unnamed/own-name.csv', small);
    const out = scratch('own-name.yaml');
    const first = await condensimProcess(['import', csv]);
    expect([first.code, first.stdout, first.stderr]).toEqual([0, '', '']);
    const written = readFileSync(out, 'utf8');
    expect(written).toContain('Conv2');
    const again = await condensimProcess(['import', csv]);
    expect(again.code).toBe(2);
    expect(again.stderr).toBe('own-name.yaml: is there already, expected --out <file>\n');
    expect(readFileSync(out, 'utf8')).toBe(written);
  });
});

describe('a machine of another dataflow', () => {
  it.each(['rtl', 'area', 'cosim'])('has no RTL, says %s, and which field it is', async (command) => {
    const yaml = scratch('ws.yaml');
    const cfg =
      '[general]\nrun_name = array\n[architecture_presets]\nArrayHeight: 8\nArrayWidth: 8\nIfmapSramSzkB: 64\n' +
      'FilterSramSzkB: 64\nOfmapSramSzkB: 64\nBandwidth: 10\nDataflow: ws\n[run_presets]\nInterfaceBandwidth: CALC\n';
    await ok('import', scratch('ws.cfg', cfg), '--out', yaml, '--quiet');
    const more = command === 'rtl' ? ['--out', scratch('ws-rtl')] : [];
    expect(await refused(command, '--hw', yaml, ...more)).toMatch(
      /array: peArray\.dataflow: there is no RTL of dataflow weight-stationary, expected output-stationary/,
    );
  });
});
