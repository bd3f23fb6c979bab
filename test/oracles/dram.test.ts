/**
 * DRAMsim3's figures and commands for the presets of `hw-configs/dram/`, through `condensim dram`.
 *
 * Its figures and the checksums of its command traces are in `dramsim3-golden.json`, so that most of this runs anywhere;
 * the traces line by line, to say where they part, are in ../shared.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { clockPeriod } from '../../src/hw/dram/config.ts';
import { readDramFile } from '../../src/import/dram-yaml.ts';
import { type DramReport, dramReportSchema } from '../../src/report/dram-report.ts';
import { condensim, projectFile, scratch, sharedFile } from '../cli/command-line.ts';
import { goldenTraces, traceLine } from './golden-traces.test-helper.ts';

/** What DRAMsim3 counted, under its report's names. */
interface GoldenResult {
  readonly finish_cycles: number;
  readonly useful_bw_GBps: number;
  readonly avg_read_latency_cycles: number;
  readonly row_hits: number;
  readonly act: number;
  readonly pre: number;
  readonly ref: number;
  readonly reads: number;
  readonly writes: number;
  readonly undrained_writes: number;
  readonly cmd_trace_sha256: string;
}

const golden = JSON.parse(readFileSync(new URL('dramsim3-golden.json', import.meta.url), 'utf8')) as {
  readonly traceSha256: Readonly<Record<string, string>>;
  readonly presets: Readonly<
    Record<string, { readonly config: string; readonly traces: Readonly<Record<string, GoldenResult>> }>
  >;
};

const cases = Object.entries(golden.presets).flatMap(([preset, { config, traces }]) =>
  Object.entries(traces).map(([trace, result]) => ({ preset, config, trace, result })),
);

const reference = sharedFile('reference/dram');
const referenceIsHere = existsSync(reference);

const sha256 = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex');
const presetFile = (preset: string): string => projectFile(`hw-configs/dram/${preset}.yaml`);

/** What `condensim dram` makes of a trace file. */
async function replayed(preset: string, trace: string): Promise<{ report: DramReport; commands: string }> {
  const commands = scratch(`${preset}.cmd`);
  const { code, stdout, stderr } = await condensim(
    ...['dram', '--config', presetFile(preset), '--trace', trace, '--commands', commands, '--json'],
  );
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return { report: dramReportSchema.parse(JSON.parse(stdout)), commands: readFileSync(commands, 'utf8') };
}

/** Rounded as DRAMsim3's figures are. */
const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

function figuresOf(report: DramReport): Omit<GoldenResult, 'cmd_trace_sha256'> {
  return {
    finish_cycles: report.finishCycles,
    useful_bw_GBps: rounded(report.usefulBandwidthGBps, 4),
    avg_read_latency_cycles: rounded(report.averageReadLatencyCycles, 3),
    row_hits: report.rowHits,
    act: report.activates,
    pre: report.precharges,
    ref: report.refreshes,
    reads: report.reads,
    writes: report.writes,
    undrained_writes: report.undrainedWrites,
  };
}

describe('DRAMsim3 on traces by formula', () => {
  const files = Object.fromEntries(
    Object.entries(goldenTraces).map(([name, trace]) => [name, trace().map(traceLine).join('')]),
  );

  it.each(Object.entries(files))('%s is the trace that DRAMsim3 was given', (name, text) => {
    expect(sha256(text)).toBe(golden.traceSha256[name]);
  });

  it.each(cases)('$preset, $trace: its figures and its commands', async ({ preset, trace, result }) => {
    const { report, commands } = await replayed(preset, scratch(`${trace}.trc`, files[trace]));
    const { cmd_trace_sha256: checksum, ...figures } = result;
    expect(figuresOf(report)).toEqual(figures);
    expect(sha256(commands)).toBe(checksum);
  });
});

describe.skipIf(!referenceIsHere)("DRAMsim3's own files (skipped where ../shared is absent)", () => {
  const json = () =>
    JSON.parse(readFileSync(`${reference}/dramsim3.json`, 'utf8')) as {
      readonly configs: Readonly<Record<string, ReferenceConfig>>;
      readonly results: Readonly<Record<string, Readonly<Record<string, GoldenResult>>>>;
      readonly traces: Readonly<Record<string, { readonly sha256: string }>>;
    };

  it('hold what the copy here says', () => {
    const { results, traces } = json();
    for (const { config, trace, result } of cases) expect(results[config]![trace]).toMatchObject(result);
    expect(cases.length).toBe(Object.values(results).flatMap(Object.keys).length);
    for (const [name, checksum] of Object.entries(golden.traceSha256)) {
      expect(traces[name]!.sha256).toBe(checksum);
    }
  });

  it.each(Object.entries(golden.presets))('hold the figures of the preset %s', (preset, { config }) => {
    const { organisation, timing, controller } = readDramFile(presetFile(preset));
    const { dram_structure: structure, timing_effective, system } = json().configs[config]!;
    const { tCK: _, tRC: __, ...clocks } = timing;
    const { tCK: period, ...delays } = timing_effective;
    const [numerator, denominator] = clockPeriod(timing);
    // DRAMsim3 has LPDDR4's 5/6 with six digits.
    expect(rounded(numerator / denominator, 6)).toBe(period);
    expect(clocks).toEqual(delays);
    expect(organisation).toEqual({
      channels: system.channels,
      channelSizeMiB: system.channel_size,
      bankGroups: structure.bankgroups,
      banksPerGroup: structure.banks_per_group,
      rows: structure.rows,
      columns: structure.columns,
      deviceWidth: structure.device_width,
      busWidth: system.bus_width,
      burstLength: structure.BL,
    });
    expect(controller).toEqual({
      addressMapping: system.address_mapping,
      pagePolicy: 'open',
      transactionQueueEntries: system.trans_queue_size,
      commandQueueEntries: system.cmd_queue_size,
      rowHitCap: 4,
      writeDrainThreshold: 8,
      refresh: 'staggered',
    });
  });

  it.each(cases)('$preset, $trace: line by line', async ({ preset, config, trace }) => {
    const { commands } = await replayed(preset, `${reference}/traces/${trace}.trc.gz`);
    const packed = new Uint8Array(readFileSync(`${reference}/commands/${config}.${trace}.cmd.gz`));
    const theirs = gunzipSync(packed).toString('latin1').split('\n');
    const ours = commands.split('\n');
    // The first difference says more than two files of 40,000 lines.
    const line = theirs.findIndex((text, index) => text !== ours[index]);
    expect({ line, text: ours[line] }).toEqual({ line: -1, text: undefined });
    expect(ours.length).toBe(theirs.length);
  });
});

interface ReferenceConfig {
  readonly dram_structure: Readonly<Record<string, number>>;
  readonly timing_effective: Readonly<Record<string, number>>;
  readonly system: Readonly<Record<string, number | string>>;
}
