/**
 * @fileoverview Our cycles on machines of the size of known ones (`hw-configs/*-like.yaml`), beside what was published or measured for
 * those: SCALE-Sim, Vela's estimate for Ethos-U55, ONNXim and others on 256 elements, NVDLA's primer, the Eyeriss chip. docs/peers.md
 * explains the differences. All runs in timing mode.
 */
import { sum } from '../src/core/integers.ts';
import type { MachineConfig } from '../src/hw/machine/config.ts';
import { readMachine, readMachineFile } from '../src/import/machine-yaml.ts';
import { convertConfiguration } from '../src/import/scale-sim/machine.ts';
import { readTopology } from '../src/import/scale-sim/read.ts';
import { loadNetwork, type NumberChoice, numbersOn, simulate } from '../src/pipeline.ts';
import { type LayeredNetwork, layerNetwork } from '../src/quant/layers.ts';
import { type RunReport, runReport } from '../src/report/run-report.ts';
import { formatTable, grouped, percent, plainStyle } from '../src/report/tables.ts';
import * as quoted from './peers-figures.ts';

/** A table of the bench; ours and theirs in the order of its columns. */
interface Section {
  readonly title: string;
  readonly headings: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly notes: readonly string[];
}

export async function run(json: boolean): Promise<void> {
  const sections = [
    await scaleSim(),
    await scaleSimStalled(),
    await ethos(),
    await onnxim(),
    await nvdla(),
    await eyeriss(),
  ];
  if (json) {
    console.log(JSON.stringify(sections, undefined, 2));
    return;
  }
  for (const { title, headings, rows, notes } of sections) {
    const columns = headings.map((heading, i) => ({ heading, align: i === 0 ? 'left' : 'right' }) as const);
    console.log(`${title}\n${formatTable(columns, rows, plainStyle)}`);
    console.log(`${notes.map((note) => `- ${note}`).join('\n')}\n`);
  }
}

const topology = (name: string): LayeredNetwork => loadNetwork(`models/topologies/${name}.csv`).network;
const peer = (name: string): MachineConfig => readMachineFile(`hw-configs/${name}.yaml`);

async function timing(
  network: LayeredNetwork,
  machine: MachineConfig,
  choice: NumberChoice = {},
): Promise<RunReport> {
  const numbers = numbersOn(machine, choice);
  return runReport(await simulate({ network, machine, virtualFeatureMaps: true, numbers }), '');
}

/** How much more ours is than theirs, signed. */
function more(ours: number, theirs: number): string {
  const change = ours / theirs - 1;
  return `${change < 0 ? '' : '+'}${percent(change)}`;
}

async function scaleSim(): Promise<Section> {
  const network = topology('tiny-yolov2');
  const ours: { name: string; theirs: readonly number[]; cycles: number[] }[] = [];
  for (const [name, theirs] of Object.entries(quoted.scaleSim)) {
    const [dataflow, side] = name.split(' ');
    const { layers } = await timing(network, systolic(dataflow!, Number(side), 'CALC'));
    ours.push({ name, theirs, cycles: layers.map(({ cycles }) => cycles) });
  }
  const equal = sum(
    ours.map(({ theirs, cycles }) => cycles.filter((count, i) => count === theirs[i]).length),
  );
  return {
    title: 'SCALE-Sim 3.0.0, no stalls: Tiny-YOLOv2 (csv), cycles',
    headings: ['Layer', ...ours.map(({ name }) => `ours, ${name}`)],
    rows: [
      ...network.layers.map(({ name }, i) => [name, ...ours.map(({ cycles }) => grouped(cycles[i]!))]),
      ['all', ...ours.map(({ cycles }) => grouped(sum(cycles)))],
      ['SCALE-Sim', ...ours.map(({ theirs }) => grouped(sum(theirs)))],
    ],
    notes: [
      `${equal} of ${sum(ours.map(({ cycles }) => cycles.length))} layers take SCALE-Sim's cycles.`,
      'What either takes to find them: bench simulate.',
    ],
  };
}

