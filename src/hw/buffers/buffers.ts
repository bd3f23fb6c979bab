/** On-chip buffers: sizes, the rule of bank conflicts, and the access counters. */
import { z } from 'zod';
import type { BufferName } from '../isa/formats.ts';

// A buffer address has 24 bits in a command.
export const maximumBytes = 2 ** 24;

const size = (meaning: string) =>
  z.strictObject({ bytes: z.int().min(1).max(maximumBytes).describe(meaning) });

export const buffersSchema = z
  .strictObject({
    feature: z
      .strictObject({
        bytes: z.int().min(16).max(maximumBytes).describe('Input feature maps, in bytes'),
        banks: z
          .int()
          .min(1)
          .max(256)
          .describe('Banks of one value; value a lies in bank a mod banks. A bank answers one read a cycle'),
      })
      .describe('Feature buffer: one read and one write port a bank'),
    weight: size('Weights, in bytes; one row of filters is read a cycle').describe('Weight buffer'),
    parameter: size('Bias and requantisation records, in bytes (12 a filter)').describe('Parameter buffer'),
    accumulator: size('Partial sums that leave the array, in bytes (4 a value)').describe(
      'Accumulator buffer',
    ),
    pool: size('Open windows of the spatial pooling unit, in bytes').describe(
      'Line buffer of the pooling unit',
    ),
    output: size('Finished maps on their way to DRAM, in bytes').describe('Output buffer'),
  })
  .describe('On-chip memories; the cross-channel pooling registers are counted with that unit');

export type BuffersConfig = z.output<typeof buffersSchema>;

/** Accesses of one buffer: words read and written, and the bytes they carried in both directions. */
export interface BufferStatistics {
  reads: number;
  writes: number;
  bytes: number;
}

export type SramStatistics = Record<BufferName | 'crossChannel', BufferStatistics>;

export function emptySramStatistics(): SramStatistics {
  const empty = (): BufferStatistics => ({ reads: 0, writes: 0, bytes: 0 });
  return {
    feature: empty(),
    weight: empty(),
    parameter: empty(),
    accumulator: empty(),
    pool: empty(),
    output: empty(),
    table: empty(),
    crossChannel: empty(),
  };
}

/**
 * Cycles for reading the values at `addresses[0..count)` at once: the most different values any bank is asked for,
 * at least 1 (a step in which every lane is masked still takes its cycle). Lanes that read the same value share the
 * read. `tally` is scratch of `banks` zeros. Without a bound of the banks no reads meet.
 */
export function conflictCycles(
  addresses: Int32Array,
  count: number,
  banks: number,
  tally: Uint16Array,
): number {
  if (banks === Number.POSITIVE_INFINITY) return 1;
  let most = 1;
  for (let i = 0; i < count; i++) {
    if (isRepeated(addresses, i)) continue;
    const bank = addresses[i]! % banks;
    const reads = tally[bank]! + 1;
    tally[bank] = reads;
    if (reads > most) most = reads;
  }
  for (let i = 0; i < count; i++) tally[addresses[i]! % banks] = 0;
  return most;
}

/** Whether an earlier lane reads the same value. */
function isRepeated(addresses: Int32Array, index: number): boolean {
  const address = addresses[index]!;
  for (let i = 0; i < index; i++) if (addresses[i] === address) return true;
  return false;
}
