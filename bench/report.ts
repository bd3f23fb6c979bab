/**
 * @fileoverview CPU seconds of making the page of a run of 16 M cycles, whole processes: `report` from JSON with details,
 * and `simulate --report`, which runs the network as well.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const file = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** CPU seconds of a command, user and system. */
function cpuSeconds(argv: readonly string[]): number {
  // The children's time is counted by a shell: Node does not tell it.
  const script = `"$0" "$@" > /dev/null; times`;
  const result = spawnSync('bash', ['-c', script, process.execPath, cli, ...argv], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(result.stderr);
  const children = result.stdout.trim().split('\n').at(-1)!;
  return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, m, s]) => sum + 60 * Number(m) + Number(s),
    0,
  );
}

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
