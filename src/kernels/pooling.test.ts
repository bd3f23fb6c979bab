/** @fileoverview Spatial and cross-channel reductions against plain loops. */
import fc from 'fast-check';
import { it } from 'vitest';
import { divideRound, roundings } from '../core/fixed-point.ts';
import {
  describeKernels,
  expectMemory,
  format,
  layout,
  place,
  readElement,
  view,
  writeElement,
} from './kernels.test-helper.ts';
import { type ElementFormat, roundingNumbers } from './kernels.ts';

describeKernels('cross-channel reductions', (kernels) => {
  const size = (max: number) => fc.integer({ min: 1, max });
  const cases = fc.record({
    ...{ groups: size(5), ratio: size(4), pixels: size(70), element: format, layout },
    rounding: fc.constantFrom(...roundings),
  });

  function check(test: typeof cases extends fc.Arbitrary<infer T> ? T : never, isMean: boolean): void {
    const { groups, ratio, pixels, element, rounding } = test;
    const sizes = { input: groups * ratio * pixels * element.bytes, out: groups * pixels * element.bytes };
    const at = place(sizes, test.layout);
    const common = [at.input, groups, ratio, pixels, at.out, element.bytes, element.unsigned] as const;
    const run = () =>
      isMean
        ? kernels().crossChannelMean(...common, roundingNumbers[rounding])
        : kernels().crossChannelMaximum(...common);
    expectMemory(run, (image) => {
      for (let i = 0; i < groups * pixels; i++) {
        const first = Math.floor(i / pixels) * ratio * pixels + (i % pixels);
        const values = Array.from({ length: ratio }, (_, map) =>
          readElement(view, at.input + (first + map * pixels) * element.bytes, element),
        );
        const sum = values.reduce((a, b) => a + b);
        const y = isMean ? divideRound(sum, ratio, rounding) : Math.max(...values);
        writeElement(image, at.out + i * element.bytes, y, element.bytes);
      }
    });
  }

  it('take the maximum', () => {
    fc.assert(
      fc.property(cases, (test) => check(test, false)),
      { seed: 31, numRuns: 300 },
    );
  });

  it('take the mean', () => {
    fc.assert(
      fc.property(cases, (test) => check(test, true)),
      { seed: 32, numRuns: 300 },
    );
  });
});

describeKernels('pooling', (kernels) => {
  interface Axis {
    readonly size: number;
    readonly window: number;
    readonly stride: number;
    readonly pad: number;
    readonly out: number;
  }

  /** Sizes along one axis such that every window holds a position inside. */
  function axis(longest: number): fc.Arbitrary<Axis> {
    return fc
      .record({
        size: fc.integer({ min: 1, max: longest }),
        window: fc.integer({ min: 1, max: 5 }),
        stride: fc.integer({ min: 1, max: 3 }),
        start: fc.integer({ min: -2, max: 4 }),
      })
      .chain(({ size, window, stride, start }) => {
        const pad = Math.max(Math.min(start, window - 1), -(size - 1));
        const most = Math.floor((size - 1 + pad) / stride) + 1;
        return fc
          .integer({ min: Math.max(1, most - 3), max: most })
          .map((out) => ({ size, window, stride, pad, out }));
      });
  }

  const cases = fc.record({
    channels: fc.integer({ min: 1, max: 4 }),
    vertical: axis(9),
    horizontal: axis(90),
    extraPitch: fc.constantFrom(0, 3),
    countIncludesPadding: fc.integer({ min: 0, max: 1 }),
    element: format,
    zeroPoint: fc.integer({ min: -128, max: 127 }),
    rounding: fc.constantFrom(...roundings),
    layout,
  });
  type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

  /** The values of a window that lie inside. */
  function windowOf(
    element: ElementFormat,
    v: Axis,
    h: Axis,
    plane: number,
    oy: number,
    ox: number,
  ): number[] {
    const values: number[] = [];
    for (let ky = 0; ky < v.window; ky++) {
      for (let kx = 0; kx < h.window; kx++) {
        const y = oy * v.stride + ky - v.pad;
        const x = ox * h.stride + kx - h.pad;
        if (y < 0 || y >= v.size || x < 0 || x >= h.size) continue;
        values.push(readElement(view, plane + (y * h.size + x) * element.bytes, element));
      }
    }
    return values;
  }

  function check(test: Case, average: boolean): void {
    const { channels, vertical: v, horizontal: h, extraPitch, countIncludesPadding, element } = test;
    const inPitch = v.size * h.size * element.bytes + extraPitch;
    const outPitch = v.out * h.out * element.bytes + extraPitch;
    const sizes = { input: channels * inPitch - extraPitch, out: channels * outPitch - extraPitch };
    const at = place(sizes, test.layout);
    const common = [
      ...([at.input, channels, v.size, h.size, inPitch, v.window, h.window, v.stride, h.stride] as const),
      ...([v.pad, h.pad, v.out, h.out, at.out, outPitch] as const),
    ] as const;
    const zeroPoint = element.unsigned ? test.zeroPoint + 128 : test.zeroPoint;
    const run = () => {
      if (!average) return kernels().maximumPool(...common, element.bytes, element.unsigned);
      return kernels().averagePool(
        ...common,
        ...([countIncludesPadding, element.bytes, element.unsigned, zeroPoint] as const),
        roundingNumbers[test.rounding],
      );
    };
    expectMemory(run, (image) => {
      for (let c = 0; c < channels; c++) {
        for (let i = 0; i < v.out * h.out; i++) {
          const plane = at.input + c * inPitch;
          const values = windowOf(element, v, h, plane, Math.floor(i / h.out), i % h.out);
          const all = v.window * h.window;
          const padding = countIncludesPadding ? zeroPoint * (all - values.length) : 0;
          const sum = values.reduce((a, b) => a + b, padding);
          const count = countIncludesPadding ? all : values.length;
          const y = average ? divideRound(sum, count, test.rounding) : Math.max(...values);
          writeElement(image, at.out + c * outPitch + i * element.bytes, y, element.bytes);
        }
      }
    });
  }

  it('takes the maximum', () => {
    fc.assert(
      fc.property(cases, (test) => check(test, false)),
      { seed: 41, numRuns: 500 },
    );
  });

  it('takes the average', () => {
    fc.assert(
      fc.property(cases, (test) => check(test, true)),
      { seed: 42, numRuns: 500 },
    );
  });
});
