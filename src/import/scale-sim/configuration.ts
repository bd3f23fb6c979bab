/**
 * SCALE-Sim's configurations: `[section]`s of `key: value` (or `key = value`), keys in any case.
 *
 * Keys that only name addresses and trace files are passed over; those that would change what is computed are refused unless
 * they are off.
 */
import { quote } from '../../config/source.ts';
import { InputError } from '../../core/diagnostics.ts';
import type { DataflowName } from '../../hw/pe-array/config.ts';
import { parseCfg, type Section } from '../sections.ts';

export interface ScaleSimConfiguration {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly dataflow: DataflowName;
  /** Of the buffers, in KiB; both halves of each. */
  readonly kibibytes: { readonly features: number; readonly weights: number; readonly outputs: number };
  /** Words a cycle to and from memory; absent: CALC, every stall-free cycle count and no other. */
  readonly bandwidth?: number | undefined;
  readonly outstandingReads: number;
  readonly outstandingWrites: number;
}

const DATAFLOWS: Readonly<Record<string, DataflowName>> = {
  os: 'output-stationary',
  ws: 'weight-stationary',
  is: 'input-stationary',
};

/** The spelling of every key that is known, by section. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  general: ['run_name'],
  architecture_presets: [
    ...[
      'ArrayHeight',
      'ArrayWidth',
      'IfmapSramSzkB',
      'FilterSramSzkB',
      'OfmapSramSzkB',
      'Dataflow',
      'Bandwidth',
    ],
    ...[
      'IfmapOffset',
      'FilterOffset',
      'OfmapOffset',
      'MemoryBanks',
      'OnChipMemoryBanks',
      'OnChipMemoryBankPorts',
    ],
    ...['ReadRequestBuffer', 'WriteRequestBuffer'],
  ],
  layout: ['Ifmap', 'Filter'].flatMap((map) => [
    `${map}CustomLayout`,
    ...['Bandwidth', 'Num', 'Port'].map((what) => `${map}SRAMBank${what}`),
  ]),
  sparsity: ['SparsitySupport', 'SparseRep', 'OptimizedMapping', 'BlockSize', 'RandomNumberGeneratorSeed'],
  run_presets: ['InterfaceBandwidth', 'UseRamulatorTrace'],
  network_presets: ['TopologyCsvLoc'],
};

const CANONICAL = new Map(
  Object.values(KEYS)
    .flat()
    .map((key) => [key.toLowerCase(), key]),
);

/** Whether a `.cfg` is SCALE-Sim's: its first section says. */
export function isConfiguration(text: string): boolean {
  const first = /^[^\S\n]*\[\s*([A-Za-z0-9_]+)\s*\]/m.exec(text)?.[1];
  return first !== undefined && Object.hasOwn(KEYS, first.toLowerCase());
}

/**
 * Reads a configuration's text; `file` names it in messages.
 * @throws InputError with line and column
 */
export function parseConfiguration(text: string, file: string): ScaleSimConfiguration {
  const sections = new Map<string, Section>();
  const style = { separator: /[:=]/, spell: (key: string) => CANONICAL.get(key.toLowerCase()) ?? key };
  for (const section of parseCfg(text, file, style)) {
    const name = section.name.toLowerCase();
    if (!Object.hasOwn(KEYS, name)) {
      throw new InputError(
        `[${section.name}] is not known, expected one of ${Object.keys(KEYS).join(', ')}`,
        section.position,
      );
    }
    if (sections.has(name)) {
      throw new InputError(`[${section.name}] is here twice, expected it once`, section.position);
    }
    sections.set(name, section);
  }
  const section = (name: string): Section => {
    const found = sections.get(name);
    if (found === undefined) throw new InputError(`lacks [${name}]`, { file });
    return found;
  };
  const [array, run] = [section('architecture_presets'), section('run_presets')];
  refuseOthers(sections);

  const kibibytes = (key: string): number => array.integer(key, undefined, 1, 16384);
  const configuration = {
    name: sections.get('general')?.word('run_name', 'scale-sim') ?? 'scale-sim',
    rows: array.integer('ArrayHeight', undefined, 1, 256),
    columns: array.integer('ArrayWidth', undefined, 1, 256),
    dataflow: dataflowOf(array),
    kibibytes: {
      features: kibibytes('IfmapSramSzkB'),
      weights: kibibytes('FilterSramSzkB'),
      outputs: kibibytes('OfmapSramSzkB'),
    },
    bandwidth: takesBandwidth(run) ? bandwidthOf(array) : undefined,
    outstandingReads: array.integer('ReadRequestBuffer', 64, 1, 1024),
    outstandingWrites: array.integer('WriteRequestBuffer', 64, 1, 1024),
  };
  for (const [name, one] of sections) one.finish(KEYS[name]);
  return configuration;
}

function dataflowOf(section: Section): DataflowName {
  const word = section.word('Dataflow', '');
  const dataflow = Object.hasOwn(DATAFLOWS, word) ? DATAFLOWS[word] : undefined;
  if (dataflow !== undefined) return dataflow;
  throw new InputError(
    `Dataflow: expected os, ws or is, got ${word === '' ? 'none' : quote(word)}`,
    section.positionOf('Dataflow'),
  );
}

function takesBandwidth(section: Section): boolean {
  const word = section.word('InterfaceBandwidth', '');
  if (word === 'USER' || word === 'CALC') return word === 'USER';
  throw new InputError(
    `InterfaceBandwidth: expected CALC or USER, got ${word === '' ? 'none' : quote(word)}`,
    section.positionOf('InterfaceBandwidth'),
  );
}

/** Version 2 takes a list, and the first of it for all three buffers. */
function bandwidthOf(section: Section): number {
  const list = section.integers('Bandwidth') ?? [];
  const [first] = list;
  if (first === undefined || !(first >= 1 && first <= 10_000) || list.some((value) => value !== first)) {
    throw new InputError(
      'Bandwidth: expected words a cycle from 1 to 10000, the same for all buffers',
      section.positionOf('Bandwidth'),
    );
  }
  return first;
}

/** What would change cycles or results and is not read here. */
function refuseOthers(sections: ReadonlyMap<string, Section>): void {
  for (const [name, key, what] of [
    ['layout', 'IfmapCustomLayout', 'layouts of maps in banks'],
    ['layout', 'FilterCustomLayout', 'layouts of weights in banks'],
    ['sparsity', 'SparsitySupport', 'sparse weights'],
    ['run_presets', 'UseRamulatorTrace', 'latencies out of a file'],
  ] as const) {
    const section = sections.get(name);
    const word = section?.word(key, 'False') ?? 'False';
    if (/^(false|no|off|0)$/i.test(word)) continue;
    throw new InputError(
      `${key}: ${quote(word)}: ${what} are not read here, expected False`,
      section?.positionOf(key),
    );
  }
}
