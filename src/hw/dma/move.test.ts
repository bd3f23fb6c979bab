/** Moves from the output buffer into the feature buffer: the rule of docs/machine.md, by hand. */
import { describe, expect, it } from 'vitest';
import { Engine } from '../../sim/engine.ts';
import { IdealDram } from '../dram/ideal.ts';
import { bufferNames, type Command, type CommandOf, formats } from '../isa/formats.ts';
import { Tokens } from '../sequencer/queue.ts';
import { DmaEngine } from './dma.ts';

function command<N extends 'store' | 'move'>(op: N, fields: Partial<CommandOf<N>>): Command {
  const zeros = Object.fromEntries(formats[op].fields.map(({ name }) => [name, 0]));
  return { ...zeros, op, waitCompute: 1, signalCompute: 1, ...fields } as unknown as Command;
}

/** The store queue with `given` cycles of tokens from the compute queue; [accepted, complete] of every command. */
function run(program: readonly Command[], given: readonly number[], latencyNs = 0) {
  const engine = new Engine();
  const fromCompute = new Tokens();
  const toCompute = new Tokens();
  const slices: [number, number][] = [];
  const arrivals: number[] = [];
  toCompute.onArrival(() => arrivals.push(engine.now));
  const counted: number[] = [];
  const moved: number[] = [];
  const unit = new DmaEngine(
    'store',
    engine,
    new IdealDram(engine, { kind: 'ideal', bandwidthMBps: 1600, latencyNs, capacityMiB: 1 }, 100),
    { burstBytes: 16, outstandingReads: 1, outstandingWrites: 9, descriptorCycles: 4, moves: true },
    program.length,
    // A beat of the output buffer is 32 bytes, one of the feature buffer 16.
    bufferNames.map((name) => (name === 'output' ? 32 : 16)),
    program,
    fromCompute,
    toCompute,
    {
      count: () => {},
      countMove: (_, beats) => counted.push(beats),
      moveOnChip: () => moved.push(engine.now),
    },
    { slice: (_unit, _index, start, end) => slices.push([start, end]) },
    () => {},
  );
  const give = engine.register(() => fromCompute.give());
  for (const cycle of given) engine.schedule(cycle, give);
  program.forEach((_, index) => {
    unit.push(index);
  });
  engine.run();
  expect(unit.isIdle).toBe(true);
  return { slices, arrivals, counted, moved };
}

describe('a move', () => {
  it('begins when its token is there, takes a beat for every part of a piece, and is in two cycles after the last', () => {
    // 2 x 3 pieces of 40 bytes: 3 beats each. Accepted at 10, first read at 14, last at 31, its bytes are in at 33.
    const move = command('move', { segments: 2, runs: 3, runBytes: 40 });
    const { slices, arrivals, counted, moved } = run([move], [10]);
    expect({ slices, counted, moved }).toEqual({ slices: [[10, 33]], counted: [18], moved: [33] });
    expect(arrivals).toEqual([33]);
  });

  it('is cut where a beat of either buffer ends', () => {
    // From 20: ends at 32 and 64. To 8: ends at 16, 32, 48. Of 40 bytes the beats are 8, 4, 12, 16: 4.
    const move = command('move', { segments: 1, runs: 1, runBytes: 40, sourceAddress: 20, targetAddress: 8 });
    expect(run([move], [0]).counted).toEqual([4]);
  });

  it('holds the next command off until a cycle after its last read', () => {
    // 16 bytes: accepted at 0, read at 4; the next one is accepted at 5, read at 9.
    const move = command('move', { segments: 1, runs: 1, runBytes: 16 });
    expect(run([move, { ...move }], [0, 0]).slices).toEqual([
      [0, 6],
      [5, 11],
    ]);
  });

  it('keeps its order with stores: it is complete when the store before it is answered', () => {
    // A burst issued at 4 is answered 50 cycles after the cycle in which it has left the bus; the move's bytes are in at 11. One
    // answer is taken a cycle.
    const store = command('store', { segments: 1, stretchBytes: 16, runBytes: 16 });
    const move = command('move', { segments: 1, runs: 1, runBytes: 16 });
    const { slices, arrivals, moved } = run([store, move], [0, 0], 500);
    expect(moved).toEqual([11]);
    expect(slices).toEqual([
      [0, 55],
      [5, 56],
    ]);
    expect(arrivals).toEqual([55, 56]);
  });
});
