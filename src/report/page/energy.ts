/** Where the energy goes. */
import { stackedBars } from './bars.ts';
import { energyText, percents } from './format.ts';
import { panelElement } from './panel.ts';
import type { State } from './state.ts';

const names: Record<string, string> = {
  peArray: 'PE array',
  requantise: 'requantiser',
  crossChannel: 'CCP unit',
  spatialPool: 'spatial pooling',
  feature: 'feature buffer',
  weight: 'weight buffer',
  parameter: 'parameter buffer',
  accumulator: 'accumulator buffer',
  pool: 'line buffer',
  output: 'output buffer',
  table: 'lookup table',
  dram: 'DRAM',
};

export function energyPanel({ run }: State): HTMLElement {
  const { energy } = run.totals;
  const units = Object.entries(energy.byUnit)
    .filter(([, picojoules]) => picojoules > 0)
    .sort((a, b) => b[1] - a[1]);
  const name = (unit: string) => names[unit] ?? unit;
  const [most, least] = [units[0], units.at(-1)];
  const columns = units.map(([unit]) => unit);
  return panelElement({
    id: 'energy',
    question: 'Where does the energy go?',
    answer:
      most === undefined || least === undefined
        ? 'This run has no energy figures.'
        : `One inference takes ${energyText(energy.picojoules).join(' ')}${energy.byUnit.dram === undefined ? ' without the DRAM, which has no energy figures' : ''}. ` +
          `Most of it, ${percents(most[1] / energy.picojoules)}, goes into the ${name(most[0])}.`,
    picture: [
      stackedBars(
        [{ name: 'energy', colour: 'var(--c0)' }],
        units.map(([unit, picojoules]) => ({
          name: name(unit),
          values: [picojoules / 1e6],
          amount: energyText(picojoules).join(' '),
        })),
        'µJ',
      ),
    ],
    table: () => ({
      columns: ['layer', ...columns.map((unit) => `${name(unit)} (pJ)`), 'all (pJ)'],
      rows: [
        ...run.layers.map((layer) => ({
          layer: layer.name,
          cells: [
            layer.name,
            ...columns.map((unit) => layer.energy.byUnit[unit] ?? 0),
            layer.energy.picojoules,
          ],
        })),
        { cells: ['all', ...columns.map((unit) => energy.byUnit[unit]!), energy.picojoules] },
      ],
    }),
  });
}
