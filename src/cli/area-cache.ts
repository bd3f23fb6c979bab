/** What synthesis found, kept between runs: results that come with the package, and a folder of the user's. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { InputError } from '../core/diagnostics.ts';
import { writeFileAtomically } from '../import/write-file.ts';
import type { Synthesis, SynthesisCache, SynthesisJob } from '../rtl/area/synthesise.ts';
import { packageFile } from './package-file.ts';

const resultSchema = z.strictObject({
  name: z.string().describe('The module, for people'),
  area: z.number().min(0),
  flipFlops: z.int().min(0),
  depth: z.int().min(0),
});

/** The shipped file: results by the hash of what decides them. */
export const shippedCacheSchema = z.strictObject({
  yosys: z.string().describe('Version that all results are of'),
  results: z.record(z.string().regex(/^[0-9a-f]{64}$/), resultSchema),
});

export type ShippedCache = z.output<typeof shippedCacheSchema>;

export const shippedCachePath = (): string => packageFile('area-cache/synthesis.json');

export class FileCache implements SynthesisCache {
  private shipped: ShippedCache['results'] | undefined;

  /** @param folder where new results go; undefined: nowhere */
  constructor(private readonly folder: string | undefined) {}

  get(key: string): Synthesis | undefined {
    this.shipped ??= readShipped();
    const found = this.shipped[key] ?? this.readOwn(key);
    return found && { area: found.area, flipFlops: found.flipFlops, depth: found.depth };
  }

  set(key: string, { module }: SynthesisJob, result: Synthesis): void {
    const path = this.pathOf(key);
    if (path === undefined) return;
    try {
      writeFileAtomically(path, `${JSON.stringify({ name: module.name, ...result })}\n`);
    } catch (error) {
      // A folder that cannot be written costs time, not results.
      if (!(error instanceof InputError)) throw error;
    }
  }

  private readOwn(key: string): z.output<typeof resultSchema> | undefined {
    const path = this.pathOf(key);
    if (path === undefined || !existsSync(path)) return undefined;
    try {
      return resultSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
    } catch {
      // Whatever it is, it is not ours any more; it will be written again.
      return undefined;
    }
  }

  private pathOf(key: string): string | undefined {
    return this.folder && join(this.folder, `${key}.json`);
  }
}

function readShipped(): ShippedCache['results'] {
  const path = shippedCachePath();
  if (!existsSync(path)) return {};
  return shippedCacheSchema.parse(JSON.parse(readFileSync(path, 'utf8'))).results;
}

/** The user's folder: `$XDG_CACHE_HOME/condensim/area`, or `.cache/condensim/area` of the home folder. */
export function userCacheFolder(): string {
  const { XDG_CACHE_HOME } = process.env;
  return join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'condensim', 'area');
}
