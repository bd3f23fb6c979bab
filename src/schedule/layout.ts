/**
 * Where things lie in DRAM. Weights come first, then parameter records, then feature maps; a map's place is reused
 * as soon as no later step needs it. Feature maps are stored [row][channel][column], so that a band of rows with all
 * its channels is one contiguous block; those that only move as a whole [channel][row][column].
 *
 * On a memory with banks, a stream that starts at a row's first byte opens the fewest rows, and two streams that run at
 * the same time disturb each other least if they are in different banks: see `Placement`.
 */
import { InputError } from '../core/diagnostics.ts';
import { alignUp, product } from '../core/integers.ts';
import { AddressMapping } from '../hw/dram/address.ts';
import { capacityBytes, type DramConfig, geometryOf } from '../hw/dram/config.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import type { givenMaps } from '../quant/layers.ts';
import {
  convolvedRowsFor,
  inputRowsFor,
  tileRecordBytes,
  tileWeightBytes,
  type ValueSizes,
  workloadOf,
} from './geometry.ts';
import type { Places } from './places.ts';
import { type DramShares, inputMapValues, lastUses, outputMapValues, type Step, tableOf } from './steps.ts';
import { type CostEstimate, type Tiling, tilingSizes } from './tiling.ts';

export interface TiledStep {
  readonly step: Step;
  readonly tiling: Tiling;
  /** Absent: a pass of its own whose maps all lie in DRAM. */
  readonly places?: Places | undefined;
  /** What the search thought that the pass costs which begins with this step; absent for the other steps of a pass. */
  readonly estimate?: CostEstimate | undefined;
}

/** A map that lies in DRAM before the run. */
export type GivenMap = ReturnType<typeof givenMaps>[number];

export interface DramLayout {
  /** Per step: first byte of each (filter tile, chunk) block of weights, in that order. */
  readonly weightBlocks: readonly (readonly number[])[];
  /** Per step: first byte of each filter tile's records. */
  readonly recordBlocks: readonly (readonly number[])[];
  /** Per step: first byte of its table, if it looks one up. */
  readonly tables: readonly (number | undefined)[];
  /** First byte of each feature map by tensor name. A place may be reused by maps that live at other times. */
  readonly maps: ReadonlyMap<string, number>;
  /** Maps that lie there as [channel][row][column]; the others as [row][channel][column]. */
  readonly planarMaps: ReadonlySet<string>;
  readonly totalBytes: number;
}

/** Every block starts at a multiple of this. */
const alignment = 64;

/**
 * Where blocks start on a memory with banks; on an ideal one both are `packed`.
 * - `interleaved`: weights of a step and feature maps at the first byte of a row; the map a step writes starts half of the
 *   banks away from the map it reads.
 * - `packed`: one behind the other.
 */
export type Placement = 'interleaved' | 'packed';

/** A start must be `offset` modulo `modulus`. */
interface Start {
  readonly modulus: number;
  readonly offset: number;
}

interface Starts {
  /** Of a step's weights. */
  readonly weights: Start;
  /** Of feature maps, by turns along the steps. */
  readonly maps: readonly Start[];
}

function startsOf(placement: Placement, dram: DramConfig): Starts {
  const anywhere = { modulus: alignment, offset: 0 };
  if (dram.kind === 'ideal' || placement === 'packed') return { weights: anywhere, maps: [anywhere] };
  const span = Math.max(new AddressMapping(dram).rowSpanBytes, alignment);
  const row = Math.min(Math.max(geometryOf(dram).rowBytes, alignment), span);
  return {
    weights: { modulus: row, offset: 0 },
    maps: [
      { modulus: span, offset: 0 },
      { modulus: span, offset: alignUp(span / 2, alignment) % span },
    ],
  };
}

function firstStart(from: number, { modulus, offset }: Start): number {
  return alignUp(Math.max(from - offset, 0), modulus) + offset;
}

export function layoutDram(
  steps: readonly TiledStep[],
  outputs: readonly string[],
  machine: MachineConfig,
  values: ValueSizes,
  placement: Placement = 'interleaved',
  given: readonly GivenMap[] = [],
): DramLayout {
  const starts = startsOf(placement, machine.dram);
  let at = 0;
  const take = (bytes: number): number => {
    const start = at;
    at += bytes;
    return start;
  };
  const weightBlocks = steps.map(({ step, tiling }) => {
    const work = workloadOf(step);
    const { tiles, chunks } = tilingSizes(step, tiling, values);
    at = firstStart(at, starts.weights);
    return tiles.flatMap((tile) =>
      chunks.map((chunk) => take(tileWeightBytes(step, work, tile, chunk.end - chunk.first, values))),
    );
  });
  const recordBlocks = steps.map(({ step, tiling }) => {
    const work = workloadOf(step);
    at = alignUp(at, alignment);
    return tilingSizes(step, tiling, values).tiles.map((tile) =>
      take(tileRecordBytes(step, work, tile.groups * tile.filters, values)),
    );
  });
  const tables = steps.map(({ step }) =>
    tableOf(step) === undefined ? undefined : take(values.tableEntries * values.elementBytes),
  );
  const { maps, end } = placeMaps(
    steps.map(({ step }) => step),
    outputs,
    dramShares(steps),
    values.elementBytes,
    alignUp(at, alignment),
    starts.maps,
    given,
  );
  const capacity = capacityBytes(machine.dram);
  if (end > capacity) {
    throw new InputError(
      `the network needs ${end} bytes of DRAM, machine '${machine.name}' has ${capacity}, expected a memory of at least ${Math.ceil(end / 2 ** 20)} MiB`,
    );
  }
  const planarMaps = findPlanarMaps(steps, outputs, values);
  return { weightBlocks, recordBlocks, tables, maps, planarMaps, totalBytes: end };
}

