import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../core/random.ts';
import { Engine } from '../../sim/engine.ts';
import { IdealDram } from '../dram/ideal.ts';
import type { Dram } from '../dram/port.ts';
import type { TransferCommand } from '../isa/formats.ts';
import { Tokens } from '../sequencer/queue.ts';
import type { DmaConfig } from './config.ts';
import { DmaEngine } from './dma.ts';

const between = (min: number, max: number) => fc.integer({ min, max });
interface Transfer {
  readonly dramAddress: number;
  readonly segments: number;
  readonly gap: number;
  readonly runs: number;
  readonly runBytes: number;
  readonly bufferAddress: number;
}

const transfer: fc.Arbitrary<Transfer> = fc.record({
  dramAddress: fc.nat(1000),
  segments: between(1, 4),
  gap: fc.nat(40),
  runs: between(1, 5),
  runBytes: between(1, 50),
  bufferAddress: fc.nat(100),
});
const config = fc.record({
  burstBytes: fc.constantFrom(16 as const, 32 as const, 64 as const),
  outstandingReads: between(1, 6),
  outstandingWrites: between(1, 6),
  descriptorCycles: fc.nat(5),
  moves: fc.constant(true),
});

function commandOf(name: 'load' | 'store', fields: Transfer): TransferCommand {
  const { gap, runs, ...rest } = fields;
  const stretch = runs * fields.runBytes;
  return {
    op: name,
    waitCompute: 0,
    signalCompute: 1,
    kind: 0,
    buffer: 0,
    stretchBytes: stretch,
    dramPitch: stretch + gap,
    bufferSegmentPitch: fields.runBytes + 1,
    bufferRunPitch: fields.segments * (fields.runBytes + 1),
    ...rest,
  };
}

/** [DRAM byte, buffer byte] of every byte of a transfer, from the definition. */
function bytesOf(command: TransferCommand): string[] {
  const pairs: string[] = [];
  for (let segment = 0; segment < command.segments; segment++) {
    for (let run = 0; run < command.stretchBytes / command.runBytes; run++) {
      for (let byte = 0; byte < command.runBytes; byte++) {
        const dram = command.dramAddress + segment * command.dramPitch + run * command.runBytes + byte;
        const inBuffer =
          command.bufferAddress + segment * command.bufferSegmentPitch + run * command.bufferRunPitch + byte;
        pairs.push(`${dram}>${inBuffer}`);
      }
    }
  }
  return pairs.sort();
}

interface Recorded {
  readonly moved: Map<TransferCommand, string[]>;
  readonly counted: Map<TransferCommand, number>;
  readonly completed: number[];
  readonly issued: number[];
  readonly cycles: number;
}

/** Runs transfers on a DRAM; checks what must hold at every transaction. */
function run(
  name: 'load' | 'store',
  commands: readonly TransferCommand[],
  dma: DmaConfig,
  makeDram: (engine: Engine) => Dram,
  beatBytes = 1000,
): Recorded {
  const engine = new Engine();
  const inner = makeDram(engine);
  const limit = name === 'load' ? dma.outstandingReads : dma.outstandingWrites;
  let underWay = 0;
  const issued: number[] = [];
  const dram: Dram = {
    takeStatistics: () => undefined,
    connect: (listener) =>
      inner.connect((tag) => {
        underWay--;
        listener(tag);
      }),
    submit(port, write, address, bytes, tag) {
      expect(write).toBe(name === 'store');
      expect(Math.floor(address / dma.burstBytes)).toBe(Math.floor((address + bytes - 1) / dma.burstBytes));
      expect(++underWay).toBeLessThanOrEqual(limit);
      // At most one a cycle.
      expect(issued.at(-1) ?? -1).toBeLessThan(engine.now);
      issued.push(engine.now);
      inner.submit(port, write, address, bytes, tag);
    },
  };
  const moved = new Map<TransferCommand, string[]>(commands.map((command) => [command, []]));
  const counted = new Map<TransferCommand, number>(commands.map((command) => [command, 0]));
  const completed: number[] = [];
  const toCompute = new Tokens();
  const unit = new DmaEngine(
    name,
    engine,
    dram,
    dma,
    commands.length,
    [beatBytes],
    commands,
    new Tokens(),
    toCompute,
    {
      countMove() {},
      count: (command, bytes) => counted.set(command, counted.get(command)! + bytes),
      move(command, dramAddress, bufferAddress, bytes) {
        for (let byte = 0; byte < bytes; byte++) {
          moved.get(command)!.push(`${dramAddress + byte}>${bufferAddress + byte}`);
        }
      },
    },
    {
      slice(_unit, index) {
        // All of its bytes have moved by then.
        expect(moved.get(commands[index]!)!.length).toBe(bytesOf(commands[index]!).length);
        completed.push(index);
      },
    },
    () => {},
  );
  expect(unit.isIdle).toBe(true);
  commands.forEach((_, index) => {
    unit.push(index);
  });
  expect(unit.isFull).toBe(true);
  const cycles = engine.run();
  expect(unit.isIdle).toBe(true);
  expect(toCompute.count).toBe(commands.length);
  return { moved, counted, completed, issued, cycles };
}

/** Answers after a delay of its own for every transaction: out of order. */
function moodyDram(engine: Engine, seed: number): Dram {
  const random = randomStream(seed);
  const ports: number[] = [];
  return {
    takeStatistics: () => undefined,
    connect: (listener) => ports.push(engine.register(listener)) - 1,
    submit: (port, _write, _address, _bytes, tag) =>
      engine.schedule(engine.now + 1 + (random() % 60), ports[port]!, tag),
  };
}

