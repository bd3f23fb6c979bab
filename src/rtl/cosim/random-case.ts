/**
 * Random tiles: any geometry that fits the machine's buffers, random operands, and tokens that come early or late. A case
 * is a few tiles behind each other, so that one drains while the next begins.
 */
import { assert } from '../../core/diagnostics.ts';
import { containerBytes } from '../../core/fixed-point.ts';
import { alignUp, ceilDiv } from '../../core/integers.ts';
import { hashSeed } from '../../core/random.ts';
import { handoverColumns } from '../../hw/cross-channel-pool/config.ts';
import type { Command, CommandOf } from '../../hw/isa/formats.ts';
import { bufferBytes, type MachineConfig } from '../../hw/machine/config.ts';
import { accumulatorBytes } from '../../hw/pe-array/config.ts';
import {
  operandMultiplierBits,
  operandRecordBytes,
  parameterRecordBytes,
  usesWideRecords,
  writeOperandRecords,
} from '../../hw/requantise/parameters.ts';
import { streamedBits } from '../../hw/requantise/verilog.ts';
import type { SpatialPoolConfig } from '../../hw/spatial-pool/config.ts';
import { lineBufferBytes } from '../../hw/spatial-pool/spatial-pool.ts';
import { writeParameterRecords } from '../../kernels/records.ts';
import type { CosimCase, LoadedBuffer } from './case.ts';
import { Dice } from './dice.ts';

type Tile = CommandOf<'compute'>;
type Post = CommandOf<'postProcess'>;

/** What the tiles of a case share. */
interface Numbers {
  readonly isUnsigned: boolean;
  readonly low: number;
  readonly high: number;
}

/**
 * A case of about `size` steps of the array for each tile.
 *
 * @param machine one that the Verilog can express
 * @param number which case of the seed
 */
export function randomCase(machine: MachineConfig, seed: number, number: number, size = 400): CosimCase {
  const dice = new Dice(hashSeed(`tile ${number}`, seed));
  const isUnsigned = dice.chance(0.5);
  const bits = machine.peArray.activationBits;
  const low = isUnsigned ? 0 : -(2 ** (bits - 1));
  const numbers: Numbers = { isUnsigned, low, high: low + 2 ** bits - 1 };
  const buffers = randomOperands(machine, dice, numbers);
  const sums = randomSums(machine, dice, numbers, buffers.parameter);
  const commands: Command[] = [];
  const most = machine.sequencer.queueDepth;
  const wanted = dice.between(1, 4);
  let outputAddress = 0;
  for (let tiles = 0; tiles < wanted; tiles++) {
    const next = randomTile(machine, dice, numbers, size, sums);
    if (commands.length + next.length > most) break;
    const post = next.find(({ op }) => op === 'postProcess') as Post;
    const bytes = outputBytes(next);
    if (outputAddress + bytes > machine.buffers.output.bytes) outputAddress = 0;
    commands.push(...next.map((command) => (command === post ? { ...post, outputAddress } : command)));
    outputAddress += bytes;
  }
  return {
    name: `seed ${seed} case ${number}`,
    machine,
    commands,
    buffers,
    ...randomTimes(dice, commands),
  };
}

/** Commands one after the other, sometimes with a pause; tokens early, or late enough to hold things up. */
function randomTimes(
  dice: Dice,
  commands: readonly Command[],
): Pick<CosimCase, 'arrivals' | 'fromLoad' | 'fromStore'> {
  const arrivals: number[] = [];
  const fromLoad: number[] = [];
  const fromStore: number[] = [];
  let now = dice.between(0, 3);
  for (const command of commands) {
    arrivals.push(now);
    now += dice.chance(0.7) ? 1 : dice.between(1, 200);
    if (command.op !== 'compute') continue;
    for (const [waits, times] of [
      [command.waitLoad, fromLoad],
      [command.waitStore, fromStore],
    ] as const) {
      if (waits === 1) times.push(dice.chance(0.4) ? dice.between(0, now) : now + dice.between(0, 600));
    }
  }
  return { arrivals, fromLoad: inOrder(fromLoad), fromStore: inOrder(fromStore) };
}

