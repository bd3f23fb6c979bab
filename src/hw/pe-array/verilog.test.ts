import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accumulate } from '../../core/fixed-point.ts';
import { randomStream } from '../../core/random.ts';
import { engines, hasVerilator, lint, type PortValues, pack, unpack } from '../engines.test-helper.ts';
import type { MachineConfig } from '../machine/config.ts';
import { machineWith } from '../machines.test-helper.ts';
import { peArrayLatency, peArrayModules, peArrayWidths } from './verilog.ts';

const machine = fc
  .record({
    rows: fc.integer({ min: 1, max: 3 }),
    columns: fc.integer({ min: 1, max: 4 }),
    activationBits: fc.integer({ min: 2, max: 16 }),
    weightBits: fc.integer({ min: 1, max: 16 }),
    accumulatorBits: fc.integer({ min: 8, max: 48 }),
    accumulatorOverflow: fc.constantFrom('saturate' as const, 'wrap' as const),
  })
  .map((peArray) => machineWith({ peArray }));

/** One cycle's stimulus in numbers. */
interface Cycle {
  readonly step: boolean;
  readonly first: boolean;
  readonly preload: boolean;
  readonly swap: boolean;
  readonly shift: boolean;
  readonly features: number[];
  readonly weights: number[];
  readonly starts: number[];
}

function stimulus({ peArray }: MachineConfig, seed: number, count: number): Cycle[] {
  const { rows, columns, weightBits } = peArray;
  const widths = peArrayWidths(peArray);
  const next = randomStream(seed);
  const chance = (of: number): boolean => next() % of === 0;
  // Extremes often: sums must reach the ends of the accumulator.
  const signed = (bits: number): number => {
    const half = 2 ** (bits - 1);
    return chance(3)
      ? chance(2)
        ? -half
        : half - 1
      : ((next() * 2 ** 21 + (next() >>> 11)) % (2 * half)) - half;
  };
  const many = (length: number, make: () => number): number[] => Array.from({ length }, make);
  return Array.from({ length: count }, (_, index) => ({
    step: index === 0 || !chance(4),
    first: index === 0 || chance(8),
    preload: index > 1 && chance(2),
    swap: index === 1 || chance(7),
    shift: chance(2),
    features: many(rows, () => signed(widths.feature)),
    weights: many(columns, () => (weightBits === 1 ? (chance(2) ? -1 : 1) : signed(widths.weight))),
    starts: many(rows, () => signed(widths.accumulator)),
  }));
}

/** The array from its description, an element at a time; shadows of column 0 after every cycle. */
function expected({ peArray }: MachineConfig, cycles: readonly Cycle[]): number[][] {
  const { rows, columns, accumulatorBits: bits, accumulatorOverflow: overflow } = peArray;
  const table = (): number[][] => Array.from({ length: rows }, () => new Array<number>(columns).fill(0));
  let acc = table();
  let shadow = table();
  return cycles.map(({ step, first, preload, swap, shift, features, weights, starts }) => {
    const nextAcc = acc.map((line, r) =>
      line.map((sum, c) => {
        const start = first ? (preload ? shadow[r]![c]! : 0) : sum;
        if (!step) return start;
        return accumulate(start, features[r]! * weights[c]!, { bits, overflow }, { count: 0 });
      }),
    );
    const nextShadow = shadow.map((line, r) =>
      line.map((held, c) =>
        swap ? acc[r]![c]! : shift ? (c + 1 < columns ? shadow[r]![c + 1]! : starts[r]!) : held,
      ),
    );
    acc = nextAcc;
    shadow = nextShadow;
    return shadow.map((line) => line[0]!);
  });
}

describe('PE array in Verilog', () => {
  it.for(engines)('$name: does what accumulators, shadows and the chain are described to do', async ({
    run,
    share,
    absent,
  }) => {
    if (absent) return;
    await fc.assert(
      fc.asyncProperty(machine, fc.nat(), async (config, seed) => {
        const widths = peArrayWidths(config.peArray);
        const cycles = stimulus(config, seed, 150);
        const ports: PortValues[] = cycles.map((cycle, index) => ({
          rst: 0n,
          step: BigInt(cycle.step),
          first: BigInt(cycle.first),
          preload: BigInt(cycle.preload),
          swap: BigInt(cycle.swap),
          shift: BigInt(cycle.shift),
          features: pack(cycle.features, widths.feature),
          weights: pack(cycle.weights, widths.weight),
          // Start values come a cycle behind their shift.
          chain_in: pack(cycles[index - 1]?.starts ?? [0], widths.accumulator),
        }));
        const idle = { rst: 1n };
        const last = { rst: 1n, chain_in: pack(cycles.at(-1)!.starts, widths.accumulator) };
        const outputs = await run(peArrayModules(config), 'pe_array', [idle, ...ports, last, idle]);
        expected(config, cycles).forEach((column, index) => {
          // Nothing is known before the first swap.
          if (index === 0) return;
          const word = outputs[1 + index + peArrayLatency]!.chain_out!;
          expect(unpack(word, widths.accumulator, config.peArray.rows)).toEqual(column);
        });
      }),
      { seed: 51, numRuns: Math.ceil(40 * share) },
    );
  });

  it('leaves a linter nothing to say', ({ skip }) => {
    skip(!hasVerilator, 'Verilator is not installed');
    fc.assert(
      fc.property(machine, (config) => {
        expect(lint(peArrayModules(config), 'pe_array')).toBe('');
      }),
      { seed: 56, numRuns: 12 },
    );
  });
});
