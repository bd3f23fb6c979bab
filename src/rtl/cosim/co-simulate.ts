/** Random tiles on a machine's Verilog and on the simulator, one after the other, and what differs. */
import { computeModules } from '../../hw/compute/core-verilog.ts';
import type { MachineConfig } from '../../hw/machine/config.ts';
import type { VerilogModule } from '../../hw/verilog.ts';
import { type CosimCase, type CosimResult, tileCount } from './case.ts';
import { type Difference, differenceOf } from './compare.ts';
import type { Engine, EngineBuilder } from './engine.ts';
import { randomCase } from './random-case.ts';
import { runSimulator } from './simulator-run.ts';

/** What was run, and what differed. */
export interface CosimTotals {
  /** The engine that ran the Verilog, with its version. */
  readonly engine: string;
  readonly cases: number;
  readonly tiles: number;
  /** Cycles of all cases, up to the last token. */
  readonly cycles: number;
  /** Tokens that were compared, each by its cycle; and those that came in another cycle or never. */
  readonly tokens: number;
  readonly cycleMismatches: number;
  /** Bytes of the output buffers that were compared, and those that differ. */
  readonly bytes: number;
  readonly byteMismatches: number;
  /** The first mismatch in words. */
  readonly firstMismatch: string | undefined;
}

export interface CosimOptions {
  readonly seed: number;
  /** Cases are drawn until they have at least so many tiles. */
  readonly tiles: number;
  readonly build: EngineBuilder;
  /** Steps of the array a tile takes about. */
  readonly size?: number;
  /** The machine's Verilog; tests give other. */
  readonly modules?: readonly VerilogModule[];
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

/** Cycles that the Verilog is given beyond what the simulator took. */
const patience = 1000;

/** The last cycle in which a case shows something. */
function lastCycle({ toLoad, toStore }: CosimResult): number {
  return Math.max(0, toLoad.at(-1) ?? 0, toStore.at(-1) ?? 0);
}

/** Runs a case on both. */
export async function runBoth(
  engine: Engine,
  cosimCase: CosimCase,
): Promise<{ simulator: CosimResult; rtl: CosimResult; difference: Difference }> {
  const simulator = await runSimulator(cosimCase);
  const rtl = engine.run(cosimCase, simulator, lastCycle(simulator) + patience);
  return { simulator, rtl, difference: differenceOf(cosimCase, simulator, rtl) };
}

/**
 * Random tiles until `tiles` of them were compared.
 * @throws InputError where the Verilog cannot express the machine, or the engine is not there
 */
export async function coSimulate(machine: MachineConfig, options: CosimOptions): Promise<CosimTotals> {
  const { seed, tiles: wanted, build, size, modules = computeModules(machine), progress } = options;
  const engine = await build(machine, modules);
  try {
    let cases = 0;
    let tiles = 0;
    let cycles = 0;
    let tokens = 0;
    let bytes = 0;
    let cycleMismatches = 0;
    let byteMismatches = 0;
    let firstMismatch: string | undefined;
    while (tiles < wanted) {
      const cosimCase = randomCase(machine, seed, cases, size);
      const { simulator, difference } = await runBoth(engine, cosimCase);
      cases++;
      tiles += tileCount(cosimCase);
      cycles += lastCycle(simulator) + 1;
      tokens += simulator.toLoad.length + simulator.toStore.length;
      bytes += simulator.output.length;
      cycleMismatches += difference.cycles;
      byteMismatches += difference.bytes;
      firstMismatch ??= difference.first;
      progress?.(Math.min(tiles, wanted), wanted);
    }
    return {
      engine: engine.name,
      cases,
      tiles,
      cycles,
      tokens,
      cycleMismatches,
      bytes,
      byteMismatches,
      firstMismatch,
    };
  } finally {
    engine.close();
  }
}
