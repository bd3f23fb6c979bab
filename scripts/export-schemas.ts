/** Writes the JSON Schemas of our file formats to `schema/`: `npx tsx scripts/export-schemas.ts`. */
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { jsonSchemaText } from '../src/config/json-schema.ts';
import { dramSchema } from '../src/hw/dram/config.ts';
import { machineFileSchema } from '../src/hw/machine/config.ts';
import { modelSchema } from '../src/import/model-yaml.ts';
import { writeFileAtomically } from '../src/import/write-file.ts';
import { areaReportSchema } from '../src/report/area-report.ts';
import { comparisonSchema } from '../src/report/comparison.ts';
import { conventionStudySchema } from '../src/report/convention-report.ts';
import { detectionReportSchema } from '../src/report/detection-table.ts';
import { dramReportSchema } from '../src/report/dram-report.ts';
import { explanationSchema } from '../src/report/explain-table.ts';
import { graphReportSchema } from '../src/report/graph-table.ts';
import { runReportSchema } from '../src/report/run-report.ts';
import { validationReportSchema } from '../src/report/validation-table.ts';

const SCHEMAS: readonly (readonly [file: string, title: string, schema: z.ZodType])[] = [
  ['model.schema.json', 'Condensim model file', modelSchema],
  ['machine.schema.json', 'Condensim machine file', machineFileSchema],
  ['dram.schema.json', 'Condensim memory file', dramSchema],
  ['run.schema.json', 'Condensim run report', runReportSchema],
  ['comparison.schema.json', 'Condensim comparison', comparisonSchema],
  ['conventions.schema.json', 'Condensim stored conventions', conventionStudySchema],
  ['validation.schema.json', 'Condensim validation', validationReportSchema],
  ['detection.schema.json', 'Condensim detections', detectionReportSchema],
  ['area.schema.json', 'Condensim gates and buffers', areaReportSchema],
  ['explanation.schema.json', 'Condensim mapping explanation', explanationSchema],
  ['graph.schema.json', 'Condensim network', graphReportSchema],
  ['replay.schema.json', 'Condensim memory replay', dramReportSchema],
];

/** Every schema file's path and the text it should have. */
export function schemaFiles(): { path: string; text: string }[] {
  return SCHEMAS.map(([file, title, schema]) => ({
    path: fileURLToPath(new URL(`../schema/${file}`, import.meta.url)),
    text: jsonSchemaText({ file, title }, schema),
  }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { path, text } of schemaFiles()) writeFileAtomically(path, text);
}
