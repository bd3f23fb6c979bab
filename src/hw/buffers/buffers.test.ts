import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { conflictCycles } from './buffers.ts';

describe('bank conflicts', () => {
  it('take as many cycles as the fullest bank has values to read, and leave the tally empty', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(500), { maxLength: 40 }),
        fc.integer({ min: 1, max: 32 }),
        fc.nat(40),
        (list, banks, limit) => {
          const count = Math.min(limit, list.length);
          const tally = new Uint16Array(banks);
          const cycles = conflictCycles(Int32Array.from(list), count, banks, tally);
          const distinct = [...new Set(list.slice(0, count))];
          const byBank = Array.from(
            { length: banks },
            (_, bank) => distinct.filter((address) => address % banks === bank).length,
          );
          expect(cycles).toBe(Math.max(1, ...byBank));
          expect(tally.every((reads) => reads === 0)).toBe(true);
        },
      ),
      { seed: 12, numRuns: 300 },
    );
  });
});
