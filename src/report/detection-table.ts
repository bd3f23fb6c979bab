/** What `detect` found: its names in JSON, and its table. */
import { z } from 'zod';
import { reportSchemaVersion } from './run-report.ts';
import { decimal, formatTable, grouped, type Style } from './tables.ts';

export const detectionReportSchema = z.strictObject({
  schemaVersion: z.literal(reportSchemaVersion),
  model: z.strictObject({ name: z.string(), weights: z.string().describe('Where the weights come from') }),
  hardware: z.strictObject({ name: z.string() }),
  cycles: z.int().min(0),
  framesPerSecond: z.number(),
  detections: z
    .array(
      z.strictObject({
        left: z.number(),
        top: z.number(),
        width: z.number(),
        height: z.number(),
        score: z.number().min(0).max(1),
        class: z.string(),
      }),
    )
    .describe('Best first, in pixels of the input picture; a box may reach over its edge'),
});

export type DetectionReport = z.output<typeof detectionReportSchema>;

export function detectionTable(report: DetectionReport, style: Style): string {
  const { model, hardware, cycles, framesPerSecond, detections } = report;
  const table = formatTable(
    [
      { heading: 'Class', align: 'left', shrinks: true },
      { heading: 'score', align: 'right' },
      { heading: 'left (px)', align: 'right' },
      { heading: 'top (px)', align: 'right' },
      { heading: 'width (px)', align: 'right' },
      { heading: 'height (px)', align: 'right' },
    ],
    detections.map((box) => [
      box.class,
      box.score.toFixed(3),
      ...[box.left, box.top, box.width, box.height].map((side) => decimal(side, 1)),
    ]),
    style,
  );
  return [
    `${style.heading(`${model.name} on ${hardware.name}`)}\n`,
    `${grouped(cycles)} cycles, ${decimal(framesPerSecond, 2)} frames/s\n\n`,
    detections.length === 0 ? 'nothing detected\n' : table,
  ].join('');
}
