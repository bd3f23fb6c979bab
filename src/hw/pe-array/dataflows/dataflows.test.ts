import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ceilDiv, sum } from '../../../core/integers.ts';
import { dataflowNames } from '../config.ts';
import { foldScratch } from '../pe-array.ts';
import { type ArrayGeometry, type ArrayTile, planCycles } from './dataflow.ts';
import { dataflowOf, dataflows } from './index.ts';

const between = (min: number, max: number) => fc.integer({ min, max });

const arrays: fc.Arbitrary<ArrayGeometry> = fc.record({
  rows: between(1, 12),
  columns: between(1, 12),
  dataflow: fc.constantFrom(...dataflowNames),
  feed: fc.constantFrom('broadcast' as const, 'systolic' as const),
  foldOverlap: fc.boolean(),
  products: fc.constantFrom('flattened' as const, 'channels' as const),
});

const tiles: fc.Arbitrary<ArrayTile> = fc
  .record({
    extraPitch: fc.nat(9),
    extraPlane: fc.nat(9),
    ring: fc.nat(4),
    elementBytes: fc.constantFrom(1, 2),
    weightBytes: fc.constantFrom(1, 2),
    channels: between(1, 6),
    filters: between(1, 20),
    rows: between(1, 9),
    columns: between(1, 12),
    kernelRows: between(1, 3),
    kernelColumns: between(1, 3),
    strideRows: between(1, 3),
    strideColumns: between(1, 3),
    dilationRows: between(1, 2),
    dilationColumns: between(1, 2),
    padTop: between(-2, 3),
    padLeft: between(-2, 3),
    outRows: between(1, 6),
    outColumns: between(1, 10),
  })
  .map(({ extraPitch, extraPlane, ring, ...rest }) => {
    const ringRows = ring === 0 ? 0 : rest.rows + ring - 1;
    const rowPitch = (rest.columns + extraPitch) * rest.elementBytes;
    return {
      ...rest,
      rowPitch,
      planePitch: (ringRows || rest.rows) * rowPitch + extraPlane * rest.elementBytes,
      ringRows,
      ringRow: ring === 0 ? 0 : (7 * ring) % ringRows,
      repeatRows: 1,
      repeatColumns: 1,
    };
  });

const sizeOf = (tile: ArrayTile) => ({
  pixels: tile.outRows * tile.outColumns,
  channels: tile.channels,
  taps: tile.kernelRows * tile.kernelColumns,
  filters: tile.filters,
});

/** Products of every fold by the definition; a product is channel x taps + tap. */
function foldsOf({ channels, taps }: { channels: number; taps: number }, array: ArrayGeometry): number[][] {
  const cut = (products: number[]) =>
    Array.from({ length: Math.ceil(products.length / array.rows) }, (_, fold) =>
      products.slice(fold * array.rows, (fold + 1) * array.rows),
    );
  if (array.products === 'flattened') return cut(range(0, channels * taps, channels * taps));
  return range(0, taps, taps).flatMap((tap) =>
    cut(range(0, channels, channels).map((channel) => channel * taps + tap)),
  );
}

/** Address of the feature of one product for one output pixel; undefined in the padding. */
function addressOf(tile: ArrayTile, product: number, pixel: number): number | undefined {
  const taps = tile.kernelRows * tile.kernelColumns;
  const channel = Math.floor(product / taps);
  const kernelRow = Math.floor((product % taps) / tile.kernelColumns);
  const kernelColumn = product % tile.kernelColumns;
  const y =
    Math.floor(pixel / tile.outColumns) * tile.strideRows - tile.padTop + kernelRow * tile.dilationRows;
  const x =
    (pixel % tile.outColumns) * tile.strideColumns - tile.padLeft + kernelColumn * tile.dilationColumns;
  if (y < 0 || y >= tile.rows || x < 0 || x >= tile.columns) return undefined;
  const place = tile.ringRows === 0 ? y : (tile.ringRow + y) % tile.ringRows;
  return (channel * tile.planePitch + place * tile.rowPitch) / tile.elementBytes + x;
}

/** Cycles of one read, from the definition. */
function readCycles(addresses: readonly (number | undefined)[], banks: number): number {
  const byBank = Array.from({ length: banks }, () => new Set<number>());
  for (const address of addresses) if (address !== undefined) byBank[address % banks]!.add(address);
  return Math.max(1, ...byBank.map((values) => values.size));
}

const range = (first: number, count: number, end: number) =>
  Array.from({ length: Math.min(count, end - first) }, (_, index) => first + index);

/** Reads of features by the definition of each dataflow: fold by fold, cycle by cycle. */
function bruteForceReads(tile: ArrayTile, array: ArrayGeometry, banks: number): number {
  const { pixels, channels, taps, filters } = sizeOf(tile);
  const products = channels * taps;
  const { rows, columns, dataflow } = array;
  let cycles = 0;
  if (dataflow === 'output-stationary') {
    for (let pixel = 0; pixel < pixels; pixel += rows) {
      for (let product = 0; product < products; product++) {
        const read = range(pixel, rows, pixels).map((one) => addressOf(tile, product, one));
        cycles += readCycles(read, banks) * ceilDiv(filters, columns);
      }
    }
  } else if (dataflow === 'weight-stationary') {
    for (const fold of foldsOf({ channels, taps }, array)) {
      for (let pixel = 0; pixel < pixels; pixel++) {
        const read = fold.map((one) => addressOf(tile, one, pixel));
        cycles += readCycles(read, banks) * ceilDiv(filters, columns);
      }
    }
  } else {
    for (let pixel = 0; pixel < pixels; pixel += columns) {
      for (let product = 0; product < products; product++) {
        const read = range(pixel, columns, pixels).map((one) => addressOf(tile, product, one));
        cycles += readCycles(read, banks);
      }
    }
  }
  return cycles;
}

