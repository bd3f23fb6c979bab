/**
 * Where things lie in DRAM. Weights come first, then parameter records, then feature maps; a map's place is reused
 * as soon as no later step needs it. Feature maps are stored [row][channel][column], so that a band of rows with all
 * its channels is one contiguous block.
 */
import { InputError } from '../core/diagnostics.ts';
import { alignUp } from '../core/integers.ts';
import { parameterRecordBytes } from '../hw/isa/formats.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import { tileWeightBytes, workloadOf } from './geometry.ts';
import { mapBytes, type Step } from './steps.ts';
import { type Tiling, tilingSizes } from './tiling.ts';

export interface TiledStep {
  readonly step: Step;
  readonly tiling: Tiling;
}

export interface DramLayout {
  /** Per step: first byte of each (filter tile, chunk) block of weights, in that order; and of the records. */
  readonly weightBlocks: readonly (readonly number[])[];
  readonly parameters: readonly number[];
  /** First byte of each feature map by tensor name. A place may be reused by maps that live at other times. */
  readonly maps: ReadonlyMap<string, number>;
  readonly totalBytes: number;
}

const alignment = 64;

export function layoutDram(
  steps: readonly TiledStep[],
  outputs: readonly string[],
  machine: MachineConfig,
): DramLayout {
  let at = 0;
  const take = (bytes: number): number => {
    const start = at;
    at += bytes;
    return start;
  };
  const weightBlocks = steps.map(({ step, tiling }) => {
    const work = workloadOf(step);
    const { tiles, chunks } = tilingSizes(step, tiling);
    at = alignUp(at, alignment);
    return tiles.flatMap((tile) =>
      chunks.map((chunk) => take(tileWeightBytes(step, work, tile, chunk.end - chunk.first))),
    );
  });
  const parameters = steps.map(({ step }) => {
    at = alignUp(at, alignment);
    return take(step.requantised === undefined ? 0 : step.convolvedShape[0] * parameterRecordBytes);
  });
  const { maps, end } = placeMaps(
    steps.map(({ step }) => step),
    outputs,
    alignUp(at, alignment),
  );
  const capacity = machine.dram.capacityMiB * 2 ** 20;
  if (end > capacity) {
    throw new InputError(
      `the network needs ${end} bytes of DRAM, machine '${machine.name}' has ${capacity}, expected dram.capacityMiB of at least ${Math.ceil(end / 2 ** 20)}`,
    );
  }
  return { weightBlocks, parameters, maps, totalBytes: end };
}

/** First fit by the order of steps; a map is freed after its last reader. */
function placeMaps(
  steps: readonly Step[],
  outputs: readonly string[],
  base: number,
): { maps: Map<string, number>; end: number } {
  const lastUse = new Map<string, number>();
  steps.forEach((step, index) => {
    lastUse.set(step.input, index);
  });
  for (const output of outputs) lastUse.set(output, steps.length);

  const maps = new Map<string, number>();
  let alive: { name: string; start: number; end: number }[] = [];
  let end = base;
  const place = (name: string, bytes: number): void => {
    if (maps.has(name)) return;
    let start = base;
    for (const other of alive) {
      if (start + bytes <= other.start) break;
      start = Math.max(start, alignUp(other.end, alignment));
    }
    maps.set(name, start);
    alive.push({ name, start, end: start + bytes });
    alive.sort((a, b) => a.start - b.start);
    end = Math.max(end, start + bytes);
  };
  steps.forEach((step, index) => {
    place(step.input, mapBytes(step.inputShape));
    place(step.output, mapBytes(step.outputShape));
    alive = alive.filter(({ name }) => (lastUse.get(name) ?? -1) > index);
  });
  return { maps, end };
}
