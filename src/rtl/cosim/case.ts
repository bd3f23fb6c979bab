/** What a co-simulation runs, and what it compares: the compute side between its command queue and its output buffer. */
import type { Command } from '../../hw/isa/formats.ts';
import type { MachineConfig } from '../../hw/machine/config.ts';

/** Buffers that are filled before a case starts. */
export const loadedBuffers = ['feature', 'weight', 'parameter', 'table'] as const;
export type LoadedBuffer = (typeof loadedBuffers)[number];

/** Commands, tokens and operands. Cycles count from the start of the case. */
export interface CosimCase {
  readonly name: string;
  readonly machine: MachineConfig;
  /** `postProcess` and `compute` commands. */
  readonly commands: readonly Command[];
  /** Cycle in which each command can first be taken; ascending, one command a cycle. */
  readonly arrivals: readonly number[];
  /** Cycles in which a token arrives from the load queue, and from the store queue; ascending. */
  readonly fromLoad: readonly number[];
  readonly fromStore: readonly number[];
  /** Contents of the buffers, as many bytes as they have. */
  readonly buffers: Readonly<Record<LoadedBuffer, Uint8Array>>;
}

/** What a run shows to the outside. */
export interface CosimResult {
  /** Cycles in which a token was given to the load queue, and to the store queue (a tile was complete). */
  readonly toLoad: readonly number[];
  readonly toStore: readonly number[];
  /** The output buffer in the end. */
  readonly output: Uint8Array;
}

/** Tiles of a case. */
export function tileCount({ commands }: CosimCase): number {
  return commands.filter(({ op }) => op === 'compute').length;
}

/** How many tokens each side gives. */
export function tokensGiven({ commands }: CosimCase): { toLoad: number; toStore: number } {
  let toLoad = 0;
  let toStore = 0;
  for (const command of commands) {
    if (command.op !== 'compute') continue;
    toLoad += command.signalLoad;
    if (command.accumulateOut === 0) toStore += command.signalStore;
  }
  return { toLoad, toStore };
}
