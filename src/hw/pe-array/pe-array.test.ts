import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldCyclesPerChannel, foldScratch, type TapGeometry } from './pe-array.ts';

const between = (min: number, max: number) => fc.integer({ min, max });
const geometry: fc.Arbitrary<TapGeometry> = fc
  .record({
    extraPitch: fc.nat(9),
    ring: fc.nat(4),
    elementBytes: fc.constantFrom(1, 2),
    rows: between(1, 9),
    columns: between(1, 12),
    kernelRows: between(1, 4),
    kernelColumns: between(1, 4),
    strideRows: between(1, 3),
    strideColumns: between(1, 3),
    dilationRows: between(1, 2),
    dilationColumns: between(1, 2),
    padTop: between(-4, 4),
    padLeft: between(-2, 4),
    repeats: fc.oneof(fc.constant([1, 1] as const), fc.tuple(between(1, 4), between(1, 4))),
    outRows: between(1, 8),
    outColumns: between(1, 12),
  })
  .map(({ extraPitch, repeats, ring, ...rest }) => ({
    ...rest,
    rowPitch: (rest.columns + extraPitch) * rest.elementBytes,
    ringRows: ring === 0 ? 0 : rest.rows + ring - 1,
    ringRow: ring === 0 ? 0 : (7 * ring) % (rest.rows + ring - 1),
    repeatRows: repeats[0],
    repeatColumns: repeats[1],
  }));

/** From the definition: for every tap, the bank of every value that some lane reads. */
function bruteForce(tile: TapGeometry, firstPixel: number, lanes: number, banks: number): number {
  let cycles = 0;
  for (let ky = 0; ky < tile.kernelRows; ky++) {
    for (let kx = 0; kx < tile.kernelColumns; kx++) {
      const reads = Array.from({ length: banks }, () => new Set<number>());
      for (let lane = 0; lane < lanes; lane++) {
        const pixel = firstPixel + lane;
        const oy = Math.floor(pixel / tile.outColumns);
        const ox = pixel % tile.outColumns;
        if (oy >= tile.outRows) continue;
        const y = Math.floor((oy * tile.strideRows) / tile.repeatRows) - tile.padTop + ky * tile.dilationRows;
        const left = Math.floor((ox * tile.strideColumns) / tile.repeatColumns) - tile.padLeft;
        const x = left + kx * tile.dilationColumns;
        if (y < 0 || y >= tile.rows || x < 0 || x >= tile.columns) continue;
        const place = tile.ringRows === 0 ? y : (tile.ringRow + y) % tile.ringRows;
        const value = (place * tile.rowPitch) / tile.elementBytes + x;
        reads[value % banks]!.add(value);
      }
      cycles += Math.max(1, ...reads.map((values) => values.size));
    }
  }
  return cycles;
}

describe('a fold', () => {
  it('takes the cycles that its reads need, tap by tap', () => {
    fc.assert(
      fc.property(geometry, between(1, 20), between(0, 12), (tile, lanes, moreBanks) => {
        const banks = lanes + moreBanks;
        const scratch = foldScratch(lanes, banks);
        for (let first = 0; first < tile.outRows * tile.outColumns; first += lanes) {
          expect(foldCyclesPerChannel(tile, first, lanes, banks, scratch)).toBe(
            bruteForce(tile, first, lanes, banks),
          );
        }
      }),
      { seed: 13, numRuns: 2000 },
    );
  });
});
