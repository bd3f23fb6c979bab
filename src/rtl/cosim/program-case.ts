/** What a co-simulation of a whole machine runs, and what it compares: a program between its first command and its last barrier. */
import type { Command } from '../../hw/isa/formats.ts';
import type { MachineConfig } from '../../hw/machine/config.ts';
import { tokenNames } from '../../hw/machine/verilog.ts';

export interface ProgramCase {
  readonly name: string;
  readonly machine: MachineConfig;
  /** Ends with a barrier. */
  readonly commands: readonly Command[];
  /** DRAM at the start, address 0 first. */
  readonly dram: Uint8Array;
  /** The machine's own memory, or one that answers every transaction after 1 to `longest` cycles, by a seed. */
  readonly memory: 'own' | { readonly seed: number; readonly longest: number };
}

export type TokenName = (typeof tokenNames)[number];

/** Cycles that each port's nth transaction waited for its answer. */
export interface AnswerDelays {
  readonly reads: number[];
  readonly writes: number[];
}

/** What a run shows to the outside; cycles count from the first command's arrival in its queue. */
export interface ProgramResult {
  /** Cycles in which a barrier was passed. */
  readonly barriers: number[];
  /** Cycles in which a token was given. */
  readonly tokens: Record<TokenName, number[]>;
  /** `cycle: address + bytes` of every transaction. */
  readonly reads: string[];
  readonly writes: string[];
  /** DRAM in the end. */
  readonly dram: Uint8Array;
}

export function emptyResult(dram: Uint8Array): ProgramResult {
  return {
    barriers: [],
    tokens: Object.fromEntries(tokenNames.map((name) => [name, [] as number[]])) as Record<
      TokenName,
      number[]
    >,
    reads: [],
    writes: [],
    dram,
  };
}

/** The last cycle of a run. */
export function lastBarrier({ barriers }: ProgramResult): number {
  return barriers.at(-1) ?? 0;
}
