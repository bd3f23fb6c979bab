/**
 * Weight-stationary: an element keeps one weight, of one product (its row) and one filter (its column). A fold is `rows`
 * products (products.ts has their order) times up to `columns` filters; a step takes one output
 * pixel: one feature a row, and the sums of a column's rows go to the accumulator buffer. Folds run filters outside, products
 * inside. A fold's weights come in row by row, `rows` cycles.
 */
import { ceilDiv, sum } from '../../../core/integers.ts';
import { conflictCycles } from '../../buffers/buffers.ts';
import { type FoldScratch, foldScratch, type TapGeometry } from '../pe-array.ts';
import {
  type ArrayGeometry,
  type ArrayTile,
  type Dataflow,
  portions,
  type StationaryFold,
  stationaryBatch,
  stationaryCycles,
  tapsOf,
} from './dataflow.ts';
import { type ProductPart, productAt, productPartCount, productParts } from './products.ts';

export const weightStationary: Dataflow = {
  name: 'weight-stationary',
  keepsSums: false,
  featureLanes: ({ rows }) => rows,
  weightLanes: ({ columns }) => columns,

  isRowPitchClean: ({ kernelRows, kernelColumns, dilationRows, rowPitch }, array, banks) =>
    array.products === 'channels' ||
    kernelRows === 1 ||
    (dilationRows * rowPitch - kernelColumns) % banksInTurn(array, banks) === 0,
  planeResidue: (placement, array, banks) => ({
    remainder: array.products === 'channels' ? 1 : tapsOf(placement),
    modulus: banksInTurn(array, banks),
  }),

  meanConflict(placement, array, banks) {
    const products = { channels: placement.channels, taps: tapsOf(placement) };
    const parts = productParts(products, array).slice(0, sampledParts);
    const inside = {
      rows: Number.POSITIVE_INFINITY,
      columns: Number.POSITIVE_INFINITY,
      padTop: 0,
      padLeft: 0,
    };
    const onePixel = { outRows: 1, outColumns: 1, repeatRows: 1, repeatColumns: 1, ringRows: 0, ringRow: 0 };
    const tile = { ...placement, ...inside, ...onePixel, elementBytes: 1 };
    return sum(pixelCycles(tile, parts, array, banks, foldScratch(array.rows, banks))) / parts.length;
  },

  plan(tile, array, banks, scratch) {
    const pixels = tile.outRows * tile.outColumns;
    const blocks = portions(tile.filters, array.columns);
    const parts = productParts({ channels: tile.channels, taps: tapsOf(tile) }, array);
    const cycles = pixelCycles(tile, parts, array, banks, scratch);
    const folds: StationaryFold[] = [];
    const feature = { reads: 0, bytes: 0 };
    const weight = { reads: 0, bytes: 0 };
    const sums = { steps: 0, values: 0, firstSteps: 0, firstValues: 0 };
    for (const filters of blocks) {
      parts.forEach(({ count }, part) => {
        const stepCycles = cycles[part]!;
        folds.push({ load: array.rows, steps: pixels, stepCycles });
        feature.reads += stepCycles;
        feature.bytes += pixels * count * tile.elementBytes;
        weight.reads += count;
        weight.bytes += count * filters * tile.weightBytes;
        sums.steps += pixels;
        sums.values += pixels * filters;
      });
      sums.firstSteps += pixels;
      sums.firstValues += pixels * filters;
    }
    const vectors = { folds: ceilDiv(pixels, array.rows), filters: tile.filters };
    return { batches: [stationaryBatch(folds, array, vectors)], traffic: { feature, weight, sums } };
  },

  closedForm({ pixels, filters, ...products }, array, conflict = 1) {
    const folds = productPartCount(products, array) * ceilDiv(filters, array.columns);
    return stationaryCycles(folds, array.rows, pixels * conflict, array);
  },
};

/** Folds whose reads stand for all of a tile in an estimate. */
const sampledParts = 32;

/** Cycles of all pixels, for every part of the products: a step reads the features of one part's products. */
function pixelCycles(
  tile: Omit<ArrayTile, 'filters' | 'weightBytes'>,
  parts: readonly ProductPart[],
  array: ArrayGeometry,
  banks: number,
  { addresses, tally }: FoldScratch,
): number[] {
  const pixels = tile.outRows * tile.outColumns;
  const taps = tapsOf(tile);
  const pitch = tile.rowPitch / tile.elementBytes;
  const plane = tile.planePitch / tile.elementBytes;
  const meetsNone = banks === Number.POSITIVE_INFINITY;
  const products = { channels: tile.channels, taps };
  if (meetsNone || (isConsecutive(tile, pitch, plane, array, banks) && array.rows <= banks))
    return parts.map(() => pixels);
  return parts.map(({ first, count }) => {
    const reading = Array.from({ length: count }, (_, index) => productAt(first + index, products, array));
    let cycles = 0;
    for (let row = 0; row < tile.outRows; row++) {
      const top = Math.floor((row * tile.strideRows) / tile.repeatRows) - tile.padTop;
      for (let column = 0; column < tile.outColumns; column++) {
        const left = Math.floor((column * tile.strideColumns) / tile.repeatColumns) - tile.padLeft;
        let reads = 0;
        for (const { channel, tap } of reading) {
          const kernelRow = Math.floor(tap / tile.kernelColumns);
          const y = top + kernelRow * tile.dilationRows;
          const x = left + (tap - kernelRow * tile.kernelColumns) * tile.dilationColumns;
          if (y < 0 || y >= tile.rows || x < 0 || x >= tile.columns) continue;
          const place = tile.ringRows === 0 ? y : (tile.ringRow + y) % tile.ringRows;
          addresses[reads++] = channel * plane + place * pitch + x;
        }
        cycles += conflictCycles(addresses, reads, banks, tally);
      }
    }
    return cycles;
  });
}

/**
 * The fewest banks of which `rows` consecutive ones are different, and with them any number that is a multiple: places that
 * follow each other modulo this meet in no bank.
 */
function banksInTurn({ rows }: ArrayGeometry, banks: number): number {
  for (let modulus = rows; modulus < banks; modulus++) if (banks % modulus === 0) return modulus;
  return banks;
}

/** Whether the features of consecutive products lie in banks that follow each other, whatever the pixel. */
function isConsecutive(
  tile: TapGeometry,
  pitch: number,
  plane: number,
  array: ArrayGeometry,
  banks: number,
): boolean {
  const modulus = banksInTurn(array, banks);
  if (array.products === 'channels') return (plane - 1) % modulus === 0;
  const hasRows = tile.kernelRows > 1;
  return (
    (!hasRows || (tile.ringRows === 0 && (tile.dilationRows * pitch - tile.kernelColumns) % modulus === 0)) &&
    (tile.kernelColumns === 1 || tile.dilationColumns === 1) &&
    (plane - tapsOf(tile)) % modulus === 0
  );
}
