import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Command, formats } from '../hw/isa/formats.ts';
import { Emitter, none } from './emit.ts';

const zeros = <N extends 'load' | 'compute' | 'postProcess' | 'store'>(name: N, without: readonly string[]) =>
  Object.fromEntries(
    formats[name].fields.filter((field) => !without.includes(field.name)).map((field) => [field.name, 0]),
  ) as never;
const transfer = zeros('load', ['waitCompute', 'signalCompute']);
const tile = zeros('compute', ['waitLoad', 'waitStore', 'signalLoad', 'signalStore']);

/** What a command asked for: the number, among commands of the other kind, that must be done before it. */
interface Need {
  readonly command: Command;
  readonly after: number;
}

const action = fc.record({
  kind: fc.constantFrom(
    'load' as const,
    'load' as const,
    'compute' as const,
    'compute' as const,
    'barrier' as const,
  ),
  back: fc.nat(5),
  isFree: fc.boolean(),
  stores: fc.boolean(),
  storeBack: fc.nat(5),
});

describe('emitter', () => {
  it('turns needs into tokens: the n-th taken is given late enough, and none is left at a barrier', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const emitter = new Emitter();
        const loads: Command[] = [];
        const computes: Command[] = [];
        const stores: Command[] = [];
        const needs = {
          load: [] as Need[],
          fromLoad: [] as Need[],
          fromStore: [] as Need[],
          store: [] as Need[],
        };
        const last = () => emitter.commands.at(-1)!;
        let promised = none;
        const compute = (load: number, store: number, isStored: boolean): void => {
          expect(emitter.nextCompute).toBe(computes.length);
          const number = emitter.compute(tile, load, store);
          computes.push(last());
          needs.fromLoad.push({ command: last(), after: load });
          needs.fromStore.push({ command: last(), after: store });
          if (!isStored) return;
          emitter.store(transfer, number);
          stores.push(last());
          needs.store.push({ command: last(), after: number });
        };
        const barrier = (): void => {
          // A load may wait for a compute that is yet to come, of the same step.
          while (promised >= computes.length) compute(none, none, false);
          emitter.barrier();
        };
        for (const { kind, back, isFree, stores: isStored, storeBack } of actions) {
          if (kind === 'load') {
            const after = isFree ? none : Math.max(none, computes.length - back);
            promised = Math.max(promised, after);
            expect(emitter.load(transfer, after)).toBe(loads.length);
            loads.push(last());
            needs.load.push({ command: last(), after });
          } else if (kind === 'compute') {
            compute(
              Math.max(none, loads.length - 1 - back),
              isFree ? none : Math.max(none, stores.length - 1 - storeBack),
              isStored,
            );
          } else {
            barrier();
          }
        }
        barrier();

        const { commands } = emitter;
        check(commands, needs.load, loads, 'waitCompute', computes, 'signalLoad');
        check(commands, needs.fromLoad, computes, 'waitLoad', loads, 'signalCompute');
        check(commands, needs.fromStore, computes, 'waitStore', stores, 'signalCompute');
        check(commands, needs.store, stores, 'waitCompute', computes, 'signalStore');
      }),
      { seed: 21, numRuns: 400 },
    );
  });

  it('passes a token only where it has not waited for something later', () => {
    const emitter = new Emitter();
    const first = emitter.load(transfer, none);
    const second = emitter.load(transfer, none);
    emitter.compute(tile, second, none);
    emitter.compute(tile, first, none);
    const flags = emitter.commands.map((command) =>
      command.op === 'load' ? command.signalCompute : command.op === 'compute' ? command.waitLoad : -1,
    );
    expect(flags).toEqual([0, 1, 1, 0]);
  });

  it('refuses a load that waits for a compute of a later step', () => {
    const emitter = new Emitter();
    emitter.load(transfer, 0);
    expect(() => emitter.barrier()).toThrow('a load waits for a compute of a later step');
  });
});

/**
 * `waiters` take tokens that `givers` give. For every need: the tokens taken up to then cover it, or a barrier lies
 * between; and at every barrier as many were given as taken.
 */
function check(
  commands: readonly Command[],
  needs: readonly Need[],
  waiters: readonly Command[],
  wait: string,
  givers: readonly Command[],
  signal: string,
): void {
  const flag = (command: Command, name: string) => (command as unknown as Record<string, number>)[name];
  const place = new Map(commands.map((command, index) => [command, index]));
  const giving = givers.filter((giver) => flag(giver, signal) === 1);
  const stepOf = (command: Command) =>
    commands.slice(0, place.get(command)!).filter(({ op }) => op === 'barrier').length;
  let taken = 0;
  const takenBy = new Map<Command, number>();
  for (const waiter of waiters) {
    if (flag(waiter, wait) === 1) {
      // A token never crosses a barrier.
      expect(stepOf(giving[taken]!)).toBe(stepOf(waiter));
      taken++;
    }
    takenBy.set(waiter, taken);
  }
  expect(giving.length).toBe(taken);
  for (const { command, after } of needs) {
    if (after === none || stepOf(givers[after]!) < stepOf(command)) continue;
    const lastGiver = giving[takenBy.get(command)! - 1];
    expect(lastGiver, 'a token was taken').toBeDefined();
    expect(givers.indexOf(lastGiver!)).toBeGreaterThanOrEqual(after);
  }
}
