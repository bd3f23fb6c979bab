/** Gates and buffers as tables: units, memories, what the CCP unit costs, and its variants. */
import type { AreaReport, AreaVariants } from './area-report.ts';
import {
  type Column,
  conventionLines,
  decimal,
  formatTable,
  grouped,
  percent,
  type Style,
  wrapText,
} from './tables.ts';

const left = (heading: string): Column => ({ heading, align: 'left' });
const right = (heading: string): Column => ({ heading, align: 'right' });

export function areaTable(report: AreaReport, style: Style): string {
  const parts = [
    `${style.heading(`${report.hardware.name}: gates and buffers`)}\n`,
    wrapText(report.method, '  '),
    '\n',
    unitsTable(report, style),
    '\n',
    buffersTable(report, style),
    '\n',
    ccpTable(report, style),
    '\n',
  ];
  if (report.variants !== undefined) parts.push(variantsTable(report.variants, style), '\n');
  return [
    ...parts,
    `${style.heading('Conventions')}\n`,
    conventionLines([
      ...report.conventions,
      `The paper's figures are its claims for its own machine. ${report.paperClaims.source}.`,
    ]),
  ].join('');
}

function unitsTable({ units, totalGates, totalFlipFlops }: AreaReport, style: Style): string {
  return formatTable(
    [
      { ...left('Unit'), shrinks: true },
      right('count'),
      right('gates each'),
      right('gates'),
      right('%'),
      right('flip-flops'),
      right('depth'),
    ],
    [
      ...units.map(({ name, count, gatesEach, gates, flipFlopsEach, depth }) => [
        name,
        grouped(count),
        decimal(gatesEach, 1),
        decimal(gates, 0),
        percent(gates / totalGates, 2),
        grouped(count * flipFlopsEach),
        grouped(depth),
      ]),
      ['total', '', '', decimal(totalGates, 0), percent(1, 2), grouped(totalFlipFlops), ''],
    ],
    style,
  );
}

function buffersTable(report: AreaReport, style: Style): string {
  const { buffers, totalBufferBytes, sramEstimate, sramArea } = report;
  const area = (name: string): string[] => {
    const memory = sramArea?.memories.find((one) => one.name === name);
    if (memory === undefined) return ['', '', ''];
    return [grouped(memory.banks), grouped(memory.ports), decimal(memory.squareMicrometres, 0)];
  };
  return formatTable(
    [
      left('On-chip storage'),
      right('bits'),
      right('bytes'),
      right('banks'),
      right('ports'),
      right('um2, 45 nm'),
      { ...left(''), shrinks: true },
    ],
    [
      ...buffers.map(({ name, bits, inGates }) => [
        name,
        grouped(bits),
        grouped(bits / 8),
        ...area(name),
        inGates ? 'among the gates' : '',
      ]),
      [
        'total',
        grouped(8 * totalBufferBytes),
        grouped(totalBufferBytes),
        '',
        '',
        sramArea === undefined ? '' : decimal(sramArea.squareMicrometres, 0),
        '',
      ],
      ...(sramEstimate === undefined
        ? []
        : [
            [
              'estimated gates',
              decimal(sramEstimate.gates, 0),
              '',
              '',
              '',
              '',
              `at ${sramEstimate.gatesPerBit} a bit`,
            ],
          ]),
    ],
    style,
  );
}

function ccpTable({ ccp, paperClaims }: AreaReport, style: Style): string {
  return formatTable(
    [left('Cross-channel pooling unit'), right('extra'), right('share (%)'), right('paper claims (%)')],
    [
      [
        'gates',
        decimal(ccp.extraGates, 0),
        percent(ccp.extraGateFraction, 2),
        percent(paperClaims.extraGateFraction),
      ],
      [
        'buffer bytes',
        grouped(ccp.extraBufferBytes),
        percent(ccp.extraBufferFraction, 4),
        percent(paperClaims.extraMemoryFraction),
      ],
    ],
    style,
  );
}

function variantsTable({ network, units }: AreaVariants, style: Style): string {
  const columns = [left('form'), left('position'), right('depth'), right('maximumRatio')];
  const configOf = ({ config }: AreaVariants['units'][number]): string[] => [
    config.form,
    config.position,
    config.form === 'tree' ? '' : grouped(config.depth),
    grouped(config.maximumRatio),
  ];
  return [
    `${style.heading('Units of other kinds, by their fields of postProcessing.crossChannelPool')}\n`,
    formatTable(
      [...columns, right('gates'), right('share (%)'), right('bytes'), right('cycles')],
      units.map((unit) => [
        ...configOf(unit),
        decimal(unit.extraGates, 0),
        percent(unit.extraGateFraction, 2),
        grouped(unit.bufferBytes),
        unit.virtualFeatureMaps === 'stored' ? 'stored' : grouped(unit.cycles),
      ]),
      style,
    ),
    '\n',
    formatTable(
      [...columns, right('lanes'), right('bits'), right('requantisers'), right('record bytes')],
      units.map((unit) => [
        ...configOf(unit),
        grouped(unit.lanes),
        grouped(unit.bits),
        grouped(unit.requantisers),
        grouped(unit.recordBytes),
      ]),
      style,
    ),
    conventionLines([
      'Gates: the whole machine with the unit, less the one with none; so the chain, requantisers, table lanes and the parameter buffer that a tree needs are in them. Bytes: registers of the unit.',
      'Lanes: values that leave the chain in one cycle at most. Requantisers: a row of the array. Record bytes: read from the parameter buffer in one cycle.',
      `Cycles of ${network}, timing only${units.some(({ virtualFeatureMaps }) => virtualFeatureMaps === 'stored') ? '; "stored": the unit cannot take its groups, maps are stored' : ''}.`,
    ]),
  ].join('');
}
