/**
 * Two steps fused by channels (channel-emitter.ts has their commands): tiles of the first one have whole maps, the second
 * one takes them in as chunks of its channels. Its partial sums, all of them, wait in the accumulator buffer from
 * the first chunk to the last; its records stay in the parameter buffer; its weights come chunk by chunk.
 *
 * What it asks for is sums, 4 bytes each, for the second step's output; what it saves is the map between the two. That is
 * worth it where the second step has few filters, as the last layer of a detector has.
 */
import { ceilDiv, product } from '../core/integers.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import { dataflowOf } from '../hw/pe-array/dataflows/index.ts';
import { lineBufferBytes } from '../hw/spatial-pool/spatial-pool.ts';
import { chunkWeightSlots, ringTiles } from './channel-emitter.ts';
import { tileRecordBytes, tileWeightBytes, type ValueSizes, workloadOf } from './geometry.ts';
import type { TiledStep } from './layout.ts';
import type { KeptMap, Places } from './places.ts';
import { ratioOf, type Step, tableOf } from './steps.ts';
import {
  type CostEstimate,
  computesDepthwise,
  estimateCost,
  maximumTileRows,
  outputMaps,
  rankTilings,
  type Tiling,
  type TilingLimits,
  tileSumBytes,
  tilingSizes,
  trafficWeight,
} from './tiling.ts';

export interface ChannelPass {
  readonly writer: Tiling;
  readonly reader: Tiling;
  /** Where the reader's weights and records begin, behind the writer's. */
  readonly weightBase: number;
  readonly parameterBase: number;
  /** The reader's sums come first; where the writer's begin, if it has any. */
  readonly writerVector: number;
  readonly cost: CostEstimate;
}

/** What of the writer's input and of the reader's output crosses the DRAM port, and where the input lies. */
export type ChannelLimits = Pick<
  TilingLimits,
  'featureBytes' | 'isWholeMap' | 'inputShare' | 'outputShare'
> & {
  /** Maps of a tile of the writer, at most. */
  readonly mostMaps: number;
  /** Bytes from row to row of the map between the two. */
  readonly rowPitch: number;
};

/** Numbers of maps of the writer's tiles to try: those of filters that fill the columns once and twice. */
export function chunkMaps(writer: Step, { peArray }: MachineConfig): number[] {
  const maps = Math.max(1, Math.floor(peArray.columns / ratioOf(writer)));
  return [maps, 2 * maps];
}

/** Bytes of the ring between the two, if the writer's tiles have so many maps of `planePitch` bytes. */
export function channelRingBytes(tileMaps: number, planePitch: number): number {
  return ringTiles * tileMaps * planePitch;
}

/** Cuts the two steps for one pass; undefined if the buffers are too small or the steps are none that can do this. */
export function fuseByChannels(
  writer: Step,
  reader: Step,
  machine: MachineConfig,
  values: ValueSizes,
  limits: ChannelLimits,
): ChannelPass | undefined {
  const needs = readerNeeds(reader, machine, values, limits.mostMaps);
  if (needs === undefined || (tableOf(writer) !== undefined && tableOf(reader) !== undefined))
    return undefined;
  const { buffers } = machine;
  const beside: MachineConfig = {
    ...machine,
    buffers: {
      ...buffers,
      weight: { bytes: buffers.weight.bytes - chunkWeightSlots * needs.weightSlotBytes },
      parameter: { bytes: buffers.parameter.bytes - needs.recordBytes },
      accumulator: { bytes: buffers.accumulator.bytes - needs.sumBytes },
    },
  };
  const { featureBytes, isWholeMap, inputShare, mostMaps, outputShare } = limits;
  const writerLimits = { featureBytes, isWholeMap, isInPlace: false, inputShare, mostMaps, outputShare: 0 };
  const rated = rankTilings(writer, beside, values, 1, writerLimits, false).best[0];
  if (rated === undefined) return undefined;
  const sizes = tilingSizes(writer, rated.tiling, values);
  const channelsPerChunk = outputMaps(writer, sizes.tiles[0]!);
  const reading = readerTiling(reader, limits.rowPitch, channelsPerChunk);
  return {
    writer: rated.tiling,
    reader: reading,
    weightBase: rated.tiling.weightSlots * sizes.weightSlotBytes,
    parameterBase: rated.tiling.parameterSlots * sizes.parameterSlotBytes,
    writerVector: needs.sumBytes / (machine.peArray.rows * values.sumBytes),
    cost: passCost(rated.cost, reader, reading, machine, values, outputShare),
  };
}

interface ReaderNeeds {
  readonly weightSlotBytes: number;
  readonly recordBytes: number;
  readonly sumBytes: number;
}

