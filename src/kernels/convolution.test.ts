/** @fileoverview The convolutions against the plain sum, on random shapes. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type AccumulatorFormat, accumulate as addTo } from '../core/fixed-point.ts';
import {
  describeKernels,
  elementOf,
  expectMemory,
  formats,
  type Layout,
  layout,
  place,
  readElement,
  view,
} from './kernels.test-helper.ts';
import { type ConvolutionShape, type ElementFormat, packedWeightBytes, scratchBytes } from './kernels.ts';

describeKernels('convolution', (kernels) => {
  interface Numbers {
    readonly kernel: 'convolve' | 'convolve16' | 'convolvePacked' | 'convolveExact';
    readonly element: ElementFormat;
    readonly zeroPoint: number;
    readonly weightBytes: 1 | 2;
    readonly accumulator: AccumulatorFormat;
  }

  interface Case extends ConvolutionShape, Layout, Numbers {
    readonly rows: number;
    readonly columns: number;
    readonly padTop: number;
    readonly padLeft: number;
    readonly extraPitch: number;
    readonly accumulate: number;
  }

  function check(test: Case): void {
    const { rows, columns, channels, padTop, padLeft, kernelRows, kernelColumns, filters, element } = test;
    const { strideRows, strideColumns, dilationRows, dilationColumns, outRows, outColumns, accumulate } =
      test;
    const { zeroPoint, weightBytes, accumulator } = test;
    const rowPitch = columns * element.bytes + test.extraPitch;
    const planePitch = rows * rowPitch + test.extraPitch;
    const pixels = outRows * outColumns;
    const scratch = scratchBytes(test);
    const packed = packedWeightBytes(test);
    const at = place(
      {
        // The pitches leave nothing behind the last row of the last plane.
        features: (channels - 1) * planePitch + (rows - 1) * rowPitch + columns * element.bytes,
        weights: channels * kernelRows * kernelColumns * filters * weightBytes,
        accumulators: (test.kernel === 'convolveExact' ? 8 : 4) * filters * pixels,
        scratch,
        packed,
      },
      test,
    );
    const weightFormat = { bytes: weightBytes, unsigned: 0 } as const;
    const exact = test.kernel === 'convolveExact';
    if (exact) {
      // What is added to has to fit the accumulator.
      const limit = 2 ** (accumulator.bits - 1);
      for (let i = 0; i < filters * pixels; i++) {
        const value = Math.floor(((i * 0.37) % 2) * limit) - limit;
        view.setBigInt64(at.accumulators + 8 * i, BigInt(value), true);
      }
    }
    const overflows = { count: 0 };
    const expected = (image: DataView): void => {
      for (let f = 0; f < filters; f++) {
        for (let oy = 0; oy < outRows; oy++) {
          for (let ox = 0; ox < outColumns; ox++) {
            const address = at.accumulators + (exact ? 8 : 4) * (f * pixels + oy * outColumns + ox);
            let sum = 0;
            if (accumulate) {
              sum = exact ? Number(image.getBigInt64(address, true)) : image.getInt32(address, true);
            }
            for (let c = 0; c < channels; c++) {
              for (let ky = 0; ky < kernelRows; ky++) {
                const y = oy * strideRows + ky * dilationRows - padTop;
                if (y < 0 || y >= rows) continue;
                for (let kx = 0; kx < kernelColumns; kx++) {
                  const x = ox * strideColumns + kx * dilationColumns - padLeft;
                  if (x < 0 || x >= columns) continue;
                  const input = at.features + c * planePitch + y * rowPitch + x * element.bytes;
                  const weight = ((c * kernelRows + ky) * kernelColumns + kx) * filters + f;
                  const product =
                    (readElement(view, input, element) - zeroPoint) *
                    readElement(view, at.weights + weight * weightBytes, weightFormat);
                  sum = exact ? addTo(sum, product, accumulator, overflows) : sum + product;
                }
              }
            }
            if (exact) image.setBigInt64(address, BigInt(sum), true);
            else image.setInt32(address, sum, true);
          }
        }
      }
    };
    const geometry = (weights: number) =>
      [
        ...([at.features, rowPitch, planePitch, rows, columns, channels, padTop, padLeft] as const),
        ...([kernelRows, kernelColumns, strideRows, strideColumns, dilationRows, dilationColumns] as const),
        ...([outRows, outColumns, filters, weights, at.accumulators, accumulate] as const),
      ] as const;
    let counted = 0;
    const run = (): void => {
      switch (test.kernel) {
        case 'convolve':
          kernels().convolve(...geometry(at.weights), at.scratch, element.unsigned, zeroPoint);
          break;
        case 'convolve16':
          kernels().convolve16(...geometry(at.weights), at.scratch, weightBytes);
          break;
        case 'convolvePacked':
          kernels().packWeights(
            ...([at.weights, weightBytes, channels, kernelRows, kernelColumns] as const),
            ...([dilationColumns, filters, at.packed] as const),
          );
          kernels().convolvePacked(
            ...geometry(at.packed),
            ...([at.scratch, element.bytes, element.unsigned, zeroPoint] as const),
          );
          break;
        case 'convolveExact':
          counted = kernels().convolveExact(
            ...geometry(at.weights),
            ...([element.bytes, element.unsigned, zeroPoint, weightBytes, accumulator.bits] as const),
            accumulator.overflow === 'wrap' ? 1 : 0,
          );
      }
    };
    const scratchRegion = { address: at.scratch, size: exact ? 0 : scratch };
    const packedRegion = { address: at.packed, size: test.kernel === 'convolvePacked' ? packed : 0 };
    expectMemory(run, expected, scratchRegion, packedRegion);
    expect(counted).toBe(overflows.count);
  }

  const int8 = { bytes: 1, unsigned: 0 } as const;
  const int16 = { bytes: 2, unsigned: 0 } as const;
  const accumulator = { bits: 32, overflow: 'wrap' } as const;
  const plain = { kernel: 'convolve', element: int8, zeroPoint: 0, weightBytes: 1, accumulator } as const;

  /** A kernel and a combination of formats it takes. */
  const numbers: fc.Arbitrary<Numbers> = fc
    .constantFrom(
      ...([plain, plain, { ...plain, element: { bytes: 1, unsigned: 1 } }] as const),
      ...([1, 2] as const).map((weightBytes) => ({
        ...({ ...plain, kernel: 'convolve16', element: int16, weightBytes } as const),
      })),
      ...[int8, { bytes: 1, unsigned: 1 } as const, int16].map((element) => ({
        ...({ ...plain, kernel: 'convolvePacked', element, weightBytes: element.bytes } as const),
      })),
      { ...plain, kernel: 'convolvePacked', element: int16 } as const,
      ...formats.flatMap((element) =>
        ([1, 2] as const).map((weightBytes) => ({
          ...({ ...plain, kernel: 'convolveExact', element, weightBytes } as const),
        })),
      ),
    )
    .chain((numbers) =>
      fc.record({
        ...{ kernel: fc.constant(numbers.kernel), element: fc.constant(numbers.element) },
        zeroPoint:
          numbers.element.bytes === 2 && numbers.kernel !== 'convolveExact'
            ? fc.constant(0)
            : fc.oneof(fc.constant(0), elementOf(numbers.element)),
        weightBytes: fc.constant(numbers.weightBytes),
        accumulator: fc.record({
          bits: fc.oneof(fc.integer({ min: 8, max: 48 }), fc.integer({ min: 14, max: 24 })),
          overflow: fc.constantFrom('saturate', 'wrap'),
        }),
      }),
    );

  /** Adds a tile of input, larger or smaller than the windows need, and a layout to a convolution. */
  function withInput(shape: ConvolutionShape): fc.Arbitrary<Case> {
    const needRows = (shape.outRows - 1) * shape.strideRows + (shape.kernelRows - 1) * shape.dilationRows + 1;
    const needColumns =
      (shape.outColumns - 1) * shape.strideColumns + (shape.kernelColumns - 1) * shape.dilationColumns + 1;
    const input = fc.record({
      rows: fc.integer({ min: Math.max(1, needRows - 4), max: needRows + 2 }),
      columns: fc.integer({ min: Math.max(1, needColumns - 4), max: needColumns + 2 }),
      padTop: fc.integer({ min: -3, max: 3 }),
      padLeft: fc.integer({ min: -1, max: 3 }),
      extraPitch: fc.constantFrom(0, 0, 1, 5),
      accumulate: fc.integer({ min: 0, max: 1 }),
    });
    return fc
      .tuple(input, layout, numbers)
      .map(([tile, place, numbers]) => ({ ...shape, ...tile, ...place, ...numbers }));
  }

  function shapes(channels: fc.Arbitrary<number>, filters: fc.Arbitrary<number>): fc.Arbitrary<Case> {
    return fc
      .record({
        channels,
        filters,
        kernelRows: fc.integer({ min: 1, max: 4 }),
        kernelColumns: fc.integer({ min: 1, max: 4 }),
        strideRows: fc.integer({ min: 1, max: 3 }),
        strideColumns: fc.integer({ min: 1, max: 3 }),
        dilationRows: fc.integer({ min: 1, max: 2 }),
        dilationColumns: fc.integer({ min: 1, max: 2 }),
        outRows: fc.integer({ min: 1, max: 5 }),
        outColumns: fc.integer({ min: 1, max: 40 }),
      })
      .chain(withInput);
  }

  it('equals the plain sum', () => {
    const cases = shapes(fc.integer({ min: 1, max: 21 }), fc.integer({ min: 1, max: 40 }));
    fc.assert(fc.property(cases, check), { seed: 11, numRuns: 400 });
  });

  it('equals the plain sum for one channel and few filters', () => {
    const cases = shapes(fc.constant(1), fc.integer({ min: 1, max: 4 }));
    fc.assert(fc.property(cases, check), { seed: 12, numRuns: 400 });
  });

  it('equals the plain sum for pointwise layers over whole rows', () => {
    const cases = fc
      .record({
        channels: fc.integer({ min: 1, max: 40 }),
        filters: fc.integer({ min: 1, max: 20 }),
        outRows: fc.integer({ min: 1, max: 13 }),
        outColumns: fc.integer({ min: 1, max: 13 }),
        spareRows: fc.integer({ min: -1, max: 1 }),
        layout,
        numbers,
      })
      .map(({ layout, numbers, spareRows, ...shape }) => ({
        ...{ ...shape, kernelRows: 1, kernelColumns: 1, strideRows: 1, strideColumns: 1, extraPitch: 0 },
        ...{
          dilationRows: 1,
          dilationColumns: 1,
          padTop: 0,
          padLeft: 0,
          accumulate: 0,
          ...layout,
          ...numbers,
        },
        ...{ rows: Math.max(1, shape.outRows + spareRows), columns: shape.outColumns },
      }));
    fc.assert(fc.property(cases, check), { seed: 13, numRuns: 150 });
  });

  it('equals the plain sum for the shapes of a large network', () => {
    const same = { strideRows: 1, strideColumns: 1, dilationRows: 1, dilationColumns: 1, extraPitch: 0 };
    const three = { ...same, ...plain, kernelRows: 3, kernelColumns: 3, padTop: 1, padLeft: 1, seed: 5 };
    const one = { ...same, ...plain, kernelRows: 1, kernelColumns: 1, padTop: 0, padLeft: 0, seed: 6 };
    const map = { outRows: 13, outColumns: 13, rows: 13, columns: 13 };
    check({ ...three, ...map, channels: 128, filters: 16, accumulate: 1, fill: 'lowest' });
    check({ ...one, ...map, channels: 1024, filters: 9, accumulate: 1, fill: 'random' });
    const stem = { outRows: 4, outColumns: 416, rows: 6, columns: 416 };
    check({ ...three, ...stem, channels: 3, filters: 16, accumulate: 0, fill: 'random' });
  });

  it('yields zeros if the tile misses the input', () => {
    const shape = {
      ...plain,
      kernelRows: 3,
      kernelColumns: 3,
      strideRows: 1,
      strideColumns: 1,
      outRows: 2,
      outColumns: 9,
    };
    const input = {
      rows: 4,
      columns: 9,
      padTop: -4,
      padLeft: 1,
      extraPitch: 0,
      seed: 7,
      fill: 'random',
    } as const;
    for (const channels of [1, 5]) {
      check({ ...shape, ...input, dilationRows: 1, dilationColumns: 1, channels, filters: 2, accumulate: 0 });
    }
  });
});
