/** @fileoverview The process that reads one format's files: `main.ts` sees from outside when it does not come back from one. */
import { Fuzzer } from './harness.test-helper.ts';

/** Before every file, and at the end. */
export type FuzzMessage =
  | { readonly file: number }
  | { readonly read: number; readonly refused: number; readonly peakMiB: number };

const maximumMiB = 512;

const [format, seed, count] = process.argv.slice(2) as [string, string, string];
const fuzzer = new Fuzzer(format, Number(seed));
const send = (message: FuzzMessage) => process.send!(message);
let peakMiB = 0;
for (let file = 0; file < Number(count); file++) {
  send({ file });
  await fuzzer.run(file);
  // Of the process, the TypeScript loader included.
  peakMiB = Math.round(process.resourceUsage().maxRSS / 1024);
  if (peakMiB > maximumMiB) {
    throw new Error(`${format}, seed ${seed}, file ${file}: ${peakMiB} MiB, expected at most ${maximumMiB}`);
  }
}
send({ ...fuzzer.result, peakMiB });
process.disconnect();
