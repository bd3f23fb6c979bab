/** What runs a machine's Verilog. */
import type { MachineConfig } from '../../hw/machine/config.ts';
import type { VerilogModule } from '../../hw/verilog.ts';
import type { CosimCase, CosimResult } from './case.ts';

export const engineNames = ['javascript', 'icarus', 'verilator'] as const;
export type EngineName = (typeof engineNames)[number];

/** A machine's Verilog, ready to run. */
export interface Engine {
  /** Name and version, for reports. */
  readonly name: string;
  /**
   * Runs a case until every token was given, or `limit` cycles.
   * @param expected what the simulator saw; a testbench compares with it too
   */
  run(cosimCase: CosimCase, expected: CosimResult, limit: number): CosimResult;
  /** Removes what it has left on the disk. */
  close(): void;
}

/** Builds an engine from the modules of a machine. Throws an `InputError` that says what to install. */
export type EngineBuilder = (machine: MachineConfig, modules: readonly VerilogModule[]) => Promise<Engine>;
