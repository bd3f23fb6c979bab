/** Why a layer is cut as it is, as JSON and as tables. */
import { z } from 'zod';
import type { MachineConfig } from '../hw/machine/config.ts';
import type { ExplainedTiling, Explanation } from '../schedule/explain.ts';
import { trafficWeight } from '../schedule/tiling.ts';
import { fusionExplanationSchema, fusionReport, fusionTable } from './explain-fusion-table.ts';
import { formatTable, grouped, percent, type Style, wrapText } from './tables.ts';

const count = z.int().min(0);
const cycles = z.number().min(0);

export const explanationSchema = z.strictObject({
  layer: z.string(),
  candidates: count.describe('Tilings that fit the machine'),
  bounds: z.strictObject({ computeCycles: count, dramCycles: count, postProcessingCycles: count }),
  tilings: z
    .array(
      z.strictObject({
        tiling: z
          .record(z.string(), z.union([z.number(), z.boolean()]))
          .describe('See src/schedule/tiling.ts'),
        estimate: z
          .strictObject({
            objective: cycles.describe('What is compared: cycles, and the DRAM cycles several times more'),
            cycles,
            computeCycles: cycles,
            dramCycles: cycles,
            exposedCycles: cycles.describe('Transfers that nothing overlaps with'),
            inputBytes: count,
            weightBytes: count,
            outputBytes: count,
          })
          .describe('What the search thinks it costs'),
        cycles: count.describe('Simulated'),
        dramBytes: count.describe('Simulated'),
        estimateError: z.number().describe('Estimated cycles / simulated cycles - 1'),
      }),
    )
    .describe('The chosen one, then the runners-up; layer by layer'),
  fusion: fusionExplanationSchema
    .nullable()
    .describe('With --fusion on, where maps of the layer stay on chip: its pass'),
});

export type ExplanationReport = z.output<typeof explanationSchema>;

export function explanationReport(explanation: Explanation, machine: MachineConfig): ExplanationReport {
  const { step, candidates, tilings, bounds, fusion } = explanation;
  return {
    layer: step.name,
    candidates,
    bounds: { ...bounds },
    tilings: tilings.map((one: ExplainedTiling) => ({
      tiling: { ...one.tiling },
      estimate: { ...one.cost },
      cycles: one.cycles,
      dramBytes: one.dramBytes,
      estimateError: one.cost.cycles / one.cycles - 1,
    })),
    fusion: fusion === undefined ? null : fusionReport(fusion, machine),
  };
}

export function explanationTable(report: ExplanationReport, style: Style): string {
  const { layer, candidates, tilings, bounds } = report;
  const names = tilings.map((_, at) => (at === 0 ? 'chosen' : `runner-up ${at}`));
  const rows: [string, (one: ExplanationReport['tilings'][number]) => string][] = [
    ['rows of a band', ({ tiling }) => value(tiling.bandRows)],
    ['rows of a tile', ({ tiling }) => value(tiling.tileRows)],
    ['groups of a tile', ({ tiling }) => value(tiling.groupsPerTile)],
    ['filters of a group', ({ tiling }) => value(tiling.filtersPerTile)],
    ['channels of a chunk', ({ tiling }) => value(tiling.channelsPerChunk)],
    ['row pitch (bytes)', ({ tiling }) => value(tiling.rowPitch)],
    ['input stays for the band', ({ tiling }) => value(tiling.inputResident)],
    ['weights stay for the step', ({ tiling }) => value(tiling.weightsResident)],
    ['slots: input', ({ tiling }) => value(tiling.inputSlots)],
    ['  weights', ({ tiling }) => value(tiling.weightSlots)],
    ['  output', ({ tiling }) => value(tiling.outputSlots)],
    ['estimated cycles', ({ estimate }) => whole(estimate.cycles)],
    ['  array', ({ estimate }) => whole(estimate.computeCycles)],
    ['  DRAM', ({ estimate }) => whole(estimate.dramCycles)],
    ['  not overlapped', ({ estimate }) => whole(estimate.exposedCycles)],
    ['compared', ({ estimate }) => whole(estimate.objective)],
    ['simulated cycles', (one) => grouped(one.cycles)],
    ['estimate is off by (%)', (one) => percent(one.estimateError, 2)],
    ['DRAM traffic (bytes)', (one) => grouped(one.dramBytes)],
    ['  input', ({ estimate }) => whole(estimate.inputBytes)],
    ['  weights', ({ estimate }) => whole(estimate.weightBytes)],
    ['  output', ({ estimate }) => whole(estimate.outputBytes)],
  ];
  return [
    report.fusion === null ? '' : fusionTable(report.fusion, style),
    wrapText(
      `${layer}: the best of ${grouped(candidates)} tilings that fit. At least ${grouped(bounds.computeCycles)} cycles to compute and ${grouped(bounds.dramCycles)} to move the chosen one's bytes.`,
    ),
    '\n',
    formatTable(
      [
        { heading: 'Tiling', align: 'left' },
        ...names.map((heading) => ({ heading, align: 'right' as const })),
      ],
      rows.map(([heading, cell]) => [heading, ...tilings.map(cell)]),
      style,
    ),
    '\n',
    wrapText(
      `The least of "compared" is chosen: estimated cycles, and the DRAM cycles ${trafficWeight} times more, since traffic costs energy even where it costs no time.`,
    ),
  ].join('');
}

function value(of: number | boolean | undefined): string {
  return typeof of === 'boolean' ? (of ? 'yes' : 'no') : grouped(of ?? 0);
}

const whole = (amount: number): string => grouped(Math.round(amount));
