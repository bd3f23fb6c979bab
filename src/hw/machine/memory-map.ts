/** Where the simulated DRAM and the buffers lie in the one memory that the kernels work on. */
import { alignUp } from '../../core/integers.ts';
import { FIRST_FREE_ADDRESS, scratchBytes } from '../../kernels/kernels.ts';
import { type BufferName, bufferNames, type Command } from '../isa/formats.ts';
import type { MachineConfig } from './config.ts';

/** Tiles whose post-processing may be under way at once; see `TileData.finish`. */
export const tilesInFlight = 8;

export interface MemoryMap {
  readonly buffers: Readonly<Record<BufferName, number>>;
  /** What the array's accumulators hold, int32 [filters][pixels]. */
  readonly arrayAccumulators: number;
  /** Values between the stages of post-processing, int8. */
  readonly stages: readonly [number, number];
  /** Finished tiles before they enter the output buffer. */
  readonly finished: readonly number[];
  readonly scratch: number;
  readonly dram: number;
  readonly totalBytes: number;
}

/** Lays out the memory for a program; sizes follow from its largest tile. */
export function memoryMap(machine: MachineConfig, program: readonly Command[], dramBytes: number): MemoryMap {
  let values = 0;
  let scratch = 0;
  let outputs = 0;
  for (const command of program) {
    if (command.op === 'compute') {
      const pixels = command.outRows * command.outColumns;
      values = Math.max(values, command.groups * command.filters * pixels);
      if (command.stream === 0) scratch = Math.max(scratch, scratchBytes(command));
    } else if (command.op === 'postProcess') {
      outputs = Math.max(outputs, machine.buffers.output.bytes);
    }
  }
  let at = FIRST_FREE_ADDRESS;
  const take = (bytes: number): number => {
    const start = at;
    at = alignUp(at + bytes, 64);
    return start;
  };
  const buffers = Object.fromEntries(
    bufferNames.map((name) => [name, take(machine.buffers[name].bytes)]),
  ) as Record<BufferName, number>;
  return {
    buffers,
    arrayAccumulators: take(4 * values),
    stages: [take(values), take(values)],
    finished: Array.from({ length: tilesInFlight }, () => take(outputs)),
    scratch: take(scratch),
    dram: take(dramBytes),
    totalBytes: at,
  };
}
