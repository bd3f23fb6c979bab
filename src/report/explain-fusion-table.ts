/** Why maps of a layer stay on chip, as JSON and as tables. */
import { z } from 'zod';
import type { MachineConfig } from '../hw/machine/config.ts';
import type { FusedStep, FusionExplanation } from '../schedule/explain-fusion.ts';
import { passName } from '../schedule/steps.ts';
import { formatTable, grouped, type Style, wrapText } from './tables.ts';

const count = z.int().min(0);
const cycles = z.number().min(0);

const outcomeSchema = z.strictObject({
  objective: cycles.describe('What the search compares, summed over the passes'),
  estimatedCycles: cycles,
  cycles: count.describe('Simulated'),
  dramBytes: count.describe('Simulated'),
});

export const fusionExplanationSchema = z.strictObject({
  pass: z.string(),
  fusedBy: z
    .enum(['rows', 'channels'])
    .nullable()
    .describe('What its layers interleave: bands of rows, or groups of channels; null: one layer'),
  layers: z.array(
    z.strictObject({
      name: z.string(),
      tileRows: count.describe('Output rows computed at a time'),
      inputKept: count.describe('Channels of its input that come from the feature buffer, not from DRAM'),
      ringRows: count.describe('Rows of its input that have a place at a time; 0: a whole map, or a slot'),
      ringBytes: count,
      weightBytes: count,
      weightsStay: z
        .boolean()
        .describe('In the buffer for the whole pass; else loaded again, some at a time'),
      recordBytes: count,
    }),
  ),
  outputKept: count.describe("Channels of the pass' output that stay on chip for the next pass"),
  buffers: z.strictObject({ feature: count, weight: count, parameter: count }).describe('Bytes of each'),
  cycles: count.describe('Of the pass, simulated'),
  dramBytes: count.describe('Of the pass, simulated'),
  network: z
    .strictObject({
      chosen: outcomeSchema,
      runnerUp: outcomeSchema.extend({ mapInDram: z.string().describe('What it does not keep on chip') }),
      layerByLayer: outcomeSchema,
    })
    .describe('Schedules of the whole network'),
});

export type FusionReport = z.output<typeof fusionExplanationSchema>;

export function fusionReport(explanation: FusionExplanation, { buffers }: MachineConfig): FusionReport {
  const { steps, outputKept, passCycles, passDramBytes } = explanation;
  return {
    pass: passName(steps.map(({ step }) => step)),
    fusedBy: explanation.fusedBy ?? null,
    layers: steps.map(({ step, tiling, ...one }: FusedStep) => ({
      name: step.name,
      tileRows: tiling.tileRows,
      ...one,
    })),
    outputKept,
    buffers: {
      feature: buffers.feature.bytes,
      weight: buffers.weight.bytes,
      parameter: buffers.parameter.bytes,
    },
    cycles: passCycles,
    dramBytes: passDramBytes,
    network: {
      chosen: explanation.chosen,
      runnerUp: explanation.runnerUp,
      layerByLayer: explanation.layerByLayer,
    },
  };
}

export function fusionTable(report: FusionReport, style: Style): string {
  const { pass, layers, outputKept, network } = report;
  const { chosen, runnerUp, layerByLayer } = network;
  const right = (heading: string) => ({ heading, align: 'right' as const });
  const schedules = [
    ['chosen', chosen],
    [`${runnerUp.mapInDram} in DRAM`, runnerUp],
    ['layer by layer', layerByLayer],
  ] as const;
  const lines = [
    layers.length > 1
      ? `${pass}: ${layers.length} layers in one pass, interleaved by ${report.fusedBy === 'channels' ? 'groups of channels' : 'bands of rows'}. It takes ${grouped(report.cycles)} cycles and moves ${grouped(report.dramBytes)} bytes; the maps between its layers never leave the chip.`
      : `${pass}: a pass of its own that moves ${grouped(report.dramBytes)} bytes in ${grouped(report.cycles)} cycles.`,
    ...keptLines(layers[0]!.inputKept, outputKept),
    savedLine(chosen, layerByLayer),
  ];
  return [
    ...lines.map((line) => wrapText(line)),
    '\n',
    formatTable(
      [
        { heading: 'Layer', align: 'left' },
        right('rows'),
        right('ring rows'),
        right('ring (B)'),
        right('weights (B)'),
        right('stay'),
        right('records (B)'),
      ],
      layers.map(({ name, tileRows, ringRows, ringBytes, weightBytes, weightsStay, recordBytes }) => [
        name,
        grouped(tileRows),
        ringRows === 0 ? '-' : grouped(ringRows),
        ringRows === 0 ? '-' : grouped(ringBytes),
        grouped(weightBytes),
        weightsStay ? 'yes' : 'no',
        grouped(recordBytes),
      ]),
      style,
    ),
    '\n',
    formatTable(
      [
        { heading: 'Schedule of the network', align: 'left', shrinks: true },
        right('compared'),
        right('estimated cycles'),
        right('cycles'),
        right('DRAM (B)'),
      ],
      schedules.map(([name, one]) => [
        name,
        grouped(Math.round(one.objective)),
        grouped(Math.round(one.estimatedCycles)),
        grouped(one.cycles),
        grouped(one.dramBytes),
      ]),
      style,
    ),
    '\n',
    wrapText(
      `The second is the runner-up: the best schedule in which one of the maps that this pass keeps on chip goes through DRAM. What layer by layer does to this layer:`,
    ),
    '\n',
  ].join('');
}

function keptLines(inputKept: number, outputKept: number): string[] {
  return [
    ...(inputKept > 0 ? [`${grouped(inputKept)} channels of its input are on chip already.`] : []),
    ...(outputKept > 0 ? [`${grouped(outputKept)} channels of its output stay for the next pass.`] : []),
  ];
}

type Outcome = FusionReport['network']['chosen'];

function savedLine(chosen: Outcome, plain: Outcome): string {
  const bytes = plain.dramBytes - chosen.dramBytes;
  const less = plain.cycles - chosen.cycles;
  return `Against layer by layer the network moves ${grouped(Math.abs(bytes))} ${bytes >= 0 ? 'fewer' : 'more'} bytes and takes ${grouped(Math.abs(less))} ${less >= 0 ? 'fewer' : 'more'} cycles.`;
}