/** Ascending, and no two in one cycle: a side gives at most one token a cycle. */
function inOrder(times: number[]): number[] {
  times.sort((a, b) => a - b);
  for (let index = 1; index < times.length; index++) {
    times[index] = Math.max(times[index]!, times[index - 1]! + 1);
  }
  return times;
}

function outputBytes(commands: readonly Command[]): number {
  const post = commands.find(({ op }) => op === 'postProcess') as Post;
  const tile = commands.find(({ op }) => op === 'compute') as Tile;
  const streams = tile.stream === 1 ? tile.filters : tile.groups * tile.filters;
  return (streams / post.ratio) * post.outRows * post.outColumns * tile.elementBytes;
}

/** One tile: a stream, a convolution, or a convolution in two or three chunks with partial sums between them. */
function randomTile(
  machine: MachineConfig,
  dice: Dice,
  numbers: Numbers,
  size: number,
  sums: Sums,
): Command[] {
  for (let attempt = 0; attempt < 10_000; attempt++) {
    const isStream = dice.chance(0.2);
    const chunks = !isStream && dice.chance(0.3) ? dice.between(2, 3) : 1;
    const isSum = isStream && dice.chance(0.4);
    const isDepthwise = !isStream && chunks === 1 && takesDepthwise(machine) && dice.chance(0.3);
    const plain = isSum
      ? summed(randomStream(machine, dice, numbers), sums)
      : isStream
        ? randomStream(machine, dice, numbers)
        : isDepthwise
          ? randomDepthwise(machine, dice, numbers)
          : randomConvolution(machine, dice, numbers, size);
    const tile = plain.operands === 0 && dice.chance(0.25) ? inRing(plain, dice) : plain;
    const post = randomPost(machine, dice, numbers, tile, sums);
    if (!fits(machine, tile, post, chunks, sums)) continue;
    const parts: Tile[] = Array.from({ length: chunks }, (_, chunk) => ({
      ...tile,
      accumulateIn: chunk > 0 ? 1 : 0,
      accumulateOut: chunk < chunks - 1 ? 1 : 0,
      waitLoad: dice.bit(),
      waitStore: chunk === 0 ? dice.bit() : 0,
    }));
    return [...parts.slice(0, -1), post, parts.at(-1)!];
  }
  assert(false, 'no tile fits this machine');
}

const noTile = {
  op: 'compute',
  ringRows: 0,
  ringRow: 0,
  depthwise: 0,
  waitLoad: 0,
  waitStore: 0,
  signalLoad: 1,
  signalStore: 1,
  stream: 0,
  accumulateIn: 0,
  accumulateOut: 0,
  watch: 1,
  operands: 0,
  operandPitch: 0,
  repeatRows: 1,
  repeatColumns: 1,
  groups: 1,
  kernelRows: 1,
  kernelColumns: 1,
  strideRows: 1,
  strideColumns: 1,
  dilationRows: 1,
  dilationColumns: 1,
  padTop: 0,
  padLeft: 0,
  weightAddress: 0,
  accumulatorAddress: 0,
} as const;

function formatOf(machine: MachineConfig, dice: Dice, { isUnsigned, low, high }: Numbers) {
  return {
    elementBytes: containerBytes(machine.peArray.activationBits),
    weightBytes: containerBytes(machine.peArray.weightBits),
    unsigned: isUnsigned ? 1 : 0,
    zeroPoint: dice.chance(0.3) ? 0 : dice.between(low, high),
  };
}

