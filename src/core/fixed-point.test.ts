import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AccumulatorFormat,
  accumulate,
  type ChannelRequantisation,
  containerBytes,
  divideRound,
  formatRange,
  type OutputRange,
  type Rounding,
  requantise,
  roundings,
  scaleRound,
} from './fixed-point.ts';

/** Round half to even by the book, on integers of any size. */
function definition(numerator: bigint, denominator: bigint): bigint {
  let quotient = numerator / denominator;
  let rest = numerator % denominator;
  if (rest < 0n) {
    quotient -= 1n;
    rest += denominator;
  }
  if (2n * rest > denominator) return quotient + 1n;
  if (2n * rest < denominator) return quotient;
  return quotient % 2n === 0n ? quotient : quotient + 1n;
}

const divideRoundHalfEven = (numerator: number, denominator: number) =>
  divideRound(numerator, denominator, 'half-even');

describe('divideRound, half to even', () => {
  it.each([
    [1, 2, 0],
    [3, 2, 2],
    [5, 2, 2],
    [-1, 2, -0],
    [-3, 2, -2],
    [-5, 2, -2],
    [7, 3, 2],
    [-7, 3, -2],
    [-8, 3, -3],
    [10, 4, 2],
  ])('%i / %i', (numerator, denominator, expected) => {
    expect(divideRoundHalfEven(numerator, denominator) + 0).toBe(expected + 0);
  });

  it('is the definition on every product the datapath can make', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.integer({ min: 0, max: 65535 }),
        fc.integer({ min: 0, max: 47 }),
        (value, multiplier, shift) => {
          const exact = definition(BigInt(value) * BigInt(multiplier), 1n << BigInt(shift));
          expect(BigInt(divideRoundHalfEven(value * multiplier, 2 ** shift))).toBe(exact);
        },
      ),
      { seed: 1, numRuns: 5000 },
    );
  });

  it('is the definition for odd denominators and next to ties', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 20), max: 2 ** 20 }),
        fc.integer({ min: 1, max: 4096 }),
        fc.integer({ min: -1, max: 1 }),
        (quotient, denominator, nudge) => {
          const numerator = quotient * denominator + Math.floor(denominator / 2) + nudge;
          const exact = definition(BigInt(numerator), BigInt(denominator));
          expect(BigInt(divideRoundHalfEven(numerator, denominator))).toBe(exact);
        },
      ),
      { seed: 2, numRuns: 5000 },
    );
  });
});

/** numerator / denominator rounded by the book, on integers of any size. */
function rounded(numerator: bigint, denominator: bigint, rounding: Rounding): bigint {
  let floor = numerator / denominator;
  if (floor * denominator > numerator) floor -= 1n;
  const twiceRest = 2n * (numerator - floor * denominator);
  if (rounding === 'truncate' || twiceRest < denominator) return floor;
  if (twiceRest > denominator) return floor + 1n;
  if (rounding === 'half-up') return floor + 1n;
  if (rounding === 'half-away') return numerator > 0n ? floor + 1n : floor;
  return floor % 2n === 0n ? floor : floor + 1n;
}

describe.each(roundings)('rounding %s', (rounding) => {
  it('divides by the definition', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 24), max: 2 ** 24 }),
        fc.integer({ min: 1, max: 64 }),
        (numerator, denominator) => {
          const exact = rounded(BigInt(numerator), BigInt(denominator), rounding);
          expect(divideRound(numerator, denominator, rounding)).toBe(Number(exact));
        },
      ),
      { seed: 11, numRuns: 3000 },
    );
  });

  it('scales by the definition, whatever the widths', () => {
    const value = fc
      .integer({ min: 0, max: 47 })
      .chain((bits) => fc.integer({ min: -(2 ** bits), max: 2 ** bits }));
    fc.assert(
      fc.property(
        value,
        fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        fc.integer({ min: 0, max: 62 }),
        (one, multiplier, shift) => {
          const exact = rounded(BigInt(one) * BigInt(multiplier), 1n << BigInt(shift), rounding);
          // Results beyond 2^53 come as the nearest double.
          expect(scaleRound(one, multiplier, shift, rounding) + 0).toBe(Number(exact));
        },
      ),
      { seed: 12, numRuns: 5000 },
    );
  });

  it('scales ties by the definition beyond 2^53', () => {
    const tie = fc.tuple(fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), fc.integer({ min: 1, max: 30 }));
    fc.assert(
      fc.property(tie, ([quotient, shift]) => {
        const value = 2 * quotient + 1;
        const multiplier = 2 ** (shift - 1);
        const exact = rounded(BigInt(value) * BigInt(multiplier), 1n << BigInt(shift), rounding);
        expect(scaleRound(value, multiplier, shift, rounding) + 0).toBe(Number(exact));
      }),
      { seed: 13, numRuns: 1000 },
    );
  });
});

