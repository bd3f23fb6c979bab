/** A trace of requests through the controller alone. */
import type { ChannelListener, ChannelStatistics } from './channel.ts';
import { clockPeriod, geometryOf, type SdramConfig } from './config.ts';
import { MemoryController } from './controller.ts';
import { LatencyHistogram } from './latency.ts';

/** Some requests of a trace, in its order; the arrays may be longer than `count`. */
export interface RequestBatch {
  readonly count: number;
  /** Byte addresses, 0 to 2^53 - 1. */
  readonly addresses: Float64Array;
  /** 1 = write. */
  readonly writes: Uint8Array;
  /** Clock of the DRAM from which on the request is offered. */
  readonly clocks: Float64Array;
}

export interface ReplayResult {
  /** Clock after the last data beat, of all channels. */
  readonly finishCycles: number;
  /** Useful bytes of column commands (64, or a burst if that is less) / time, in 10^9 bytes a second. */
  readonly usefulBandwidthGBps: number;
  /** Share of the clocks in which data moved, mean over channels, 0..1. */
  readonly busUtilization: number;
  readonly statistics: ChannelStatistics;
  /** In clocks, from the clock after acceptance to the last data beat. */
  readonly readLatency: LatencyHistogram;
  /** Writes that stay in the buffers: too few to be drained. */
  readonly undrainedWrites: number;
  /** Requests whose address lies beyond the device, and so wrapped. */
  readonly wrappedRequests: number;
}

/** Bytes a trace's request stands for, as in DRAMsim3's figures. */
const requestBytes = 64;

/**
 * Replays a trace: in every clock the controller goes first, then at most one request is offered, in the trace's
 * order, if its clock has come. Ends when no more data will move; commands after the last data are not counted.
 */
export async function replay(
  config: SdramConfig,
  batches: AsyncIterable<RequestBatch> | Iterable<RequestBatch>,
  listenerOf: (channel: number) => ChannelListener = () => ({}),
): Promise<ReplayResult> {
  const controller = new MemoryController(config, listenerOf);
  const { mapping, channels } = controller;
  let wrappedRequests = 0;
  for await (const { count, addresses, writes, clocks } of batches) {
    for (let at = 0; at < count; at++) {
      const address = addresses[at]!;
      if (mapping.isBeyond(address)) wrappedRequests++;
      controller.offer(writes[at] === 1, address, 0, clocks[at]!);
    }
  }
  for (const channel of channels) channel.finishWork();
  const finishCycles = Math.max(...channels.map((channel) => channel.finish));
  // Refreshes go on where a channel's own data have ended before.
  for (const channel of channels) channel.advanceTo(finishCycles);
  const { burstBytes, burstClocks } = geometryOf(config);
  const statistics = addStatistics(channels.map((channel) => channel.statisticsUpTo(finishCycles)));
  const readLatency = new LatencyHistogram();
  for (const channel of channels) readLatency.merge(channel.latencies);
  const bursts = statistics.readBursts + statistics.writeBursts;
  const [periodNumerator, periodDenominator] = clockPeriod(config.timing);
  const nanoseconds = (finishCycles * periodNumerator) / periodDenominator;
  return {
    finishCycles,
    usefulBandwidthGBps: finishCycles === 0 ? 0 : (bursts * Math.min(requestBytes, burstBytes)) / nanoseconds,
    busUtilization: finishCycles === 0 ? 0 : (bursts * burstClocks) / (finishCycles * channels.length),
    statistics,
    readLatency,
    undrainedWrites: channels.reduce((total, channel) => total + channel.undrainedWrites, 0),
    wrappedRequests,
  };
}

function addStatistics(parts: readonly ChannelStatistics[]): ChannelStatistics {
  const total = { ...parts[0]! };
  for (const part of parts.slice(1)) {
    for (const name of Object.keys(total) as (keyof ChannelStatistics)[]) total[name] += part[name];
  }
  return total;
}