function randomConvolution(machine: MachineConfig, dice: Dice, numbers: Numbers, size: number): Tile {
  const format = formatOf(machine, dice, numbers);
  const kernelRows = dice.between(1, 3);
  const kernelColumns = dice.between(1, 3);
  const strideRows = dice.between(1, 2);
  const strideColumns = dice.chance(0.7) ? 1 : dice.between(2, 3);
  const dilationRows = dice.chance(0.8) ? 1 : 2;
  const dilationColumns = dice.chance(0.8) ? 1 : 2;
  const outRows = dice.between(1, 9);
  const outColumns = dice.chance(0.5) ? dice.between(1, 12) : dice.between(4, 40);
  const padTop = dice.between(0, kernelRows - 1);
  const padLeft = dice.between(0, kernelColumns - 1);
  // What the taps span, less padding at the end.
  const rows = Math.max(
    1,
    (outRows - 1) * strideRows + (kernelRows - 1) * dilationRows + 1 - padTop - dice.between(0, 1),
  );
  const columns = Math.max(
    1,
    (outColumns - 1) * strideColumns +
      (kernelColumns - 1) * dilationColumns +
      1 -
      padLeft -
      dice.between(0, 1),
  );
  const channels = Math.max(
    1,
    Math.min(dice.between(1, 12), Math.floor(size / (kernelRows * kernelColumns))),
  );
  const groups = dice.chance(0.8) ? 1 : dice.between(2, 3);
  const filters = dice.chance(0.5)
    ? dice.between(1, 2 * machine.peArray.columns + 2)
    : machine.peArray.columns;
  const rowPitch = (columns + dice.between(0, 3)) * format.elementBytes;
  const planePitch = rows * rowPitch + dice.between(0, 2) * format.elementBytes;
  return {
    ...noTile,
    ...format,
    featureAddress: dice.between(0, 5) * format.elementBytes,
    rowPitch,
    planePitch,
    rows,
    columns,
    groups,
    channels,
    filters,
    kernelRows,
    kernelColumns,
    strideRows,
    strideColumns,
    dilationRows,
    dilationColumns,
    padTop,
    padLeft,
    outRows,
    outColumns,
    weightAddress: dice.between(0, 7) * format.weightBytes,
  };
}

/** Whether the machine has a depthwise mode whose trees no sum of theirs overflows. */
function takesDepthwise({ peArray }: MachineConfig): boolean {
  const { depthwise, activationBits, weightBits, accumulatorBits } = peArray;
  if (depthwise === null) return false;
  const taps = Math.ceil(Math.log2(depthwise.kernel ** 2));
  return activationBits + 1 + Math.max(2, weightBits) + taps < accumulatorBits;
}

function randomDepthwise(machine: MachineConfig, dice: Dice, numbers: Numbers): Tile {
  const { kernel } = machine.peArray.depthwise!;
  const plain = randomConvolution(machine, dice, numbers, 1);
  const strideRows = dice.between(1, 2);
  const strideColumns = dice.chance(0.7) ? 1 : 2;
  const padTop = dice.between(0, kernel - 1);
  const padLeft = dice.between(0, kernel - 1);
  const { outRows, outColumns, elementBytes } = plain;
  const rows = Math.max(1, (outRows - 1) * strideRows + kernel - padTop - dice.between(0, 1));
  const columns = Math.max(1, (outColumns - 1) * strideColumns + kernel - padLeft - dice.between(0, 1));
  const rowPitch = (columns + dice.between(0, 3)) * elementBytes;
  return {
    ...plain,
    depthwise: 1,
    groups: dice.between(1, 6),
    channels: 1,
    filters: 1,
    kernelRows: kernel,
    kernelColumns: kernel,
    strideRows,
    strideColumns,
    dilationRows: 1,
    dilationColumns: 1,
    padTop,
    padLeft,
    rows,
    columns,
    rowPitch,
    planePitch: rows * rowPitch + dice.between(0, 2) * elementBytes,
  };
}

/** The same tile with its input in a ring of rows, which may go round. */
function inRing(tile: Tile, dice: Dice): Tile {
  const ringRows = tile.rows + dice.between(0, 3);
  const ringRow = dice.between(0, ringRows - 1);
  const planePitch = ringRows * tile.rowPitch + dice.between(0, 2) * tile.elementBytes;
  return {
    ...tile,
    ringRows,
    ringRow,
    planePitch,
    operandPitch: tile.operands === 0 ? 0 : tile.filters * planePitch,
  };
}

