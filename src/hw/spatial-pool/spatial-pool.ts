/**
 * The spatial pooling unit.
 *
 * Maps arrive as vectors of `lanes` pixels in raster order, one map after the other for the same pixels. Inside a
 * row, neighbours of one window are combined between lanes; what a row contributes to a pooled row is then
 * merged into the line buffer, which holds the pooled rows whose windows are still open. The last contribution
 * goes to the output buffer instead.
 *
 * Cycle rule: a vector takes, for every row of the map it has pixels of, as many cycles as open pooled rows that row
 * contributes to, and at least one. (2x2 with stride 2 inside one row: 1. 2x2 with stride 1: 2.)
 */
import { ceilDiv } from '../../core/integers.ts';

/** The pooling of a tile, as in the `postProcess` command; rows count from the tile's first row. */
export interface TilePooling {
  readonly windowRows: number;
  readonly strideRows: number;
  readonly padTop: number;
  readonly outRows: number;
}

/** Pooled rows of the tile that row `row` contributes to. */
export function pooledRowsOf(row: number, pooling: TilePooling): number {
  const { windowRows, strideRows, padTop, outRows } = pooling;
  const first = Math.max(0, ceilDiv(row + padTop - windowRows + 1, strideRows));
  const last = Math.min(outRows - 1, Math.floor((row + padTop) / strideRows));
  return Math.max(0, last - first + 1);
}

/** Cycles the unit takes for the vector of pixels [firstPixel, firstPixel + count) of a map `columns` wide. */
export function poolVectorCycles(
  pooling: TilePooling,
  firstPixel: number,
  count: number,
  columns: number,
): number {
  const firstRow = Math.floor(firstPixel / columns);
  const lastRow = Math.floor((firstPixel + count - 1) / columns);
  let cycles = 0;
  for (let row = firstRow; row <= lastRow; row++) cycles += Math.max(1, pooledRowsOf(row, pooling));
  return cycles;
}

/**
 * Bytes of line buffer a tile of `maps` maps needs: the pooled rows that can be open at once, `elementBytes` a value
 * for a maximum, twice that for the sum of an average.
 */
export function lineBufferBytes(
  kind: 'maximum' | 'average',
  windowRows: number,
  strideRows: number,
  pooledColumns: number,
  maps: number,
  elementBytes: number,
): number {
  return ceilDiv(windowRows, strideRows) * pooledColumns * maps * (kind === 'maximum' ? 1 : 2) * elementBytes;
}
