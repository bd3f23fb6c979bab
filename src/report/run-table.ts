/** One run as tables: the totals, the layers, and where the array's cycles went. */
import { featureMapBytes } from './comparison.ts';
import { memoryStudyTables } from './memory-study-table.ts';
import type { RunReport } from './run-report.ts';
import { conventionLines, decimal, formatTable, grouped, percent, type Style, wrapText } from './tables.ts';

export function runTable(report: RunReport, style: Style): string {
  return [
    `${style.heading(`${report.model.name} on ${report.hardware.name}`)}\n`,
    wrapText(`${hardwareLine(report)}; ${report.mode} run`),
    wrapText(`weights: ${report.model.weights}`, '  '),
    '\n',
    totalsTable(report, style),
    '\n',
    layersTable(report, style),
    '\n',
    cyclesTable(report, style),
    '\n',
    boundsTable(report, style),
    '\n',
    energyTable(report, style),
    '\n',
    ...(report.memoryStudy === null ? [] : [memoryStudyTables(report.memoryStudy, style), '\n']),
    ...outputLines(report, style),
    `${style.heading('Conventions')}\n`,
    conventionLines(report.conventions),
  ].join('');
}

/** Clock, elements and buffers in a line. */
export function hardwareLine({ hardware }: RunReport): string {
  const { clockMHz, processingElements, totalBufferBytes } = hardware;
  return `${grouped(clockMHz)} MHz, ${grouped(processingElements)} processing elements, ${grouped(totalBufferBytes)} bytes on chip`;
}

/** Heading and value of a run's figures, as `simulate` and `compare` print them. */
export function runFigures(report: RunReport): [heading: string, value: string][] {
  const { model, totals } = report;
  const { byKind, totalBytes } = totals.dram;
  return [
    ['virtual feature maps', report.virtualFeatureMaps],
    ['multiply-accumulates', grouped(model.macs)],
    ['parameters', grouped(model.parameters)],
    ['cycles', grouped(totals.cycles)],
    ['time (ms)', decimal(1000 * totals.seconds, 3)],
    ['frames/s', decimal(totals.framesPerSecond, 2)],
    ['PE utilisation (%)', percent(totals.macUtilization)],
    ['DRAM traffic (bytes)', grouped(totalBytes)],
    ['  weights', grouped(byKind.weights)],
    ['  feature maps', grouped(featureMapBytes(report))],
    ['    read', grouped(byKind.inputFeatureMaps)],
    ['    written', grouped(byKind.outputFeatureMaps)],
    ['    virtual', grouped(byKind.virtualFeatureMaps)],
    ['peak feature maps (bytes)', grouped(totals.peakFeatureMapBytes)],
  ];
}

function totalsTable(report: RunReport, style: Style): string {
  const { totals } = report;
  const { transactions, totalBytes } = totals.dram;
  const ratio = (least: number): number => totalBytes / least;
  const rows: [string, string][] = [
    ...runFigures(report),
    ['least cycles / cycles (%)', percent(totals.bounds.fraction)],
    ['DRAM bytes / least, layer by layer', decimal(ratio(totals.dram.minima.layerByLayerBytes), 3)],
    ['DRAM bytes / least, network', decimal(ratio(totals.dram.minima.networkBytes), 3)],
    ['DRAM transactions', grouped(transactions)],
    ['commands', grouped(totals.commands)],
    ['accumulator overflows', grouped(totals.accumulatorOverflows)],
  ];
  rows.push(...memoryFigures(totals.dram));
  return formatTable(
    [
      { heading: 'Totals', align: 'left' },
      { heading: '', align: 'right' },
    ],
    rows,
    style,
  );
}

/** What the memory's rows, banks and bus did; nothing for an ideal memory. */
function memoryFigures(dram: RunReport['totals']['dram']): [heading: string, value: string][] {
  const { memory, rowHits, activates, refreshes } = dram;
  if (memory === null) return [];
  const { readLatencyCycles: latency, waitCycles: waits, energyPicojoules: energy } = memory;
  return [
    ['DRAM row hits', grouped(rowHits)],
    ['  activates', grouped(activates)],
    ['  refreshes', grouped(refreshes)],
    ['  read/write turnarounds', grouped(memory.turnarounds)],
    ['  bus utilisation (%)', percent(memory.busUtilization)],
    ['  read latency, mean (cycles)', decimal(latency.average, 1)],
    ['  read latency, 50/95/99 % (cycles)', [latency.p50, latency.p95, latency.p99].map(grouped).join(' / ')],
    ['  bus waited for rows (cycles)', grouped(Math.round(waits.rowMisses))],
    ['    for turnarounds', grouped(Math.round(waits.turnarounds))],
    ['    for refreshes', grouped(Math.round(waits.refreshes))],
    ['    for other timing', grouped(Math.round(waits.other))],
    ...(energy === null ? [] : [['  energy (uJ)', decimal(energy.total / 1e6, 1)] as [string, string]]),
  ];
}