function randomStream(machine: MachineConfig, dice: Dice, numbers: Numbers): Tile {
  const format = formatOf(machine, dice, numbers);
  const strides = dice.chance(0.5);
  const step = dice.between(1, 3);
  const outRows = dice.between(1, 8);
  const outColumns = dice.between(1, 30);
  // A stride reads every second pixel, repetition each pixel twice; never both in one direction.
  const strideRows = strides ? step : 1;
  const strideColumns = strides ? dice.between(1, 2) : 1;
  const repeatRows = strides ? 1 : step;
  const repeatColumns = strides ? 1 : dice.between(1, 2);
  const rows = Math.floor(((outRows - 1) * strideRows) / repeatRows) + 1;
  const columns = Math.floor(((outColumns - 1) * strideColumns) / repeatColumns) + 1;
  const rowPitch = (columns + dice.between(0, 3)) * format.elementBytes;
  return {
    ...noTile,
    ...format,
    stream: 1,
    featureAddress: dice.between(0, 5) * format.elementBytes,
    rowPitch,
    planePitch: rows * rowPitch,
    rows,
    columns,
    channels: 1,
    filters: dice.between(1, 12),
    strideRows,
    strideColumns,
    repeatRows,
    repeatColumns,
    outRows,
    outColumns,
  };
}

function randomPost(machine: MachineConfig, dice: Dice, numbers: Numbers, tile: Tile, sums: Sums): Post {
  const { crossChannelPool, spatialPool } = machine.postProcessing;
  const { low, high } = numbers;
  const isSum = tile.operands > 0;
  const passes = tile.stream === 1 && !isSum && dice.chance(0.4);
  const bounds = [dice.between(low, high), dice.between(low, high)].sort((a, b) => a - b);
  const narrow = dice.chance(0.3);
  // The table has an entry for every value that can reach it.
  const entries = bufferBytes(machine, 'table') / containerBytes(machine.peArray.activationBits);
  const ratio = tile.depthwise === 1 ? 1 : dice.pick(possibleRatios(machine, tile));
  // Of the groups that a lane can keep open any that share out the maps.
  const maps = tile.filters / ratio;
  const depth = crossChannelPool?.form === 'running' && tile.stream === 0 ? crossChannelPool.depth : 1;
  const turns = Array.from({ length: Math.min(depth, maps) }, (_, less) => less + 1).filter(
    (open) => maps % open === 0,
  );
  const open = ratio > 1 && depth > 1 ? dice.pick(turns) : 1;
  const poolsSums = ratio > 1 && crossChannelPool?.position === 'before';
  const looksUp = !passes && !narrow && !poolsSums && entries >= high - low + 1 && dice.chance(0.4);
  const pools = spatialPool !== null && tile.depthwise === 0 && dice.chance(0.5);
  const pooling = pools ? randomPooling(spatialPool, dice, tile) : noPooling;
  return {
    op: 'postProcess',
    requantise: passes ? 0 : 1,
    parameterAddress: isSum ? sums.address : dice.between(0, 2) * parameterRecordBytes(machine),
    low: narrow ? bounds[0]! : low,
    high: narrow ? bounds[1]! : high,
    zeroPoint: dice.between(low, high),
    lookup: looksUp ? 1 : 0,
    unsigned: numbers.isUnsigned ? 1 : 0,
    ratio,
    mean: 0,
    interleave: open > 1 ? open : 0,
    countPadding: pooling.poolKind === 2 ? dice.bit() : 0,
    outRows: tile.outRows,
    outColumns: tile.outColumns,
    ...pooling,
    outputAddress: 0,
  };
}

/** Maps a group that the machine's unit takes of the tile. */
function possibleRatios({ peArray, postProcessing }: MachineConfig, { filters, stream }: Tile): number[] {
  const unit = postProcessing.crossChannelPool;
  if (unit === null) return [1];
  const { form, position, maximumRatio } = unit;
  if (stream === 1 && (form === 'tree' || position === 'before')) return [1];
  const most = form === 'tree' ? handoverColumns(unit, peArray.columns) : maximumRatio;
  const all = form === 'tree' ? [1, 2, 4, 8, 16] : [1, 2, 3, 4, 6];
  return all.filter((ratio) => ratio <= most && filters % ratio === 0);
}

