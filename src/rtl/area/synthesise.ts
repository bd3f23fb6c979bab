/**
 * Logic synthesis of one module with Yosys: how large it is in a cell library, how many flip-flops and how deep.
 *
 * One module at a time: those it instantiates count as black boxes, so that the sum over all modules, each times its
 * instances, is the machine. The script is the whole method; results depend on it, the texts and Yosys' version alone, and are
 * kept under a hash of these.
 */
import { InputError } from '../../core/diagnostics.ts';
import type { VerilogModule } from '../../hw/verilog.ts';
import { runYosys, yosysVersion } from '../netlist/yosys.ts';
import { gateLibrary, gateLibraryName } from './library.ts';

/** A cell library in Liberty format. */
export interface CellLibrary {
  /** As it stands in reports and in messages. */
  readonly name: string;
  readonly text: string;
}

/** Our own library: areas are NAND2 equivalents. */
export function ownLibrary(): CellLibrary {
  return { name: gateLibraryName, text: gateLibrary() };
}

export interface SynthesisJob {
  readonly module: VerilogModule;
  /** All modules below it. Those it names are black boxes, unless `flat`. */
  readonly below: readonly VerilogModule[];
  /** Synthesise all of it as one; else what it instantiates is left out. */
  readonly flat?: true;
}

export interface Synthesis {
  /** In the library's units: NAND2 equivalents for our own. */
  readonly area: number;
  readonly flipFlops: number;
  /** Cells on the longest path between registers or ports. */
  readonly depth: number;
}

/** Where results are kept between runs. */
export interface SynthesisCache {
  get(key: string, job: SynthesisJob): Synthesis | undefined;
  set(key: string, job: SynthesisJob, result: Synthesis): void;
}

const libraryFile = 'cells.lib';

/**
 * The script. `-booth` since the default multiplier makes a processing element 60 % larger; flip-flops are mapped last, so that
 * they can be counted, and the longest path be found between them, whatever cells the library has.
 */
export function synthesisScript({ module, below, flat }: SynthesisJob): string {
  const files = [module, ...below].map(({ name }) => `${name}.v`);
  const blackBoxes = flat ? [] : below.map(({ name }) => `blackbox ${name}`);
  return [
    `read_verilog -sv ${files.join(' ')}`,
    ...blackBoxes,
    `hierarchy -check -top ${module.name}`,
    'synth -flatten -noabc -booth',
    `dfflibmap -prepare -liberty ${libraryFile}`,
    'tee -q -o registers.json stat -json',
    `abc -liberty ${libraryFile}`,
    'opt_clean -purge',
    `read_liberty -lib -ignore_miss_func ${libraryFile}`,
    // A black box has no path through it that is known.
    `tee -q -o path.txt ltp -noff * ${flat ? '' : below.map(({ name }) => `t:${name} %d `).join('')}`,
    `dfflibmap -map-only -liberty ${libraryFile}`,
    'opt_clean -purge',
    `tee -q -o area.json stat -json -liberty ${libraryFile}`,
  ].join('; ');
}

/** The steps of {@link synthesisScript} that decide the result, for people. */
export const synthesisMethod = 'synth -flatten -noabc -booth; dfflibmap; abc';

/** What results are kept under: a SHA-256 of all that decides them, in hexadecimal. */
export async function synthesisKey(job: SynthesisJob, library: CellLibrary): Promise<string> {
  const texts = [job.module, ...job.below].map(({ name, text }) => [name, text]);
  const all = JSON.stringify([texts, library.text, await yosysVersion(), synthesisScript(job)]);
  const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(new TextEncoder().encode(all)));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Synthesises a module, or takes the result from the cache.
 * @throws InputError when the library lacks cells that logic needs, or Yosys is not installed
 */
export async function synthesise(
  job: SynthesisJob,
  library: CellLibrary,
  cache?: SynthesisCache,
): Promise<Synthesis> {
  const key = cache && (await synthesisKey(job, library));
  const known = key === undefined ? undefined : cache!.get(key, job);
  if (known !== undefined) return known;
  const result = await run(job, library);
  if (key !== undefined) cache!.set(key, job, result);
  return result;
}

async function run(job: SynthesisJob, library: CellLibrary): Promise<Synthesis> {
  const files: Record<string, string> = { [libraryFile]: library.text };
  for (const { name, text } of [job.module, ...job.below]) files[`${name}.v`] = text;
  const out = await runYosys(synthesisScript(job), files).catch((error: unknown) => {
    // With our own library only our own Verilog can be wrong, and Yosys says where.
    if (!(error instanceof InputError) || library.name === gateLibraryName) throw error;
    throw new InputError(
      `cannot be mapped to (${error.message}), expected a Liberty file of gates and a D flip-flop`,
      { file: library.name },
    );
  });
  const registers = cellsOf(out['registers.json'], job);
  const mapped = cellsOf(out['area.json'], job);
  const boxes = new Set(job.below.map(({ name }) => `\\${name}`));
  const unmapped = Object.keys(mapped.num_cells_by_type ?? {}).find((type) => type.startsWith('$'));
  if (unmapped !== undefined && !boxes.has(unmapped)) {
    throw new InputError(
      `has no cell for ${unmapped}, expected a library with gates and a D flip-flop that a rising clock edge triggers`,
      { file: library.name },
    );
  }
  let flipFlops = 0;
  for (const [type, count] of Object.entries(registers.num_cells_by_type ?? {})) {
    if (/^\$_.*(?:FF|LATCH)/.test(type)) flipFlops += count;
  }
  const depth = /\(length=(\d+)\)/.exec(out['path.txt'] ?? '');
  return { area: mapped.area ?? 0, flipFlops, depth: depth === null ? 0 : Number(depth[1]) };
}

/** The part of Yosys' statistics that is used here. */
interface Statistics {
  readonly area?: number;
  readonly num_cells_by_type?: Readonly<Record<string, number>>;
}

function cellsOf(text: string | undefined, { module }: SynthesisJob): Statistics {
  const modules = text === undefined ? undefined : JSON.parse(text).modules;
  const found: Statistics | undefined = modules?.[`\\${module.name}`];
  if (found === undefined) throw new InputError(`Yosys gave no statistics of ${module.name}`);
  return found;
}
