import { describe, expect, it } from 'vitest';
import { Engine } from '../../sim/engine.ts';
import { type Command, formats } from '../isa/formats.ts';
import { CommandQueue, Tokens } from './queue.ts';
import { type CommandConsumer, Sequencer } from './sequencer.ts';

function command(op: Command['op']): Command {
  const zeros = Object.fromEntries(formats[op].fields.map(({ name }) => [name, 0]));
  return { op, ...zeros } as unknown as Command;
}

/** Units that hold `depth` commands and take `duration` cycles for each, one after the other. */
function runSequencer(ops: readonly Command['op'][], depth: number, duration: number) {
  const engine = new Engine();
  const program = ops.map(command);
  const log: string[] = [];
  const unit = (name: string): CommandConsumer => {
    const queue = new CommandQueue(depth);
    let isBusy = false;
    const finish = engine.register(() => {
      isBusy = false;
      log.push(`${name} done @${engine.now}`);
      begin();
      sequencer.wake();
    });
    const begin = (): void => {
      if (isBusy || queue.isEmpty) return;
      queue.shift();
      queue.release(engine.now);
      isBusy = true;
      engine.schedule(engine.now + duration, finish);
      sequencer.wake();
    };
    return {
      get isFull() {
        return queue.isFull(engine.now);
      },
      get isIdle() {
        return queue.isEmpty && !isBusy;
      },
      push(index) {
        log.push(`${name} gets ${index} @${engine.now}`);
        queue.push(index);
        begin();
      },
    };
  };
  const units = { load: unit('load'), compute: unit('compute'), store: unit('store') };
  const sequencer: Sequencer = new Sequencer(engine, program, units, () =>
    log.push(`barrier @${engine.now}`),
  );
  sequencer.start();
  engine.run();
  expect(sequencer.isFinished).toBe(true);
  return log;
}

describe('command queue', () => {
  it('is first in, first out, also around the end of its ring', () => {
    const queue = new CommandQueue(3);
    const out: number[] = [];
    const take = (): number => {
      queue.release(0);
      return queue.shift();
    };
    expect(queue.isEmpty).toBe(true);
    for (let i = 0; i < 10; i++) {
      queue.push(2 * i);
      queue.push(2 * i + 1);
      expect(queue.isFull(1)).toBe(false);
      if (i === 4) {
        queue.push(99);
        expect(queue.isFull(1)).toBe(true);
        out.push(take(), take(), take());
        // A place that has become free serves from the next cycle on.
        expect([queue.isFull(0), queue.isFull(1)]).toEqual([true, false]);
        continue;
      }
      expect(queue.peek()).toBe(2 * i);
      out.push(take(), take());
      expect(queue.isEmpty).toBe(true);
    }
    expect(out).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 99, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });
});

describe('tokens', () => {
  it('count, wake who waits, and give nothing away twice', () => {
    const tokens = new Tokens();
    expect(tokens.take()).toBe(false);
    tokens.give();
    let woken = 0;
    tokens.onArrival(() => woken++);
    tokens.give();
    expect(woken).toBe(1);
    expect(tokens.count).toBe(2);
    expect([tokens.take(), tokens.take(), tokens.take()]).toEqual([true, true, false]);
  });
});

describe('sequencer', () => {
  it('hands out one command a cycle, in order', () => {
    const log = runSequencer(['load', 'compute', 'postProcess', 'store', 'load'], 4, 100);
    expect(log.filter((line) => line.includes('gets'))).toEqual([
      'load gets 0 @0',
      'compute gets 1 @1',
      'compute gets 2 @2',
      'store gets 3 @3',
      'load gets 4 @4',
    ]);
  });

  it('holds everything up behind a full queue, and goes on one cycle after a place is free', () => {
    // Depth 1: command 0 begins at once, 1 waits in the queue, 2 finds it full until 0 is done at 10.
    const log = runSequencer(['load', 'load', 'load', 'store'], 1, 10);
    expect(log.filter((line) => line.includes('gets'))).toEqual([
      'load gets 0 @0',
      'load gets 1 @1',
      'load gets 2 @11',
      'store gets 3 @12',
    ]);
  });

  it('passes a barrier a cycle after the last unit fell idle, and goes on a cycle later', () => {
    const log = runSequencer(['load', 'store', 'barrier', 'compute', 'barrier', 'barrier'], 4, 10);
    expect(log).toEqual([
      'load gets 0 @0',
      'store gets 1 @1',
      'load done @10',
      'store done @11',
      'barrier @12',
      'compute gets 3 @13',
      'compute done @23',
      'barrier @24',
      'barrier @25',
    ]);
  });
});
