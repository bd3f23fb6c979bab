/** External memory as the DMA engines see it: transactions in, answers out. All times are accelerator cycles. */
import type { ChannelStatistics } from './channel.ts';
import type { LatencyHistogram } from './latency.ts';

/** The answer to a transaction: `tag` as submitted. Called in the cycle in which it is complete. */
export type CompletionListener = (tag: number) => void;

export interface Dram {
  /**
   * Takes a transaction of `bytes` (at most one DMA burst) at `address`; the listener of `port` (see `connect`) hears
   * `tag` when the read data has arrived or the write is acknowledged.
   */
  submit(port: number, write: boolean, address: number, bytes: number, tag: number): void;
  /** Connects a requester; the number returned names it in `submit`. */
  connect(listener: CompletionListener): number;
  /** What happened since the last call, up to the current cycle; undefined for a memory without banks and rows. */
  takeStatistics(): SdramStatistics | undefined;
}

/** Counters of all channels over a stretch of cycles, and what followed from them. */
export interface SdramStatistics extends ChannelStatistics {
  /** Clocks of the DRAM in the stretch, of one channel. */
  clocks: number;
  /** Clocks in which data moved, added over channels. */
  busClocks: number;
  /** Bytes on the bus: whole bursts. */
  busBytes: number;
  /** Reads from the DMA engine's transaction to its answer, in accelerator cycles. */
  readLatency: LatencyHistogram;
}
