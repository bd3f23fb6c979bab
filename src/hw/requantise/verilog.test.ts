import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  accumulate,
  type ChannelRequantisation,
  type OutputRange,
  requantise,
  roundings,
} from '../../core/fixed-point.ts';
import { randomStream } from '../../core/random.ts';
import { engines, hasVerilator, lint, type PortValues, pack, unpack } from '../engines.test-helper.ts';
import type { MachineConfig } from '../machine/config.ts';
import { machineWith } from '../machines.test-helper.ts';
import { requantiseInputBits, requantiseLatency, requantiseModules, valueBits } from './verilog.ts';

const machine = fc
  .record({
    rows: fc.integer({ min: 1, max: 4 }),
    accumulatorBits: fc.integer({ min: 8, max: 48 }),
    accumulatorOverflow: fc.constantFrom('saturate' as const, 'wrap' as const),
    form: fc.constantFrom('shift' as const, 'multiplier' as const),
    multiplierBits: fc.integer({ min: 8, max: 32 }),
    rounding: fc.constantFrom(...roundings),
  })
  .map(({ rows, accumulatorBits, accumulatorOverflow, ...requantise }) =>
    machineWith({ peArray: { rows, accumulatorBits, accumulatorOverflow }, requantise }),
  );

interface Vector {
  readonly values: number[];
  readonly channel: ChannelRequantisation;
  readonly output: OutputRange;
  readonly bypass: boolean;
  /** Not from the array: the register is wider than an accumulator. */
  readonly streamed: boolean;
}

function vectors({ peArray, postProcessing }: MachineConfig, seed: number, count: number): Vector[] {
  const { form, multiplierBits, rounding } = postProcessing.requantise;
  const { rows, accumulatorBits } = peArray;
  const next = randomStream(seed);
  const below = (limit: number): number => (next() * 2 ** 21 + (next() >>> 11)) % limit;
  const chance = (of: number): boolean => next() % of === 0;
  // As many small numbers as large ones: of a random number of bits, both signs, and the ends.
  const signed = (bits: number): number => {
    const half = 2 ** (bits - 1);
    if (chance(8)) return chance(2) ? -half : half - 1;
    const magnitude = below(2 ** (next() % bits));
    return chance(2) ? -magnitude - 1 : magnitude;
  };
  return Array.from({ length: count }, () => {
    const largest = 2 ** multiplierBits - 1;
    let positiveMultiplier = chance(4) ? 1 : below(largest + 1);
    let negativeMultiplier = chance(3) ? 0 : below(largest + 1);
    if (form === 'shift') {
      const k = next() % multiplierBits;
      const fraction = Math.min(8, multiplierBits - 1);
      positiveMultiplier = 2 ** k;
      negativeMultiplier = chance(3)
        ? positiveMultiplier
        : below(2 ** Math.min(k, fraction) + 1) * 2 ** Math.max(0, k - fraction);
    }
    const a = signed(valueBits);
    const b = signed(valueBits);
    const shift = chance(2) ? next() % 63 : next() % 12;
    // Ties: sums that are odd multiples of half a unit.
    const tie =
      shift >= 1 && shift < accumulatorBits - 1 && positiveMultiplier === 1 && negativeMultiplier <= 1;
    return {
      values: Array.from({ length: rows }, () =>
        tie ? (2 * signed(accumulatorBits - shift) + 1) * 2 ** (shift - 1) : signed(accumulatorBits),
      ),
      channel: { bias: tie ? 0 : signed(accumulatorBits), positiveMultiplier, negativeMultiplier, shift },
      output: {
        low: Math.min(a, b),
        high: Math.max(a, b),
        zeroPoint: chance(2) ? 0 : signed(valueBits),
        rounding,
      },
      bypass: chance(6),
      streamed: chance(3),
    };
  });
}

function expected(machine: MachineConfig, { values, channel, output, bypass, streamed }: Vector): number[] {
  const { accumulatorBits, accumulatorOverflow } = machine.peArray;
  const bits = streamed ? requantiseInputBits(machine) : accumulatorBits;
  const format = { bits, overflow: accumulatorOverflow };
  return values.map((value) =>
    bypass
      ? Number(BigInt.asIntN(valueBits, BigInt(value)))
      : requantise(accumulate(value, channel.bias, format, { count: 0 }), channel, output),
  );
}

describe('requantiser in Verilog', () => {
  it.for(engines)('$name: equals the arithmetic it stands for', async ({ run, share, absent }, { skip }) => {
    skip(absent, 'Icarus is not installed');
    await fc.assert(
      fc.asyncProperty(machine, fc.nat(), async (config, seed) => {
        const { rows } = config.peArray;
        const inputBits = requantiseInputBits(config);
        const all = vectors(config, seed, 400);
        const ports: PortValues[] = all.map(({ values, channel, output, bypass, streamed }) => ({
          values: pack(values, inputBits),
          ...(inputBits > config.peArray.accumulatorBits && { streamed: BigInt(streamed) }),
          bias: BigInt(channel.bias),
          positive_multiplier: BigInt(channel.positiveMultiplier),
          negative_multiplier: BigInt(channel.negativeMultiplier),
          shift: BigInt(channel.shift),
          low: BigInt(output.low),
          high: BigInt(output.high),
          zero_point: BigInt(output.zeroPoint),
          bypass: BigInt(bypass),
        }));
        const drain = new Array<PortValues>(requantiseLatency).fill({});
        const outputs = await run(requantiseModules(config), 'requantise', [...ports, ...drain]);
        all.forEach((vector, index) => {
          const word = outputs[index + requantiseLatency]!.out!;
          expect(unpack(word, valueBits, rows)).toEqual(expected(config, vector));
        });
      }),
      { seed: 52, numRuns: Math.ceil(60 * share) },
    );
  });

  it('leaves a linter nothing to say', ({ skip }) => {
    skip(!hasVerilator, 'Verilator is not installed');
    fc.assert(
      fc.property(machine, (config) => {
        expect(lint(requantiseModules(config), 'requantise')).toBe('');
      }),
      { seed: 57, numRuns: 20 },
    );
  });
});
