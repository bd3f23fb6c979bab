/**
 * @fileoverview Importing an ONNX file of 60 MB in a fresh process: CPU time of reading it and all its weights, and the peak
 * memory of the whole process, the TypeScript loader included.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeFloatOnnx } from '../src/export/onnx/float.ts';
import { readModelFile } from '../src/import/model-yaml.ts';
import { writeFileAtomically } from '../src/import/write-file.ts';
import { seededParameters } from '../src/quant/seeded-weights.ts';
import type { ImportResult } from './import-process.ts';

const targetSeconds = 2;
const targetMiB = 300;

/** Prints a table, or JSON. */
export async function run(json: boolean): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'condensim-import-'));
  try {
    const path = join(folder, 'm.onnx');
    const graph = readModelFile(fileURLToPath(new URL('../models/tiny-yolov2.yaml', import.meta.url)));
    writeFileAtomically(path, writeFloatOnnx(graph, seededParameters(graph, 1)));
    const megabytes = statSync(path).size / 1e6;
    const rows = (['read', 'import'] as const).map((task) => {
      const argv = [fileURLToPath(new URL('import-process.ts', import.meta.url)), task, path];
      const text = execFileSync(process.execPath, ['--import', 'tsx', ...argv], { encoding: 'utf8' });
      return { task, ...(JSON.parse(text) as ImportResult) };
    });
    if (json) {
      console.log(JSON.stringify({ megabytes, targetSeconds, targetMiB, rows }, undefined, 2));
      return;
    }
    console.log(
      `An ONNX file of ${megabytes.toFixed(1)} MB; to reach: ${targetSeconds} CPU s, ${targetMiB} MiB`,
    );
    for (const { task, seconds, processSeconds, peakMiB } of rows) {
      const all = `${processSeconds.toFixed(2)} with starting the process`;
      console.log(`${task.padEnd(8)}${seconds.toFixed(2)} CPU s (${all}), peak ${peakMiB.toFixed(0)} MiB`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
