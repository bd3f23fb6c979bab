/** What `validate` found: its names in JSON, and its table. */
import { z } from 'zod';
import { reportSchemaVersion } from './run-report.ts';
import { decimal, formatTable, grouped, type Style, wrapText } from './tables.ts';

/** Bins of an error histogram: a step of the quantised tensor each, the outer ones open. */
export const histogramBins = 33;

const decibels = z.union([z.number(), z.enum(['Infinity', '-Infinity'])]);

export const validationReportSchema = z.strictObject({
  schemaVersion: z.literal(reportSchemaVersion),
  model: z.strictObject({ name: z.string(), weights: z.string().describe('Where the weights come from') }),
  hardware: z.strictObject({ name: z.string() }),
  inputs: z.array(z.string()).describe('The pictures; the network was calibrated on all of them'),
  layers: z
    .array(
      z.strictObject({
        name: z.string(),
        sqnrDb: decibels.describe(
          'Signal to quantisation noise of the integer executor against float, in decibels',
        ),
        ownSqnrDb: decibels.describe(
          "The same of the layer by itself: its inputs are the float network's, rounded to their formats",
        ),
        maxAbsError: z.number().min(0).describe('Largest difference, in the units of the float tensor'),
        cosine: z.number(),
        errorHistogram: z
          .strictObject({
            stepSize: z
              .number()
              .positive()
              .describe("The output's quantisation step, in units of the float tensor"),
            counts: z
              .array(z.int().min(0))
              .length(histogramBins)
              .describe(
                'Values by error in steps, integer executor less float, rounded: from -16 or less to 16 or more; all inputs',
              ),
          })
          .optional(),
      }),
    )
    .describe('Integer executor against float reference; of several inputs the worst figure of each layer'),
  acceleratorEqualsInteger: z
    .boolean()
    .describe('Every tensor that the machine wrote to DRAM equals the integer executor bit for bit'),
  tensorsCompared: z.int().min(0).describe('Tensors compared for that, over all inputs'),
  mismatches: z.int().min(0).describe('Values that differ, over all tensors and inputs'),
  accumulatorOverflows: z
    .int()
    .min(0)
    .describe(
      'Additions that left the accumulator in the integer executor, over all inputs (the machine counts rows it computes twice twice)',
    ),
  bitSweep: z
    .array(
      z.strictObject({
        bits: z.int(),
        lowestOwnSqnrDb: decibels,
        lowestSqnrDb: decibels,
        outputSqnrDb: decibels,
      }),
    )
    .optional()
    .describe('With --sweep-bits: activations and weights of so many bits, first input'),
  bytesEqualClosedForm: z
    .boolean()
    .describe("Weights, reads and writes of every layer's DRAM traffic equal the closed form"),
  timingEqualsFull: z
    .boolean()
    .describe('Timing mode counts the cycles, DRAM bytes and buffer accesses of full mode, step by step'),
});

export type ValidationReport = z.output<typeof validationReportSchema>;

/** Whether every check held. */
export function isValid(report: ValidationReport): boolean {
  return report.acceleratorEqualsInteger && report.bytesEqualClosedForm && report.timingEqualsFull;
}

/** Decibels to a tenth; exact layers have no number. */
function decibelText(value: number | string): string {
  return typeof value === 'number' ? decimal(value, 1) : value;
}

export function validationTable(report: ValidationReport, style: Style): string {
  const { inputs } = report;
  const several = inputs.length > 1 ? '; the worst of each layer' : '';
  const verdict = (holds: boolean): string => (holds ? 'yes' : style.bad('NO'));
  return [
    `${style.heading(`${report.model.name} on ${report.hardware.name}`)}\n`,
    wrapText(`weights: ${report.model.weights}`, '  '),
    wrapText(`inputs: ${inputs.join(', ')}${several}`, '  '),
    '\n',
    formatTable(
      [
        { heading: 'Integer against float', align: 'left', shrinks: true },
        { heading: 'SQNR (dB)', align: 'right' },
        { heading: 'by itself (dB)', align: 'right' },
        { heading: 'largest error', align: 'right' },
        { heading: 'cosine', align: 'right' },
      ],
      report.layers.map(({ name, sqnrDb, ownSqnrDb, maxAbsError, cosine }) => [
        name,
        decibelText(sqnrDb),
        decibelText(ownSqnrDb),
        decimal(maxAbsError, 5),
        decimal(cosine, 6),
      ]),
      style,
    ),
    '\n',
    `${style.heading('Checks')}\n`,
    `accelerator equals integer executor, bit for bit  ${verdict(report.acceleratorEqualsInteger)}\n`,
    `  ${grouped(report.tensorsCompared)} tensors compared, ${grouped(report.mismatches)} values differ\n`,
    report.accumulatorOverflows > 0
      ? `  ${grouped(report.accumulatorOverflows)} additions left the accumulator\n`
      : '',
    `DRAM bytes of every layer equal the closed form   ${verdict(report.bytesEqualClosedForm)}\n`,
    `timing mode equals full mode, cycles and bytes    ${verdict(report.timingEqualsFull)}\n`,
    report.bitSweep === undefined ? '' : sweepTable(report.bitSweep, style),
  ].join('');
}

/** Distance to float against the width of activations and weights. */
function sweepTable(points: NonNullable<ValidationReport['bitSweep']>, style: Style): string {
  return `\n${formatTable(
    [
      { heading: 'Bits', align: 'right' },
      { heading: 'output (dB)', align: 'right' },
      { heading: 'lowest layer (dB)', align: 'right' },
      { heading: 'lowest by itself (dB)', align: 'right' },
    ],
    points.map(({ bits, outputSqnrDb, lowestSqnrDb, lowestOwnSqnrDb }) => [
      String(bits),
      decibelText(outputSqnrDb),
      decibelText(lowestSqnrDb),
      decibelText(lowestOwnSqnrDb),
    ]),
    style,
  )}`;
}
