/**
 * Output-stationary: an element keeps the sum of one output pixel (its row) and one filter (its column). A fold is `rows`
 * consecutive pixels times up to `columns` filters; a step multiplies one tap of one input channel: one feature a row, one
 * weight a column. Every fold is a batch: its sums leave through the shadow accumulators while the next one computes.
 */
import { ceilDiv, sum } from '../../../core/integers.ts';
import { foldCyclesPerChannel } from '../pe-array.ts';
import { type Batch, type Dataflow, portions, skewCycles, tapsOf } from './dataflow.ts';
import { isWrapClean, meanPixelConflict } from './pixel-lanes.ts';

export const outputStationary: Dataflow = {
  name: 'output-stationary',
  keepsSums: true,
  featureLanes: ({ rows }) => rows,
  weightLanes: ({ columns }) => columns,
  isRowPitchClean: (placement, _, banks) => isWrapClean(placement, banks),
  planeResidue: () => undefined,
  meanConflict: (placement, { rows }, banks) => meanPixelConflict(placement, rows, banks),

  plan(tile, array, banks, scratch) {
    const steps = tapsOf(tile) * tile.channels;
    const pixels = tile.outRows * tile.outColumns;
    const fill = array.foldOverlap ? 0 : skewCycles(array);
    const batches: Batch[] = [];
    const feature = { reads: 0, bytes: 0 };
    const blocks = portions(tile.filters, array.columns);
    portions(pixels, array.rows).forEach((lanes, fold) => {
      const cycles =
        tile.channels * foldCyclesPerChannel(tile, fold * array.rows, array.rows, banks, scratch);
      for (const filters of blocks) {
        batches.push({ fill, steps, bank: cycles - steps, firstFold: fold, folds: 1, filters });
      }
      feature.reads += cycles * blocks.length;
      feature.bytes += steps * lanes * tile.elementBytes * blocks.length;
    });
    const folds = ceilDiv(pixels, array.rows);
    const weight = {
      reads: folds * blocks.length * steps,
      bytes: folds * sum(blocks) * steps * tile.weightBytes,
    };
    return {
      batches,
      traffic: { feature, weight, sums: { steps: 0, values: 0, firstSteps: 0, firstValues: 0 } },
    };
  },

  closedForm({ pixels, channels, taps, filters }, array, conflict = 1) {
    const folds = ceilDiv(pixels, array.rows) * ceilDiv(filters, array.columns);
    return folds * (channels * taps * conflict + (array.foldOverlap ? 0 : skewCycles(array)));
  },
};
