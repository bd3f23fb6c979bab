/**
 * DRAM bytes of a step from its shapes and tiling alone: an account that shares nothing with the program or the
 * simulation, so that their agreement means something. Rows are counted by asking, for every output row of a band,
 * which input rows its taps span; taps in the padding count as the nearest row of the map.
 *
 * weights = (weights + 12-byte records) * (1 if resident, else bands)
 * input   = channels * columns * rows with halo over all bands * (1 if resident, else filter tiles of a group)
 * output  = maps * rows * columns
 */
import { ceilDiv, clamp, product } from '../core/integers.ts';
import { parameterRecordBytes } from '../hw/isa/formats.ts';
import type { TiledStep } from './layout.ts';

export interface ClosedFormTraffic {
  readonly weightBytes: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
}

export function closedFormTraffic({ step, tiling }: TiledStep): ClosedFormTraffic {
  const [channels, , columns] = step.inputShape;
  const outputRows = step.outputShape[1];
  const bands = ceilDiv(outputRows, tiling.bandRows);
  let rowsRead = 0;
  for (let band = 0; band < bands; band++) {
    const first = band * tiling.bandRows;
    rowsRead += inputRowsSpanned({ step, tiling }, first, Math.min(outputRows, first + tiling.bandRows));
  }
  const { convolution } = step;
  const groups = convolution?.groups ?? 1;
  const filtersPerGroup = (convolution?.filters ?? 0) / groups;
  const passes =
    tiling.inputResident || convolution === undefined ? 1 : ceilDiv(filtersPerGroup, tiling.filtersPerTile);
  const weights =
    convolution === undefined ? 0 : convolution.filters * (channels / groups) * product(convolution.kernel);
  const records = step.requantised === undefined ? 0 : step.convolvedShape[0] * parameterRecordBytes;
  return {
    weightBytes: (weights + records) * (tiling.weightsResident ? 1 : bands),
    inputBytes: channels * columns * rowsRead * passes,
    outputBytes: product(step.outputShape),
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
          convolved * (convolution?.stride[0] ?? 1) -
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
