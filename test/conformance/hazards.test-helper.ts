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
  /** The stretches of [from, to) that are really used; absent: all of it. */
  readonly pieces?: () => Iterable<readonly [from: number, to: number]>;
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
      const to = from + (tile.ringRows === 0 ? bytesOfMap : planes * tile.planePitch);
      reads.feature.push({ index, from, to, start, end, pieces: () => rowsOf(tile, from, planes) });
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

  const loads = (buffer: number): Use[] =>
    slices.get('load')!.flatMap(({ index, start, end }) => {
      const command = commands[index] as TransferCommand;
      return command.buffer === buffer ? [{ index, start, end, ...inBuffer(command) }] : [];
    });
  const stores: Use[] = [];
  const moves: Use[] = [];
  for (const { index, start, end } of slices.get('store')!) {
    const command = commands[index] as TransferCommand | CommandOf<'move'>;
    if (command.op !== 'move') {
      stores.push({ index, start, end, ...inBuffer(command) });
      continue;
    }
    const { segments, runs, runBytes } = command;
    const piece = { segments, runs, runBytes };
    stores.push({
      ...{ index, start, end },
      ...boxed({
        ...piece,
        address: command.sourceAddress,
        segmentPitch: command.sourceSegmentPitch,
        runPitch: command.sourceRunPitch,
      }),
    });
    moves.push({
      ...{ index, start, end },
      ...boxed({
        ...piece,
        address: command.targetAddress,
        segmentPitch: command.targetSegmentPitch,
        runPitch: command.targetRunPitch,
      }),
    });
  }
  return [
    ...readBuffers.flatMap((buffer) =>
      meetings(loads(bufferNames.indexOf(buffer)), reads[buffer], 'overwrites what is read by'),
    ),
    ...meetings(moves, reads.feature, 'overwrites what is read by'),
    ...meetings(moves, loads(bufferNames.indexOf('feature')), 'writes where writes'),
    ...meetings(stores, written, 'reads what is written by'),
  ];
}

interface Box {
  readonly address: number;
  readonly segments: number;
  readonly segmentPitch: number;
  readonly runs: number;
  readonly runPitch: number;
  readonly runBytes: number;
}

function inBuffer(command: TransferCommand): Pick<Use, 'from' | 'to' | 'pieces'> {
  return boxed({
    address: command.bufferAddress,
    segments: command.segments,
    segmentPitch: command.bufferSegmentPitch,
    runs: command.stretchBytes / command.runBytes,
    runPitch: command.bufferRunPitch,
    runBytes: command.runBytes,
  });
}

function boxed({ address, segments, segmentPitch, runs, runPitch, runBytes }: Box) {
  return {
    from: address,
    to: address + (segments - 1) * segmentPitch + (runs - 1) * runPitch + runBytes,
    *pieces() {
      for (let segment = 0; segment < segments; segment++) {
        for (let run = 0; run < runs; run++) {
          const from = address + segment * segmentPitch + run * runPitch;
          yield [from, from + runBytes] as const;
        }
      }
    },
  };
}

/** The rows that a tile reads, wherever in their ring they lie. */
function* rowsOf(tile: CommandOf<'compute'>, address: number, planes: number) {
  for (let plane = 0; plane < planes; plane++) {
    for (let row = 0; row < tile.rows; row++) {
      const place = tile.ringRows === 0 ? row : (tile.ringRow + row) % tile.ringRows;
      const from = address + plane * tile.planePitch + place * tile.rowPitch;
      yield [from, from + tile.columns * tile.elementBytes] as const;
    }
  }
}

/** Whether two uses share a byte. */
function meet(one: Use, other: Use): boolean {
  if (one.to <= other.from || other.to <= one.from) return false;
  if (one.pieces === undefined || other.pieces === undefined) return true;
  const bytes = new Set<number>();
  for (const [from, to] of one.pieces()) for (let byte = from; byte < to; byte++) bytes.add(byte);
  for (const [from, to] of other.pieces()) {
    for (let byte = from; byte < to; byte++) if (bytes.has(byte)) return true;
  }
  return false;
}

/** Both lists in the order of their starts. */
function meetings(transfers: readonly Use[], tiles: readonly Use[], what: string): string[] {
  const found: string[] = [];
  let first = 0;
  for (const transfer of transfers) {
    while (first < tiles.length && tiles[first]!.end <= transfer.start) first++;
    for (let at = first; at < tiles.length && tiles[at]!.start < transfer.end; at++) {
      const tile = tiles[at]!;
      if (tile.end <= transfer.start || !meet(transfer, tile)) continue;
      found.push(
        `command ${transfer.index} ${what} ${tile.index} at cycle ${Math.max(tile.start, transfer.start)}`,
      );
    }
  }
  return found;
}
