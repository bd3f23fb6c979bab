/**
 * @fileoverview Million requests per CPU second of this process through the memory controller.
 *
 * The replay loop alone, on the traces that DRAMsim3's golden figures belong to: warm, the best of several turns after
 * the engine has optimised the code, and cold, the first replay of a fresh process, where it runs in the interpreter at first.
 * Then reading and replaying a long trace as `condensim dram` does, in a fresh process each, with its peak memory.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { readDramFile } from '../src/import/dram-yaml.ts';
import { goldenTraces, traceLine } from '../test/oracles/golden-traces.test-helper.ts';
import type { BenchTask, TaskResult } from './dram-process.ts';
import { batchOf, measureReplay, presetFile } from './dram-replay.ts';

const presets = ['ddr4-2400-x16', 'lpddr4-2400-x32', 'lpddr3-1600-x32'];
/** Million requests per CPU second, warm, that are to be reached. */
const targets: Readonly<Record<string, number>> = {
  a_seq_read: 4,
  c_rw_alternate: 4,
  d_random_read: 1.5,
  e_row_conflict: 3,
  f_npu_mix: 4,
};
/** What DRAMsim3 itself reaches on such a machine, over these traces and configurations; measured elsewhere. */
const dramsim3 = [0.022, 0.248] as const;

/** CPU time before anything counts, and of one turn, in microseconds. */
const warmUpMicroseconds = 1_000_000;
const turnMicroseconds = 100_000;
const turns = 10;
const coldProcesses = 3;

const streamPreset = 'lpddr4-2400-x32';
const streamTrace = 'f_npu_mix';
const streamLengths = [1_000_000, 8_000_000];

interface LoopRow {
  readonly preset: string;
  readonly trace: string;
  readonly target: number;
  readonly warm: number;
  readonly cold: number;
}

interface StreamRow {
  readonly file: string;
  readonly requests: number;
  readonly rate: number;
  readonly peakMiB: number;
}

/** Prints tables, or JSON. */
export async function run(json: boolean): Promise<void> {
  const loop: LoopRow[] = [];
  for (const preset of presets) {
    for (const [trace, target] of Object.entries(targets)) {
      const cold = median(Array.from({ length: coldProcesses }, () => inProcess({ preset, trace }).rate));
      loop.push({ preset, trace, target, warm: await warmRate(preset, trace), cold });
    }
  }
  const stream = streamRows();
  if (json) {
    console.log(JSON.stringify({ loop, stream, dramsim3 }, undefined, 2));
    return;
  }
  console.log('Replay loop, million requests per CPU second; warm: best of 10, cold: first of a process');
  printTable([
    ['trace', 'to reach', ...presets.flatMap((preset) => [`${preset} warm`, 'cold'])],
    ...Object.entries(targets).map(([trace, target]) => [
      ...[trace, target.toFixed(1)],
      ...loop.filter((row) => row.trace === trace).flatMap(({ warm, cold }) => [warm, cold].map(oneDecimal)),
    ]),
  ]);
  console.log(`DRAMsim3 on such a machine: ${dramsim3.join(' to ')}\n`);
  console.log(`Reading and replaying ${streamTrace} over and over on ${streamPreset}, a fresh process each`);
  printTable([
    ['file', 'requests', 'million/CPU s', 'peak memory (MiB)'],
    ...stream.map(({ file, requests, rate, peakMiB }) => [
      ...[file, String(requests), oneDecimal(rate), peakMiB.toFixed(0)],
    ]),
  ]);
}

async function warmRate(preset: string, trace: string): Promise<number> {
  const config = readDramFile(presetFile(preset));
  const batch = batchOf(goldenTraces[trace]!());
  let replays = 0;
  for (const start = process.cpuUsage(); ; ) {
    await measureReplay(config, [batch]);
    replays++;
    const { user, system } = process.cpuUsage(start);
    if (user + system < warmUpMicroseconds) continue;
    replays = Math.max(1, Math.round((replays * turnMicroseconds) / (user + system)));
    break;
  }
  let best = 0;
  for (let turn = 0; turn < turns; turn++) {
    let microseconds = 0;
    for (let at = 0; at < replays; at++) microseconds += (await measureReplay(config, [batch])).microseconds;
    best = Math.max(best, (batch.count * replays) / microseconds);
  }
  return best;
}

function streamRows(): StreamRow[] {
  const folder = mkdtempSync(join(tmpdir(), 'condensim-bench-'));
  try {
    const text = goldenTraces[streamTrace]!().map(traceLine).join('');
    return ['trace.trc', 'trace.trc.gz'].flatMap((file) =>
      streamLengths.map((requests) => {
        const path = join(folder, file);
        const piece = file.endsWith('.gz') ? new Uint8Array(gzipSync(text)) : text;
        writeCopies(path, piece, requests / 20_000);
        const { rate, peakMiB } = inProcess({ preset: streamPreset, file: path });
        return { file: file.replace('trace.', ''), requests, rate, peakMiB };
      }),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function writeCopies(path: string, piece: string | Uint8Array, copies: number): void {
  writeFileSync(path, '');
  const file = openSync(path, 'a');
  for (let copy = 0; copy < copies; copy++) writeFileSync(file, piece);
  closeSync(file);
}

function inProcess(task: BenchTask): TaskResult {
  const script = fileURLToPath(new URL('dram-process.ts', import.meta.url));
  const argv = ['--import', import.meta.resolve('tsx'), script, JSON.stringify(task)];
  return JSON.parse(execFileSync(process.execPath, argv, { encoding: 'utf8' })) as TaskResult;
}

const oneDecimal = (value: number): string => value.toFixed(1);

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows) {
    console.log(
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
    );
  }
}