/** What the reader takes of the buffers; undefined if it can't read channel by channel, or takes too much. */
function readerNeeds(
  reader: Step,
  machine: MachineConfig,
  values: ValueSizes,
  chunk: number,
): ReaderNeeds | undefined {
  const { convolution, pooling, outputShape, convolvedShape } = reader;
  const work = workloadOf(reader);
  // Memory without an end has no map to save.
  if (machine.memory === 'ideal-infinite') return undefined;
  // The halves of an accumulator buffer that all sums go through have no room for sums that stay.
  if (!dataflowOf(machine.peArray).keepsSums) return undefined;
  if (convolution === undefined || work.groups > 1 || computesDepthwise(reader, machine, values))
    return undefined;
  if (convolvedShape[1] > maximumTileRows) return undefined;
  const { buffers } = machine;
  const { filters } = convolution;
  const sumBytes = tileSumBytes(reader, machine, values, outputShape[1], filters);
  const tile = { firstGroup: 0, groups: 1, firstFilter: 0, filters };
  const channels = Math.min(chunk, work.channelsPerGroup);
  const weightSlotBytes = tileWeightBytes(reader, work, tile, channels, values);
  const recordBytes = tileRecordBytes(reader, work, filters, values);
  const lineBytes =
    pooling === undefined
      ? 0
      : lineBufferBytes(
          pooling.kind,
          pooling.window[0],
          pooling.stride[0],
          outputShape[2],
          outputShape[0],
          values.elementBytes,
        );
  const fits =
    sumBytes <= buffers.accumulator.bytes &&
    recordBytes <= buffers.parameter.bytes &&
    chunkWeightSlots * weightSlotBytes <= buffers.weight.bytes &&
    product(outputShape) * values.elementBytes <= buffers.output.bytes &&
    lineBytes <= buffers.pool.bytes;
  return fits ? { weightSlotBytes, recordBytes, sumBytes } : undefined;
}

/** One tile of all filters and rows, in chunks of the writer's tiles. */
function readerTiling(reader: Step, rowPitch: number, channelsPerChunk: number): Tiling {
  const work = workloadOf(reader);
  const rows = reader.outputShape[1];
  return {
    groupsPerTile: 1,
    filtersPerTile: work.filtersPerGroup,
    channelsPerChunk: Math.min(channelsPerChunk, work.channelsPerGroup),
    bandRows: rows,
    tileRows: rows,
    rowPitch,
    planePadding: 0,
    inputResident: true,
    weightsResident: true,
    inputSlots: 1,
    weightSlots: chunkWeightSlots,
    parameterSlots: 1,
    outputSlots: 1,
    isDepthwise: false,
  };
}

/** Estimated cost of the pass; see `estimateCost`. */
function passCost(
  writing: CostEstimate,
  reader: Step,
  tiling: Tiling,
  machine: MachineConfig,
  values: ValueSizes,
  outputShare: number,
): CostEstimate {
  const reading = estimateCost(reader, machine, values, tiling, { inputShare: 0, outputShare });
  const { columns, rows } = machine.peArray;
  const work = workloadOf(reader);
  const chunks = ceilDiv(work.channelsPerGroup, tiling.channelsPerChunk);
  // A fold of a chunk has few steps: moving its sums out and in through the chain may take longer. Between
  // the two steps' tiles the chain is handed over.
  const folds =
    ceilDiv(reader.convolvedShape[1] * reader.convolvedShape[2], rows) *
    ceilDiv(work.filtersPerGroup, columns);
  const steps = work.kernelRows * work.kernelColumns * tiling.channelsPerChunk;
  const foldCycles = folds * Math.max(0, columns + 1 - steps) + 2 * columns;
  const computeCycles = writing.computeCycles + reading.computeCycles + chunks * foldCycles;
  const dramCycles = writing.dramCycles + reading.dramCycles;
  const exposedCycles = writing.exposedCycles;
  const cycles = Math.max(computeCycles, dramCycles, writing.cycles - exposedCycles) + exposedCycles;
  return {
    objective: cycles + trafficWeight * dramCycles,
    cycles,
    computeCycles,
    dramCycles,
    exposedCycles,
    inputBytes: writing.inputBytes,
    weightBytes: writing.weightBytes + reading.weightBytes,
    outputBytes: reading.outputBytes,
  };
}

/** Where the writer's input, the ring and what is kept of the reader's output lie. */
export interface ChannelPlaces {
  readonly pass: number;
  readonly featureBase: number;
  /** Of the writer's whole input; 0: as its tiling needs. */
  readonly planePitch: number;
  readonly inputKept: Places['inputKept'];
  readonly ringBase: number;
  /** Bytes from channel to channel of the ring. */
  readonly ringPitch: number;
  readonly output: KeptMap | undefined;
}

/** The two steps of a pass with their places. */
export function placeByChannels(
  [writer, reader]: readonly [Step, Step],
  fused: ChannelPass,
  { pass, featureBase, planePitch, inputKept, ringBase, ringPitch, output }: ChannelPlaces,
): TiledStep[] {
  const channels = { first: 0, end: reader.inputShape[0] };
  const common = { pass, fusedBy: 'channels', ringRows: 0 } as const;
  return [
    {
      step: writer,
      tiling: fused.writer,
      places: {
        ...common,
        featureBase,
        planePitch,
        inputKept,
        output: {
          channels,
          address: ringBase,
          rowPitch: fused.reader.rowPitch,
          planePitch: ringPitch,
          ringRows: 0,
          ringChannels: ringTiles * fused.reader.channelsPerChunk,
        },
        weightBase: 0,
        parameterBase: 0,
        accumulatorVector: fused.writerVector,
      },
      estimate: fused.cost,
    },
    {
      step: reader,
      tiling: fused.reader,
      places: {
        ...common,
        featureBase: ringBase,
        planePitch: ringPitch,
        inputKept: channels,
        output,
        weightBase: fused.weightBase,
        parameterBase: fused.parameterBase,
        accumulatorVector: 0,
      },
    },
  ];
}
