/** Parameters of the two DMA engines. */
import { z } from 'zod';

export const dmaSchema = z
  .strictObject({
    burstBytes: z
      .union([z.literal(16), z.literal(32), z.literal(64), z.literal(128), z.literal(256)])
      .describe('Most bytes of one transaction; transactions never cross a multiple of it'),
    outstandingReads: z.int().min(1).max(1024).describe('Read transactions under way at once'),
    outstandingWrites: z.int().min(1).max(1024).describe('Write transactions under way at once'),
    descriptorCycles: z
      .int()
      .min(0)
      .max(1024)
      .describe('Cycles from accepting a transfer to its first transaction'),
    moves: z
      .boolean()
      .default(false)
      .describe(
        'Whether the write engine can also move finished maps from the output buffer into the feature buffer, so that they stay on chip',
      ),
  })
  .describe('Read and write DMA engines; each issues at most one transaction a cycle');

/** Cycles from a move's last read of the output buffer until its bytes are in the feature buffer. */
export const moveLatency = 2;

export type DmaConfig = z.output<typeof dmaSchema>;
