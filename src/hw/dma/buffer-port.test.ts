import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BufferPort } from './buffer-port.ts';

describe("the feature buffer's write port", () => {
  it('counts the cycles that the read engine took, also when a stretch is known as the one before ends', () => {
    const gaps = fc.array(fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 5 })), { maxLength: 30 });
    fc.assert(
      fc.property(gaps, fc.boolean(), (list, early) => {
        const port = new BufferPort();
        const taken = new Set<number>();
        const known: { at: number; first: number; last: number }[] = [];
        let end = -1;
        for (const [gap, cycles] of list) {
          const first = end + 1 + gap;
          known.push({ at: early && gap === 0 ? Math.max(0, end) : first, first, last: first + cycles - 1 });
          end = first + cycles - 1;
        }
        for (let now = 0; now <= end + 2; now++) {
          for (const { at, first, last } of known) {
            if (at !== now) continue;
            port.occupy(first, last);
            for (let cycle = first; cycle <= last; cycle++) taken.add(cycle);
          }
          expect(port.takenBefore(now)).toBe([...taken].filter((cycle) => cycle < now).length);
        }
      }),
      { seed: 5, numRuns: 200 },
    );
  });
});
