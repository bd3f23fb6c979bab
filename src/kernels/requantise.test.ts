/** @fileoverview Requantisation against the definitions in core/fixed-point.ts. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type AccumulatorFormat,
  accumulate,
  type ChannelRequantisation,
  type OutputRange,
  requantise as requantiseOne,
  roundings,
} from '../core/fixed-point.ts';
import {
  describeKernels,
  elementOf,
  expectMemory,
  format,
  place,
  view,
  writeElement,
} from './kernels.test-helper.ts';
import { roundingNumbers } from './kernels.ts';

type Output = OutputRange & { readonly bytes: 1 | 2 };

const output: fc.Arbitrary<Output> = format.chain((element) =>
  fc
    .record({
      bounds: fc.tuple(elementOf(element), elementOf(element)),
      zeroPoint: fc.oneof(fc.constant(0), elementOf(element)),
      rounding: fc.constantFrom(...roundings),
    })
    .map(({ bounds, zeroPoint, rounding }) => ({
      ...{ low: Math.min(...bounds), high: Math.max(...bounds), zeroPoint, rounding, bytes: element.bytes },
    })),
);
const int8 = { low: -128, high: 127, zeroPoint: 0, bytes: 1 } as const;

/** The output arguments both kernels share. */
function outputArguments({ low, high, zeroPoint, rounding, bytes }: Output, out: number) {
  return [low, high, out, zeroPoint, roundingNumbers[rounding], bytes] as const;
}

describeKernels('requantise', (kernels) => {
  /** `rows` are what is scaled, that is, with the bias. */
  function check(
    filters: readonly ChannelRequantisation[],
    rows: readonly (readonly number[])[],
    output: Output,
  ): void {
    const pixels = rows[0]!.length;
    const sizes = { accumulators: 4 * filters.length * pixels, parameters: 12 * filters.length };
    const out = filters.length * pixels * output.bytes;
    const at = place({ ...sizes, out }, { fill: 'random', seed: 1 + pixels });
    filters.forEach(({ bias, positiveMultiplier, negativeMultiplier, shift }, f) => {
      const record = at.parameters + 12 * f;
      view.setInt32(record, bias, true);
      view.setUint16(record + 4, positiveMultiplier, true);
      view.setUint16(record + 6, negativeMultiplier, true);
      view.setUint32(record + 8, shift, true);
      rows[f]!.forEach((value, i) => {
        view.setInt32(at.accumulators + 4 * (f * pixels + i), value - bias, true);
      });
    });
    const expected = (image: DataView): void => {
      filters.forEach((channel, f) => {
        rows[f]!.forEach((value, i) => {
          const address = at.out + (f * pixels + i) * output.bytes;
          writeElement(image, address, requantiseOne(value, channel, output), output.bytes);
        });
      });
    };
    const run = () =>
      kernels().requantise(
        ...([at.accumulators, filters.length, pixels, at.parameters] as const),
        ...outputArguments(output, at.out),
      );
    expectMemory(run, expected);
  }

  const multiplier = fc.oneof(fc.integer({ min: 0, max: 65535 }), fc.constantFrom(0, 1, 32768, 65535));
  const filter = fc.record({
    bias: fc.integer({ min: -(2 ** 20), max: 2 ** 20 }),
    positiveMultiplier: multiplier,
    negativeMultiplier: multiplier,
    shift: fc.integer({ min: 0, max: 47 }),
  });

  it('rounds exactly, adds the zero point and clamps', () => {
    const cases = fc.integer({ min: 1, max: 40 }).chain((pixels) => {
      const near = fc.integer({ min: -70000, max: 70000 });
      const any = fc.integer({ min: -(2 ** 31) + 2 ** 20, max: 2 ** 31 - 1 - 2 ** 20 });
      const row = fc.array(fc.oneof(near, any), { minLength: pixels, maxLength: pixels });
      return fc.tuple(fc.array(fc.tuple(filter, row), { minLength: 1, maxLength: 5 }), output);
    });
    const property = fc.property(cases, ([records, output]) => {
      const filters = records.map(([record]) => record);
      const rows = records.map(([, row]) => row);
      check(filters, rows, output);
    });
    fc.assert(property, { seed: 21, numRuns: 800 });
  });

  it('is right at and beside every tie', () => {
    for (const rounding of roundings) {
      for (let shift = 1; shift <= 16; shift++) {
        // multiplier * value = (2 k + 1) * 2^(shift - 1) are the ties; their neighbours differ by one step.
        const row: number[] = [];
        for (let k = -130; k <= 130; k++) {
          const tie = (2 * k + 1) * 2 ** (shift - 1);
          row.push(tie - 1, tie, tie + 1);
        }
        const channel = { bias: 3, positiveMultiplier: 1, negativeMultiplier: 1, shift };
        check([channel], [row], { ...int8, rounding });
      }
    }
  });

  it('is right at the ends of the ranges', () => {
    const row = Array.from({ length: 21 }, (_, i) => (i % 2 === 0 ? 2 ** 31 - 1 : -(2 ** 31)));
    for (const rounding of roundings) {
      for (const shift of [0, 16, 38, 39, 40, 41, 47]) {
        const channel = { bias: 0, positiveMultiplier: 65535, negativeMultiplier: 65535, shift };
        check([channel], [row], { ...int8, rounding });
        check([channel], [row], { low: 0, high: 65535, zeroPoint: 32768, bytes: 2, rounding });
      }
    }
  });
});

