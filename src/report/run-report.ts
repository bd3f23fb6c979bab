/** One run as JSON: the names users and other tools rely on. Fractions are 0..1, sizes bytes, times cycles. */
import { z } from 'zod';
import { sum } from '../core/integers.ts';
import type { Shape } from '../graph/graph.ts';
import type { IntegerValues } from '../graph/op.ts';
import { emptySramStatistics, type SramStatistics } from '../hw/buffers/buffers.ts';
import { describeCrossChannelPool } from '../hw/cross-channel-pool/config.ts';
import type { DramConfig } from '../hw/dram/config.ts';
import { energySource } from '../hw/energy.ts';
import { type MachineConfig, totalBufferBytes } from '../hw/machine/config.ts';
import {
  type DramTraffic,
  emptyTraffic,
  type MachineResult,
  type StepResult,
} from '../hw/machine/machine.ts';
import type { LayeredNetwork } from '../quant/layers.ts';
import { layerMinimumBytes, networkMinimumBytes, passBounds, type StepBounds } from '../schedule/minima.ts';
import type { Program } from '../schedule/program.ts';
import { passName, ratioOf, type Step, type StoredConvention } from '../schedule/steps.ts';
import { addEnergies, energySchema, passEnergy } from './energy-report.ts';
import { memoryReport, memoryReportSchema, rowCounters } from './memory-report.ts';
import { type MemoryStudy, memoryStudySchema } from './memory-study-report.ts';
import { runDetailsSchema } from './run-details.ts';

export const reportSchemaVersion = 1;

const count = z.int().min(0);
const fraction = z.number().min(0);

const byKind = z
  .strictObject({
    weights: count.describe('Weights and requantisation records read'),
    inputFeatureMaps: count.describe('Feature maps read'),
    outputFeatureMaps: count.describe('Feature maps written'),
    virtualFeatureMaps: count.describe(
      'Maps written and read back only because cross-channel pooling had to wait',
    ),
  })
  .describe('Payload bytes by what they carried; they add up to totalBytes');

const traffic = z.strictObject({
  readBytes: count,
  writeBytes: count,
  totalBytes: count,
  transactions: count.describe('DRAM transactions of at most one burst'),
  byKind,
});

const memoryTraffic = z.strictObject({
  ...traffic.shape,
  ...rowCounters,
  memory: memoryReportSchema.nullable().describe('null for an ideal memory'),
});

const stalls = z
  .strictObject({
    dram: count.describe('The array waited for data from DRAM, or for room to write to it'),
    bank: count.describe('Reads of one step met in one bank of the feature buffer'),
    dependency: count.describe('No command was ready, or the last values were still in the pipeline'),
    postProcessing: count.describe('A finished fold waited for post-processing'),
    fill: count.describe('Start of commands and preload of partial sums'),
  })
  .describe('Cycles in which the array took no step; with computeCycles they add up to the cycles');

const bounds = z
  .strictObject({
    computeCycles: count.describe('macs / processing elements; of a streamed map, values / rows'),
    dramCycles: count.describe("The layer's bytes at the memory's peak bandwidth"),
    postProcessingCycles: count.describe('Values before pooling / rows: what the pipeline takes in a cycle'),
    fraction: fraction.describe('The largest of the three / measured cycles: 1 = nothing is lost'),
    limitedBy: z.enum(['compute', 'dram', 'postProcessing']),
  })
  .describe('The least cycles the layer could take (roofline)');

const sramCounter = z.strictObject({ reads: count, writes: count, bytes: count });

