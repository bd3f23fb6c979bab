/**
 * Depthwise mode of the array: a channel a group, one filter each.
 *
 * The feature buffer delivers `R` consecutive values of one input row a cycle. Shift registers hold the last `kernelRows`
 * of these; element (l, t) of the array multiplies what tap t of output column l of the strip wants, and a tree of adders a row
 * sums one output a lane. A channel is walked in
 * vertical strips of `depthwiseLanes` output columns; a strip takes one read an input row it needs, rows in the padding
 * included, and every read from the kernel's last row on, `strideRows` apart, completes one vector of sums.
 */
import { ceilDiv } from '../../core/integers.ts';
import type { PeArrayConfig } from './config.ts';
import type { TapGeometry } from './pe-array.ts';

/** Column strides that the multiplexers in front of the multipliers know. */
export const depthwiseStrides = 2;

/** Output columns of a strip; 0 if the machine or the mode can't do this kernel. */
export function depthwiseLanes(
  { rows, columns, depthwise }: Pick<PeArrayConfig, 'rows' | 'columns' | 'depthwise'>,
  kernelRows: number,
  kernelColumns: number,
  strideColumns: number,
): number {
  if (depthwise === null || kernelRows !== depthwise.kernel || kernelColumns !== depthwise.kernel) return 0;
  if (strideColumns > depthwiseStrides || kernelColumns > rows || kernelRows * kernelColumns > columns)
    return 0;
  return Math.floor((rows - kernelColumns) / strideColumns) + 1;
}

/** One strip of one channel; all channels are alike. */
export interface Strip {
  readonly firstColumn: number;
  readonly columns: number;
  /** Values a row read brings, masked ones left out, and the cycles it takes: more than one if banks meet. */
  readonly values: number;
  readonly readCycles: number;
}

/** The strips of a tile, from left to right. */
export function stripsOf(tile: TapGeometry, lanes: number, banks: number): Strip[] {
  const strips: Strip[] = [];
  for (let firstColumn = 0; firstColumn < tile.outColumns; firstColumn += lanes) {
    const columns = Math.min(lanes, tile.outColumns - firstColumn);
    const first = Math.max(0, firstColumn * tile.strideColumns - tile.padLeft);
    const end = Math.min(
      tile.columns,
      (firstColumn + columns - 1) * tile.strideColumns - tile.padLeft + tile.kernelColumns,
    );
    const values = Math.max(0, end - first);
    strips.push({ firstColumn, columns, values, readCycles: Math.max(1, ceilDiv(values, banks)) });
  }
  return strips;
}

/** Input rows that a strip reads, and of them those inside the map. */
export function stripRows(tile: TapGeometry): { reads: number; inside: number } {
  const reads = (tile.outRows - 1) * tile.strideRows + tile.kernelRows;
  const first = Math.max(0, -tile.padTop);
  const end = Math.min(tile.rows, reads - tile.padTop);
  return { reads, inside: Math.max(0, end - first) };
}
