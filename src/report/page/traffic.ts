/** What moves between chip and DRAM. */
import type { RunReport } from '../page-data.ts';
import { legend, type Row, stackedBars } from './bars.ts';
import { h } from './dom.ts';
import { grouped, percents } from './format.ts';
import { panelElement } from './panel.ts';
import type { State } from './state.ts';

const parts = [
  { name: 'weights', colour: 'var(--c3)' },
  { name: 'feature maps read', colour: 'var(--c0)' },
  { name: 'feature maps written', colour: 'var(--c4)' },
  { name: 'virtual maps, stored', colour: 'var(--c1)' },
];

type Kinds = RunReport['totals']['dram']['byKind'];

const valuesOf = (kinds: Kinds): number[] => [
  kinds.weights,
  kinds.inputFeatureMaps,
  kinds.outputFeatureMaps,
  kinds.virtualFeatureMaps,
];

/** A run's name where several are side by side. */
export function runName({ model, virtualFeatureMaps }: RunReport): string {
  return virtualFeatureMaps === 'none' ? model.name : `${model.name}, virtual maps ${virtualFeatureMaps}`;
}

export function trafficPanel({ run, data }: State): HTMLElement {
  const { dram } = run.totals;
  const maps = dram.totalBytes - dram.byKind.weights;
  const { comparison } = data;
  const saving = comparison?.virtualFeatureMaps.featureMapTrafficSaving;
  const total = comparison?.virtualFeatureMaps.totalTrafficSaving;
  const answer = [
    `${grouped(dram.totalBytes)} bytes cross the DRAM port: ${percents(dram.byKind.weights / dram.totalBytes)} weights, ${percents(maps / dram.totalBytes)} feature maps.`,
    `Every layer's weights, input and output once would be ${grouped(dram.minima.layerByLayerBytes)} bytes.`,
    ...(saving == null || total == null
      ? []
      : [
          `Keeping virtual maps on chip saves ${percents(saving, 2)} of the feature-map traffic and ${percents(total, 2)} of all.`,
        ]),
  ].join(' ');
  const others: Row[] = data.runs.map((one) => ({
    name: runName(one),
    values: valuesOf(one.totals.dram.byKind),
  }));
  return panelElement({
    id: 'traffic',
    question: 'What moves?',
    answer,
    picture: [
      legend(parts),
      ...(others.length < 2
        ? []
        : [
            h('h3', {}, 'The runs side by side (bytes)'),
            stackedBars(parts, others, 'bytes'),
            h('h3', {}, 'By layer (bytes)'),
          ]),
      stackedBars(
        parts,
        run.layers.map((layer) => ({
          name: layer.name,
          layer: layer.name,
          values: valuesOf(layer.dram.byKind),
        })),
        'bytes',
      ),
    ],
    table: () => ({
      columns: [
        'run',
        'layer',
        ...parts.map((part) => part.name),
        'read',
        'written',
        'total',
        'row hits',
        'activates',
      ],
      rows: [
        ...run.layers.map((layer) => ({
          layer: layer.name,
          cells: [runName(run), layer.name, ...valuesOf(layer.dram.byKind), ...sums(layer.dram)],
        })),
        ...data.runs.map((one) => ({
          cells: [runName(one), 'all', ...valuesOf(one.totals.dram.byKind), ...sums(one.totals.dram)],
        })),
      ],
    }),
  });
}

type Traffic = Pick<
  RunReport['totals']['dram'],
  'readBytes' | 'writeBytes' | 'totalBytes' | 'rowHits' | 'activates'
>;

const sums = ({ readBytes, writeBytes, totalBytes, rowHits, activates }: Traffic): number[] => [
  readBytes,
  writeBytes,
  totalBytes,
  rowHits,
  activates,
];
