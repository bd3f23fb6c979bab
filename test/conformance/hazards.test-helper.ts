/**
 * Places in buffers that two units used at once though one of them wrote. The data path reads a tile's operands when
 * the array starts, so a load that overwrites them while the tile runs would not change a byte: times tell.
 */
import { bufferNames, type Command, type CommandOf, type TransferCommand } from '../../src/hw/isa/formats.ts';
import type { MachineConfig } from '../../src/hw/machine/config.ts';
import { operandRecordBytes, parameterRecordBytes } from '../../src/hw/requantise/parameters.ts';
import type { Observer } from '../../src/sim/trace.ts';

/** Bytes [from, to) of a buffer during cycles [start, end). */
interface Use {
  readonly index: number;
  readonly from: number;
  readonly to: number;
  readonly start: number;
  readonly end: number;
}

type Slices = Map<string, { index: number; start: number; end: number }[]>;

/** Watches a run of `commands`; ask `find` when it is over. */
export function hazardWatch(
  commands: readonly Command[],
  machine: MachineConfig,
): { observer: Observer; find: () => string[] } {
  const slices: Slices = new Map(['array', 'postProcessing', 'load', 'store'].map((unit) => [unit, []]));
  return {
    observer: { slice: (unit, index, start, end) => void slices.get(unit)!.push({ index, start, end }) },
    find: () => findHazards(commands, parameterRecordBytes(machine), slices),
  };
}

/** Buffers that tiles read. */
const readBuffers = ['feature', 'weight', 'parameter', 'table'] as const;

function findHazards(commands: readonly Command[], recordBytes: number, slices: Slices): string[] {
  const reads: Record<(typeof readBuffers)[number], Use[]> = {
    feature: [],
    weight: [],
    parameter: [],
    table: [],
  };
  const written: Use[] = [];
  const postEnds = new Map(slices.get('postProcessing')!.map(({ index, end }) => [index, end]));
  const array = slices.get('array')!;
  array.forEach(({ index, start, end }, nth) => {
    const tile = commands[index] as CommandOf<'compute'>;
    const planes = tile.stream === 1 ? tile.filters : tile.groups * tile.channels;
    const bytesOfMap =
      (planes - 1) * tile.planePitch + (tile.rows - 1) * tile.rowPitch + tile.columns * tile.elementBytes;
    for (let operand = 0; operand < Math.max(1, tile.operands); operand++) {
      const from = tile.featureAddress + operand * tile.operandPitch;
      reads.feature.push({ index, from, to: from + bytesOfMap, start, end });
    }
    if (tile.stream === 0) {
      const taps = tile.kernelRows * tile.kernelColumns;
      const bytes = tile.groups * tile.channels * taps * tile.filters * tile.weightBytes;
      reads.weight.push({ index, from: tile.weightAddress, to: tile.weightAddress + bytes, start, end });
    }
    const post = commands[index - 1];
    const postEnd = postEnds.get(index);
    if (post?.op !== 'postProcess' || postEnd === undefined) return;
    const filters = tile.groups * tile.filters;
    // Its last column has left the chain when the next tile hands over its last fold.
    const drained = Math.min(postEnd, array[nth + 1]?.end ?? postEnd);
    if (post.requantise === 1) {
      const last = post.parameterAddress + tile.operands * operandRecordBytes + filters * recordBytes;
      reads.parameter.push({ index, from: post.parameterAddress, to: last, start, end: drained });
    }
    if (post.lookup === 1) {
      const last = (post.high - post.low + 1) * tile.elementBytes;
      reads.table.push({ index, from: 0, to: last, start, end: drained });
    }
    const bytes = (filters / post.ratio) * post.outRows * post.outColumns * tile.elementBytes;
    written.push({ index, from: post.outputAddress, to: post.outputAddress + bytes, start, end: postEnd });
  });

  const transfers = (unit: 'load' | 'store', buffer?: number): Use[] =>
    slices.get(unit)!.flatMap(({ index, start, end }) => {
      const command = commands[index] as TransferCommand;
      if (buffer !== undefined && command.buffer !== buffer) return [];
      const to =
        command.bufferAddress +
        (command.segments - 1) * command.bufferSegmentPitch +
        (command.stretchBytes / command.runBytes - 1) * command.bufferRunPitch +
        command.runBytes;
      return [{ index, from: command.bufferAddress, to, start, end }];
    });
  return [
    ...readBuffers.flatMap((buffer) =>
      meetings(transfers('load', bufferNames.indexOf(buffer)), reads[buffer], 'overwrites what is read by'),
    ),
    ...meetings(transfers('store'), written, 'reads what is written by'),
  ];
}

/** Both lists in the order of their starts. */
function meetings(transfers: readonly Use[], tiles: readonly Use[], what: string): string[] {
  const found: string[] = [];
  let first = 0;
  for (const transfer of transfers) {
    while (first < tiles.length && tiles[first]!.end <= transfer.start) first++;
    for (let at = first; at < tiles.length && tiles[at]!.start < transfer.end; at++) {
      const tile = tiles[at]!;
      if (tile.end <= transfer.start || tile.to <= transfer.from || transfer.to <= tile.from) continue;
      found.push(
        `command ${transfer.index} ${what} ${tile.index} at cycle ${Math.max(tile.start, transfer.start)}`,
      );
    }
  }
  return found;
}
