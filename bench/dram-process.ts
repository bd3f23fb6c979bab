/** @fileoverview What `bench/dram.ts` measures in a fresh process: a task as JSON in, its result as JSON on stdout. */
import { DramTraceReader } from '../src/import/dram-trace.ts';
import { readDramFile } from '../src/import/dram-yaml.ts';
import { goldenTraces } from '../test/oracles/golden-traces.test-helper.ts';
import { batchOf, measureReplay, presetFile } from './dram-replay.ts';

/** A trace by name, replayed from memory, or one in a file. */
export type BenchTask = { readonly preset: string } & (
  | { readonly trace: string }
  | { readonly file: string }
);

export interface TaskResult {
  /** Million requests per CPU second. */
  readonly rate: number;
  /** Of the process, the TypeScript loader included. */
  readonly peakMiB: number;
}

const task = JSON.parse(process.argv[2]!) as BenchTask;
const config = readDramFile(presetFile(task.preset));
const batches =
  'file' in task ? new DramTraceReader(task.file, 'condensim') : [batchOf(goldenTraces[task.trace]!())];
const { requests, microseconds } = await measureReplay(config, batches);
const result: TaskResult = {
  rate: requests / microseconds,
  peakMiB: process.resourceUsage().maxRSS / 1024,
};
console.log(JSON.stringify(result));
