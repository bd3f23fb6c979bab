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

const programsSchema = z.strictObject({
  programs: z.int().describe('Of whole layers and networks, through sequencer, DMA and compute side'),
  commands: z.int(),
  cycles: z.int().describe('Up to the last barrier of each program'),
  events: z.int().describe('Whose cycles were compared: barriers, tokens, memory transactions'),
  cycleMismatches: z.int(),
  bytes: z.int().describe('Written to DRAM; all of DRAM was compared'),
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
  programs: programsSchema.nullable().describe('Of the machine of --hw; null: none were run'),
});

export type CosimReport = z.output<typeof cosimReportSchema>;
type Counts = z.output<typeof countsSchema>;
type Programs = z.output<typeof programsSchema>;
interface Found {
  readonly firstMismatch?: string | undefined;
}

/** Totals over all machines. */
export function cosimReport(
  hardware: string,
  engine: string,
  seed: number,
  machines: readonly (Counts & Found)[],
  programs?: (Programs & Found) | undefined,
): CosimReport {
  const total = (name: 'cycleMismatches' | 'byteMismatches'): number =>
    machines.reduce((sum, counts) => sum + counts[name], programs?.[name] ?? 0);
  const withoutWords = <T extends Found>({ firstMismatch: _, ...counts }: T) => counts;
  return {
    schemaVersion: reportSchemaVersion,
    hardware: { name: hardware },
    engine,
    seed,
    tiles: machines.reduce((sum, { tiles }) => sum + tiles, 0),
    cycleMismatches: total('cycleMismatches'),
    byteMismatches: total('byteMismatches'),
    firstMismatch:
      [...machines, ...(programs === undefined ? [] : [programs])].find(
        ({ firstMismatch }) => firstMismatch !== undefined,
      )?.firstMismatch ?? null,
    machines: machines.map(withoutWords),
    programs: programs === undefined ? null : withoutWords(programs),
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
    ...(report.machines.length === 0 ? [] : [tilesTable(report, style), '\n']),
    ...(report.programs === null ? [] : [programsTable(report.programs, style), '\n']),
    wrapText(verdict, ''),
  ].join('');
}

function tilesTable(report: CosimReport, style: Style): string {
  return formatTable(
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
  );
}

function programsTable(of: Programs, style: Style): string {
  return formatTable(
    [
      { heading: 'Whole machine', align: 'left', shrinks: true },
      right('cycles'),
      right('events'),
      right('in another cycle'),
      right('bytes'),
      right('other'),
    ],
    [
      [
        `${grouped(of.programs)} program${of.programs === 1 ? '' : 's'}, ${grouped(of.commands)} commands`,
        grouped(of.cycles),
        grouped(of.events),
        grouped(of.cycleMismatches),
        grouped(of.bytes),
        grouped(of.byteMismatches),
      ],
    ],
    style,
  );
}