describe('every dataflow', () => {
  it('is listed once, under its name', () => {
    expect(dataflows.map(({ name }) => name)).toEqual([...dataflowNames]);
  });

  it('reads features as its definition says, conflicts included', () => {
    fc.assert(
      fc.property(tiles, arrays, fc.nat(8), (tile, array, more) => {
        const flow = dataflowOf(array);
        const banks = Math.max(array.rows, array.columns) + more;
        const { traffic } = flow.plan(tile, array, banks, foldScratch(banks, banks));
        expect(traffic.feature.reads).toBe(bruteForceReads(tile, array, banks));
      }),
      { seed: 3, numRuns: 1500 },
    );
  });

  it('takes the cycles of its closed form where nothing conflicts, and more where something does', () => {
    fc.assert(
      fc.property(tiles, arrays, (tile, array) => {
        const flow = dataflowOf(array);
        const side = Math.max(array.rows, array.columns);
        const plan = flow.plan(tile, array, Number.POSITIVE_INFINITY, foldScratch(side, side));
        expect(planCycles(plan)).toBe(flow.closedForm(sizeOf(tile), array));
        expect(sum(plan.batches.map(({ bank }) => bank))).toBe(0);
        const narrow = flow.plan(tile, array, side, foldScratch(side, side));
        expect(planCycles(narrow)).toBeGreaterThanOrEqual(planCycles(plan));
      }),
      { seed: 4, numRuns: 1500 },
    );
  });

  it("takes SCALE-Sim's cycles if folds do not overlap and operands come from neighbours", () => {
    fc.assert(
      fc.property(
        between(1, 200),
        between(1, 200),
        between(1, 200),
        between(1, 20),
        between(1, 20),
        (pixels, products, filters, rows, columns) => {
          const fold = { foldOverlap: false, products: 'flattened' } as const;
          const systolic = { rows, columns, feed: 'systolic', ...fold } as const;
          const size = { pixels, channels: products, taps: 1, filters };
          const cycles = (dataflow: ArrayGeometry['dataflow']) =>
            dataflowOf({ dataflow }).closedForm(size, { ...systolic, dataflow });
          const folds = (a: number, b: number) => Math.ceil(a / rows) * Math.ceil(b / columns);
          expect(cycles('output-stationary')).toBe(folds(pixels, filters) * (products + rows + columns - 2));
          expect(cycles('weight-stationary')).toBe(
            folds(products, filters) * (pixels + 2 * rows + columns - 2),
          );
          expect(cycles('input-stationary')).toBe(
            folds(products, pixels) * (filters + 2 * rows + columns - 2),
          );
        },
      ),
      { seed: 5 },
    );
  });

  it('multiplies everything once and hands over every sum once', () => {
    fc.assert(
      fc.property(tiles, arrays, (tile, array) => {
        const flow = dataflowOf(array);
        const side = Math.max(array.rows, array.columns);
        const { batches, traffic } = flow.plan(tile, array, side, foldScratch(side, side));
        const { pixels, channels, taps, filters } = sizeOf(tile);
        const handed = sum(batches.map((batch) => batch.folds * batch.filters));
        expect(handed).toBe(ceilDiv(pixels, array.rows) * filters);
        // What is stationary is read once for each fold that needs it, what passes by once for each row (or column).
        const weightReads = traffic.weight.bytes / tile.weightBytes;
        const { rows, columns } = array;
        const times = {
          'output-stationary': ceilDiv(pixels, rows),
          'weight-stationary': 1,
          'input-stationary': ceilDiv(pixels, columns),
        }[array.dataflow];
        expect(weightReads).toBe(channels * taps * filters * times);
        const { values, firstValues } = traffic.sums;
        expect(firstValues).toBe(flow.keepsSums ? 0 : pixels * filters);
        expect(values).toBe(
          flow.keepsSums ? 0 : pixels * filters * foldsOf({ channels, taps }, array).length,
        );
      }),
      { seed: 6, numRuns: 500 },
    );
  });

  it('reads without conflicts what lies as it asks', () => {
    fc.assert(
      fc.property(tiles, arrays, fc.nat(4), between(1, 3), (drawn, array, more, times) => {
        const flow = dataflowOf(array);
        const banks = times * (Math.max(array.rows, array.columns) + more);
        // A stride of the columns meets banks again, and so do taps apart.
        const tile = { ...drawn, elementBytes: 1, strideColumns: 1, dilationColumns: 1, ringRows: 0 };
        const clean = range(tile.columns, banks, tile.columns + banks).find((rowPitch) =>
          flow.isRowPitchClean({ ...tile, rowPitch }, array, banks),
        );
        if (clean === undefined) return;
        const { remainder, modulus } = flow.planeResidue(tile, array, banks) ?? { remainder: 0, modulus: 1 };
        let planePitch = tile.rows * clean;
        while ((planePitch - remainder) % modulus !== 0) planePitch++;
        const placed = { ...tile, rowPitch: clean, planePitch };
        const { batches } = flow.plan(placed, array, banks, foldScratch(banks, banks));
        const fills = flow.plan(placed, array, Number.POSITIVE_INFINITY, foldScratch(banks, banks));
        expect(planCycles({ ...fills, batches })).toBe(planCycles(fills));
        expect(flow.meanConflict(placed, array, banks)).toBe(1);
      }),
      { seed: 7, numRuns: 800 },
    );
  });
});
