import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lineBufferBytes, pooledRowsOf, poolVectorCycles } from './spatial-pool.ts';

const between = (min: number, max: number) => fc.integer({ min, max });
const pooling = fc.record({
  windowRows: between(1, 8),
  strideRows: between(1, 8),
  padTop: between(-3, 5),
  outRows: between(1, 8),
});
type Pooling = typeof pooling extends fc.Arbitrary<infer T> ? T : never;

/** Pooled rows whose window holds `row`. */
function openRows({ windowRows, strideRows, padTop, outRows }: Pooling, row: number): number[] {
  return Array.from({ length: outRows }, (_, out) => out).filter((out) => {
    const first = out * strideRows - padTop;
    return first <= row && row < first + windowRows;
  });
}

describe('spatial pooling unit', () => {
  it('knows the pooled rows a row belongs to', () => {
    fc.assert(
      fc.property(pooling, fc.nat(40), (unit, row) => {
        expect(pooledRowsOf(row, unit)).toBe(openRows(unit, row).length);
      }),
      { seed: 14, numRuns: 1000 },
    );
  });

  it('takes a cycle for each pooled row of each row in the vector, and one for a row without', () => {
    fc.assert(
      fc.property(pooling, fc.nat(60), between(1, 20), between(1, 12), (unit, first, count, columns) => {
        const rows = new Set(
          Array.from({ length: count }, (_, lane) => Math.floor((first + lane) / columns)),
        );
        let cycles = 0;
        for (const row of rows) cycles += Math.max(1, openRows(unit, row).length);
        expect(poolVectorCycles(unit, first, count, columns)).toBe(cycles);
      }),
      { seed: 15, numRuns: 1000 },
    );
  });

  it('has room for all rows that are open at once, and no more', () => {
    fc.assert(
      fc.property(between(1, 8), between(1, 8), between(0, 7), (windowRows, strideRows, padTop) => {
        const unit = { windowRows, strideRows, padTop: Math.min(padTop, windowRows - 1), outRows: 24 };
        // Row after row: windows open with their first row and close with their last.
        let most = 0;
        for (let row = 0; row < 24 * strideRows; row++) most = Math.max(most, openRows(unit, row).length);
        expect(lineBufferBytes('maximum', windowRows, strideRows, 5, 3, 1)).toBe(most * 5 * 3);
        expect(lineBufferBytes('average', windowRows, strideRows, 5, 3, 1)).toBe(most * 5 * 3 * 2);
        expect(lineBufferBytes('average', windowRows, strideRows, 5, 3, 2)).toBe(most * 5 * 3 * 4);
      }),
      { seed: 16, numRuns: 300 },
    );
  });
});