describe.each(['load', 'store'] as const)('DMA engine, %s', (name) => {
  it('moves every byte once and completes in order, whatever the order of the answers', () => {
    fc.assert(
      fc.property(
        fc.array(transfer, { minLength: 1, maxLength: 5 }),
        config,
        between(1, 40),
        fc.nat(),
        (list, dma, beat, seed) => {
          const commands = list.map((fields) => commandOf(name, fields));
          const { moved, counted, completed } = run(
            name,
            commands,
            dma,
            (engine) => moodyDram(engine, seed),
            beat,
          );
          for (const command of commands) {
            expect(moved.get(command)!.sort()).toEqual(bytesOf(command));
            expect(counted.get(command)).toBe(command.segments * command.stretchBytes);
          }
          expect(completed).toEqual(commands.map((_, index) => index));
        },
      ),
      { seed: 18, numRuns: 200 },
    );
  });

  it('is accepted at once, then issues after the descriptor cycles, one a cycle', () => {
    const fields = { dramAddress: 8, segments: 1, gap: 0, runs: 1, runBytes: 40, bufferAddress: 0 };
    const command = commandOf(name, fields);
    const dma = {
      burstBytes: 16,
      outstandingReads: 9,
      outstandingWrites: 9,
      descriptorCycles: 4,
      moves: true,
    } as const;
    const fast = { kind: 'ideal', bandwidthMBps: 3200, latencyNs: 0, capacityMiB: 1 } as const;
    const { issued } = run(
      name,
      [command, { ...command }],
      dma,
      (engine) => new IdealDram(engine, fast, 100),
    );
    // 8 + 16 + 16 bytes; the next command is accepted a cycle after the last of them.
    expect(issued).toEqual([4, 5, 6, 11, 12, 13]);
  });

  it('waits at its limit for an answer, and issues in the cycle in which it comes', () => {
    const command = commandOf(name, {
      dramAddress: 0,
      segments: 1,
      gap: 0,
      runs: 1,
      runBytes: 80,
      bufferAddress: 0,
    });
    const dma = {
      burstBytes: 16,
      outstandingReads: 2,
      outstandingWrites: 2,
      descriptorCycles: 0,
      moves: true,
    } as const;
    // 16 bytes a cycle, latency 10 cycles: answers at 11 and 12 let the next two go.
    const fast = { kind: 'ideal', bandwidthMBps: 1600, latencyNs: 100, capacityMiB: 1 } as const;
    const { issued, cycles } = run(name, [command], dma, (engine) => new IdealDram(engine, fast, 100));
    expect(issued).toEqual([0, 1, 11, 12, 22]);
    expect(cycles).toBe(33);
  });

  it('moves a beat a cycle: a write is issued with its last, a read is answered with its last', () => {
    // Runs of 12 bytes, 20 apart in the buffer, words of 8: runs of 2, 3, 2 and 3 beats, in transactions of 16 bytes.
    const command: TransferCommand = {
      ...commandOf(name, { dramAddress: 0, segments: 1, gap: 0, runs: 4, runBytes: 12, bufferAddress: 0 }),
      bufferRunPitch: 20,
    };
    const dma = {
      burstBytes: 16,
      outstandingReads: 9,
      outstandingWrites: 9,
      descriptorCycles: 4,
      moves: true,
    } as const;
    const fast = { kind: 'ideal', bandwidthMBps: 3200, latencyNs: 90, capacityMiB: 1 } as const;
    const { issued, cycles } = run(name, [command], dma, (engine) => new IdealDram(engine, fast, 100), 8);
    // [0, 12) [20, 24) | [24, 32) [40, 48) | [48, 52) [60, 72): 2 + 1, 1 + 1 and 1 + 2 beats.
    expect(issued).toEqual(name === 'load' ? [4, 5, 6] : [6, 8, 11]);
    expect(cycles).toBe(name === 'load' ? 4 + 10 + 8 - 1 : 11 + 10);
  });

  it('takes answers in the order of the transactions, and gives up places of its queue as commands complete', () => {
    const command = commandOf(name, {
      dramAddress: 0,
      segments: 1,
      gap: 0,
      runs: 1,
      runBytes: 16,
      bufferAddress: 0,
    });
    const dma = {
      burstBytes: 16,
      outstandingReads: 9,
      outstandingWrites: 9,
      descriptorCycles: 0,
      moves: true,
    } as const;
    const delays = [30, 5, 20];
    const completedAt: number[] = [];
    const engine = new Engine();
    const answer = { handler: -1 };
    const unit = new DmaEngine(
      name,
      engine,
      {
        takeStatistics: () => undefined,
        connect: (listener) => {
          answer.handler = engine.register(listener);
          return 0;
        },
        submit: (_port, _write, _address, _bytes, tag) =>
          engine.schedule(engine.now + delays.shift()!, answer.handler, tag),
      },
      dma,
      3,
      [16],
      [command, command, command],
      new Tokens(),
      new Tokens(),
      { count: () => undefined, countMove: () => undefined },
      { slice: (_unit, _index, _start, end) => completedAt.push(end) },
      () => undefined,
    );
    for (const index of [0, 1, 2]) unit.push(index);
    const later = engine.register(() => expect(unit.isFull).toBe(true));
    engine.schedule(29, later);
    engine.run();
    // Issued in cycles 0, 1 and 2; the first answer holds the others up.
    expect(completedAt).toEqual([30, 31, 32]);
    expect([unit.isFull, unit.isIdle]).toEqual([false, true]);
  });
});
