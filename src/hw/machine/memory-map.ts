/** Where the simulated DRAM and the buffers lie in the one memory that the kernels work on. */
import { alignUp } from '../../core/integers.ts';
import { FIRST_FREE_ADDRESS, scratchBytes, WIDE_RECORD_BYTES } from '../../kernels/kernels.ts';
import { type BufferName, bufferNames, type Command } from '../isa/formats.ts';
import { bufferBytes, type MachineConfig } from './config.ts';

/** Tiles whose post-processing may be under way at once; see `TileData.finish`. */
export const tilesInFlight = 8;

export interface MemoryMap {
  readonly buffers: Readonly<Record<BufferName, number>>;
  /** What the array's accumulators hold, [filters][pixels]: int32, or int64 where sums may leave 32 bits. */
  readonly accumulators: number;
  /** Partial sums that wait in the accumulator buffer, 8 bytes for each: a tile's like `accumulators`, from its address on. */
  readonly partialSums: number;
  /** Values between the stages of post-processing. */
  readonly stages: readonly [number, number];
  /** Finished tiles before they enter the output buffer. */
  readonly finished: readonly number[];
  /** Workspace of the convolution, and wide records made of narrow ones. */
  readonly scratch: number;
  readonly records: number;
  /** A tile's input whose ring goes round, its rows in order. */
  readonly unwound: number;
  readonly dram: number;
  readonly totalBytes: number;
}

/** Lays out the memory for a program; sizes follow from its largest tile. */
export function memoryMap(machine: MachineConfig, program: readonly Command[], dramBytes: number): MemoryMap {
  let values = 0;
  let filters = 0;
  let scratch = 0;
  let unwound = 0;
  let partialSums = 0;
  for (const command of program) {
    if (command.op !== 'compute') continue;
    const pixels = command.outRows * command.outColumns;
    values = Math.max(values, command.groups * command.filters * pixels);
    filters = Math.max(filters, command.groups * command.filters);
    if (command.ringRow + command.rows > command.ringRows && command.ringRows > 0) {
      const planes = command.stream === 1 ? command.filters : command.groups * command.channels;
      unwound = Math.max(unwound, planes * command.rows * command.columns * command.elementBytes);
    }
    if (command.stream === 0) scratch = Math.max(scratch, scratchBytes(command));
    if (command.accumulateOut === 1) {
      const first = command.accumulatorAddress * machine.peArray.rows;
      partialSums = Math.max(partialSums, first + command.groups * command.filters * pixels);
    }
  }
  let at = FIRST_FREE_ADDRESS;
  const take = (bytes: number): number => {
    const start = at;
    at = alignUp(at + bytes, 64);
    return start;
  };
  const buffers = Object.fromEntries(
    bufferNames.map((name) => [name, take(bufferBytes(machine, name))]),
  ) as Record<BufferName, number>;
  return {
    buffers,
    accumulators: take(8 * values),
    partialSums: take(8 * partialSums),
    stages: [take(2 * values), take(2 * values)],
    finished: Array.from({ length: tilesInFlight }, () => take(machine.buffers.output.bytes)),
    scratch: take(scratch),
    records: take(WIDE_RECORD_BYTES * filters),
    unwound: take(unwound),
    dram: take(dramBytes),
    totalBytes: at,
  };
}
