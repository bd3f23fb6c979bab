/**
 * Places in buffers that two units used at once though one of them wrote. The data path reads a tile's operands when
 * the array starts, so a load that overwrites them while the tile runs would not change a byte: times tell.
 */
import {
  type Command,
  type CommandOf,
  parameterRecordBytes,
  type TransferCommand,
} from '../../src/hw/isa/formats.ts';
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
export function hazardWatch(commands: readonly Command[]): { observer: Observer; find: () => string[] } {
  const slices: Slices = new Map(['array', 'postProcessing', 'load', 'store'].map((unit) => [unit, []]));
  return {
    observer: { slice: (unit, index, start, end) => void slices.get(unit)!.push({ index, start, end }) },
    find: () => findHazards(commands, slices),
  };
}

function findHazards(commands: readonly Command[], slices: Slices): string[] {
  const reads: Use[][] = [[], [], []];
  const written: Use[] = [];
  const postEnds = new Map(slices.get('postProcessing')!.map(({ index, end }) => [index, end]));
  const array = slices.get('array')!;
  array.forEach(({ index, start, end }, nth) => {
    const tile = commands[index] as CommandOf<'compute'>;
    const planes = tile.stream === 1 ? tile.filters : tile.groups * tile.channels;
    const from = tile.featureAddress;
    const to = from + (planes - 1) * tile.planePitch + (tile.rows - 1) * tile.rowPitch + tile.columns;
    reads[0]!.push({ index, from, to, start, end });
    if (tile.stream === 0) {
      const bytes = tile.groups * tile.channels * tile.kernelRows * tile.kernelColumns * tile.filters;
      reads[1]!.push({ index, from: tile.weightAddress, to: tile.weightAddress + bytes, start, end });
    }
    const post = commands[index - 1];
    const postEnd = postEnds.get(index);
    if (post?.op !== 'postProcess' || postEnd === undefined) return;
    const filters = tile.groups * tile.filters;
    if (post.requantise === 1) {
      // Its last column has left the chain when the next tile hands over its last fold.
      const drained = Math.min(postEnd, array[nth + 1]?.end ?? postEnd);
      const last = post.parameterAddress + filters * parameterRecordBytes;
      reads[2]!.push({ index, from: post.parameterAddress, to: last, start, end: drained });
    }
    const bytes = (filters / post.ratio) * post.outRows * post.outColumns;
    written.push({ index, from: post.outputAddress, to: post.outputAddress + bytes, start, end: postEnd });
  });

  const transfers = (unit: 'load' | 'store', buffer?: number): Use[] =>
    slices.get(unit)!.flatMap(({ index, start, end }) => {
      const command = commands[index] as TransferCommand;
      if (buffer !== undefined && command.buffer !== buffer) return [];
      const to =
        command.bufferAddress +
        (command.segments - 1) * command.bufferSegmentPitch +
        (command.runs - 1) * command.bufferRunPitch +
        command.runBytes;
      return [{ index, from: command.bufferAddress, to, start, end }];
    });
  return [
    ...reads.flatMap((uses, buffer) =>
      meetings(transfers('load', buffer), uses, 'overwrites what is read by'),
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
