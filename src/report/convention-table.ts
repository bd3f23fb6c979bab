/** The study of stored conventions as a table and what each of them is. */
import { paperClaims } from './comparison.ts';
import type { ConventionStudy } from './convention-report.ts';
import { conventionLines, formatTable, grouped, percent, type Style, wrapText } from './tables.ts';

export function conventionTable(study: ConventionStudy, style: Style): string {
  const saved = (fraction: number): string => `${percent(fraction, 2)} %`;
  const table = formatTable(
    [
      { heading: '', align: 'left' },
      { heading: 'maps stored (B)', align: 'right' },
      { heading: 'on chip (B)', align: 'right' },
      { heading: 'maps saved', align: 'right' },
      { heading: 'least', align: 'right' },
      { heading: 'all saved', align: 'right' },
      { heading: 'least', align: 'right' },
    ],
    study.conventions.map(({ name, stored, onChip, saved: measured, savedAtLeast }) => [
      name,
      grouped(stored.featureMapBytes),
      grouped(onChip.featureMapBytes),
      saved(measured.featureMaps),
      saved(savedAtLeast.featureMaps),
      saved(measured.total),
      saved(savedAtLeast.total),
    ]),
    style,
  );
  const cycles = formatTable(
    [
      { heading: '', align: 'left' },
      { heading: 'cycles stored', align: 'right' },
      { heading: 'on chip', align: 'right' },
      { heading: 'outputs equal', align: 'right' },
    ],
    study.conventions.map(({ name, stored, onChip, outputsEqual }) => [
      name,
      grouped(stored.cycles),
      grouped(onChip.cycles),
      outputsEqual === null ? 'needs a full run' : outputsEqual ? 'yes' : style.bad('NO'),
    ]),
    style,
  );
  return [
    wrapText(
      `${study.model} on ${study.hardware}: what virtual feature maps on chip save, by how they are stored otherwise; ${study.mode} runs`,
    ),
    '\n',
    table,
    '\n',
    cycles,
    '\n',
    wrapText(
      `The paper claims ${percent(study.paperClaim)} % less memory bandwidth. Its convention and its layer table are not public; several conventions come near, so the figure cannot tell which one it was. ${paperClaims.source}.`,
    ),
    '\n',
    `${style.heading('Conventions')}\n`,
    conventionLines([
      ...study.conventions.map(({ name, text }) => `${name}: ${text}.`),
      'least: every map and every weight moved once; a bias as one weight.',
      ...study.notes,
    ]),
  ].join('');
}
