/**
 * Writes the synthesis results that come with the package, for our machines in `hw-configs/`: `npx tsx scripts/area-cache.ts`.
 * Known results are taken over, so that a changed unit costs the synthesis of that unit.
 */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FileCache, type ShippedCache, shippedCachePath } from '../src/cli/area-cache.ts';
import { packageFile } from '../src/cli/package-file.ts';
import { readMachineFile } from '../src/import/machine-yaml.ts';
import { writeFileAtomically } from '../src/import/write-file.ts';
import { measureMachine } from '../src/rtl/area/measure.ts';
import { ownLibrary, type SynthesisCache } from '../src/rtl/area/synthesise.ts';
import { measureVariants } from '../src/rtl/area/variants.ts';
import { yosysVersion } from '../src/rtl/netlist/yosys.ts';

/** The machine whose variants are shipped, too. */
const withVariants = 'edge-256.yaml';

/** Files of the machines that are our own: those like others' are for comparing cycles, and most have no RTL. */
export function shippedMachines(): string[] {
  return readdirSync(packageFile('hw-configs'))
    .filter((name) => name.startsWith('edge-') && name.endsWith('.yaml'))
    .sort();
}

/** Synthesises everything that is shipped, with all that is asked for and found passing through `cache`. */
export async function measureShipped(cache: SynthesisCache): Promise<void> {
  for (const file of shippedMachines()) {
    const machine = readMachineFile(packageFile(`hw-configs/${file}`));
    const options = { library: ownLibrary(), cache };
    await measureMachine(machine, options);
    if (file === withVariants) await measureVariants(machine, options);
  }
}

async function main(): Promise<void> {
  const known = new FileCache(undefined);
  const results: ShippedCache['results'] = {};
  await measureShipped({
    get: (key, job) => {
      const found = results[key] ?? known.get(key);
      if (found !== undefined) results[key] = { ...found, name: job.module.name };
      return found;
    },
    set: (key, { module }, result) => {
      results[key] = { name: module.name, ...result };
      process.stderr.write(`${module.name}: ${result.area}\n`);
    },
  });
  const sorted = Object.fromEntries(Object.entries(results).sort(([a], [b]) => (a < b ? -1 : 1)));
  const content: ShippedCache = { yosys: await yosysVersion(), results: sorted };
  writeFileAtomically(shippedCachePath(), `${JSON.stringify(content, undefined, 2)}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
