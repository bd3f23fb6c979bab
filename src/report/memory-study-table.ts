/** A memory study as tables: the layers beside an ideal memory, then the layouts. */
import type { MemoryStudy } from './memory-study-report.ts';
import { formatTable, grouped, type Style } from './tables.ts';

export function memoryStudyTables(study: MemoryStudy, style: Style): string {
  return `${layersTable(study, style)}\n${layoutsTable(study, style)}`;
}

const whole = (cycles: number): string => grouped(Math.round(cycles));
const signed = (cycles: number): string => `${cycles < 0 ? '-' : '+'}${grouped(Math.abs(cycles))}`;

/** What the bus waited for explains the difference only in part: most of it passes while the array computes. */
function layersTable({ layers, ideal }: MemoryStudy, style: Style): string {
  return formatTable(
    [
      { heading: 'Memory', align: 'left', shrinks: true },
      { heading: 'cycles', align: 'right' },
      { heading: 'ideal memory', align: 'right' },
      { heading: 'more', align: 'right' },
      { heading: 'bus waited: rows', align: 'right' },
      { heading: 'turns', align: 'right' },
      { heading: 'refresh', align: 'right' },
    ],
    [
      ...layers.map(({ name, cycles, idealCycles, waitCycles: waits }) => [
        name,
        grouped(cycles),
        grouped(idealCycles),
        signed(cycles - idealCycles),
        whole(waits.rowMisses),
        whole(waits.turnarounds),
        whole(waits.refreshes),
      ]),
      totals(layers, ideal.cycles),
    ],
    style,
  );
}

function totals(layers: MemoryStudy['layers'], idealCycles: number): string[] {
  const add = (value: (layer: MemoryStudy['layers'][number]) => number): number =>
    layers.reduce((total, layer) => total + value(layer), 0);
  const cycles = add((layer) => layer.cycles);
  return [
    'all',
    grouped(cycles),
    grouped(idealCycles),
    signed(cycles - idealCycles),
    whole(add((layer) => layer.waitCycles.rowMisses)),
    whole(add((layer) => layer.waitCycles.turnarounds)),
    whole(add((layer) => layer.waitCycles.refreshes)),
  ];
}

function layoutsTable({ layouts }: MemoryStudy, style: Style): string {
  return formatTable(
    [
      { heading: 'Layout in DRAM', align: 'left' },
      { heading: 'cycles', align: 'right' },
      { heading: 'row hits', align: 'right' },
      { heading: 'activates', align: 'right' },
      { heading: 'bus waited for rows', align: 'right' },
    ],
    layouts.map(({ layout, cycles, rowHits, activates, waitCycles }, index) => [
      index === 0 ? `${layout} (chosen)` : layout,
      grouped(cycles),
      grouped(rowHits),
      grouped(activates),
      whole(waitCycles.rowMisses),
    ]),
    style,
  );
}
