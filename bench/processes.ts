/** @fileoverview The command line as a process of its own: CPU time and peak memory of all of it. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

/** What a process took. */
export interface ProcessUsage {
  /** User and system, starting Node included. */
  readonly cpuSeconds: number;
  /** Largest resident set. */
  readonly peakMiB: number;
}

/** Loaded into the process: tells its largest resident set, in KiB, when it exits. */
const tellMemory = `data:text/javascript,${encodeURIComponent(
  'import { writeSync } from "node:fs"; process.on("exit", () => writeSync(3, String(process.resourceUsage().maxRSS)))',
)}`;

/** Runs `condensim` with these arguments; needs `npm run build`. Throws with its complaint if it fails. */
export function measureProcess(argv: readonly string[]): ProcessUsage {
  // The children's time is counted by a shell: Node does not tell it.
  const script = '"$0" "$@" > /dev/null; status=$?; times; exit $status';
  const command = [process.execPath, '--import', tellMemory, cli, ...argv];
  const result = spawnSync('bash', ['-c', script, ...command], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  if (result.status !== 0) throw new Error(result.stderr);
  const children = result.stdout.trim().split('\n').at(-1)!;
  const cpuSeconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, seconds]) => sum + 60 * Number(minutes) + Number(seconds),
    0,
  );
  return { cpuSeconds, peakMiB: Number(result.output[3]) / 1024 };
}
