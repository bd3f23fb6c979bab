/**
 * Input-stationary: an element keeps one feature, of one product (its row) and one output pixel (its column). A fold is `rows`
 * products (products.ts has their order) times up to `columns` consecutive pixels; a step takes one
 * filter: one weight a row, and the sums of a column's rows go to the accumulator buffer. Folds run pixels outside, products
 * inside. A fold's features come in row by row, `rows` cycles, more where the pixels of a product meet in one bank.
 */
import { ceilDiv } from '../../../core/integers.ts';
import { type FoldScratch, productCycles } from '../pe-array.ts';
import {
  type Dataflow,
  portions,
  type StationaryFold,
  stationaryBatch,
  stationaryCycles,
  tapsOf,
} from './dataflow.ts';
import { isWrapClean, meanPixelConflict } from './pixel-lanes.ts';
import { productAt, productPartCount, productParts } from './products.ts';

export const inputStationary: Dataflow = {
  name: 'input-stationary',
  keepsSums: false,
  featureLanes: ({ columns }) => columns,
  weightLanes: ({ rows }) => rows,
  isRowPitchClean: (placement, _, banks) => isWrapClean(placement, banks),
  planeResidue: () => undefined,
  meanConflict: (placement, { columns }, banks) => meanPixelConflict(placement, columns, banks),

  plan(tile, array, banks, scratch: FoldScratch) {
    const pixels = tile.outRows * tile.outColumns;
    const products = { channels: tile.channels, taps: tapsOf(tile) };
    const parts = productParts(products, array);
    const folds: StationaryFold[] = [];
    const feature = { reads: 0, bytes: 0 };
    const weight = { reads: 0, bytes: 0 };
    const sums = { steps: 0, values: 0, firstSteps: 0, firstValues: 0 };
    portions(pixels, array.columns).forEach((lanes, block) => {
      const tapCycles = productCycles(tile, block * array.columns, array.columns, banks, scratch);
      for (const { first, count } of parts) {
        let reads = 0;
        for (let product = first; product < first + count; product++) {
          reads += tapCycles[productAt(product, products, array).tap]!;
        }
        folds.push({
          load: array.rows + (reads - count),
          steps: tile.filters,
          stepCycles: tile.filters,
        });
        feature.reads += reads;
        feature.bytes += count * lanes * tile.elementBytes;
        weight.reads += tile.filters;
        weight.bytes += count * tile.filters * tile.weightBytes;
        sums.steps += tile.filters;
        sums.values += tile.filters * lanes;
      }
      sums.firstSteps += tile.filters;
      sums.firstValues += tile.filters * lanes;
    });
    const vectors = { folds: ceilDiv(pixels, array.rows), filters: tile.filters };
    return { batches: [stationaryBatch(folds, array, vectors)], traffic: { feature, weight, sums } };
  },

  closedForm({ pixels, filters, ...products }, array, conflict = 1) {
    const folds = productPartCount(products, array) * ceilDiv(pixels, array.columns);
    return stationaryCycles(folds, array.rows * conflict, filters, array);
  },
};
