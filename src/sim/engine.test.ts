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

  it('keeps that order where handlers schedule, soon and long ahead', () => {
    const delay = fc.oneof(fc.nat(3), fc.nat(1100), fc.nat(5000), fc.constantFrom(1023, 1024, 1025));
    fc.assert(
      fc.property(fc.array(delay, { minLength: 1, maxLength: 600 }), fc.nat(3), (delays, children) => {
        // Event i schedules the next few of the delays that are left; a plain list says which event is due.
        const engine = new Engine();
        const waiting: { cycle: number; index: number }[] = [];
        const seen: number[] = [];
        const expected: number[] = [];
        let next = 0;
        const spawn = () => {
          if (next === delays.length) return;
          const cycle = engine.now + delays[next]!;
          waiting.push({ cycle, index: next });
          engine.schedule(cycle, handler, next++);
        };
        const handler = engine.register((index) => {
          seen.push(index);
          const due = waiting.reduce((best, one) => (one.cycle < best.cycle ? one : best));
          expected.push(due.index);
          expect(engine.now).toBe(due.cycle);
          waiting.splice(waiting.indexOf(due), 1);
          for (let child = 0; child < children; child++) spawn();
        });
        for (let root = 0; root < 20; root++) spawn();
        engine.run();
        expect(seen).toEqual(expected);
        expect(waiting).toEqual([]);
      }),
      { seed: 2, numRuns: 200 },
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
