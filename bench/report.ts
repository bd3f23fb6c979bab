/**
 * @fileoverview CPU seconds of making the page of a run of 16 M cycles, whole processes: `report` from JSON with details,
 * and `simulate --report`, which runs the network as well.
 */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measureProcess } from './processes.ts';

const file = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

const cpuSeconds = (argv: readonly string[]) => measureProcess(argv).cpuSeconds;

/** Prints the figures as a table or JSON; needs `npm run build`. */
export async function run(json: boolean): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'condensim-bench-'));
  try {
    const [page, details] = [join(folder, 'page.html'), join(folder, 'run.json')];
    const network = [
      '--model',
      join(folder, 'network.yaml'),
      '--hw',
      file('hw-configs/edge-256.yaml'),
      '--mode',
      'timing',
    ];
    // Tiny-YOLOv2 takes 14 M cycles at 416 x 416; at 448 x 448 it takes 16 M.
    const model = readFileSync(file('models/tiny-yolov2.yaml'), 'utf8').replace(
      '[3, 416, 416]',
      '[3, 448, 448]',
    );
    writeFileSync(join(folder, 'network.yaml'), model);
    const simulate = cpuSeconds(['simulate', ...network]);
    const simulateWithPage = cpuSeconds(['simulate', ...network, '--report', page]);
    cpuSeconds(['simulate', ...network, '--details', '--json', details]);
    const report = cpuSeconds(['report', details, '--out', page]);
    const { totals } = JSON.parse(readFileSync(details, 'utf8')) as { totals: { cycles: number } };
    const result = {
      cycles: totals.cycles,
      report,
      simulate,
      simulateWithPage,
      pageBytes: statSync(page).size,
    };
    if (json) {
      console.log(JSON.stringify(result, undefined, 2));
      return;
    }
    console.log(
      `Tiny-YOLOv2 at 448 x 448 on edge-256, ${result.cycles} cycles, timing mode; CPU seconds of whole processes`,
    );
    console.log(`report run.json --out page.html  ${report.toFixed(2)}`);
    console.log(`simulate                         ${simulate.toFixed(2)}`);
    console.log(`simulate --report page.html      ${simulateWithPage.toFixed(2)}`);
    console.log(`page (bytes)                     ${result.pageBytes}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