describe('formats', () => {
  it('have their ends and containers', () => {
    expect(formatRange({ bits: 2, signed: true })).toEqual({ low: -2, high: 1 });
    expect(formatRange({ bits: 16, signed: false })).toEqual({ low: 0, high: 65535 });
    expect([1, 8, 9, 16].map(containerBytes)).toEqual([1, 1, 2, 2]);
  });
});

describe('accumulate', () => {
  it("is two's complement, or saturates, and counts", () => {
    const format = fc.record({
      bits: fc.integer({ min: 8, max: 48 }),
      overflow: fc.constantFrom('saturate' as const, 'wrap' as const),
    });
    const addend = fc
      .integer({ min: 0, max: 32 })
      .chain((bits) => fc.integer({ min: -(2 ** bits), max: 2 ** bits }));
    fc.assert(
      fc.property(
        format,
        fc.double({ min: -1, max: 1, noNaN: true }),
        addend,
        (accumulator: AccumulatorFormat, part, add) => {
          const half = 2 ** (accumulator.bits - 1);
          const sum = Math.min(half - 1, Math.floor(part * half));
          const overflows = { count: 0 };
          const exact = BigInt(sum) + BigInt(add);
          const fits = exact >= -BigInt(half) && exact < BigInt(half);
          const expected =
            accumulator.overflow === 'wrap' || fits
              ? Number(BigInt.asIntN(accumulator.bits, exact))
              : exact < 0n
                ? -half
                : half - 1;
          expect(accumulate(sum, add, accumulator, overflows)).toBe(expected);
          expect(overflows.count).toBe(fits ? 0 : 1);
        },
      ),
      { seed: 14, numRuns: 3000 },
    );
  });
});

describe('requantise', () => {
  const range: OutputRange = { low: -128, high: 127, zeroPoint: 0, rounding: 'half-even' };
  const channel = (fields: Partial<ChannelRequantisation>): ChannelRequantisation => ({
    bias: 0,
    positiveMultiplier: 1,
    negativeMultiplier: 1,
    shift: 0,
    ...fields,
  });

  it('saturates at both ends', () => {
    const { low, high } = range;
    expect([low, high]).toEqual([-128, 127]);
    expect(requantise(127, channel({}), range)).toBe(127);
    expect(requantise(128, channel({}), range)).toBe(127);
    expect(requantise(-128, channel({}), range)).toBe(-128);
    expect(requantise(-129, channel({}), range)).toBe(-128);
    const full = channel({ positiveMultiplier: 65535, negativeMultiplier: 65535 });
    expect(requantise(2 ** 31 - 1, full, range)).toBe(127);
    expect(requantise(-(2 ** 31), full, range)).toBe(-128);
  });

  it('picks the multiplier by the sign', () => {
    const leaky = channel({ positiveMultiplier: 256, negativeMultiplier: 26, shift: 8 });
    expect(requantise(20, leaky, range)).toBe(20);
    expect(requantise(-10, leaky, range)).toBe(-1);
    expect(requantise(-100, leaky, range)).toBe(-10);
  });

  it('rounds once, half to even', () => {
    const half = channel({ shift: 1 });
    expect([1, 3, 5, -1, -3, -5].map((value) => requantise(value, half, range) + 0)).toEqual([
      0, 2, 2, 0, -2, -2,
    ]);
  });

  it('adds the zero point before it saturates', () => {
    const unsigned: OutputRange = { low: 0, high: 15, zeroPoint: 5, rounding: 'half-away' };
    expect([-20, -5, -3, 0, 3, 10, 30].map((value) => requantise(value, channel({}), unsigned))).toEqual([
      0, 0, 2, 5, 8, 15, 15,
    ]);
    expect(requantise(-3, channel({ shift: 1 }), unsigned)).toBe(3);
  });
});
