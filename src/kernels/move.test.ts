/** @fileoverview Copies, widening, look-ups and gathers against plain loops. */
import fc from 'fast-check';
import { it } from 'vitest';
import {
  bytes,
  describeKernels,
  elementOf,
  expectMemory,
  format,
  formats,
  layout,
  place,
  readElement,
  view,
  writeElement,
} from './kernels.test-helper.ts';

const count = fc.integer({ min: 1, max: 100 });

describeKernels('copy', (kernels) => {
  it('copies, overlapping or not', () => {
    const distance = fc.integer({ min: -20, max: 20 });
    const property = fc.property(count, distance, layout, (count, distance, layout) => {
      const { region } = place({ region: count + 40 }, layout);
      const source = region + 20;
      const content = bytes.slice(source, source + count);
      expectMemory(
        () => kernels().copy(source + distance, source, count),
        (image) => new Int8Array(image.buffer).set(content, source + distance),
      );
    });
    fc.assert(property, { seed: 51 });
  });
});

describeKernels('widen', (kernels) => {
  const cases = format.chain((element) =>
    fc.record({
      ...{ count, layout, element: fc.constant(element), zeroPoint: elementOf(element) },
      multiplier: fc.integer({ min: -32768, max: 65535 }),
      accumulate: fc.integer({ min: 0, max: 1 }),
    }),
  );

  it('scales and adds in int32', () => {
    const property = fc.property(cases, ({ count, layout, element, zeroPoint, multiplier, accumulate }) => {
      const at = place({ input: count * element.bytes, accumulators: 4 * count }, layout);
      expectMemory(
        () =>
          kernels().widen(
            ...([at.input, count, element.bytes, element.unsigned, zeroPoint, multiplier] as const),
            ...([at.accumulators, accumulate] as const),
          ),
        (image) => {
          for (let i = 0; i < count; i++) {
            const address = at.accumulators + 4 * i;
            const value = multiplier * (readElement(view, at.input + i * element.bytes, element) - zeroPoint);
            image.setInt32(address, value + (accumulate ? image.getInt32(address, true) : 0), true);
          }
        },
      );
    });
    fc.assert(property, { seed: 52, numRuns: 300 });
  });

  it('scales and adds in int64', () => {
    const property = fc.property(cases, ({ count, layout, element, zeroPoint, multiplier, accumulate }) => {
      const at = place({ input: count * element.bytes, accumulators: 8 * count }, layout);
      expectMemory(
        () =>
          kernels().widenWide(
            ...([at.input, count, element.bytes, element.unsigned, zeroPoint, multiplier] as const),
            ...([at.accumulators, accumulate] as const),
          ),
        (image) => {
          for (let i = 0; i < count; i++) {
            const address = at.accumulators + 8 * i;
            const value = multiplier * (readElement(view, at.input + i * element.bytes, element) - zeroPoint);
            const before = accumulate ? image.getBigInt64(address, true) : 0n;
            image.setBigInt64(address, BigInt(value) + before, true);
          }
        },
      );
    });
    fc.assert(property, { seed: 53, numRuns: 300 });
  });
});

describeKernels('lookup', (kernels) => {
  it('replaces every value by its entry', () => {
    const cases = fc.record({ count, layout, element: format, outBytes: fc.constantFrom(1, 2) });
    const property = fc.property(cases, ({ count, layout, element, outBytes }) => {
      const { bytes, unsigned } = element;
      const table = 2 ** (8 * bytes) * outBytes;
      const at = place({ input: count * bytes, table, out: count * outBytes }, layout);
      const low = unsigned ? 0 : -(2 ** (8 * bytes - 1));
      const entry = { bytes: outBytes as 1 | 2, unsigned: 0 } as const;
      expectMemory(
        () => kernels().lookup(at.input, count, bytes, unsigned, low, at.table, outBytes, at.out),
        (image) => {
          for (let i = 0; i < count; i++) {
            const index = readElement(view, at.input + i * bytes, element) - low;
            const value = readElement(view, at.table + index * outBytes, entry);
            writeElement(image, at.out + i * outBytes, value, outBytes);
          }
        },
      );
    });
    fc.assert(property, { seed: 71, numRuns: 100 });
  });
});

describeKernels('gather', (kernels) => {
  const factor = fc.constantFrom(1, 1, 2, 3);
  const cases = fc.record({
    planes: fc.integer({ min: 1, max: 3 }),
    outRows: fc.integer({ min: 1, max: 9 }),
    outColumns: fc.integer({ min: 1, max: 40 }),
    ...{ strideRows: factor, strideColumns: factor, upsampleRows: factor, upsampleColumns: factor },
    offsetRows: fc.integer({ min: 0, max: 3 }),
    offsetColumns: fc.integer({ min: 0, max: 3 }),
    extraPitch: fc.constantFrom(0, 5),
    element: fc.constantFrom(...formats.filter(({ unsigned }) => unsigned === 1)),
    layout,
  });

  it('moves every position where it belongs', () => {
    const property = fc.property(cases, (test) => {
      const { planes, outRows, outColumns, offsetRows, offsetColumns, extraPitch, element } = test;
      const rowOf = (y: number) => Math.floor((y * test.strideRows) / test.upsampleRows) + offsetRows;
      const columnOf = (x: number) =>
        Math.floor((x * test.strideColumns) / test.upsampleColumns) + offsetColumns;
      const rowPitch = (columnOf(outColumns - 1) + 1) * element.bytes + extraPitch;
      const planePitch = (rowOf(outRows - 1) + 1) * rowPitch + extraPitch;
      const sizes = {
        features: planes * planePitch - 2 * extraPitch,
        out: planes * outRows * outColumns * element.bytes,
      };
      const at = place(sizes, test.layout);
      expectMemory(
        () =>
          kernels().gather(
            ...([at.features, rowPitch, planePitch, planes, outRows, outColumns] as const),
            ...([test.strideRows, test.strideColumns, test.upsampleRows, test.upsampleColumns] as const),
            ...([offsetRows, offsetColumns, element.bytes, at.out] as const),
          ),
        (image) => {
          let to = at.out;
          for (let p = 0; p < planes; p++) {
            for (let y = 0; y < outRows; y++) {
              for (let x = 0; x < outColumns; x++, to += element.bytes) {
                const from = at.features + p * planePitch + rowOf(y) * rowPitch + columnOf(x) * element.bytes;
                writeElement(image, to, readElement(view, from, element), element.bytes);
              }
            }
          }
        },
      );
    });
    fc.assert(property, { seed: 72, numRuns: 300 });
  });
});
