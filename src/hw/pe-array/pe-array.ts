/**
 * The PE array: the window a tile slides over its input, and how long the reads of one vector of pixels take. What is read
 * when, and what an element keeps, is the dataflow's (dataflows/).
 *
 * Cycle rule: a read takes as many cycles as the most values one bank of the feature buffer is asked for, at least
 * one. All channels of a tap conflict alike, because a channel only adds a constant to every lane's address.
 */
import { sum } from '../../core/integers.ts';
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

/** Cycles in which up to `lanes` consecutive pixels from `firstPixel` read one channel, all taps one after the other. */
export function foldCyclesPerChannel(
  tile: TapGeometry,
  firstPixel: number,
  lanes: number,
  banks: number,
  scratch: FoldScratch,
): number {
  return sum(productCycles(tile, firstPixel, lanes, banks, scratch));
}

/** Cycles in which up to `lanes` consecutive pixels from `firstPixel` read one channel, tap by tap. */
export function productCycles(
  tile: TapGeometry,
  firstPixel: number,
  lanes: number,
  banks: number,
  scratch: FoldScratch,
): number[] {
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
  const cycles = new Array<number>(tile.kernelRows * tile.kernelColumns).fill(1);
  // Lanes on consecutive values meet every bank at most ceil(count / banks) times, whatever the tap: no need to look.
  const first = laneRows[0]! * pitch + laneColumns[0]!;
  const last = laneRows[count - 1]! * pitch + laneColumns[count - 1]!;
  const isPlain = tile.repeatRows === 1 && tile.repeatColumns === 1;
  const isOneRow = laneRows[0] === laneRows[count - 1];
  if (isPlain && (isOneRow || tile.ringRows === 0) && last - first === count - 1 && count <= banks)
    return cycles;

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
      cycles[ky * tile.kernelColumns + kx] = conflictCycles(addresses, reads, banks, tally);
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
    tally: new Uint16Array(Number.isFinite(banks) ? banks : 0),
  };
}