async function scaleSimStalled(): Promise<Section> {
  const rows: string[][] = [];
  for (const { layer, dataflow, side, cycles } of quoted.scaleSimStalled) {
    const { layers } = await timing(topology('tiny-yolov2'), systolic(dataflow, side, 'USER'));
    const ours = layers.find(({ name }) => name === layer)!;
    const { bounds } = ours;
    rows.push([
      `${layer}, ${dataflow} ${side}`,
      grouped(ours.cycles),
      grouped(bounds.computeCycles),
      grouped(bounds.dramCycles),
      grouped(cycles),
      more(ours.cycles, cycles),
    ]);
  }
  return {
    title: 'SCALE-Sim 3.0.0, 10 words a cycle, buffers of 64 KiB: cycles',
    headings: ['Layer', 'ours', 'array', 'memory', 'SCALE-Sim', '(%)'],
    rows,
    notes: [
      'array, memory: the least cycles that multiply-accumulates, and the bytes that ours moves, take.',
      'Ours has one channel of 10 bytes a cycle, SCALE-Sim a port of that width for each of its buffers.',
    ],
  };
}

/** A machine as SCALE-Sim has it; CALC: memory and post-processing take no time. */
function systolic(dataflow: string, side: number, mode: 'CALC' | 'USER'): MachineConfig {
  const text = convertConfiguration(
    `[architecture_presets]
ArrayHeight: ${side}
ArrayWidth: ${side}
IfmapSramSzkB: 64
FilterSramSzkB: 64
OfmapSramSzkB: 64
Dataflow: ${dataflow}
Bandwidth: 10
[run_presets]
InterfaceBandwidth: ${mode}
`,
    'array.cfg',
  );
  return readMachine(text, 'array.yaml');
}

async function ethos(): Promise<Section> {
  const { network } = loadNetwork('models/tiny-yolov2.yaml');
  const machine = peer('ethos-u55-256-like');
  const fast = await timing(network, machine);
  const flash = { ...machine, dram: { ...machine.dram, kind: 'ideal', bandwidthMBps: machine.clockMHz } };
  const slow = await timing(network, flash as MachineConfig);
  const theirs = quoted.vela.map(({ convolution, pooling }) => convolution + pooling);
  const row = (name: string, a: number, b: number, c: number): string[] => [
    name,
    grouped(a),
    grouped(b),
    grouped(c),
    more(a, c),
    more(b, c),
  ];
  return {
    title: 'Ethos-U55-256: Tiny-YOLOv2, cycles of a layer with its pooling',
    headings: ['Layer', 'ours, 8 B/cycle', 'ours, 1 B/cycle', 'Vela', '8 B (%)', '1 B (%)'],
    rows: [
      ...theirs.map((cycles, i) =>
        row(fast.layers[i]!.name, fast.layers[i]!.cycles, slow.layers[i]!.cycles, cycles),
      ),
      row('all', fast.totals.cycles, slow.totals.cycles, quoted.velaTotal),
    ],
    notes: [
      'Vela 3.10: the estimate of its scheduler, which its maker calls just that.',
      'Ours with the whole memory at the speed of the SRAM, and at that of the flash.',
    ],
  };
}

