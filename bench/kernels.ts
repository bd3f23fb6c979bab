/**
 * @fileoverview GMAC/s of whole layers, in CPU time of this process: accumulators and requantisation on our side and
 * with QLinearConv, accumulators only with ConvInteger. One layer at a time, the contenders taking turns, so that a
 * noisy machine disturbs all of them alike; the median of the turns counts.
 */
import { type Contender, onnxRuntime, ortOperators, ours, tensorflow } from './contenders.ts';
import { type BenchLayer, layers, macs } from './layers.ts';

const TURNS = 25;
/** CPU time of one turn, in microseconds. */
const TURN_MICROSECONDS = 20_000;

interface Row {
  readonly layer: string;
  readonly mmacs: number;
  /** GMAC/s by contender. */
  readonly gmacs: Readonly<Record<string, number>>;
  /** Ours (int8) over the best of ONNX Runtime's int8 operators. */
  readonly ratio: number;
}

/** Prints a table, or JSON. */
export async function run(json: boolean): Promise<void> {
  const rows: Row[] = [];
  for (const layer of layers) rows.push(await measure(layer));
  if (json) console.log(JSON.stringify(rows, undefined, 2));
  else printTable(rows);
}

async function measure(layer: BenchLayer): Promise<Row> {
  const contenders = [await ours(layer, 1), await ours(layer, 2)];
  for (const operator of ortOperators) contenders.push(await onnxRuntime(layer, operator));
  contenders.push(await tensorflow(layer));
  const runs: number[] = [];
  for (const contender of contenders) runs.push(await warmUp(contender));
  const turns = contenders.map((): number[] => []);
  for (let turn = 0; turn < TURNS; turn++) {
    for (let place = 0; place < contenders.length; place++) {
      const i = (turn + place) % contenders.length;
      turns[i]!.push(await time(contenders[i]!, runs[i]!));
    }
  }
  for (const contender of contenders) await contender.dispose();
  const gmacs = Object.fromEntries(
    contenders.map(({ name, copies }, i) => [name, (copies * macs(layer)) / median(turns[i]!) / 1000]),
  );
  const best = Math.max(...ortOperators.filter((name) => !name.endsWith('f32')).map((name) => gmacs[name]!));
  return { layer: layer.name, mmacs: macs(layer) / 1e6, gmacs, ratio: gmacs['ours int8']! / best };
}

/** Runs until the engine has optimised the code; returns how many runs make a turn. */
async function warmUp(contender: Contender): Promise<number> {
  const start = process.cpuUsage();
  let runs = 0;
  let last = 0;
  while (last < 10 * TURN_MICROSECONDS) {
    await contender.run();
    runs++;
    const { user, system } = process.cpuUsage(start);
    last = user + system;
  }
  return Math.max(1, Math.round((runs * TURN_MICROSECONDS) / last));
}

/** CPU microseconds per run, after one that brings the caches back. */
async function time(contender: Contender, runs: number): Promise<number> {
  await contender.run();
  const start = process.cpuUsage();
  for (let i = 0; i < runs; i++) await contender.run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / runs;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

function printTable(rows: readonly Row[]): void {
  const names = Object.keys(rows[0]!.gmacs);
  const cells = [
    ['GMAC/s of CPU time', 'MMAC', ...names, 'ours / best ort int8'],
    ...rows.map(({ layer, mmacs, gmacs, ratio }) => [
      ...[layer, mmacs.toFixed(1), ...names.map((name) => gmacs[name]!.toFixed(1)), `${ratio.toFixed(2)}x`],
    ]),
  ];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  for (const row of cells) {
    console.log(
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
    );
  }
}
