/**
 * @fileoverview Every kernel against naive loops, on random shapes. Each case lays its operands out in random
 * order, unaligned, packed against the end of the memory, and compares the whole memory afterwards: a kernel
 * may write its output and its workspace and nothing else, and may not read beyond the memory.
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type ConvolutionShape,
  createMemory,
  FIRST_FREE_ADDRESS,
  type Kernels,
  loadKernels,
  MAXIMUM_MEMORY_BYTES,
  scratchBytes,
} from './kernels.ts';

const MEMORY_BYTES = 1 << 21;
const memory = createMemory(MEMORY_BYTES);
const bytes = new Int8Array(memory.buffer);
const view = new DataView(memory.buffer);
let kernels: Kernels;

beforeAll(async () => {
  kernels = await loadKernels(memory);
});

/** Random operand contents: 'random' bytes, or one of the extremes everywhere. */
type Fill = 'random' | 'lowest' | 'highest';

interface Layout {
  readonly fill: Fill;
  /** Seeds contents, order and alignment of the operands. */
  readonly seed: number;
}

const layout: fc.Arbitrary<Layout> = fc.record({
  fill: fc.constantFrom<Fill>('random', 'random', 'lowest', 'highest'),
  seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
});

/** xorshift32: uniform unsigned 32-bit integers. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/**
 * Places regions of the given sizes (bytes) downwards from the end of the memory, in random order with gaps of
 * 0..3 bytes, and fills everything above FIRST_FREE_ADDRESS. Returns the addresses by name.
 */
function place<Name extends string>(
  sizes: Record<Name, number>,
  { fill, seed }: Layout,
): Record<Name, number> {
  const next = generator(seed);
  const names = Object.keys(sizes) as Name[];
  const order = names.map((name) => ({ name, key: next() })).sort((a, b) => a.key - b.key);
  const addresses = {} as Record<Name, number>;
  let end = MEMORY_BYTES;
  for (const { name } of order) {
    end -= sizes[name];
    addresses[name] = end;
    end -= next() % 4;
  }
  expect(end).toBeGreaterThanOrEqual(FIRST_FREE_ADDRESS);
  if (fill === 'random') {
    for (let address = end & ~3; address < MEMORY_BYTES; address += 4) view.setUint32(address, next(), true);
  } else {
    bytes.fill(fill === 'lowest' ? -128 : 127, end);
  }
  return addresses;
}

/** Runs a kernel and expects the memory to change to what `expected` makes of it, but for [free, free + size). */
function expectMemory(run: () => void, expected: (image: DataView) => void, free = 0, size = 0): void {
  const image = bytes.slice();
  expected(new DataView(image.buffer));
  run();
  image.set(bytes.subarray(free, free + size), free);
  if (Buffer.compare(new Uint8Array(image.buffer), new Uint8Array(bytes.buffer)) !== 0) {
    const at = image.findIndex((value, index) => value !== bytes[index]);
    expect.fail(`byte ${at} is ${bytes[at]}, not ${image[at]}`);
  }
}

/** The integer nearest to numerator / denominator, ties to even; denominator > 0. */
function divideHalfEven(numerator: bigint, denominator: bigint): bigint {
  let quotient = numerator / denominator;
  if (quotient * denominator > numerator) quotient -= 1n;
  const twice = 2n * (numerator - quotient * denominator);
  const up = twice > denominator || (twice === denominator && (quotient & 1n) === 1n);
  return up ? quotient + 1n : quotient;
}

describe('memory', () => {
  it('is made in whole pages and bounded', () => {
    expect(createMemory(1).buffer.byteLength).toBe(65536);
    expect(createMemory(65537).buffer.byteLength).toBe(131072);
    for (const size of [-1, 0.5, Number.NaN, MAXIMUM_MEMORY_BYTES + 1]) {
      expect(() => createMemory(size)).toThrow(RangeError);
    }
  });

  it('may have any size', async () => {
    await expect(loadKernels(createMemory(0))).resolves.toBeDefined();
    await expect(loadKernels(createMemory(1 << 24))).resolves.toBeDefined();
  });

  it('rejects a workspace that cannot be had', () => {
    const one = { kernelRows: 1, kernelColumns: 1, strideRows: 1, strideColumns: 1 };
    const shape = { ...one, dilationRows: 1, dilationColumns: 1, outRows: 65536, outColumns: 65536 };
    expect(() => scratchBytes({ ...shape, channels: 64, filters: 16 })).toThrow(RangeError);
  });
});