/** What of every map lies in DRAM, and how long. */
export function dramShares(steps: readonly TiledStep[]): DramShares {
  const shares = new Map<string, number>();
  for (const { step, places } of steps) {
    if (places?.output === undefined) continue;
    const { first, end } = places.output.channels;
    shares.set(step.output, 1 - (end - first) / step.outputShape[0]);
  }
  const passEnds = steps.map(({ places }, index) => {
    let last = index;
    while (places !== undefined && steps[last + 1]?.places?.pass === places.pass) last++;
    return last;
  });
  return { shares, passEnds };
}

/**
 * Maps that are always written and read with all their rows. Stored channel after channel, a transfer is one contiguous
 * stretch on both sides; with row after row it would be cut at every row, and rows are short where maps are small.
 */
function findPlanarMaps(
  steps: readonly TiledStep[],
  outputs: readonly string[],
  values: ValueSizes,
): Set<string> {
  const planar = flatMaps(steps);
  for (const { step: maker } of steps) {
    const name = maker.output;
    if (planar.has(name)) continue;
    const [, rows, columns] = maker.outputShape;
    const { total } = maker.outputChannels;
    const isWrittenWhole = ({ step, tiling }: TiledStep): boolean =>
      step.outputChannels.total === total &&
      step.outputShape[1] === rows &&
      step.outputShape[2] === columns &&
      tiling.tileRows >= rows;
    const isReadWhole = ({ step, tiling, places }: TiledStep): boolean => {
      const convolved = convolvedRowsFor(step, { first: 0, end: step.outputShape[1] });
      const needed = inputRowsFor(step, workloadOf(step), convolved);
      return (
        step.reading.rowStep === 1 &&
        step.inputShape[0] === total &&
        step.inputShape[1] === rows &&
        step.inputShape[2] === columns &&
        tiling.rowPitch === columns * values.elementBytes &&
        tiling.bandRows >= step.outputShape[1] &&
        needed.first === 0 &&
        needed.end === rows &&
        (places?.ringRows ?? 0) === 0
      );
    };
    const writers = steps.filter(({ step }) => step.output === name);
    const readers = steps.filter(({ step }) => step.inputs.includes(name));
    if (!outputs.includes(name) && writers.every(isWrittenWhole) && readers.every(isReadWhole))
      planar.add(name);
  }
  return planar;
}

/** Maps that have to lie so, as a step sees them under another shape. */
function flatMaps(steps: readonly TiledStep[]): Set<string> {
  const flat = new Set<string>();
  for (const { step } of steps) {
    if (step.isFlat) for (const name of [...step.inputs, step.output]) flat.add(name);
  }
  // Groups of channels that are reduced as one tall map are read in the other order.
  for (const { step } of steps) {
    const reduced = step.layers[0]!.inputShapes[0]!;
    const isTall = !step.isFlat && step.inputShape[0] === 1 && reduced[0] > 1;
    const name = [...step.inputs, step.output].find((one) => flat.has(one));
    if (!isTall || name === undefined) continue;
    throw new InputError(
      `layer '${step.name}': reduces '${name}' across channels in a pass of its own, and another layer reads it under another shape; expected a crossChannelPool unit for it`,
    );
  }
  return flat;
}

/**
 * First fit by the order of steps, behind the maps that are there before the run; a map is freed after its last reader. One
 * that never leaves the chip has no place.
 */
function placeMaps(
  steps: readonly Step[],
  outputs: readonly string[],
  { shares, passEnds }: DramShares,
  elementBytes: number,
  base: number,
  starts: readonly Start[],
  given: readonly GivenMap[],
): { maps: Map<string, number>; end: number } {
  const lastUse = lastUses(steps, outputs, passEnds);
  const maps = new Map<string, number>();
  let alive: { name: string; start: number; end: number }[] = [];
  let end = base;
  const place = (name: string, bytes: number): void => {
    if (maps.has(name) || shares.get(name) === 0) return;
    const turn = starts[maps.size % starts.length]!;
    let start = firstStart(base, turn);
    for (const other of alive) {
      if (start + bytes <= other.start) break;
      start = Math.max(start, firstStart(other.end, turn));
    }
    maps.set(name, start);
    alive.push({ name, start, end: start + bytes });
    alive.sort((a, b) => a.start - b.start);
    end = Math.max(end, start + bytes);
  };
  for (const { name, shape } of given) place(name, product(shape) * elementBytes);
  steps.forEach((step, index) => {
    for (const input of step.inputs) place(input, inputMapValues(step) * elementBytes);
    place(step.output, outputMapValues(step) * elementBytes);
    alive = alive.filter(({ name }) => (lastUse.get(name) ?? -1) > index);
  });
  return { maps, end };
}
