/** @fileoverview What `bench/import.ts` measures in a fresh process: `read|import FILE`, its result as JSON on stdout. */
import { writeModel } from '../src/export/model/model.ts';
import { readNetworkFile } from '../src/import/formats.ts';

export interface ImportResult {
  /** CPU time of reading (and writing, for an import), user and system. */
  readonly seconds: number;
  /** Of the process so far, the TypeScript loader included. */
  readonly processSeconds: number;
  readonly peakMiB: number;
}

const [task, path] = process.argv.slice(2) as [string, string];
const before = process.cpuUsage();
const network = readNetworkFile(path);
network.parameters!();
if (task === 'import') writeModel(network, path.replace('.onnx', '.yaml'));
const inSeconds = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1e6;
const result: ImportResult = {
  seconds: inSeconds(process.cpuUsage(before)),
  processSeconds: inSeconds(process.cpuUsage()),
  peakMiB: process.resourceUsage().maxRSS / 1024,
};
console.log(JSON.stringify(result));
