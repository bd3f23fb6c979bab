/** A trace's replay as a table. */
import type { DramReport } from './dram-report.ts';
import {
  conventionLines,
  decimal,
  formatTable,
  grouped,
  percent,
  type Style,
  shorten,
  tableWidth,
} from './tables.ts';

export function dramTable(report: DramReport, style: Style): string {
  const { p50, p95, p99 } = report.readLatencyPercentiles;
  const rows: [heading: string, value: string][] = [
    ['channels', grouped(report.channels)],
    ['clocks', grouped(report.finishCycles)],
    ['useful bandwidth (GB/s)', decimal(report.usefulBandwidthGBps, 4)],
    ['peak bandwidth (GB/s)', decimal(report.peakBandwidthGBps, 4)],
    ['bus utilisation (%)', percent(report.busUtilization)],
    ['reads', grouped(report.reads)],
    ['  merged with a pending one', grouped(report.mergedReads)],
    ['  answered from the write buffer', grouped(report.forwardedReads)],
    ['  bursts read', grouped(report.readBursts)],
    ['writes', grouped(report.writes)],
    ['  absorbed by a buffered one', grouped(report.absorbedWrites)],
    ['  never drained', grouped(report.undrainedWrites)],
    ['  bursts written', grouped(report.writeBursts)],
    ['row hits', grouped(report.rowHits)],
    ['activates', grouped(report.activates)],
    ['precharges', grouped(report.precharges)],
    ['refreshes', grouped(report.refreshes)],
    ['read/write turnarounds', grouped(report.turnarounds)],
    ['read latency, mean (clocks)', decimal(report.averageReadLatencyCycles, 3)],
    ['read latency, 50/95/99 % (clocks)', [p50, p95, p99].map(grouped).join(' / ')],
    ['bus waited for rows (clocks)', grouped(report.rowMissClocks)],
    ['  for turnarounds', grouped(report.turnaroundClocks)],
    ['  for refreshes', grouped(report.refreshClocks)],
    ['  for other timing', grouped(report.otherClocks)],
    ['requests beyond the device, wrapped', grouped(report.wrappedRequests)],
  ];
  const table = formatTable(
    [
      { heading: 'Replay', align: 'left' },
      { heading: '', align: 'right' },
    ],
    rows,
    style,
  );
  return [
    `${style.heading(shorten(report.name, tableWidth))}\n\n`,
    `${table}\n`,
    `${style.heading('Conventions')}\n`,
    conventionLines(report.conventions),
  ].join('');
}
