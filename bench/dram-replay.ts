/** @fileoverview One timed replay. */
import { fileURLToPath } from 'node:url';
import type { SdramConfig } from '../src/hw/dram/config.ts';
import { type RequestBatch, replay } from '../src/hw/dram/replay.ts';
import type { GoldenRequest } from '../test/oracles/golden-traces.test-helper.ts';

export function presetFile(preset: string): string {
  return fileURLToPath(new URL(`../hw-configs/dram/${preset}.yaml`, import.meta.url));
}

/** A whole trace as the arrays that are replayed. */
export function batchOf(requests: readonly GoldenRequest[]): RequestBatch {
  return {
    count: requests.length,
    addresses: Float64Array.from(requests, ({ address }) => address),
    writes: Uint8Array.from(requests, ({ write }) => (write ? 1 : 0)),
    clocks: Float64Array.from(requests, ({ clock }) => clock),
  };
}

/** Requests replayed, and CPU microseconds of this process that it took, with compiling and collecting garbage. */
export async function measureReplay(
  config: SdramConfig,
  batches: AsyncIterable<RequestBatch> | Iterable<RequestBatch>,
): Promise<{ requests: number; microseconds: number }> {
  const start = process.cpuUsage();
  const { statistics } = await replay(config, batches);
  const { user, system } = process.cpuUsage(start);
  return { requests: statistics.reads + statistics.writes, microseconds: user + system };
}