export const runReportSchema = z.strictObject({
  schemaVersion: z.literal(reportSchemaVersion),
  model: z.strictObject({
    name: z.string(),
    macs: count.describe('Multiply-accumulates of one inference, padded taps counted'),
    parameters: count.describe('Weights and biases after folding batch norm'),
    weights: z.string().describe('Where the weights come from'),
  }),
  hardware: z.strictObject({
    name: z.string(),
    clockMHz: count,
    processingElements: count,
    totalBufferBytes: count,
  }),
  mode: z
    .enum(['full', 'timing'])
    .describe('full: data flowed; timing: the same cycles and bytes without data'),
  virtualFeatureMaps: z
    .enum(['none', 'on chip', 'stored'])
    .describe('Whether maps before cross-channel pooling stayed on chip'),
  fusion: z
    .enum(['off', 'on'])
    .describe('Whether feature maps may stay on chip between layers, and layers be fused row by row'),
  conventions: z.array(z.string()).describe('Conventions that move the figures'),
  totals: z.strictObject({
    cycles: count,
    seconds: z.number(),
    framesPerSecond: z.number(),
    macUtilization: fraction.describe('macs / (cycles * processing elements)'),
    computeCycles: count.describe('Cycles in which the array took a step'),
    stalls,
    peakFeatureMapBytes: count.describe('Most bytes of feature maps alive in DRAM at any step'),
    commands: count.describe('Commands of the program'),
    accumulatorOverflows: count.describe('Additions that left the accumulator; full mode only'),
    dram: z.strictObject({
      ...memoryTraffic.shape,
      minima: z
        .strictObject({
          layerByLayerBytes: count.describe('Weights, input and output of every layer, each once'),
          networkBytes: count.describe('All weights, the network input and its outputs, each once'),
        })
        .describe('Least traffic; only maps kept on chip go below the first, nothing below the second'),
    }),
    bounds,
    energy: energySchema,
    sram: z
      .record(z.string(), sramCounter)
      .describe('Word accesses of each on-chip memory and the bytes they carried'),
  }),
  layers: z.array(
    z.strictObject({
      name: z.string(),
      operator: z.string(),
      fused: z.array(z.string()).describe('Nodes of the network carried out in this pass'),
      cycles: count,
      startCycle: count,
      endCycle: count,
      macs: count,
      utilization: fraction,
      computeCycles: count,
      stalls,
      bounds,
      energy: energySchema,
      dram: memoryTraffic,
    }),
  ),
  memoryStudy: memoryStudySchema.nullable().describe('null: not asked for, or the memory is ideal'),
  outputs: z.array(
    z.strictObject({
      name: z.string(),
      shape: z.array(count),
      sha256: z.string().describe("Of the integer tensor's bytes, C-order, little endian; full mode only"),
    }),
  ),
  details: runDetailsSchema.optional(),
});

export type RunReport = z.output<typeof runReportSchema>;
type Bounds = z.output<typeof bounds>;
export type RunTraffic = z.output<typeof traffic>;

/** What a report is made from; see `Simulation` in pipeline.ts. */
export interface ReportSubject {
  readonly network: LayeredNetwork;
  readonly machine: MachineConfig;
  readonly mode: 'full' | 'timing';
  readonly program: Program;
  readonly result: MachineResult;
  readonly tensors: ReadonlyMap<string, IntegerValues>;
  readonly overflows: number;
}

export async function runReport(
  subject: ReportSubject,
  weightSource: string,
  memoryStudy: MemoryStudy | null = null,
): Promise<RunReport> {
  const { network, machine, mode, program, result } = subject;
  const processingElements = machine.peArray.rows * machine.peArray.columns;
  const clockHz = machine.clockMHz * 1e6;
  const total = totalTraffic(result.steps);
  const steps = program.steps.map(({ step }) => step);
  const layers = program.passes.map(({ first, end }, index) =>
    layerReport(steps.slice(first, end), result.steps[index]!, machine),
  );
  return {
    schemaVersion: reportSchemaVersion,
    model: {
      name: network.graph.name,
      macs: network.macs,
      parameters: network.parameters,
      weights: mode === 'full' ? weightSource : 'not needed in timing mode',
    },
    hardware: {
      name: machine.name,
      clockMHz: machine.clockMHz,
      processingElements,
      totalBufferBytes: totalBufferBytes(machine),
    },
    mode,
    virtualFeatureMaps: placementOfVirtualMaps(program),
    fusion: program.how.fusion ? 'on' : 'off',
    conventions: conventions(program, machine),
    totals: {
      cycles: result.cycles,
      seconds: result.cycles / clockHz,
      framesPerSecond: clockHz / result.cycles,
      macUtilization: network.macs / (result.cycles * processingElements),
      computeCycles: sum(result.steps.map((step) => step.array.busy)),
      stalls: totalStalls(result.steps),
      peakFeatureMapBytes: program.peakFeatureMapBytes,
      commands: program.commands.length,
      accumulatorOverflows: subject.overflows,
      dram: {
        ...trafficReport(total),
        ...memoryReport(
          machine.dram,
          machine.clockMHz,
          result.steps.map((step) => step.sdram),
        ),
        minima: {
          layerByLayerBytes: sum(steps.map((step) => layerMinimumBytes(step, program.values))),
          networkBytes: networkMinimumBytes(network, steps, program.values),
        },
      },
      bounds: addBounds(layers),
      energy: addEnergies(layers.map((layer) => layer.energy)),
      sram: totalSram(result.steps),
    },
    layers,
    memoryStudy,
    outputs: await outputReports(subject),
  };
}