describe('convolve', () => {
  interface Case extends ConvolutionShape, Layout {
    readonly rows: number;
    readonly columns: number;
    readonly padTop: number;
    readonly padLeft: number;
    readonly extraPitch: number;
    readonly accumulate: number;
  }

  function check(test: Case): void {
    const { rows, columns, channels, padTop, padLeft, kernelRows, kernelColumns, filters } = test;
    const { strideRows, strideColumns, dilationRows, dilationColumns, outRows, outColumns, accumulate } =
      test;
    const rowPitch = columns + test.extraPitch;
    const planePitch = rows * rowPitch + test.extraPitch;
    const pixels = outRows * outColumns;
    const scratch = scratchBytes(test);
    const at = place(
      {
        // The pitches leave nothing behind the last row of the last plane.
        features: (channels - 1) * planePitch + (rows - 1) * rowPitch + columns,
        weights: channels * kernelRows * kernelColumns * filters,
        accumulators: 4 * filters * pixels,
        scratch,
      },
      test,
    );
    const expected = (image: DataView): void => {
      for (let f = 0; f < filters; f++) {
        for (let oy = 0; oy < outRows; oy++) {
          for (let ox = 0; ox < outColumns; ox++) {
            const address = at.accumulators + 4 * (f * pixels + oy * outColumns + ox);
            let sum = accumulate ? image.getInt32(address, true) : 0;
            for (let ky = 0; ky < kernelRows; ky++) {
              const y = oy * strideRows + ky * dilationRows - padTop;
              if (y < 0 || y >= rows) continue;
              for (let kx = 0; kx < kernelColumns; kx++) {
                const x = ox * strideColumns + kx * dilationColumns - padLeft;
                if (x < 0 || x >= columns) continue;
                const input = at.features + y * rowPitch + x;
                const weight = at.weights + (ky * kernelColumns + kx) * filters + f;
                for (let c = 0; c < channels; c++) {
                  sum +=
                    bytes[input + c * planePitch]! *
                    bytes[weight + c * kernelRows * kernelColumns * filters]!;
                }
              }
            }
            image.setInt32(address, sum, true);
          }
        }
      }
    };
    const run = (): void =>
      kernels.convolve(
        ...([at.features, rowPitch, planePitch, rows, columns, channels, padTop, padLeft] as const),
        ...([kernelRows, kernelColumns, strideRows, strideColumns, dilationRows, dilationColumns] as const),
        ...([outRows, outColumns, filters, at.weights, at.accumulators, accumulate, at.scratch] as const),
      );
    expectMemory(run, expected, at.scratch, scratch);
  }

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
    return fc.tuple(input, layout).map(([tile, place]) => ({ ...shape, ...tile, ...place }));
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
    fc.assert(fc.property(cases, check), { seed: 11, numRuns: 300 });
  });

  it('equals the plain sum for one channel and few filters', () => {
    const cases = shapes(fc.constant(1), fc.integer({ min: 1, max: 4 }));
    fc.assert(fc.property(cases, check), { seed: 12, numRuns: 300 });
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
      })
      .map(({ layout, spareRows, ...shape }) => ({
        ...{ ...shape, kernelRows: 1, kernelColumns: 1, strideRows: 1, strideColumns: 1, extraPitch: 0 },
        ...{ dilationRows: 1, dilationColumns: 1, padTop: 0, padLeft: 0, accumulate: 0, ...layout },
        ...{ rows: Math.max(1, shape.outRows + spareRows), columns: shape.outColumns },
      }));
    fc.assert(fc.property(cases, check), { seed: 13, numRuns: 150 });
  });

  it('equals the plain sum for the shapes of a large network', () => {
    const same = { strideRows: 1, strideColumns: 1, dilationRows: 1, dilationColumns: 1, extraPitch: 0 };
    const three = { ...same, kernelRows: 3, kernelColumns: 3, padTop: 1, padLeft: 1, seed: 5 };
    const one = { ...same, kernelRows: 1, kernelColumns: 1, padTop: 0, padLeft: 0, seed: 6 };
    const map = { outRows: 13, outColumns: 13, rows: 13, columns: 13 };
    check({ ...three, ...map, channels: 128, filters: 16, accumulate: 1, fill: 'lowest' });
    check({ ...one, ...map, channels: 1024, filters: 9, accumulate: 1, fill: 'random' });
    const stem = { outRows: 4, outColumns: 416, rows: 6, columns: 416 };
    check({ ...three, ...stem, channels: 3, filters: 16, accumulate: 0, fill: 'random' });
  });

  it('yields zeros if the tile misses the input', () => {
    const shape = {
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

describe('requantise', () => {
  interface Filter {
    readonly bias: number;
    readonly positive: number;
    readonly negative: number;
    readonly shift: number;
  }

  function check(
    filters: readonly Filter[],
    rows: readonly (readonly number[])[],
    low: number,
    high: number,
  ) {
    const pixels = rows[0]!.length;
    const sizes = { accumulators: 4 * filters.length * pixels, parameters: 12 * filters.length };
    const at = place({ ...sizes, out: filters.length * pixels }, { fill: 'random', seed: 1 + pixels });
    filters.forEach(({ bias, positive, negative, shift }, f) => {
      const record = at.parameters + 12 * f;
      view.setInt32(record, bias, true);
      view.setUint16(record + 4, positive, true);
      view.setUint16(record + 6, negative, true);
      view.setUint32(record + 8, shift, true);
      // The bias comes off again, such that the listed values are what is scaled.
      rows[f]!.forEach((value, i) => {
        view.setInt32(at.accumulators + 4 * (f * pixels + i), value - bias, true);
      });
    });
    const expected = (image: DataView): void => {
      filters.forEach(({ positive, negative, shift }, f) => {
        rows[f]!.forEach((value, i) => {
          const product = BigInt(value) * BigInt(value >= 0 ? positive : negative);
          const y = Number(divideHalfEven(product, 1n << BigInt(shift)));
          image.setInt8(at.out + f * pixels + i, Math.min(Math.max(y, low), high));
        });
      });
    };
    expectMemory(
      () => kernels.requantise(at.accumulators, filters.length, pixels, at.parameters, low, high, at.out),
      expected,
    );
  }

  const multiplier = fc.oneof(fc.integer({ min: 0, max: 65535 }), fc.constantFrom(0, 1, 32768, 65535));
  const filter = fc.record({
    bias: fc.integer({ min: -(2 ** 20), max: 2 ** 20 }),
    positive: multiplier,
    negative: multiplier,
    shift: fc.integer({ min: 0, max: 47 }),
  });
  const bounds = fc
    .tuple(fc.integer({ min: -128, max: 127 }), fc.integer({ min: -128, max: 127 }))
    .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);

  it('rounds exactly, ties to even, and clamps', () => {
    const cases = fc.integer({ min: 1, max: 40 }).chain((pixels) => {
      const near = fc.integer({ min: -70000, max: 70000 });
      const any = fc.integer({ min: -(2 ** 31) + 2 ** 20, max: 2 ** 31 - 1 - 2 ** 20 });
      const row = fc.array(fc.oneof(near, any), { minLength: pixels, maxLength: pixels });
      return fc.tuple(fc.array(fc.tuple(filter, row), { minLength: 1, maxLength: 5 }), bounds);
    });
    const property = fc.property(cases, ([records, [low, high]]) => {
      const filters = records.map(([record]) => record);
      const rows = records.map(([, row]) => row);
      check(filters, rows, low, high);
    });
    fc.assert(property, { seed: 21, numRuns: 500 });
  });

  it('is right at and beside every tie', () => {
    for (let shift = 1; shift <= 16; shift++) {
      // multiplier * value = (2 k + 1) * 2^(shift - 1) are the ties; their neighbours differ by one step.
      const row: number[] = [];
      for (let k = -130; k <= 130; k++) {
        const tie = (2 * k + 1) * 2 ** (shift - 1);
        row.push(tie - 1, tie, tie + 1);
      }
      check([{ bias: 3, positive: 1, negative: 1, shift }], [row], -128, 127);
    }
  });

  it('is right at the ends of the ranges', () => {
    const row = Array.from({ length: 21 }, (_, i) => (i % 2 === 0 ? 2 ** 31 - 1 : -(2 ** 31)));
    for (const shift of [0, 16, 38, 39, 40, 41, 47]) {
      check([{ bias: 0, positive: 65535, negative: 65535, shift }], [row], -128, 127);
    }
  });
});

describe('crossChannelMaximum', () => {
  it('equals the plain maximum', () => {
    const size = (max: number) => fc.integer({ min: 1, max });
    const property = fc.property(size(5), size(4), size(70), layout, (groups, ratio, pixels, layout) => {
      const at = place({ input: groups * ratio * pixels, out: groups * pixels }, layout);
      expectMemory(
        () => kernels.crossChannelMaximum(at.input, groups, ratio, pixels, at.out),
        (image) => {
          for (let i = 0; i < groups * pixels; i++) {
            const first = at.input + Math.floor(i / pixels) * ratio * pixels + (i % pixels);
            const values = Array.from({ length: ratio }, (_, map) => bytes[first + map * pixels]!);
            image.setInt8(at.out + i, Math.max(...values));
          }
        },
      );
    });
    fc.assert(property, { seed: 31, numRuns: 300 });
  });
});

describe('pooling', () => {
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
    layout,
  });
  type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

  /** The values of a window that lie inside. */
  function windowOf(v: Axis, h: Axis, plane: number, oy: number, ox: number): number[] {
    const values: number[] = [];
    for (let ky = 0; ky < v.window; ky++) {
      for (let kx = 0; kx < h.window; kx++) {
        const y = oy * v.stride + ky - v.pad;
        const x = ox * h.stride + kx - h.pad;
        if (y >= 0 && y < v.size && x >= 0 && x < h.size) values.push(bytes[plane + y * h.size + x]!);
      }
    }
    return values;
  }

  function check(test: Case, average: boolean): void {
    const { channels, vertical: v, horizontal: h, extraPitch, countIncludesPadding } = test;
    const inPitch = v.size * h.size + extraPitch;
    const outPitch = v.out * h.out + extraPitch;
    const sizes = { input: channels * inPitch - extraPitch, out: channels * outPitch - extraPitch };
    const at = place(sizes, test.layout);
    const common = [
      ...([at.input, channels, v.size, h.size, inPitch, v.window, h.window, v.stride, h.stride] as const),
      ...([v.pad, h.pad, v.out, h.out, at.out, outPitch] as const),
    ] as const;
    const run = () =>
      average ? kernels.averagePool(...common, countIncludesPadding) : kernels.maximumPool(...common);
    expectMemory(run, (image) => {
      for (let c = 0; c < channels; c++) {
        for (let i = 0; i < v.out * h.out; i++) {
          const values = windowOf(v, h, at.input + c * inPitch, Math.floor(i / h.out), i % h.out);
          const sum = values.reduce((a, b) => a + b, 0);
          const count = countIncludesPadding ? v.window * h.window : values.length;
          const y = average ? Number(divideHalfEven(BigInt(sum), BigInt(count))) : Math.max(...values);
          image.setInt8(at.out + c * outPitch + i, y);
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

  it('takes the average, ties to even', () => {
    fc.assert(
      fc.property(cases, (test) => check(test, true)),
      { seed: 42, numRuns: 500 },
    );
  });
});

describe('copy and widen', () => {
  const count = fc.integer({ min: 1, max: 100 });

  it('copies, overlapping or not', () => {
    const property = fc.property(
      count,
      fc.integer({ min: -20, max: 20 }),
      layout,
      (count, distance, layout) => {
        const { region } = place({ region: count + 40 }, layout);
        const source = region + 20;
        const content = bytes.slice(source, source + count);
        expectMemory(
          () => kernels.copy(source + distance, source, count),
          (image) => new Int8Array(image.buffer).set(content, source + distance),
        );
      },
    );
    fc.assert(property, { seed: 51 });
  });

  it('sign-extends', () => {
    const property = fc.property(count, layout, (count, layout) => {
      const at = place({ input: count, accumulators: 4 * count }, layout);
      expectMemory(
        () => kernels.widen(at.input, count, at.accumulators),
        (image) => {
          for (let i = 0; i < count; i++) {
            image.setInt32(at.accumulators + 4 * i, bytes[at.input + i]!, true);
          }
        },
      );
    });
    fc.assert(property, { seed: 52 });
  });
});