describeKernels('requantiseWide', (kernels) => {
  function check(
    filters: readonly ChannelRequantisation[],
    rows: readonly (readonly number[])[],
    output: Output,
    accumulator: AccumulatorFormat,
  ): void {
    const pixels = rows[0]!.length;
    const sizes = { accumulators: 8 * filters.length * pixels, parameters: 20 * filters.length };
    const out = filters.length * pixels * output.bytes;
    const at = place({ ...sizes, out }, { fill: 'random', seed: 1 + pixels });
    filters.forEach(({ bias, positiveMultiplier, negativeMultiplier, shift }, f) => {
      const record = at.parameters + 20 * f;
      view.setBigInt64(record, BigInt(bias), true);
      view.setUint32(record + 8, positiveMultiplier, true);
      view.setUint32(record + 12, negativeMultiplier, true);
      view.setUint32(record + 16, shift, true);
      rows[f]!.forEach((value, i) => {
        view.setBigInt64(at.accumulators + 8 * (f * pixels + i), BigInt(value), true);
      });
    });
    const overflows = { count: 0 };
    const expected = (image: DataView): void => {
      filters.forEach((channel, f) => {
        rows[f]!.forEach((value, i) => {
          const biased = accumulate(value, channel.bias, accumulator, overflows);
          const address = at.out + (f * pixels + i) * output.bytes;
          writeElement(image, address, requantiseOne(biased, channel, output), output.bytes);
        });
      });
    };
    let counted = 0;
    const run = () => {
      counted = kernels().requantiseWide(
        ...([at.accumulators, filters.length, pixels, at.parameters] as const),
        ...outputArguments(output, at.out),
        ...([accumulator.bits, accumulator.overflow === 'wrap' ? 1 : 0] as const),
      );
    };
    expectMemory(run, expected);
    expect(counted).toBe(overflows.count);
  }

  /** Integers of `bits` bits, often near the ends or near zero. */
  function signed(bits: number): fc.Arbitrary<number> {
    const half = 2 ** (bits - 1);
    return fc.oneof(
      fc.maxSafeInteger().map((value) => (((value % half) + half) % half) - (value % 2 === 0 ? half : 0)),
      fc.constantFrom(-half, -half + 1, -1, 0, 1, half - 2, half - 1),
      fc.integer({ min: -128, max: 127 }),
    );
  }

  it('obeys the accumulator, rounds exactly and clamps', () => {
    const cases = fc
      .record({
        bits: fc.integer({ min: 8, max: 48 }),
        overflow: fc.constantFrom<AccumulatorFormat['overflow']>('saturate', 'wrap'),
        pixels: fc.integer({ min: 1, max: 30 }),
      })
      .chain(({ pixels, ...accumulator }) => {
        const most = 2 ** Math.min(32, 64 - accumulator.bits) - 1;
        const multiplier = fc.oneof(fc.integer({ min: 0, max: most }), fc.constantFrom(0, 1, most));
        const filter = fc.record({
          bias: signed(accumulator.bits),
          positiveMultiplier: multiplier,
          negativeMultiplier: multiplier,
          shift: fc.integer({ min: 0, max: 62 }),
        });
        const row = fc.array(signed(accumulator.bits), { minLength: pixels, maxLength: pixels });
        const records = fc.array(fc.tuple(filter, row), { minLength: 1, maxLength: 4 });
        return fc.record({ records, output, accumulator: fc.constant(accumulator) });
      });
    const property = fc.property(cases, ({ records, output, accumulator }) => {
      const filters = records.map(([record]) => record);
      const rows = records.map(([, row]) => row);
      check(filters, rows, output, accumulator);
    });
    fc.assert(property, { seed: 61, numRuns: 800 });
  });

  it('is right at and beside every tie', () => {
    for (const rounding of roundings) {
      for (const shift of [1, 2, 20, 39]) {
        const row: number[] = [];
        for (let k = -130; k <= 130; k++) {
          const tie = (2 * k + 1) * 2 ** (shift - 1);
          row.push(tie - 1, tie, tie + 1);
        }
        const channel = { bias: 0, positiveMultiplier: 1, negativeMultiplier: 1, shift };
        check([channel], [row], { ...int8, rounding }, { bits: 48, overflow: 'wrap' });
      }
    }
  });
});