/** The report of a pass: one step, or fused ones as one line. */
function layerReport(
  steps: readonly Step[],
  result: StepResult,
  machine: MachineConfig,
): RunReport['layers'][number] {
  const processingElements = machine.peArray.rows * machine.peArray.columns;
  const cycles = result.endCycle - result.startCycle;
  const { busy, ...layerStalls } = result.array;
  const macs = sum(steps.map((step) => step.macs));
  const { readBytes, writeBytes } = result.dram;
  return {
    name: passName(steps),
    operator: steps[0]!.operator,
    fused: steps.flatMap((step) =>
      step.layers.flatMap((layer) => [layer.node.name, ...layer.merged.map((node) => node.name)]),
    ),
    cycles,
    startCycle: result.startCycle,
    endCycle: result.endCycle,
    macs,
    utilization: macs / (cycles * processingElements),
    computeCycles: busy,
    stalls: layerStalls,
    bounds: boundsReport(passBounds(steps, readBytes + writeBytes, machine), cycles),
    energy: passEnergy(steps, result, machine),
    dram: { ...trafficReport(result.dram), ...memoryReport(machine.dram, machine.clockMHz, [result.sdram]) },
  };
}

const limits = {
  compute: 'computeCycles',
  dram: 'dramCycles',
  postProcessing: 'postProcessingCycles',
} as const;

function boundsReport(bounds: StepBounds, cycles: number): Bounds {
  return { ...bounds, fraction: largest(bounds) / cycles, limitedBy: limitOf(bounds) };
}

function largest({ computeCycles, dramCycles, postProcessingCycles }: StepBounds): number {
  return Math.max(computeCycles, dramCycles, postProcessingCycles);
}

/** Which of the bounds is the largest; the array's, if another is as large. */
function limitOf(bounds: StepBounds): Bounds['limitedBy'] {
  const names = Object.keys(limits) as Bounds['limitedBy'][];
  return names.find((name) => bounds[limits[name]] === largest(bounds))!;
}

/** Layers follow each other, so that the least of the run is the sum of their least. */
function addBounds(layers: RunReport['layers']): Bounds {
  const total = (part: keyof StepBounds): number => sum(layers.map((layer) => layer.bounds[part]));
  const bounds = {
    computeCycles: total('computeCycles'),
    dramCycles: total('dramCycles'),
    postProcessingCycles: total('postProcessingCycles'),
  };
  const least = sum(layers.map((layer) => largest(layer.bounds)));
  const cycles = sum(layers.map((layer) => layer.cycles));
  return { ...bounds, fraction: least / cycles, limitedBy: limitOf(bounds) };
}

function totalSram(steps: readonly StepResult[]): SramStatistics {
  const total = emptySramStatistics();
  for (const { sram } of steps) {
    for (const name of Object.keys(total) as (keyof SramStatistics)[]) {
      total[name].reads += sram[name].reads;
      total[name].writes += sram[name].writes;
      total[name].bytes += sram[name].bytes;
    }
  }
  return total;
}

function trafficReport(traffic: DramTraffic): RunTraffic {
  const { readBytes, writeBytes, transactions, byKind } = traffic;
  return { readBytes, writeBytes, totalBytes: readBytes + writeBytes, transactions, byKind: { ...byKind } };
}

function totalTraffic(steps: readonly StepResult[]): DramTraffic {
  const total = emptyTraffic();
  for (const { dram } of steps) {
    total.readBytes += dram.readBytes;
    total.writeBytes += dram.writeBytes;
    total.transactions += dram.transactions;
    for (const kind of Object.keys(total.byKind) as (keyof DramTraffic['byKind'])[]) {
      total.byKind[kind] += dram.byKind[kind];
    }
  }
  return total;
}

function totalStalls(steps: readonly StepResult[]): RunReport['totals']['stalls'] {
  const total = { dram: 0, bank: 0, dependency: 0, postProcessing: 0, fill: 0 };
  for (const { array } of steps) {
    for (const cause of Object.keys(total) as (keyof typeof total)[]) total[cause] += array[cause];
  }
  return total;
}

