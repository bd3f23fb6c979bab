import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Engine } from '../../sim/engine.ts';
import { IdealDram } from './ideal.ts';

const between = (min: number, max: number) => fc.integer({ min, max });

/** Answers of transactions submitted at given cycles, as [tag, cycle]. */
function answers(
  { bandwidthMBps, latencyNs, clockMHz }: { bandwidthMBps: number; latencyNs: number; clockMHz: number },
  transactions: readonly { cycle: number; bytes: number }[],
): [tag: number, cycle: number][] {
  const engine = new Engine();
  const dram = new IdealDram(engine, { kind: 'ideal', bandwidthMBps, latencyNs, capacityMiB: 1 }, clockMHz);
  const heard: [number, number][] = [];
  const port = dram.connect((tag) => heard.push([tag, engine.now]));
  const submit = engine.register((index) => {
    dram.submit(port, index % 2 === 0, 64 * index, transactions[index]!.bytes, index);
  });
  transactions.forEach(({ cycle }, index) => {
    engine.schedule(cycle, submit, index);
  });
  engine.run();
  return heard;
}

/** ceil(a / b) of whole numbers, exact at any size. */
const ceilDivBig = (a: bigint, b: bigint): number => Number((a + b - 1n) / b);

describe('ideal DRAM', () => {
  it('answers n transactions in a row after n * bytes * clock / bandwidth cycles and the latency', () => {
    fc.assert(
      fc.property(
        between(1, 200),
        between(1, 256),
        between(1, 20_000),
        between(0, 2000),
        between(1, 3000),
        (n, bytes, bandwidthMBps, latencyNs, clockMHz) => {
          const transactions = Array.from({ length: n }, () => ({ cycle: 0, bytes }));
          const heard = answers({ bandwidthMBps, latencyNs, clockMHz }, transactions);
          const latency = Math.ceil((latencyNs * clockMHz) / 1000);
          const expected = transactions.map((_, tag) => [
            tag,
            ceilDivBig(BigInt((tag + 1) * bytes * clockMHz), BigInt(bandwidthMBps)) + latency,
          ]);
          expect(heard).toEqual(expected);
        },
      ),
      { seed: 17, numRuns: 200 },
    );
  });

  it('starts over where the bus was idle', () => {
    // 4 bytes a cycle. Two bursts of 8 bytes at 0 and 1: on the bus 0..2 and 2..4; one at 10: 10..12; latency 5.
    const machine = { bandwidthMBps: 400, latencyNs: 50, clockMHz: 100 };
    const heard = answers(machine, [
      { cycle: 0, bytes: 8 },
      { cycle: 1, bytes: 8 },
      { cycle: 10, bytes: 8 },
    ]);
    expect(heard).toEqual([
      [0, 7],
      [1, 9],
      [2, 17],
    ]);
  });

  it('keeps fractions of cycles', () => {
    // 3 cycles for 2 bytes: one byte each at 1.5, 3, 4.5.
    const heard = answers({ bandwidthMBps: 2, latencyNs: 0, clockMHz: 3 }, [
      { cycle: 0, bytes: 1 },
      { cycle: 0, bytes: 1 },
      { cycle: 0, bytes: 1 },
    ]);
    expect(heard.map(([, cycle]) => cycle)).toEqual([2, 3, 5]);
  });
});
