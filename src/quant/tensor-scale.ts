/** A tensor's scale and zero point from the range of its values. */
import { InputError } from '../core/diagnostics.ts';
import { formatRange } from '../core/fixed-point.ts';
import { clamp } from '../core/integers.ts';
import type { TensorNumbers } from './input.ts';
import type { NumberOptions } from './quantised.ts';
import { powerOfTwoAbove, roundHalfEven } from './rounding.ts';

/** The values a tensor has to represent; 0 always belongs to them, whether it lies between the two or not. */
export interface TensorRange {
  readonly low: number;
  readonly high: number;
}

/**
 * The finest scale that clips nothing of the range (a power of two in 'shift' form).
 *
 * - signed, symmetric: the larger magnitude becomes 2^(bits - 1) - 1.
 * - unsigned, symmetric: `high` becomes 2^bits - 1; what is negative saturates at 0.
 * - with zero point: the range, stretched to hold 0, becomes the whole format; the zero point is rounded so that 0.0
 *   is exact, which may cost either end half a step.
 *
 * @throws InputError for a range that is not finite or runs backwards, or whose scale is not a positive finite number
 */
export function tensorNumbers(
  name: string,
  { low, high }: TensorRange,
  { activations, form }: Pick<NumberOptions, 'activations' | 'form'>,
): TensorNumbers {
  if (!Number.isFinite(low) || !Number.isFinite(high) || low > high) {
    throw new InputError(`tensor ${name}: range ${low}..${high}, expected finite numbers, low to high`);
  }
  const { bits, signed, symmetric } = activations;
  const format = { bits, signed };
  const ends = formatRange(format);
  const least = Math.min(0, low);
  const span = !symmetric ? Math.max(0, high) - least : signed ? Math.max(-low, high) : Math.max(0, high);
  // A tensor of zeros is exact on any scale.
  if (span === 0) return { scale: 1, zeroPoint: symmetric ? 0 : ends.low, format };
  const fine = span / (symmetric ? ends.high : ends.high - ends.low);
  const scale = form === 'shift' ? powerOfTwoAbove(fine) : fine;
  if (!(scale > 0 && Number.isFinite(scale))) {
    throw new InputError(
      `tensor ${name}: range ${low}..${high} gives a scale of ${scale}, expected a positive finite number`,
    );
  }
  const zeroPoint = symmetric ? 0 : clamp(ends.low - roundHalfEven(least / scale), ends.low, ends.high);
  return { scale, zeroPoint, format };
}
