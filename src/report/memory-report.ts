/** What the memory did, as a part of a run's report. */
import { z } from 'zod';
import { sum } from '../core/integers.ts';
import type { ChannelStatistics } from '../hw/dram/channel.ts';
import { clockPeriod, type DramConfig } from '../hw/dram/config.ts';
import { type DramEnergy, dramEnergy } from '../hw/dram/energy.ts';
import { LatencyHistogram } from '../hw/dram/latency.ts';
import type { SdramStatistics } from '../hw/dram/port.ts';

const count = z.int().min(0);
const amount = z.number().min(0);

/** Names that every memory has; an ideal one counts none. */
export const rowCounters = {
  rowHits: count.describe(
    'Column commands that are not the first after their activate; 0 for an ideal memory',
  ),
  activates: count,
  refreshes: count,
};

export const memoryReportSchema = z
  .strictObject({
    precharges: count,
    turnarounds: count.describe('Changes of a bus between reading and writing'),
    busBytes: count.describe('Bytes on the buses: whole bursts, what was merged or forwarded left out'),
    busUtilization: amount.describe('Share of the time in which a bus moved data, mean over channels'),
    readLatencyCycles: z
      .strictObject({ average: amount, p50: count, p95: count, p99: count })
      .describe("From a read's issue by the DMA engine to its answer, in cycles of the accelerator"),
    waitCycles: z
      .strictObject({ rowMisses: amount, turnarounds: amount, refreshes: amount, other: amount })
      .describe(
        'Cycles in which a bus stood still although a request for it was there, by what it waited for; mean over channels',
      ),
    energyPicojoules: z
      .strictObject({
        total: amount,
        activate: amount,
        read: amount,
        write: amount,
        refresh: amount,
        background: amount,
      })
      .nullable()
      .describe('null: the memory has no energy figures'),
  })
  .describe('What the memory did');

export type MemoryReport = z.output<typeof memoryReportSchema>;

/** The contract's counters, and the rest: null for an ideal memory, which has no rows, banks or turns. */
export function memoryReport(
  config: DramConfig,
  clockMHz: number,
  stretches: readonly (SdramStatistics | undefined)[],
): { rowHits: number; activates: number; refreshes: number; memory: MemoryReport | null } {
  const known = stretches.filter((stretch) => stretch !== undefined);
  if (config.kind === 'ideal' || known.length === 0) {
    return { rowHits: 0, activates: 0, refreshes: 0, memory: null };
  }
  const total = addUp(known);
  const { channels } = config.organisation;
  const { readLatency } = total;
  const [numerator, denominator] = clockPeriod(config.timing);
  const cycles = (clocks: number) => (clocks * clockMHz * numerator) / (1000 * denominator * channels);
  const energy = dramEnergy(config, total);
  return {
    rowHits: total.rowHits,
    activates: total.activates,
    refreshes: total.refreshes,
    memory: {
      precharges: total.precharges,
      turnarounds: total.turnarounds,
      busBytes: total.busBytes,
      busUtilization: total.clocks === 0 ? 0 : total.busClocks / (total.clocks * channels),
      readLatencyCycles: {
        average: readLatency.average,
        p50: readLatency.percentile(0.5),
        p95: readLatency.percentile(0.95),
        p99: readLatency.percentile(0.99),
      },
      waitCycles: {
        rowMisses: cycles(total.rowMissClocks),
        turnarounds: cycles(total.turnaroundClocks),
        refreshes: cycles(total.refreshClocks),
        other: cycles(total.otherClocks),
      },
      energyPicojoules: energy && { total: sumOf(energy), ...energy },
    },
  };
}

function addUp(stretches: readonly SdramStatistics[]): SdramStatistics {
  const readLatency = new LatencyHistogram();
  const total = { ...stretches[0]!, readLatency };
  for (const [index, stretch] of stretches.entries()) {
    readLatency.merge(stretch.readLatency);
    if (index === 0) continue;
    for (const [name, value] of Object.entries(stretch)) {
      if (typeof value === 'number') total[name as keyof ChannelStatistics] += value;
    }
  }
  return total;
}

function sumOf(energy: DramEnergy): number {
  return sum(Object.values(energy));
}
