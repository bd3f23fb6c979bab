/**
 * @fileoverview Importing an ONNX file of 60 MB: CPU time and peak memory of whole processes, as users run them (the built
 * command line): `--version`, which only starts, `inspect`, which looks at the network, and `import`, which reads all weights and writes them.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeFloatOnnx } from '../src/export/onnx/float.ts';
import { readModelFile } from '../src/import/model-yaml.ts';
import { writeFileAtomically } from '../src/import/write-file.ts';
import { seededParameters } from '../src/quant/seeded-weights.ts';

const targetSeconds = 2;
const targetMiB = 300;

interface Measured {
  /** CPU time of the process, user and system. */
  readonly seconds: number;
  readonly peakMiB: number;
}

/**
 * Makes a process say on stderr what it took. Linux counts into a process's maximum what its parent held when it was
 * started; the peak of its own memory is in /proc.
 */
const probe = `data:text/javascript,${encodeURIComponent(`
  import { existsSync, readFileSync } from 'node:fs';
  process.on('exit', () => {
    const { user, system } = process.cpuUsage();
    const own = existsSync('/proc/self/status') && readFileSync('/proc/self/status', 'utf8');
    const peak = /VmHWM:\\s*(\\d+) kB/.exec(own || '');
    const peakMiB = (peak ? Number(peak[1]) : process.resourceUsage().maxRSS) / 1024;
    process.stderr.write(JSON.stringify({ seconds: (user + system) / 1e6, peakMiB }));
  });
`)}`;

function measured(argv: readonly string[]): Measured {
  const cli = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
  if (!existsSync(cli)) throw new Error('dist/ is missing, expected npm run build before');
  const { status, stderr } = spawnSync(process.execPath, ['--import', probe, cli, ...argv], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${argv.join(' ')}: ended with ${status}: ${stderr}`);
  return JSON.parse(stderr) as Measured;
}

/** Prints a table, or JSON. */
export async function run(json: boolean): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'condensim-import-'));
  try {
    const path = join(folder, 'm.onnx');
    const graph = readModelFile(fileURLToPath(new URL('../models/tiny-yolov2.yaml', import.meta.url)));
    writeFileAtomically(path, writeFloatOnnx(graph, seededParameters(graph, 1)));
    const megabytes = statSync(path).size / 1e6;
    const rows = [
      { command: '--version', ...measured(['--version']) },
      { command: 'inspect', ...measured(['inspect', path]) },
      { command: 'import', ...measured(['import', path, '--out', join(folder, 'm.yaml')]) },
    ];
    if (json) {
      console.log(JSON.stringify({ megabytes, targetSeconds, targetMiB, rows }, undefined, 2));
      return;
    }
    console.log(
      `An ONNX file of ${megabytes.toFixed(1)} MB; to reach: ${targetSeconds} CPU s, ${targetMiB} MiB, whole process`,
    );
    for (const { command, seconds, peakMiB } of rows) {
      console.log(`${command.padEnd(10)}${seconds.toFixed(2)} CPU s, peak ${peakMiB.toFixed(0)} MiB`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
