/**
 * The geometry every part of the scheduler agrees on: which rows of which map a range of output rows needs, and how
 * filters and channels are cut into tiles and chunks.
 */
import type { Taps } from '../hw/pe-array/pe-array.ts';
import { operandRecordBytes } from '../hw/requantise/parameters.ts';
import { ratioOf, type Step } from './steps.ts';

/** Rows [first, end). */
export interface RowRange {
  readonly first: number;
  readonly end: number;
}

/** A step's work in the terms of the array: streams count as groups that keep their channels. */
export interface Workload extends Taps {
  readonly groups: number;
  readonly channelsPerGroup: number;
  readonly filtersPerGroup: number;
  /** Maps read for one map: those of a sum, else 1. */
  readonly operands: number;
}

export function workloadOf(step: Step): Workload {
  const { convolution, reading } = step;
  const channels = step.inputShape[0];
  if (convolution === undefined) {
    const ratio = ratioOf(step);
    return {
      groups: channels / ratio,
      channelsPerGroup: ratio,
      filtersPerGroup: ratio,
      kernelRows: 1,
      kernelColumns: 1,
      strideRows: 1,
      strideColumns: reading.columnStep,
      dilationRows: 1,
      dilationColumns: 1,
      padTop: 0,
      padLeft: -reading.columnOffset,
      repeatRows: reading.repeatRows,
      repeatColumns: reading.repeatColumns,
      operands: step.inputs.length,
    };
  }
  return {
    groups: convolution.groups,
    channelsPerGroup: channels / convolution.groups,
    filtersPerGroup: convolution.filters / convolution.groups,
    kernelRows: convolution.kernel[0],
    kernelColumns: convolution.kernel[1],
    strideRows: convolution.stride[0],
    strideColumns: convolution.stride[1],
    dilationRows: convolution.dilation[0],
    dilationColumns: convolution.dilation[1],
    padTop: convolution.padding.top,
    padLeft: convolution.padding.left,
    repeatRows: 1,
    repeatColumns: 1,
    operands: 1,
  };
}

/** Rows before pooling that the output rows need. */
export function convolvedRowsFor(step: Step, output: RowRange): RowRange {
  const { pooling } = step;
  if (pooling === undefined) return output;
  const [stride] = pooling.stride;
  const [window] = pooling.window;
  return {
    first: Math.max(0, output.first * stride - pooling.padding.top),
    end: Math.min(step.convolvedShape[1], (output.end - 1) * stride - pooling.padding.top + window),
  };
}

/** Input rows that the convolved rows need, clipped to the map; never empty, so that a transfer always is one. */
export function inputRowsFor(step: Step, work: Workload, convolved: RowRange): RowRange {
  const rows = step.inputShape[1];
  if (work.repeatRows > 1) {
    return {
      first: Math.floor(convolved.first / work.repeatRows),
      end: Math.floor((convolved.end - 1) / work.repeatRows) + 1,
    };
  }
  const first = Math.max(0, convolved.first * work.strideRows - work.padTop);
  const end = Math.min(
    rows,
    (convolved.end - 1) * work.strideRows - work.padTop + (work.kernelRows - 1) * work.dilationRows + 1,
  );
  if (end > first) return { first, end };
  const nearest = Math.min(Math.max(first, 0), rows - 1);
  return { first: nearest, end: nearest + 1 };
}

/** [0, total) cut into pieces of `size`, the last one shorter. */
export function pieces(total: number, size: number): RowRange[] {
  const all: RowRange[] = [];
  for (let first = 0; first < total; first += size) all.push({ first, end: Math.min(total, first + size) });
  return all;
}

/** Filters computed together: whole groups, or some filters of one group. */
export interface FilterTile {
  readonly firstGroup: number;
  readonly groups: number;
  /** Within the group. */
  readonly firstFilter: number;
  readonly filters: number;
}

/** The filter tiles of a step, in order. One of the two sizes is below its total only if the other is one group. */
export function filterTiles(work: Workload, groupsPerTile: number, filtersPerTile: number): FilterTile[] {
  const tiles: FilterTile[] = [];
  const filterPieces = pieces(work.filtersPerGroup, filtersPerTile);
  for (const groups of pieces(work.groups, groupsPerTile)) {
    for (const filters of filterPieces) {
      tiles.push({
        firstGroup: groups.first,
        groups: groups.end - groups.first,
        firstFilter: filters.first,
        filters: filters.end - filters.first,
      });
    }
  }
  return tiles;
}

/** Bytes of a tile's weights for `channels` channels a group. */
export function tileWeightBytes(
  step: Step,
  work: Workload,
  tile: FilterTile,
  channels: number,
  sizes: ValueSizes,
): number {
  if (step.convolution === undefined) return 0;
  return tile.groups * tile.filters * channels * work.kernelRows * work.kernelColumns * sizes.weightBytes;
}

/** Bytes of the values a program moves; they follow from the network's number formats and the machine. */
export interface ValueSizes {
  /** A feature map's value: 1 or 2. */
  readonly elementBytes: number;
  /** A weight: 1 or 2. */
  readonly weightBytes: number;
  /** A filter's record in the parameter buffer: 12 or 20. */
  readonly recordBytes: number;
  /** A partial sum: 4 or 8. */
  readonly sumBytes: number;
  /** Entries of a table: one for every integer of the activations' format. */
  readonly tableEntries: number;
}

/** Bytes of records that a tile of `filters` filters needs: its filters' and, of a sum, its operands'. */
export function tileRecordBytes(step: Step, work: Workload, filters: number, sizes: ValueSizes): number {
  if (step.requantised === undefined) return 0;
  const operands = work.operands > 1 ? work.operands * operandRecordBytes : 0;
  return operands + filters * sizes.recordBytes;
}
