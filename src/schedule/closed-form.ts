/**
 * DRAM bytes of a step from its shapes and tiling alone: an account that shares nothing with the program or the
 * simulation, so that their agreement means something. Rows are counted by asking, for every output row of a band,
 * which input rows its taps span; taps in the padding count as the nearest row of the map.
 *
 * weights = table + (weights + records) * (1 if resident, else bands)
 * input   = operands * channels * columns * rows with halo over all bands * (1 if resident, else filter tiles of a group)
 * output  = maps * rows * columns
 *
 * Channels that stay on chip between two steps are neither written nor read.
 */
import { ceilDiv, clamp, product } from '../core/integers.ts';
import { operandRecordBytes } from '../hw/requantise/parameters.ts';
import type { RowRange, ValueSizes } from './geometry.ts';
import type { TiledStep } from './layout.ts';
import { tableOf } from './steps.ts';

export interface ClosedFormTraffic {
  readonly weightBytes: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
}

export function closedFormTraffic(
  { step, tiling, places }: TiledStep,
  values: ValueSizes,
): ClosedFormTraffic {
  const [channels, , columns] = step.inputShape;
  const outputRows = step.outputShape[1];
  const bands = ceilDiv(outputRows, tiling.bandRows);
  let rowsRead = 0;
  for (let band = 0; band < bands; band++) {
    const first = band * tiling.bandRows;
    rowsRead += inputRowsSpanned({ step, tiling }, first, Math.min(outputRows, first + tiling.bandRows));
  }
  const { convolution } = step;
  const count = (range: RowRange | undefined): number => (range === undefined ? 0 : range.end - range.first);
  const keptIn = count(places?.inputKept);
  const keptOut = count(places?.output?.channels);
  const groups = convolution?.groups ?? 1;
  const filtersPerGroup = (convolution?.filters ?? 0) / groups;
  const passes =
    tiling.inputResident || convolution === undefined ? 1 : ceilDiv(filtersPerGroup, tiling.filtersPerTile);
  const weights =
    convolution === undefined ? 0 : convolution.filters * (channels / groups) * product(convolution.kernel);
  const records = step.requantised === undefined ? 0 : step.convolvedShape[0] * values.recordBytes;
  // Every filter tile of a sum has its own copy of the operands' records.
  const operands = step.inputs.length;
  const sumTiles = operands > 1 ? ceilDiv(channels / (step.reduction?.ratio ?? 1), tiling.groupsPerTile) : 0;
  const operandRecords = sumTiles * operands * operandRecordBytes;
  const table = tableOf(step) === undefined ? 0 : values.tableEntries * values.elementBytes;
  return {
    weightBytes:
      table +
      (weights * values.weightBytes + records + operandRecords) * (tiling.weightsResident ? 1 : bands),
    inputBytes: operands * (channels - keptIn) * columns * rowsRead * passes * values.elementBytes,
    outputBytes:
      (product(step.outputShape) / step.outputShape[0]) *
      (step.outputShape[0] - keptOut) *
      values.elementBytes,
  };
}

/** Rows from the first to the last input row that the taps of output rows [first, end) span. */
function inputRowsSpanned({ step }: TiledStep, first: number, end: number): number {
  const rows = step.inputShape[1];
  const convolvedRows = step.convolvedShape[1];
  const { pooling, convolution } = step;
  let lowest = Number.POSITIVE_INFINITY;
  let highest = Number.NEGATIVE_INFINITY;
  for (let output = first; output < end; output++) {
    const window = pooling?.window[0] ?? 1;
    for (let k = 0; k < window; k++) {
      const convolved = output * (pooling?.stride[0] ?? 1) - (pooling?.padding.top ?? 0) + k;
      if (convolved < 0 || convolved >= convolvedRows) continue;
      const kernel = convolution?.kernel[0] ?? 1;
      for (let tap = 0; tap < kernel; tap++) {
        const row =
          Math.floor(convolved / step.reading.repeatRows) * (convolution?.stride[0] ?? 1) -
          (convolution?.padding.top ?? 0) +
          tap * (convolution?.dilation[0] ?? 1);
        const nearest = clamp(row, 0, rows - 1);
        lowest = Math.min(lowest, nearest);
        highest = Math.max(highest, nearest);
      }
    }
  }
  return highest - lowest + 1;
}
