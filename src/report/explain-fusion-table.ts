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
      recordBytes: count,
    }),
  ),
  outputKept: count.describe("Channels of the pass' output that stay on chip for the next pass"),
  next: z
    .strictObject({ name: z.string(), weightBytes: count, recordBytes: count })
    .nullable()
    .describe('The layer behind the pass'),
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
  const { steps, outputKept, next, passCycles, passDramBytes } = explanation;
  return {
    pass: passName(steps.map(({ step }) => step)),
    fusedBy: explanation.fusedBy ?? null,
    layers: steps.map(({ step, tiling, ...one }: FusedStep) => ({
      name: step.name,
      tileRows: tiling.tileRows,
      ...one,
    })),
    outputKept,
    next: next === undefined ? null : { name: next.step.name, ...bytesOf(next) },
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

const bytesOf = ({ weightBytes, recordBytes }: { weightBytes: number; recordBytes: number }) => ({
  weightBytes,
  recordBytes,
});

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
    ...limitLines(report),
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
        right('records (B)'),
      ],
      layers.map(({ name, tileRows, ringRows, ringBytes, weightBytes, recordBytes }) => [
        name,
        grouped(tileRows),
        ringRows === 0 ? '-' : grouped(ringRows),
        ringRows === 0 ? '-' : grouped(ringBytes),
        grouped(weightBytes),
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

/** Whether the layer behind could join, as far as the buffers that a pass holds all of are concerned. */
function limitLines({ layers, next, buffers, fusedBy }: FusionReport): string[] {
  // Passes by channels load their weights as they go.
  if (next === null || fusedBy === 'channels') return [];
  const weights = layers.reduce((all, layer) => all + layer.weightBytes, next.weightBytes);
  const records = layers.reduce((all, layer) => all + layer.recordBytes, next.recordBytes);
  const short = [
    ...(weights > buffers.weight
      ? [`${grouped(weights)} bytes of weights (${grouped(buffers.weight)})`]
      : []),
    ...(records > buffers.parameter
      ? [`${grouped(records)} bytes of records (${grouped(buffers.parameter)})`]
      : []),
  ];
  return [
    short.length > 0
      ? `With ${next.name} too a pass would hold ${short.join(' and ')}: more than there is.`
      : `With ${next.name} too a pass would hold ${grouped(weights)} bytes of weights and ${grouped(records)} of records, which fit: it was thought to cost more, its rings did not fit, or its maps can't stay on chip.`,
  ];
}
