/** Parameters of the sequencer. */
import { z } from 'zod';

export const sequencerSchema = z
  .strictObject({
    queueDepth: z.int().min(4).max(1024).describe('Commands a queue (load, compute, store) holds'),
    startCycles: z
      .int()
      .min(0)
      .max(1024)
      .describe('Cycles from accepting a compute command to its first operand read'),
  })
  .describe('In-order sequencer; it hands one command a cycle to its queue');

export type SequencerConfig = z.output<typeof sequencerSchema>;
