/** A program on both, and what differs. */
import { assert } from '../../core/diagnostics.ts';
import { tokenNames } from '../../hw/machine/verilog.ts';
import { lastBarrier, type ProgramCase, type ProgramResult } from './program-case.ts';
import type { ProgramEngine } from './program-engine.ts';
import { runProgramSimulator } from './program-simulator.ts';

export interface ProgramDifference {
  /** Cycles of the simulator, up to the last barrier. */
  readonly cycles: number;
  /** Barriers, tokens and transactions that were compared, each by its cycle (transactions by address and bytes too). */
  readonly events: number;
  /** Of them: in another cycle, another one, or missing on one side. */
  readonly cycleMismatches: number;
  /** Bytes of DRAM that the program wrote, and those that differ anywhere in DRAM. */
  readonly bytes: number;
  readonly byteMismatches: number;
  /** The first mismatch in words; undefined if there is none. */
  readonly firstMismatch: string | undefined;
}

/** Cycles that the Verilog is given beyond what the simulator took. */
const patience = 10_000;

/** Runs a program on the simulator and on the Verilog, with a memory that answers in the same pattern. */
export async function compareProgram(
  engine: ProgramEngine,
  programCase: ProgramCase,
): Promise<ProgramDifference> {
  const { result, delays } = await runProgramSimulator(programCase);
  const rtl = engine.run(programCase, result, delays, lastBarrier(result) + patience);
  return programDifference(programCase, result, rtl);
}

export function programDifference(
  { name, dram }: ProgramCase,
  simulator: ProgramResult,
  rtl: ProgramResult,
): ProgramDifference {
  assert(simulator.dram.length === rtl.dram.length, 'memories of different sizes');
  let events = 0;
  let cycleMismatches = 0;
  let earliest = Number.POSITIVE_INFINITY;
  let firstMismatch: string | undefined;
  const compare = (
    what: string,
    expected: readonly (number | string)[],
    seen: readonly (number | string)[],
  ) => {
    const count = Math.max(expected.length, seen.length);
    events += count;
    for (let index = 0; index < count; index++) {
      if (expected[index] === seen[index]) continue;
      cycleMismatches++;
      const cycle = Number.parseInt(String(expected[index] ?? seen[index]), 10);
      if (cycle >= earliest) continue;
      earliest = cycle;
      firstMismatch = `${name}: ${what} ${index}: simulator in cycle ${expected[index] ?? 'never'}, RTL in ${seen[index] ?? 'never'}`;
    }
  };
  compare('read', simulator.reads, rtl.reads);
  compare('write', simulator.writes, rtl.writes);
  for (const token of tokenNames) {
    compare(`token ${token.replaceAll('_', ' ')}`, simulator.tokens[token], rtl.tokens[token]);
  }
  compare('barrier', simulator.barriers, rtl.barriers);
  let byteMismatches = 0;
  for (let at = 0; at < dram.length; at++) {
    if (simulator.dram[at] === rtl.dram[at]) continue;
    byteMismatches++;
    firstMismatch ??= `${name}: DRAM byte ${at}: simulator ${simulator.dram[at]}, RTL ${rtl.dram[at]}`;
  }
  let bytes = 0;
  for (const write of simulator.writes) bytes += Number(write.slice(write.lastIndexOf(' ') + 1));
  return { cycles: lastBarrier(simulator), events, cycleMismatches, bytes, byteMismatches, firstMismatch };
}
