import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { additionPicojoules, multiplicationPicojoules, sramPicojoulesPerByte } from './energy.ts';

const KiB = 1024;

describe('energy of an action', () => {
  it("is the source's where the source has a figure", () => {
    expect(additionPicojoules(8)).toBeCloseTo(0.03, 12);
    expect(additionPicojoules(32)).toBeCloseTo(0.1, 12);
    expect(multiplicationPicojoules(8, 8)).toBeCloseTo(0.2, 12);
    // 3.1 in the source.
    expect(multiplicationPicojoules(32, 32)).toBeCloseTo(3.2, 12);
    for (const [kibibytes, picojoules] of [
      [8, 10],
      [32, 20],
      [1024, 100],
    ] as const) {
      expect(8 * sramPicojoulesPerByte(kibibytes * KiB, 1)).toBeCloseTo(picojoules, 9);
    }
  });

  it('grows with bits, capacity and ports', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 63 }), fc.integer({ min: 1, max: 2 ** 24 }), (bits, bytes) => {
        expect(additionPicojoules(bits + 1)).toBeGreaterThan(additionPicojoules(bits));
        expect(multiplicationPicojoules(bits + 1, 8)).toBeGreaterThan(multiplicationPicojoules(bits, 8));
        expect(sramPicojoulesPerByte(bytes + 1, 1)).toBeGreaterThan(sramPicojoulesPerByte(bytes, 1));
        expect(sramPicojoulesPerByte(bytes, 2)).toBeGreaterThan(sramPicojoulesPerByte(bytes, 1));
      }),
      { seed: 41, numRuns: 500 },
    );
  });

  it('has no jumps between the sizes of SRAMs the source has', () => {
    for (const bytes of [8 * KiB, 32 * KiB, 1024 * KiB]) {
      expect(sramPicojoulesPerByte(bytes + 1, 1) / sramPicojoulesPerByte(bytes - 1, 1)).toBeLessThan(1.001);
    }
  });
});