const noPooling = {
  poolKind: 0,
  windowRows: 0,
  windowColumns: 0,
  strideRows: 0,
  strideColumns: 0,
  padTop: 0,
  padLeft: 0,
} as const;

function randomPooling({ maximumWindow, average }: SpatialPoolConfig, dice: Dice, tile: Tile) {
  const axis = (size: number) => {
    const window = dice.between(1, Math.min(maximumWindow, size + 1));
    const stride = dice.between(1, Math.min(4, window + 1));
    const pad = dice.between(0, Math.min(window - 1, 3));
    // Every window has a pixel.
    const most = Math.max(1, Math.floor((size - 1 + pad) / stride) + 1);
    const whole = Math.max(1, Math.floor((size + pad - window) / stride) + 1);
    return { window, stride, pad, out: dice.chance(0.5) ? Math.min(whole, most) : dice.between(1, most) };
  };
  const rows = axis(tile.outRows);
  const columns = axis(tile.outColumns);
  return {
    poolKind: average && dice.chance(0.4) ? 2 : 1,
    windowRows: rows.window,
    windowColumns: columns.window,
    strideRows: rows.stride,
    strideColumns: columns.stride,
    padTop: rows.pad,
    padLeft: columns.pad,
    outRows: rows.out,
    outColumns: columns.out,
  } as const;
}

/** Whether the tile's operands, sums and results fit the buffers. */
function fits(machine: MachineConfig, tile: Tile, post: Post, chunks: number, sums: Sums): boolean {
  const { buffers, peArray } = machine;
  const features =
    tile.featureAddress +
    Math.max(0, tile.operands - 1) * tile.operandPitch +
    (tile.stream === 1 ? tile.filters : tile.groups * tile.channels) * tile.planePitch;
  if (features > buffers.feature.bytes) return false;
  const taps = tile.kernelRows * tile.kernelColumns;
  const weights = tile.groups * tile.channels * taps * tile.filters * tile.weightBytes;
  if (tile.stream === 0 && tile.weightAddress + weights > buffers.weight.bytes) return false;
  const filters = tile.groups * tile.filters;
  const records = tile.operands * operandRecordBytes + filters * parameterRecordBytes(machine);
  const end = tile.operands > 0 ? buffers.parameter.bytes : sums.address;
  if (post.parameterAddress + records > end) return false;
  if (chunks > 1) {
    const vectors = ceilDiv(tile.outRows * tile.outColumns, peArray.rows) * filters;
    const vectorBytes = peArray.rows * accumulatorBytes(peArray.accumulatorBits);
    if (vectors * vectorBytes > buffers.accumulator.bytes) return false;
  }
  const maps = filters / post.ratio;
  if (maps * post.outRows * post.outColumns * tile.elementBytes > buffers.output.bytes) return false;
  if (post.poolKind === 0) return true;
  const line = lineBufferBytes(
    post.poolKind === 2 ? 'average' : 'maximum',
    post.windowRows,
    post.strideRows,
    post.outColumns,
    maps,
    tile.elementBytes,
  );
  return line <= buffers.pool.bytes;
}

/** What the sums of a case share: so many operands, and where their records lie, those of the filters behind them. */
interface Sums {
  readonly operands: number;
  readonly address: number;
}

/** Puts records for sums into the second half of the parameter buffer. */
function randomSums(machine: MachineConfig, dice: Dice, { low, high }: Numbers, parameter: Uint8Array): Sums {
  const operands = dice.between(2, dice.chance(0.8) ? 4 : 15);
  const address = alignUp(Math.floor(parameter.length / 2), 4);
  const view = new DataView(parameter.buffer);
  writeOperandRecords(
    view,
    address,
    Array.from({ length: operands }, () => ({
      zeroPoint: dice.between(low, high),
      multiplier: dice.chance(0.3) ? 1 : dice.between(1, 2 ** operandMultiplierBits - 1),
    })),
  );
  const records = address + operands * operandRecordBytes;
  const size = parameterRecordBytes(machine);
  writeParameterRecords(
    view,
    records,
    Array.from({ length: Math.floor((parameter.length - records) / size) }, () =>
      randomRecord(machine, dice, operandMultiplierBits),
    ),
    usesWideRecords(machine),
  );
  return { operands, address };
}

