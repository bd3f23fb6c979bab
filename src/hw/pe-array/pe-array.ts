/**
 * The PE array: how long one fold of pixels takes.
 *
 * Output-stationary and broadcast. A fold is `rows` consecutive output pixels of the tile in raster order, times up
 * to `columns` filters. One step multiplies one tap of one input channel: it reads one value a lane (masked where
 * the tap falls outside the map or the lane is past the last pixel) and one weight a column.
 *
 * Cycle rule: a step takes as many cycles as the most reads one bank of the feature buffer gets from it, at least
 * one. All channels of a tap conflict alike, because a channel only adds a constant to every lane's address.
 */
import { ceilDiv } from '../../core/integers.ts';
import { conflictCycles } from '../buffers/buffers.ts';

/** The window a workload slides over its input, as in the `compute` command. */
export interface Taps {
  readonly kernelRows: number;
  readonly kernelColumns: number;
  readonly strideRows: number;
  readonly strideColumns: number;
  readonly dilationRows: number;
  readonly dilationColumns: number;
  readonly padTop: number;
  readonly padLeft: number;
  /** Streams only: output rows (columns) that read the same input row (column); else 1. */
  readonly repeatRows: number;
  readonly repeatColumns: number;
}

/** What decides the reads of a tile's folds; as in the `compute` command. */
export interface TapGeometry extends Taps {
  /** Bytes. */
  readonly rowPitch: number;
  readonly elementBytes: number;
  readonly rows: number;
  readonly columns: number;
  /** Rows of a channel that are used in turn, and which of them row 0 lies in; 0: rows follow each other. */
  readonly ringRows: number;
  readonly ringRow: number;
  readonly outRows: number;
  readonly outColumns: number;
}

/** Cycles of one fold of `lanes` pixels from `firstPixel`, for all taps of one channel. */
export function foldCyclesPerChannel(
  tile: TapGeometry,
  firstPixel: number,
  lanes: number,
  banks: number,
  scratch: FoldScratch,
): number {
  const { addresses, laneRows, laneColumns, tally } = scratch;
  const pixels = tile.outRows * tile.outColumns;
  const pitch = tile.rowPitch / tile.elementBytes;
  const count = Math.min(lanes, pixels - firstPixel);
  for (let lane = 0; lane < count; lane++) {
    const pixel = firstPixel + lane;
    const row = Math.floor(pixel / tile.outColumns);
    const column = pixel - row * tile.outColumns;
    laneRows[lane] = Math.floor((row * tile.strideRows) / tile.repeatRows) - tile.padTop;
    laneColumns[lane] = Math.floor((column * tile.strideColumns) / tile.repeatColumns) - tile.padLeft;
  }
  // Lanes on consecutive values meet every bank at most ceil(count / banks) times, whatever the tap: no need to look.
  const first = laneRows[0]! * pitch + laneColumns[0]!;
  const last = laneRows[count - 1]! * pitch + laneColumns[count - 1]!;
  const isPlain = tile.repeatRows === 1 && tile.repeatColumns === 1;
  const isOneRow = laneRows[0] === laneRows[count - 1];
  if (isPlain && (isOneRow || tile.ringRows === 0) && last - first === count - 1 && count <= banks)
    return tile.kernelRows * tile.kernelColumns;

  let cycles = 0;
  for (let ky = 0; ky < tile.kernelRows; ky++) {
    const rowOffset = ky * tile.dilationRows;
    for (let kx = 0; kx < tile.kernelColumns; kx++) {
      const columnOffset = kx * tile.dilationColumns;
      let reads = 0;
      for (let lane = 0; lane < count; lane++) {
        const row = laneRows[lane]! + rowOffset;
        const column = laneColumns[lane]! + columnOffset;
        if (row < 0 || row >= tile.rows || column < 0 || column >= tile.columns) continue;
        const place = tile.ringRows === 0 ? row : (tile.ringRow + row) % tile.ringRows;
        addresses[reads++] = place * pitch + column;
      }
      cycles += conflictCycles(addresses, reads, banks, tally);
    }
  }
  return cycles;
}

export interface FoldScratch {
  readonly addresses: Int32Array;
  readonly laneRows: Int32Array;
  readonly laneColumns: Int32Array;
  readonly tally: Uint16Array;
}

export function foldScratch(lanes: number, banks: number): FoldScratch {
  return {
    addresses: new Int32Array(lanes),
    laneRows: new Int32Array(lanes),
    laneColumns: new Int32Array(lanes),
    // 16 bits: all of up to 256 lanes can meet in one bank.
    tally: new Uint16Array(banks),
  };
}

/** Folds of a tile: pixel folds times blocks of at most `columns` filters, for every group. */
export function foldCount(
  pixels: number,
  groups: number,
  filters: number,
  rows: number,
  columns: number,
): number {
  return groups * ceilDiv(pixels, rows) * ceilDiv(filters, columns);
}