function layersTable(report: RunReport, style: Style): string {
  return formatTable(
    [
      { heading: 'Layer', align: 'left', shrinks: true },
      { heading: 'operator', align: 'left', shrinks: true },
      { heading: 'in the same pass', align: 'left', shrinks: true },
      { heading: 'cycles', align: 'right' },
      { heading: 'PE (%)', align: 'right' },
      { heading: 'DRAM (B)', align: 'right' },
    ],
    report.layers.map((layer) => [
      layer.name,
      layer.operator,
      layer.fused.slice(1).join('+'),
      grouped(layer.cycles),
      percent(layer.utilization),
      grouped(layer.dram.totalBytes),
    ]),
    style,
  );
}

function cyclesTable(report: RunReport, style: Style): string {
  const row = (
    name: string,
    { computeCycles, stalls }: Pick<RunReport['totals'], 'computeCycles' | 'stalls'>,
  ) => [
    name,
    ...[computeCycles, stalls.dram, stalls.bank, stalls.dependency, stalls.postProcessing, stalls.fill].map(
      grouped,
    ),
  ];
  return formatTable(
    [
      { heading: 'Array cycles', align: 'left', shrinks: true },
      { heading: 'computing', align: 'right' },
      { heading: 'DRAM', align: 'right' },
      { heading: 'bank', align: 'right' },
      { heading: 'depend.', align: 'right' },
      { heading: 'post-proc.', align: 'right' },
      { heading: 'fill', align: 'right' },
    ],
    [...report.layers.map((layer) => row(layer.name, layer)), row('all', report.totals)],
    style,
  );
}

/** The roofline, layer by layer. */
function boundsTable(report: RunReport, style: Style): string {
  const row = (name: string, cycles: number, { computeCycles, dramCycles, fraction, limitedBy }: Bounds) => [
    name,
    grouped(cycles),
    grouped(computeCycles),
    grouped(dramCycles),
    percent(fraction),
    limitedBy === 'dram' ? 'DRAM' : limitedBy,
  ];
  return formatTable(
    [
      { heading: 'Least cycles', align: 'left', shrinks: true },
      { heading: 'cycles', align: 'right' },
      { heading: 'compute', align: 'right' },
      { heading: 'DRAM', align: 'right' },
      { heading: 'reached (%)', align: 'right' },
      { heading: 'limit', align: 'left' },
    ],
    [
      ...report.layers.map((layer) => row(layer.name, layer.cycles, layer.bounds)),
      row('all', report.totals.cycles, report.totals.bounds),
    ],
    style,
  );
}

/** Energy by unit of every layer; units that cost nothing anywhere are left out. */
function energyTable(report: RunReport, style: Style): string {
  const { byUnit } = report.totals.energy;
  const parts = energyParts.filter(({ units }) => units.some((unit) => (byUnit[unit] ?? 0) > 0));
  const row = (name: string, energy: RunReport['totals']['energy']) => [
    name,
    ...parts.map(({ units }) =>
      decimal(units.reduce((total, unit) => total + (energy.byUnit[unit] ?? 0), 0) / 1e6, 1),
    ),
    decimal(energy.picojoules / 1e6, 1),
  ];
  return formatTable(
    [
      { heading: 'Energy (uJ)', align: 'left', shrinks: true },
      ...parts.map(({ heading }) => ({ heading, align: 'right' as const })),
      { heading: 'all', align: 'right' },
    ],
    [...report.layers.map((layer) => row(layer.name, layer.energy)), row('all', report.totals.energy)],
    style,
  );
}

const energyParts: readonly { heading: string; units: readonly string[] }[] = [
  { heading: 'array', units: ['peArray'] },
  { heading: 'post-proc.', units: ['requantise', 'crossChannel', 'spatialPool', 'table'] },
  { heading: 'feature', units: ['feature'] },
  { heading: 'weight', units: ['weight'] },
  { heading: 'other SRAM', units: ['parameter', 'accumulator', 'pool', 'output'] },
  { heading: 'DRAM', units: ['dram'] },
];

type Bounds = RunReport['totals']['bounds'];

function outputLines(report: RunReport, style: Style): string[] {
  if (report.outputs.length === 0) return [];
  return [
    `${style.heading('Outputs')}\n`,
    ...report.outputs.map(({ name, shape, sha256 }) => `${name} ${shape.join(' x ')}\n  sha256 ${sha256}\n`),
    '\n',
  ];
}
