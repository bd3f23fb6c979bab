import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sramSquareMicrometres } from './sram-area.ts';

const bytes = fc.integer({ min: 1, max: 2 ** 24 });

describe('area of a memory', () => {
  it('is that of the model it is fitted to, and near the cells alone for a very large one', () => {
    expect(sramSquareMicrometres(4096, 1)).toBeCloseTo(1.27 * 0.798 * 32_768, 3);
    const bits = 8 * 2 ** 24;
    expect(sramSquareMicrometres(2 ** 24, 1) / (bits * 0.346)).toBeLessThan(1.03);
    expect(sramSquareMicrometres(0, 2)).toBe(0);
  });

  it('grows with capacity and ports, and never in proportion: a byte of a larger one takes less', () => {
    fc.assert(
      fc.property(bytes, bytes, fc.constantFrom(1 as const, 2 as const), (a, b, ports) => {
        const [small, large] = [Math.min(a, b), Math.max(a, b) + 1];
        const [smallArea, largeArea] = [
          sramSquareMicrometres(small, ports),
          sramSquareMicrometres(large, ports),
        ];
        expect(largeArea).toBeGreaterThan(smallArea);
        expect(largeArea / large).toBeLessThan(smallArea / small);
        expect(sramSquareMicrometres(small, 2)).toBeGreaterThan(sramSquareMicrometres(small, 1));
        // Cells are never more than all of it.
        expect(smallArea).toBeGreaterThan(8 * small * (ports === 1 ? 0.346 : 0.597));
      }),
      { seed: 45, numRuns: 500 },
    );
  });

  it('is larger in banks than in one piece', () => {
    fc.assert(
      fc.property(bytes, fc.integer({ min: 2, max: 256 }), (size, banks) => {
        expect(banks * sramSquareMicrometres(size / banks, 2)).toBeGreaterThan(
          sramSquareMicrometres(size, 2),
        );
      }),
      { seed: 46 },
    );
  });
});
