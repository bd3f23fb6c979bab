/** What a tile reads from the on-chip buffers and writes there, counted once a tile: it does not depend on when. */

import type { SramStatistics } from '../buffers/buffers.ts';
import { columnsAtOnce, crossChannelValueBits } from '../cross-channel-pool/config.ts';
import type { CommandOf } from '../isa/formats.ts';
import type { MachineConfig } from '../machine/config.ts';
import { accumulatorBytes } from '../pe-array/config.ts';
import { dataflowOf } from '../pe-array/dataflows/index.ts';
import { depthwiseLanes, stripRows, stripsOf } from '../pe-array/depthwise.ts';
import { parameterRecordBytes } from '../requantise/parameters.ts';
import type { TilePattern } from './tile-patterns.ts';

type Tile = CommandOf<'compute'>;

/** Operands of the array, and the sums that go to the accumulator buffer and come from there. `leaves`: the tile's sums are complete. */
export function countArray(
  { feature, weight, accumulator }: SramStatistics,
  { peArray }: MachineConfig,
  tile: Tile,
  { pixelFolds, plan }: TilePattern,
  leaves: boolean,
): void {
  const { groups } = tile;
  const { traffic, batches } = plan;
  feature.reads += groups * traffic.feature.reads;
  feature.bytes += groups * traffic.feature.bytes;
  weight.reads += groups * traffic.weight.reads;
  weight.bytes += groups * traffic.weight.bytes;
  const sumBytes = accumulatorBytes(peArray.accumulatorBits);
  const tileBytes = groups * tile.outRows * tile.outColumns * tile.filters * sumBytes;
  if (dataflowOf(peArray).keepsSums) {
    if (tile.accumulateIn === 1) {
      accumulator.reads += groups * batches.length * peArray.columns;
      accumulator.bytes += tileBytes;
    }
    if (!leaves) {
      accumulator.writes += groups * pixelFolds * tile.filters;
      accumulator.bytes += tileBytes;
    }
    return;
  }
  const { sums } = traffic;
  const isFresh = tile.accumulateIn === 0;
  const freshSteps = isFresh ? sums.firstSteps : 0;
  const freshValues = isFresh ? sums.firstValues : 0;
  accumulator.writes += groups * sums.steps;
  accumulator.reads += groups * (sums.steps - freshSteps);
  accumulator.bytes += groups * (2 * sums.values - freshValues) * sumBytes;
  if (leaves) {
    accumulator.reads += groups * pixelFolds * tile.filters;
    accumulator.bytes += tileBytes;
  }
}

/** Features of a tile that passes by the array. */
export function countStream(
  { feature }: SramStatistics,
  { peArray }: MachineConfig,
  tile: Tile,
  { pixelFolds, readCycles }: TilePattern,
): void {
  const pixels = tile.outRows * tile.outColumns;
  const operands = Math.max(1, tile.operands);
  for (let fold = 0; fold < pixelFolds; fold++) {
    const lanes = Math.min(peArray.rows, pixels - fold * peArray.rows);
    feature.reads += operands * readCycles[fold]! * tile.filters;
    feature.bytes += operands * lanes * tile.filters * tile.elementBytes;
  }
}

/** Operands of a tile in depthwise mode. */
export function countDepthwise(
  { feature, weight }: SramStatistics,
  { peArray, buffers }: MachineConfig,
  tile: Tile,
): void {
  const { groups, kernelRows, kernelColumns } = tile;
  const lanes = depthwiseLanes(peArray, kernelRows, kernelColumns, tile.strideColumns);
  const { inside } = stripRows(tile);
  for (const { readCycles, values } of stripsOf(tile, lanes, buffers.feature.banks)) {
    feature.reads += groups * inside * readCycles;
    feature.bytes += groups * inside * values * tile.elementBytes;
  }
  const taps = kernelRows * kernelColumns;
  weight.reads += groups * Math.ceil(taps / peArray.columns);
  weight.bytes += groups * taps * tile.weightBytes;
}

/** Records, tables, open groups and windows, and the output of a tile whose sums are complete. */
export function countPost(
  sram: SramStatistics,
  machine: MachineConfig,
  tile: Tile,
  post: CommandOf<'postProcess'>,
): void {
  const { peArray, postProcessing } = machine;
  const { rows } = peArray;
  const filters = tile.groups * tile.filters;
  const maps = filters / post.ratio;
  const vectors = Math.ceil((tile.outRows * tile.outColumns) / rows);
  const unit = postProcessing.crossChannelPool;
  const atOnce = tile.stream === 1 ? 1 : columnsAtOnce(unit, post.ratio);
  if (post.requantise === 1) {
    // The records of columns that leave at once are read at once.
    sram.parameter.reads += (vectors * filters) / atOnce;
    sram.parameter.bytes += vectors * filters * parameterRecordBytes(machine);
  }
  if (post.lookup === 1) {
    // Every lane looks up for itself.
    sram.table.reads += vectors * filters;
    sram.table.bytes += filters * tile.outRows * tile.outColumns * tile.elementBytes;
  }
  if (post.ratio > 1 && unit !== null && atOnce === 1) {
    const valueBytes =
      unit.position === 'before' ? crossChannelValueBits(unit, peArray) / 8 : tile.elementBytes;
    sram.crossChannel.reads += vectors * (filters - maps);
    sram.crossChannel.writes += vectors * (filters - maps);
    sram.crossChannel.bytes += 2 * vectors * (filters - maps) * rows * valueBytes;
  }
  const outputBytes = maps * post.outRows * post.outColumns * tile.elementBytes;
  if (post.poolKind !== 0) {
    const valueBytes = (post.poolKind === 2 ? 2 : 1) * tile.elementBytes;
    // Every input vector merges into the line buffer: a read and a write.
    sram.pool.reads += vectors * maps;
    sram.pool.writes += vectors * maps;
    sram.pool.bytes += 2 * maps * tile.outRows * tile.outColumns * valueBytes;
  }
  sram.output.writes += Math.ceil(outputBytes / (rows * tile.elementBytes));
  sram.output.bytes += outputBytes;
}