export function placementOfVirtualMaps(program: Program): RunReport['virtualFeatureMaps'] {
  if (program.steps.some(({ step }) => step.outputKind === 'virtualFeatureMaps')) return 'stored';
  const isReduced = ({ step }: Program['steps'][number]) =>
    ratioOf(step) > 1 && step.requantised !== undefined;
  return program.steps.some(isReduced) ? 'on chip' : 'none';
}

/** What the conventions of `StoredConvention` do, in words. */
export const conventionTexts: Record<StoredConvention, string> = {
  a: 'convolution and spatial maximum in the pipe, all pooled maps written, a second pass reads them, keeps the maxima and writes those',
  b: 'convolution and spatial maximum in the pipe, all pooled maps written; they are read once, through the cross-channel unit, and the maxima stay in the feature buffer for the next layer',
  ii: 'convolution in the pipe, all unpooled maps written; a second pass reads them, takes the maxima across channels and the spatial ones, and writes those',
  iii: 'convolution in the pipe, all unpooled maps written; they are read once, through the cross-channel and the spatial unit, and the maxima stay in the feature buffer for the next layer',
  e: 'as ii, and no spatial pooling in the pipe of any convolution, with virtual maps on chip neither: it is a pass of its own',
};

/** What a cross-channel pooling unit that is not the usual one does to the figures. */
function crossChannelConventions(program: Program, { peArray, postProcessing }: MachineConfig): string[] {
  const unit = postProcessing.crossChannelPool;
  if (unit === null) return [];
  const { form, position, depth } = unit;
  const isUsual = form === 'running' && position === 'after' && depth === 1;
  return [
    ...(isUsual ? [] : [describeCrossChannelPool(unit, peArray)]),
    ...(program.numbers.weightScales === 'per group'
      ? [
          'Filters of a cross-channel group share one weight scale, the largest that any of them needs, so that maxima may be taken of sums.',
        ]
      : []),
  ];
}

function conventions(program: Program, machine: MachineConfig): string[] {
  const { dram } = machine;
  const lines = [
    'Bytes are payload: what a transaction carries, not what a burst could.',
    `Each filter has a ${program.values.recordBytes}-byte record (bias, two multipliers, shift), counted as weights.`,
    `A value of a feature map takes ${program.values.elementBytes} byte${program.values.elementBytes > 1 ? 's' : ''}, a weight ${program.values.weightBytes}; narrower ones are not packed.`,
    'Rows of the halo between bands of a layer are read again and counted again.',
    program.how.fusion
      ? 'Fusion on: feature maps stay on chip between layers where they fit, and layers are fused row by row; a..b is one pass of the layers a to b.'
      : 'Fusion off: every layer reads its input from DRAM and writes its output there.',
    'The program itself is held on chip; fetching it is not counted.',
    ...crossChannelConventions(program, machine),
    energySource,
    ...memoryConventions(dram),
  ];
  if (placementOfVirtualMaps(program) === 'stored') {
    const convention = program.how.convention ?? 'a';
    lines.push(`Stored virtual maps (convention ${convention}): ${conventionTexts[convention]}.`);
  }
  return lines;
}

function memoryConventions(dram: DramConfig): string[] {
  if (dram.kind === 'ideal') {
    return [`Memory: ideal, ${dram.bandwidthMBps} MB/s, ${dram.latencyNs} ns; no rows, banks or refresh.`];
  }
  const { transactionQueueEntries, commandQueueEntries, addressMapping, pagePolicy } = dram.controller;
  return [
    `Memory: ${dram.name}, ${pagePolicy} page, queues of ${transactionQueueEntries} reads, ${transactionQueueEntries} writes and ${commandQueueEntries} a bank, addresses ${addressMapping}.`,
    'What the bus waited for is counted when a request for the next burst was in its bank queue; most of it passes while the array computes.',
  ];
}

async function outputReports(subject: ReportSubject): Promise<RunReport['outputs']> {
  const { network, program, tensors } = subject;
  const reports: RunReport['outputs'] = [];
  for (const name of program.outputs) {
    const tensor = tensors.get(name);
    if (tensor === undefined) continue;
    const shape: Shape = network.graph.nodes.find((node) => node.name === name)!.outputShape;
    reports.push({ name, shape: [...shape], sha256: await sha256(tensor) });
  }
  return reports;
}

async function sha256(tensor: IntegerValues): Promise<string> {
  // A copy: the digest wants a buffer of its own.
  const bytes = Uint8Array.from(new Uint8Array(tensor.buffer, tensor.byteOffset, tensor.byteLength));
  const digest = await crypto.subtle.digest('SHA-256', bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
