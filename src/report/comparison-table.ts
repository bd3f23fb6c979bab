/** A comparison as tables: a column a run, then what virtual feature maps on chip save, then the conventions. */
import { uncountedUnits } from './area-report.ts';
import type { Comparison } from './comparison.ts';
import { memoryStudyTables } from './memory-study-table.ts';
import type { RunReport } from './run-report.ts';
import { hardwareLine, runFigures } from './run-table.ts';
import {
  conventionLines,
  decimal,
  formatTable,
  grouped,
  percent,
  type Style,
  shorten,
  wrapText,
} from './tables.ts';

/** So many columns of `nameWidth` fit beside the headings. */
const runsAcross = 3;
const nameWidth = 16;

export function comparisonTable(comparison: Comparison, style: Style): string {
  const { runs } = comparison;
  const parts: string[] = [];
  const first = runs[0];
  if (first !== undefined) {
    parts.push(wrapText(`${first.hardware.name}: ${hardwareLine(first)}; ${first.mode} runs`), '\n');
  }
  for (let at = 0; at < runs.length; at += runsAcross) {
    parts.push(runsTable(runs.slice(at, at + runsAcross), style), '\n');
  }
  if (runs.some((run) => run.virtualFeatureMaps !== 'none')) parts.push(savings(comparison, style), '\n');
  for (const { memoryStudy, model, virtualFeatureMaps } of runs) {
    if (memoryStudy === null) continue;
    const maps = virtualFeatureMaps === 'none' ? '' : `, virtual maps ${virtualFeatureMaps}`;
    parts.push(`${style.heading(`${model.name}${maps}: real memory and ideal memory`)}\n`);
    parts.push(memoryStudyTables(memoryStudy, style), '\n');
  }
  parts.push(
    `${style.heading('Conventions')}\n`,
    conventionLines([
      ...runs.flatMap((run) => run.conventions),
      ...runs
        .filter((run) => run.mode === 'full')
        .map((run) => `Weights of ${run.model.name}: ${run.model.weights}.`),
    ]),
  );
  return parts.join('');
}

function runsTable(runs: readonly RunReport[], style: Style): string {
  const figures = runs.map(runFigures);
  return formatTable(
    [
      { heading: 'Network', align: 'left' },
      ...runs.map((run) => ({ heading: shorten(run.model.name, nameWidth), align: 'right' as const })),
    ],
    figures[0]!.map(([heading], row) => [heading, ...figures.map((column) => column[row]![1])]),
    style,
  );
}

function savings({ virtualFeatureMaps, paperClaims, runs }: Comparison, style: Style): string {
  const { featureMapTrafficSaving, totalTrafficSaving, outputsEqual, extraGates, extraGateFraction } =
    virtualFeatureMaps;
  const saving = (fraction: number | null): string =>
    fraction === null ? 'needs both runs' : `${percent(fraction, 2)} %`;
  const claim = (fraction: number): string => `${percent(fraction)} %`;
  const withData = runs.some((run) => run.mode === 'full');
  const equal =
    outputsEqual === null ? (withData ? 'needs both runs' : 'needs a full run') : outputsEqual ? 'yes' : 'NO';
  const table = formatTable(
    [
      { heading: 'Virtual feature maps on chip, not stored', align: 'left' },
      { heading: 'measured', align: 'right' },
      { heading: 'paper claims', align: 'right' },
    ],
    [
      ['traffic saved, feature maps', saving(featureMapTrafficSaving), ''],
      ['traffic saved, all', saving(totalTrafficSaving), ''],
      ['memory bandwidth saved, convention unknown', '', claim(paperClaims.bandwidthSaving)],
      ['outputs equal bit for bit', equal, ''],
      ['extra buffer (bytes)', grouped(virtualFeatureMaps.extraBufferBytes), ''],
      [
        'extra buffer, of all on chip',
        `${percent(virtualFeatureMaps.extraBufferFraction, 4)} %`,
        claim(paperClaims.extraMemoryFraction),
      ],
      [
        'extra gates',
        extraGates === null
          ? 'see condensim area'
          : `${decimal(extraGates, 0)}${extraGateFraction === null ? '' : ` (${percent(extraGateFraction, 2)} %)`}`,
        claim(paperClaims.extraGateFraction),
      ],
    ],
    style,
  );
  return [
    table,
    conventionLines([
      ...(featureMapTrafficSaving === null
        ? []
        : [
            `Saved against maps stored under convention ${virtualFeatureMaps.convention.split(':', 1)[0]}, see below.`,
          ]),
      ...(virtualFeatureMaps.unit === null ? [] : [virtualFeatureMaps.unit]),
      ...(extraGates === null ? [] : [`Extra gates as condensim area counts them. ${uncountedUnits}`]),
      `The paper claims ${claim(paperClaims.bandwidthSaving)} less memory bandwidth; its convention and layer table are not public, so its figures stand beside ours as claims and measure other networks. ${paperClaims.source}.`,
    ]),
  ].join('');
}
