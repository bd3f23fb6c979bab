/**
 * DRAM as the DMA engines see it: transactions in, completions out. Which model answers is the config's `kind`.
 */
import { z } from 'zod';

export const idealDramSchema = z
  .strictObject({
    kind: z.literal('ideal').describe('Fixed latency and bandwidth; one channel, first come first served'),
    bandwidthMBps: z
      .int()
      .min(1)
      .max(10_000_000)
      .describe('Bandwidth of the channel, reads and writes together, in 10^6 bytes a second'),
    latencyNs: z
      .int()
      .min(0)
      .max(100_000)
      .describe('From the end of a transaction on the bus to its answer, in nanoseconds'),
    capacityMiB: z.int().min(1).max(1024).describe('Size of the device, in 2^20 bytes'),
  })
  .describe('External memory');

export const dramSchema = z.discriminatedUnion('kind', [idealDramSchema]);
export type DramConfig = z.output<typeof dramSchema>;

/** The answer to a transaction: `tag` as submitted. Called in the cycle in which it is complete. */
export type CompletionListener = (tag: number) => void;

/** One channel of external memory. All times are accelerator cycles. */
export interface Dram {
  /**
   * Takes a transaction of `bytes` (at most one burst) at `address`; `listener` (see `connect`) hears `tag`
   * when the read data has arrived or the write is acknowledged.
   */
  submit(port: number, write: boolean, address: number, bytes: number, tag: number): void;
  /** Connects a requester; the number returned names it in `submit`. */
  connect(listener: CompletionListener): number;
  /** Row-buffer statistics; an ideal memory has no rows and answers zeros. */
  readonly statistics: { rowHits: number; activates: number; refreshes: number };
}
