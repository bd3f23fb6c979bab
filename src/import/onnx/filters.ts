/** Weights of convolutions and fully connected layers: one layout for both, read into our orders when asked for. */
import { InputError } from '../../core/diagnostics.ts';
import { formatRange } from '../../core/fixed-point.ts';
import type { GivenFilters } from '../../graph/given-numbers.ts';
import { type Constant, valuesOf } from './constant.ts';
import type { DataType } from './schema.ts';

/** Where each weight stands in its tensor. */
export interface Filters {
  readonly constant: Constant;
  readonly filters: number;
  /** Channels that one filter sees. */
  readonly channels: number;
  /** Kernel cells, row after row. */
  readonly taps: number;
  index(filter: number, channel: number, tap: number): number;
  /** The tensor's axis that counts filters. */
  readonly filterAxis: number;
  /** What every weight is multiplied by; Gemm has one. */
  readonly factor: number;
}

/** Float weights as our float rules have them: [kernel cells][channels][filters]. @throws InputError if not finite */
export function floatFilters(weights: Filters): Float32Array {
  const { constant, filters, channels, taps, factor } = weights;
  const read = constant.reader();
  const result = new Float32Array(filters * channels * taps);
  // Blocks of filters and channels, so that both sides of the transposition stay within the cache.
  const block = 32;
  for (let firstFilter = 0; firstFilter < filters; firstFilter += block) {
    const endFilter = Math.min(filters, firstFilter + block);
    for (let firstChannel = 0; firstChannel < channels; firstChannel += block) {
      const endChannel = Math.min(channels, firstChannel + block);
      for (let tap = 0; tap < taps; tap++) {
        for (let c = firstChannel; c < endChannel; c++) {
          const to = (tap * channels + c) * filters;
          for (let f = firstFilter; f < endFilter; f++) {
            const value = read(weights.index(f, c, tap)) * factor;
            if (!Number.isFinite(value))
              throw new InputError(`weights hold ${value}, expected finite numbers`);
            result[to + f] = value;
          }
        }
      }
    }
  }
  return result;
}

/**
 * Integer weights as the machine has them, and their scales.
 * @throws InputError when the weights are no integers, their scales run along another axis than the filters, or a
 *   weight less its zero point needs more than 16 bits
 */
export function integerFilters(weights: Filters): GivenFilters {
  const { constant, filters, channels, taps, factor } = weights;
  const { dequantisation } = constant;
  if (dequantisation === undefined) {
    throw new InputError(
      'weights are real numbers in a quantised network, expected DequantizeLinear of integers',
    );
  }
  const { integers, scales, zeroPoints, axis } = dequantisation;
  if ((scales.length > 1 || zeroPoints.length > 1) && axis !== weights.filterAxis) {
    throw new InputError(
      `weights have scales along axis ${axis}, expected ${weights.filterAxis}, the filters'`,
    );
  }
  if (!(factor > 0)) throw new InputError(`weights are multiplied by ${factor}, expected a positive number`);
  const size = channels * taps;
  const range = boundOf(integers.type, zeroPoints);
  const fitsByte = range.low >= -128 && range.high <= 127;
  const values = fitsByte ? new Int8Array(filters * size) : new Int16Array(filters * size);
  const read = integers.reader();
  let [low, high] = [0, 0];
  for (let f = 0; f < filters; f++) {
    const zeroPoint = zeroPoints.length > 1 ? zeroPoints[f]! : zeroPoints[0]!;
    for (let c = 0; c < channels; c++) {
      for (let tap = 0; tap < taps; tap++) {
        const value = read(weights.index(f, c, tap)) - zeroPoint;
        if (value < low) low = value;
        else if (value > high) high = value;
        values[f * size + c * taps + tap] = value;
      }
    }
  }
  if (low < -32768 || high > 32767) {
    throw new InputError(`weights less their zero point reach ${low}..${high}, expected at most 16 bits`);
  }
  return {
    weights: low < -128 || high > 127 || fitsByte ? values : Int8Array.from(values),
    scales: Array.from({ length: filters }, (_, f) => factor * (scales.length > 1 ? scales[f]! : scales[0]!)),
  };
}

/** What integers of a type can reach without their zero points. */
function boundOf(type: DataType, zeroPoints: readonly number[]): { low: number; high: number } {
  const [, sign, digits] = /^(u?)int(\d+)$/.exec(type) ?? [];
  if (digits === undefined || Number(digits) > 16) {
    throw new InputError(`weights of type ${type}, expected integers of at most 16 bits`);
  }
  const { low, high } = formatRange({ bits: Number(digits), signed: sign === '' });
  return { low: low - Math.max(...zeroPoints), high: high - Math.min(...zeroPoints) };
}

/** Bits that hold these weights. */
export function weightBits({ weights }: GivenFilters): 8 | 16 {
  return weights instanceof Int8Array ? 8 : 16;
}

/**
 * A bias in whole units of the accumulator, where the file has it so.
 * @param units of the accumulator, one a filter
 * @returns undefined for a bias of real numbers, or of other units
 */
export function integerBias(bias: Constant, factor: number, units: readonly number[]): number[] | undefined {
  const { dequantisation } = bias;
  if (dequantisation === undefined) return undefined;
  const { integers, scales, zeroPoints } = dequantisation;
  const values = valuesOf(integers);
  const whole = units.every((unit, f) => {
    const scale = factor * (scales.length > 1 ? scales[f]! : scales[0]!);
    // Writers round the product of the scales to float32.
    return Math.abs(scale / unit - 1) < 1e-6 && (zeroPoints[f] ?? zeroPoints[0]) === 0;
  });
  if (!whole) return undefined;
  return units.map((_, f) => (values.length > 1 ? values[f]! : values[0]!));
}