async function onnxim(): Promise<Section> {
  const machine = peer('gemmini-16x16-like');
  const head =
    'Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,';
  const layers = readTopology(
    `${head}\nA, 54, 54, 3, 3, 16, 32, 1,\nB, 15, 15, 3, 3, 256, 512, 1,\n`,
    'ab.csv',
  );
  const [a, b] = (await timing(layerNetwork(layers), machine)).layers.map(({ cycles }) => cycles) as [
    number,
    number,
  ];
  const network = topology('tiny-yolov2');
  const elements = machine.peArray.rows * machine.peArray.columns;
  const least = [...layerNetwork(layers).layers, network].map(({ macs }) => Math.ceil(macs / elements));
  const convolutions = (await timing(network, machine)).totals.cycles;
  const whole = (await timing(loadNetwork('models/tiny-yolov2.yaml').network, machine)).totals.cycles;
  const theirs = quoted.onnxim;
  const cells = (one: number | undefined): string => (one === undefined ? '-' : grouped(one));
  return {
    title: '256 elements: layer A (52x52, 16 to 32), B (13x13, 256 to 512), 3x3; Tiny-YOLOv2; cycles',
    headings: ['', 'A', 'B', 'network'],
    rows: [
      ['ours, gemmini-16x16-like', grouped(a), grouped(b), grouped(convolutions)],
      ['  with bias, leaky ReLU and poolings', '', '', grouped(whole)],
      ['ONNXim a1e8629, 16x16 ws', grouped(theirs.A), grouped(theirs.B), grouped(theirs.network)],
      ['  ours to ONNXim (%)', more(a, theirs.A), more(b, theirs.B), more(convolutions, theirs.network)],
      ...quoted.others.map(({ name, A, B }) => [name, cells(A), cells(B), '-']),
      ['every element in every cycle', ...least.map((cycles) => grouped(cycles))],
    ],
    notes: ['ONNXim was compared with Gemmini RTL by its authors: mean error 0.23 % (arXiv 2406.08051).'],
  };
}

async function nvdla(): Promise<Section> {
  const network = topology('resnet-50');
  const rows: string[][] = [];
  for (const { machine: name, multipliers, framesPerSecond } of quoted.nvdla) {
    const { totals } = await timing(network, peer(name));
    rows.push([
      `ours, ${multipliers} MACs`,
      grouped(totals.cycles),
      grouped(totals.bounds.computeCycles),
      grouped(totals.bounds.dramCycles),
      totals.framesPerSecond.toFixed(1),
      framesPerSecond.toFixed(1),
      more(totals.framesPerSecond, framesPerSecond),
    ]);
  }
  return {
    title: 'NVDLA: ResNet-50 (csv), int8 at 1 GHz',
    headings: ['Machine', 'cycles', 'array', 'memory', 'frames/s', 'primer', '(%)'],
    rows,
    notes: [
      'The csv has the convolutions and the last layer; poolings and sums of maps are not in it.',
      'array, memory: the least cycles that multiply-accumulates, and the bytes that ours moves, take.',
      "The primer's are its estimator's.",
    ],
  };
}

async function eyeriss(): Promise<Section> {
  const machine = peer('eyeriss-like');
  const wide = { activationBits: 16, weightBits: 16 };
  const rows: string[][] = [];
  for (const { network, framesPerSecond } of quoted.eyeriss) {
    const { layers, totals } = await timing(topology(network), machine, wide);
    // Halves of a grouped convolution are layers of their own in the csv: Conv2a and Conv2b.
    const byLayer = new Map<string, number>();
    for (const { name, cycles } of layers) {
      const whole = name.replace(/(?<=^Conv\d)[ab]$/, '');
      byLayer.set(whole, (byLayer.get(whole) ?? 0) + cycles);
    }
    const milliseconds = (cycles: number): string => (cycles / machine.clockMHz / 1000).toFixed(2);
    for (const [name, cycles] of byLayer) {
      rows.push([`${network} ${name}`, grouped(cycles), milliseconds(cycles), '', '', '']);
    }
    rows.push([
      `${network}, all`,
      grouped(totals.cycles),
      milliseconds(totals.cycles),
      totals.framesPerSecond.toFixed(2),
      framesPerSecond.toFixed(1),
      more(totals.framesPerSecond, framesPerSecond),
    ]);
  }
  return {
    title: 'Eyeriss: convolutions (csv), 16 bits at 200 MHz',
    headings: ['Layer', 'cycles', 'ms', 'frames/s', 'chip', '(%)'],
    rows,
    notes: ['The chip ran AlexNet in batches of 4, VGG-16 of 3; ours are single pictures.'],
  };
}
