/** What a co-simulation found: names in JSON, and the table. */
import { z } from 'zod';
import { reportSchemaVersion } from './run-report.ts';
import { type Column, formatTable, grouped, type Style, wrapText } from './tables.ts';

const countsSchema = z.strictObject({
  machine: z.string(),
  cases: z.int().describe('Each some tiles behind each other, with operands and tokens at random times'),
  tiles: z.int(),
  cycles: z.int().describe('Simulated by the RTL, up to the last token of each case'),
  tokens: z.int().describe('Events whose cycles were compared: operands released, tile complete'),
  cycleMismatches: z.int().describe('Events in another cycle, or missing'),
  bytes: z.int().describe('Of output buffers that were compared'),
  byteMismatches: z.int(),
});

export const cosimReportSchema = z.strictObject({
  schemaVersion: z.literal(reportSchemaVersion),
  hardware: z.strictObject({ name: z.string() }),
  engine: z.string().describe('What ran the Verilog'),
  seed: z.int(),
  tiles: z.int(),
  cycleMismatches: z.int(),
  byteMismatches: z.int(),
  firstMismatch: z.string().nullable(),
  machines: z.array(countsSchema).describe('The machine of --hw, and those that --machines drew'),
});

export type CosimReport = z.output<typeof cosimReportSchema>;
type Counts = z.output<typeof countsSchema>;

/** Totals over all machines. */
export function cosimReport(
  hardware: string,
  engine: string,
  seed: number,
  machines: readonly (Counts & { readonly firstMismatch?: string | undefined })[],
): CosimReport {
  const total = (name: 'tiles' | 'cycleMismatches' | 'byteMismatches'): number =>
    machines.reduce((sum, counts) => sum + counts[name], 0);
  return {
    schemaVersion: reportSchemaVersion,
    hardware: { name: hardware },
    engine,
    seed,
    tiles: total('tiles'),
    cycleMismatches: total('cycleMismatches'),
    byteMismatches: total('byteMismatches'),
    firstMismatch: machines.find(({ firstMismatch }) => firstMismatch !== undefined)?.firstMismatch ?? null,
    machines: machines.map(({ firstMismatch: _, ...counts }) => counts),
  };
}

const right = (heading: string): Column => ({ heading, align: 'right' });

export function cosimTable(report: CosimReport, style: Style): string {
  const bad = report.cycleMismatches + report.byteMismatches > 0;
  const verdict = bad
    ? style.bad(`RTL and simulator differ: ${report.firstMismatch}`)
    : 'RTL and simulator: the same cycles, the same bytes.';
  return [
    `${style.heading(`${report.hardware.name}: Verilog against the simulator`)}\n`,
    wrapText(`Verilog by: ${report.engine}. Seed ${report.seed}.`, '  '),
    '\n',
    formatTable(
      [
        { heading: 'Machine', align: 'left', shrinks: true },
        right('tiles'),
        right('cycles'),
        right('events'),
        right('in another cycle'),
        right('bytes'),
        right('other'),
      ],
      report.machines.map((counts) => [
        counts.machine,
        grouped(counts.tiles),
        grouped(counts.cycles),
        grouped(counts.tokens),
        grouped(counts.cycleMismatches),
        grouped(counts.bytes),
        grouped(counts.byteMismatches),
      ]),
      style,
    ),
    '\n',
    wrapText(verdict, ''),
  ].join('');
}
