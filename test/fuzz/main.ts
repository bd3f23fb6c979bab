/**
 * @fileoverview `npm run fuzz -- [format...] [--count N] [--seed S]`: damaged files through every reader, a process a format.
 * `--file N` writes one of them to stdout and reads it here. Ends with 1 at a crash, a file that takes 20 seconds, a changed
 * prototype, or more than 512 MiB of memory.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fuzzedFormats } from './formats.test-helper.ts';
import { Fuzzer } from './harness.test-helper.ts';
import type { FuzzMessage } from './worker.ts';

const patienceMilliseconds = 20_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    file: { type: 'string' },
  },
});
const { count, seed, file } = values as { count: string; seed: string; file?: string };
const names = positionals.length > 0 ? positionals : Object.keys(fuzzedFormats);
const unknown = names.find((name) => fuzzedFormats[name] === undefined);
if (unknown !== undefined) {
  console.error(`No format '${unknown}', expected some of ${Object.keys(fuzzedFormats).join(', ')}`);
  process.exitCode = 2;
} else if (file !== undefined) {
  const fuzzer = new Fuzzer(names[0]!, Number(seed));
  process.stdout.write(fuzzer.file(Number(file)));
  await fuzzer.run(Number(file));
} else {
  for (const name of names) {
    if (!(await fuzz(name))) process.exitCode = 1;
  }
}

/** Whether all files of a format ended as they should; prints what came of them. */
async function fuzz(format: string): Promise<boolean> {
  const path = fileURLToPath(new URL('worker.ts', import.meta.url));
  const child = fork(path, [format, seed, count], { execArgv: ['--import', 'tsx'] });
  let current = -1;
  let ended = false;
  let watch: NodeJS.Timeout | undefined;
  const wait = (): void => {
    clearTimeout(watch);
    watch = setTimeout(() => {
      console.error(`${format}, seed ${seed}, file ${current}: no end after ${patienceMilliseconds} ms`);
      child.kill('SIGKILL');
    }, patienceMilliseconds);
  };
  wait();
  child.on('message', (message: FuzzMessage) => {
    wait();
    if ('file' in message) {
      current = message.file;
      return;
    }
    ended = true;
    const { read, refused, peakMiB } = message;
    console.log(`${format.padEnd(12)}${count} files: ${read} read, ${refused} refused; peak ${peakMiB} MiB`);
  });
  // A process may be gone before its last messages have been read.
  const exited = once(child, 'exit') as Promise<[code: number | null, signal: string | null]>;
  const [[code, signal]] = await Promise.all([exited, once(child, 'disconnect')]);
  clearTimeout(watch);
  const how = signal === null ? `with ${code}` : `by ${signal}`;
  if (!ended) console.error(`${format}, seed ${seed}: ended ${how} at file ${current} of ${count}`);
  return ended && code === 0;
}