/** A stream as a sum of several maps. */
function summed(tile: Tile, { operands }: Sums): Tile {
  return { ...tile, operands, operandPitch: tile.filters * tile.planePitch };
}

/** Buffers full of values of the machine's formats. */
function randomOperands(
  machine: MachineConfig,
  dice: Dice,
  { low, high }: Numbers,
): Record<LoadedBuffer, Uint8Array> {
  const { peArray } = machine;
  const valuesOf = (bytes: number, size: number, draw: () => number): Uint8Array => {
    const data = new Uint8Array(bytes);
    for (let at = 0; at + size <= bytes; at += size) {
      const value = draw();
      for (let byte = 0; byte < size; byte++) data[at + byte] = value >> (8 * byte);
    }
    return data;
  };
  const feature = containerBytes(peArray.activationBits);
  const weight = containerBytes(peArray.weightBits);
  // Small weights now and then, so that sums are small too and rounding shows.
  const top = 2 ** Math.min(peArray.weightBits - 1, dice.chance(0.3) ? 1 : 15);
  const drawWeight = peArray.weightBits === 1 ? () => dice.pick([-1, 1]) : () => dice.between(-top, top - 1);
  const parameter = new Uint8Array(bufferBytes(machine, 'parameter'));
  const size = parameterRecordBytes(machine);
  const records = Math.floor(parameter.length / size);
  writeParameterRecords(
    new DataView(parameter.buffer),
    0,
    Array.from({ length: records }, () => randomRecord(machine, dice)),
    usesWideRecords(machine),
  );
  return {
    feature: valuesOf(bufferBytes(machine, 'feature'), feature, () => dice.between(low, high)),
    weight: valuesOf(bufferBytes(machine, 'weight'), weight, drawWeight),
    parameter,
    table: valuesOf(bufferBytes(machine, 'table'), feature, () => dice.between(low, high)),
  };
}

/**
 * A record whose results spread over the values' range: the shift follows the size of usual sums, which have `moreBits`
 * more where they are sums of operands.
 */
function randomRecord(machine: MachineConfig, dice: Dice, moreBits = 0) {
  const { peArray, postProcessing } = machine;
  const { form, multiplierBits } = postProcessing.requantise;
  const half = 2 ** (peArray.accumulatorBits - 2);
  // Streams have no bias when networks are compiled; here they have one that leaves their sum its room.
  const room = Math.min(half, 2 ** 30, 2 ** (streamedBits(machine) - 3));
  const usual = 2 ** (peArray.activationBits + peArray.weightBits);
  const bias = dice.between(-Math.min(room, usual), Math.min(room, usual));
  const spread = dice.between(0, peArray.weightBits + 3 + moreBits);
  if (form === 'shift') {
    const power = dice.between(0, multiplierBits - 1);
    const unit = Math.max(1, 2 ** power / 256);
    const steps = 2 ** power / unit;
    return {
      bias,
      positiveMultiplier: 2 ** power,
      negativeMultiplier: dice.between(0, steps) * unit,
      shift: Math.min(62, power + spread),
    };
  }
  const most = 2 ** multiplierBits - 1;
  const positiveMultiplier = dice.chance(0.3)
    ? // Ties need a power of two.
      2 ** (multiplierBits - 1)
    : dice.between(Math.ceil(most / 2), most);
  return {
    bias,
    positiveMultiplier,
    negativeMultiplier: dice.chance(0.3) ? positiveMultiplier : dice.between(0, positiveMultiplier),
    shift: Math.min(62, multiplierBits + spread),
  };
}
