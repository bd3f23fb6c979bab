/** The gates of a machine: its units synthesised one by one, each times its instances. */
import { InputError } from '../../core/diagnostics.ts';
import type { MachineConfig } from '../../hw/machine/config.ts';
import { type CellLibrary, type SynthesisCache, synthesise } from './synthesise.ts';
import { unitsOf } from './units.ts';

/** One unit of a machine; areas in the library's units, NAND2 equivalents for our own library. */
export interface UnitArea {
  readonly name: string;
  /** Instances. */
  readonly count: number;
  readonly gatesEach: number;
  /** All instances. */
  readonly gates: number;
  readonly flipFlopsEach: number;
  /** Cells on the longest path of one instance between registers or ports. */
  readonly depth: number;
}

export interface MachineArea {
  readonly units: readonly UnitArea[];
  /** Those of the same machine without a cross-channel pooling unit. */
  readonly unitsWithoutCcp: readonly UnitArea[];
}

export interface MeasureOptions {
  readonly library: CellLibrary;
  readonly cache?: SynthesisCache | undefined;
  readonly progress?: (done: number, total: number) => void;
}

/** Synthesises a machine with and without its CCP unit; what both have is synthesised once. */
export async function measureMachine(machine: MachineConfig, options: MeasureOptions): Promise<MachineArea> {
  const [units, unitsWithoutCcp] = await measureMachines([machine, withoutCcp(machine)], options);
  return { units: units!, unitsWithoutCcp: unitsWithoutCcp! };
}

/** Synthesises machines; what several have is synthesised once. Throws where there is no RTL of one. */
export async function measureMachines(
  machines: readonly MachineConfig[],
  { library, cache, progress }: MeasureOptions,
): Promise<UnitArea[][]> {
  const configurations = machines.map(unitsOf);
  const total = configurations.flat().length;
  const done = new Map<string, UnitArea>();
  let count = 0;
  const measured: UnitArea[][] = [];
  for (const units of configurations) {
    const areas: UnitArea[] = [];
    for (const unit of units) {
      // Only texts decide; the one machine's units are most of the other's.
      const key = JSON.stringify([unit.count, unit.module, unit.below]);
      let area = done.get(key);
      if (area === undefined) {
        const { area: gatesEach, flipFlops, depth } = await synthesise(unit, library, cache);
        const gates = unit.count * gatesEach;
        area = { name: unit.name, count: unit.count, gatesEach, gates, flipFlopsEach: flipFlops, depth };
        done.set(key, area);
      }
      areas.push(area);
      progress?.(++count, total);
    }
    measured.push(areas);
  }
  return measured;
}

/**
 * The same from the cache alone, for who won't wait: undefined where anything would have to be synthesised, or there is no
 * RTL of the machine.
 */
export async function knownMachineArea(
  machine: MachineConfig,
  library: CellLibrary,
  cache: SynthesisCache,
): Promise<MachineArea | undefined> {
  const missing = new InputError('not synthesised yet');
  try {
    return await measureMachine(machine, {
      library,
      cache: {
        get: (key, job) => {
          const found = cache.get(key, job);
          if (found === undefined) throw missing;
          return found;
        },
        set: () => {},
      },
    });
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

/** The machine without its cross-channel pooling unit. */
export function withoutCcp(machine: MachineConfig): MachineConfig {
  return { ...machine, postProcessing: { ...machine.postProcessing, crossChannelPool: null } };
}
