/** Strips of the depthwise mode against their definition: which values of which rows the lanes of a vector need. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { depthwiseLanes, stripRows, stripsOf } from './depthwise.ts';
import type { TapGeometry } from './pe-array.ts';

const between = (min: number, max: number) => fc.integer({ min, max });

const geometry: fc.Arbitrary<TapGeometry> = fc
  .record({
    rows: between(1, 12),
    columns: between(1, 40),
    kernelRows: between(1, 5),
    strideRows: between(1, 3),
    strideColumns: between(1, 3),
    padTop: between(-2, 3),
    padLeft: between(-2, 3),
    outRows: between(1, 8),
    outColumns: between(1, 40),
  })
  .map((fields) => ({
    ...fields,
    kernelColumns: fields.kernelRows,
    dilationRows: 1,
    dilationColumns: 1,
    repeatRows: 1,
    repeatColumns: 1,
    ringRows: 0,
    ringRow: 0,
    elementBytes: 1,
    rowPitch: fields.columns,
  }));

describe('depthwise mode', () => {
  it('has as many lanes as fit the row that is read, for kernels of its own size', () => {
    const array = { rows: 16, columns: 16, depthwise: { kernel: 3 } };
    expect(depthwiseLanes(array, 3, 3, 1)).toBe(14);
    expect(depthwiseLanes(array, 3, 3, 2)).toBe(7);
    expect(depthwiseLanes(array, 3, 3, 3)).toBe(0);
    expect(depthwiseLanes(array, 2, 2, 1)).toBe(0);
    // Nine taps need nine columns.
    expect(depthwiseLanes({ ...array, columns: 9 }, 3, 3, 1)).toBe(14);
    expect(depthwiseLanes({ ...array, columns: 8 }, 3, 3, 1)).toBe(0);
    expect(depthwiseLanes(array, 5, 5, 1)).toBe(0);
    expect(depthwiseLanes({ ...array, rows: 2 }, 3, 3, 1)).toBe(0);
    expect(depthwiseLanes({ ...array, depthwise: null }, 3, 3, 1)).toBe(0);
  });

  it('covers every output column once, and reads no more values than a row of lanes', () => {
    fc.assert(
      fc.property(geometry, between(4, 16), between(1, 20), (tile, rows, banks) => {
        const array = { rows, columns: 25, depthwise: { kernel: tile.kernelRows } };
        const lanes = depthwiseLanes(array, tile.kernelRows, tile.kernelColumns, tile.strideColumns);
        fc.pre(lanes > 0);
        const covered: number[] = [];
        for (const strip of stripsOf(tile, lanes, banks)) {
          const needed = new Set<number>();
          for (let lane = 0; lane < strip.columns; lane++) {
            covered.push(strip.firstColumn + lane);
            for (let tap = 0; tap < tile.kernelColumns; tap++) {
              needed.add((strip.firstColumn + lane) * tile.strideColumns - tile.padLeft + tap);
            }
          }
          // A stride beyond the kernel leaves gaps, which the read brings along.
          let values = 0;
          for (let column = Math.min(...needed); column <= Math.max(...needed); column++) {
            if (column >= 0 && column < tile.columns) values++;
          }
          expect(strip.values).toBe(values);
          expect(strip.values).toBeLessThanOrEqual(rows);
          expect(strip.readCycles).toBe(Math.max(1, Math.ceil(values / banks)));
        }
        expect(covered).toEqual(Array.from({ length: tile.outColumns }, (_, column) => column));
      }),
      { seed: 31, numRuns: 1000 },
    );
  });

  it('reads every row from the first to the last window once', () => {
    fc.assert(
      fc.property(geometry, (tile) => {
        const first = -tile.padTop;
        const last = (tile.outRows - 1) * tile.strideRows + tile.kernelRows - 1 - tile.padTop;
        let inside = 0;
        for (let row = first; row <= last; row++) if (row >= 0 && row < tile.rows) inside++;
        expect(stripRows(tile)).toEqual({ reads: last - first + 1, inside });
      }),
      { seed: 32, numRuns: 500 },
    );
  });
});
