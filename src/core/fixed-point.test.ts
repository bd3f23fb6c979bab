import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ChannelRequantisation, divideRoundHalfEven, requantise, signedRange } from './fixed-point.ts';

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

describe('divideRoundHalfEven', () => {
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

describe('requantise', () => {
  const channel = (fields: Partial<ChannelRequantisation>): ChannelRequantisation => ({
    bias: 0,
    positiveMultiplier: 1,
    negativeMultiplier: 1,
    shift: 0,
    ...fields,
  });

  it('saturates at both ends', () => {
    const { low, high } = signedRange(8);
    expect([low, high]).toEqual([-128, 127]);
    expect(requantise(127, channel({}), low, high)).toBe(127);
    expect(requantise(128, channel({}), low, high)).toBe(127);
    expect(requantise(-128, channel({}), low, high)).toBe(-128);
    expect(requantise(-129, channel({}), low, high)).toBe(-128);
    const full = channel({ positiveMultiplier: 65535, negativeMultiplier: 65535 });
    expect(requantise(2 ** 31 - 1, full, low, high)).toBe(127);
    expect(requantise(-(2 ** 31), full, low, high)).toBe(-128);
  });

  it('picks the multiplier by the sign after the bias', () => {
    const leaky = channel({ bias: -10, positiveMultiplier: 256, negativeMultiplier: 26, shift: 8 });
    expect(requantise(30, leaky, -128, 127)).toBe(20);
    expect(requantise(0, leaky, -128, 127)).toBe(-1);
    expect(requantise(-90, leaky, -128, 127)).toBe(-10);
  });

  it('rounds once, half to even', () => {
    const half = channel({ shift: 1 });
    expect([1, 3, 5, -1, -3, -5].map((value) => requantise(value, half, -128, 127) + 0)).toEqual([
      0, 2, 2, 0, -2, -2,
    ]);
  });
});
