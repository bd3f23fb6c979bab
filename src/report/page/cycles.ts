/** Where the cycles go. */
import type { RunReport } from '../page-data.ts';
import { legend, stackedBars } from './bars.ts';
import { grouped, percents } from './format.ts';
import { type Panel, panelElement } from './panel.ts';
import type { State } from './state.ts';

const parts = [
  { name: 'compute', colour: 'var(--c0)' },
  { name: 'DRAM stall', colour: 'var(--c1)' },
  { name: 'bank stall', colour: 'var(--c2)' },
  { name: 'dependency', colour: 'var(--c3)' },
  { name: 'post-processing', colour: 'var(--c4)' },
  { name: 'fill and drain', colour: 'var(--c5)' },
] as const;

type Account = Pick<RunReport['totals'], 'computeCycles' | 'stalls'>;

const valuesOf = ({ computeCycles, stalls }: Account): number[] => [
  computeCycles,
  stalls.dram,
  stalls.bank,
  stalls.dependency,
  stalls.postProcessing,
  stalls.fill,
];

export function cyclesPanel({ run }: State): HTMLElement {
  const { totals, layers } = run;
  const all = valuesOf(totals);
  const [name, most] = parts
    .slice(1)
    .map((part, i) => [part.name, all[i + 1]!] as const)
    .reduce((a, b) => (b[1] > a[1] ? b : a));
  const longest = layers.reduce((a, b) => (b.cycles > a.cycles ? b : a));
  const panel: Panel = {
    id: 'cycles',
    question: 'Where do the cycles go?',
    answer:
      `The array computes in ${percents(totals.computeCycles / totals.cycles)} of ${grouped(totals.cycles)} cycles. ` +
      (most === 0
        ? 'It never waits. '
        : `What it waits for most is ${waits[name]}: ${percents(most / totals.cycles)}. `) +
      `The longest layer is ${longest.name}, ${percents(longest.cycles / totals.cycles)} of the time.`,
    picture: [
      legend(parts),
      stackedBars(
        parts,
        layers.map((layer) => ({ name: layer.name, layer: layer.name, values: valuesOf(layer) })),
        'cycles',
      ),
    ],
    table: () => ({
      columns: [
        'layer',
        'operator',
        'start cycle',
        'cycles',
        ...parts.map((part) => part.name),
        'utilisation',
      ],
      rows: [
        ...layers.map((layer) => ({
          layer: layer.name,
          cells: [
            layer.name,
            layer.operator,
            layer.startCycle,
            layer.cycles,
            ...valuesOf(layer),
            layer.utilization,
          ],
        })),
        { cells: ['all', '', 0, totals.cycles, ...all, totals.macUtilization] },
      ],
    }),
  };
  return panelElement(panel);
}

const waits: Record<(typeof parts)[number]['name'], string> = {
  compute: 'nothing',
  'DRAM stall': 'DRAM',
  'bank stall': 'banks of the feature buffer',
  dependency: 'commands and the pipeline',
  'post-processing': 'post-processing',
  'fill and drain': 'the start of commands',
};
