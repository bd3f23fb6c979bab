/** A trace's replay as JSON. Times are clocks of the memory, fractions 0..1. */
import { z } from 'zod';
import { peakBandwidthMBps, type SdramConfig } from '../hw/dram/config.ts';
import type { ReplayResult } from '../hw/dram/replay.ts';
import { reportSchemaVersion } from './run-report.ts';

const count = z.int().min(0);
const amount = z.number().min(0);

export const dramReportSchema = z.strictObject({
  schemaVersion: z.literal(reportSchemaVersion),
  name: z.string().describe("The memory's"),
  channels: count,
  conventions: z.array(z.string()).describe('Conventions that move the figures'),
  finishCycles: count.describe('Clock after the last beat of the last data'),
  usefulBandwidthGBps: amount.describe('10^9 bytes a second that were asked for, up to 64 a column command'),
  peakBandwidthGBps: amount.describe('Of all buses together'),
  busUtilization: amount.describe('Share of the clocks in which data moved, mean over channels'),
  reads: count.describe('Requests accepted'),
  writes: count.describe('Requests accepted'),
  readBursts: count.describe('Column commands'),
  writeBursts: count.describe('Column commands'),
  rowHits: count.describe('Column commands that are not the first after their activate'),
  activates: count,
  precharges: count,
  refreshes: count,
  turnarounds: count.describe('Changes of a bus between reading and writing'),
  averageReadLatencyCycles: amount.describe('From the clock after acceptance to the last beat, all reads'),
  readLatencyPercentiles: z
    .strictObject({ p50: count, p95: count, p99: count })
    .describe('Clocks; exact up to 1023, within 1/64 above'),
  mergedReads: count.describe('Reads of an address that was being read already'),
  forwardedReads: count.describe('Reads answered from the write buffer'),
  absorbedWrites: count.describe('Writes to an address that was in the write buffer'),
  undrainedWrites: count.describe('Writes left in the buffers at the end: too few to be drained'),
  wrappedRequests: count.describe('Requests whose address lies beyond the memory, and wraps'),
  rowMissClocks: count.describe('Clocks the buses waited for rows, although a request was in its queue'),
  turnaroundClocks: count.describe('for turns between reading and writing'),
  refreshClocks: count.describe('for refreshes'),
  otherClocks: count.describe('for other timing: bank groups, ranks, arbitration'),
});

export type DramReport = z.output<typeof dramReportSchema>;

const conventions = [
  'a clock is one of the memory; at most one request is offered a clock, in the order of the trace, from its own clock on',
  'a row hit is a column command that is not the first after its activate; commands after the last data of a channel are not counted',
  'read latency runs from the clock after acceptance to the last beat, of merged and forwarded reads too; time spent waiting for acceptance is not in it',
];

export function dramReport(config: SdramConfig, result: ReplayResult): DramReport {
  const { statistics, readLatency } = result;
  return {
    schemaVersion: reportSchemaVersion,
    name: config.name,
    channels: config.organisation.channels,
    conventions,
    finishCycles: result.finishCycles,
    usefulBandwidthGBps: result.usefulBandwidthGBps,
    peakBandwidthGBps: peakBandwidthMBps(config) / 1000,
    busUtilization: result.busUtilization,
    reads: statistics.reads,
    writes: statistics.writes,
    readBursts: statistics.readBursts,
    writeBursts: statistics.writeBursts,
    rowHits: statistics.rowHits,
    activates: statistics.activates,
    precharges: statistics.precharges,
    refreshes: statistics.refreshes,
    turnarounds: statistics.turnarounds,
    averageReadLatencyCycles: readLatency.average,
    readLatencyPercentiles: {
      p50: readLatency.percentile(0.5),
      p95: readLatency.percentile(0.95),
      p99: readLatency.percentile(0.99),
    },
    mergedReads: statistics.mergedReads,
    forwardedReads: statistics.forwardedReads,
    absorbedWrites: statistics.absorbedWrites,
    undrainedWrites: result.undrainedWrites,
    wrappedRequests: result.wrappedRequests,
    rowMissClocks: statistics.rowMissClocks,
    turnaroundClocks: statistics.turnaroundClocks,
    refreshClocks: statistics.refreshClocks,
    otherClocks: statistics.otherClocks,
  };
}
