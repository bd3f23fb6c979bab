import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Engine } from './engine.ts';

describe('event engine', () => {
  it('handles events by cycle, and in the order of scheduling within a cycle', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { maxLength: 3000 }), (cycles) => {
        const engine = new Engine();
        const seen: { cycle: number; index: number }[] = [];
        const handler = engine.register((index) => seen.push({ cycle: engine.now, index }));
        cycles.forEach((cycle, index) => {
          engine.schedule(cycle, handler, index);
        });
        engine.run();
        const expected = cycles
          .map((cycle, index) => ({ cycle, index }))
          .sort((a, b) => a.cycle - b.cycle || a.index - b.index);
        expect(seen).toEqual(expected);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it('lets a handler schedule into the current cycle, but not into the past', () => {
    const engine = new Engine();
    const order: string[] = [];
    const second = engine.register(() => order.push(`second@${engine.now}`));
    const first = engine.register(() => {
      order.push(`first@${engine.now}`);
      engine.schedule(engine.now, second);
      expect(() => engine.schedule(engine.now - 1, second)).toThrow(/before/);
    });
    engine.schedule(7, first);
    expect(engine.run()).toBe(7);
    expect(order).toEqual(['first@7', 'second@7']);
  });
});
