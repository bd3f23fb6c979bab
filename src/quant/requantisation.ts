/** The requantiser's multipliers and shift for a ratio of scales. */
import { InputError } from '../core/diagnostics.ts';
import type { ChannelRequantisation } from '../core/fixed-point.ts';
import type { RequantisableActivation } from '../graph/op.ts';
import type { NumberOptions } from './quantised.ts';
import { roundHalfEven } from './rounding.ts';

/** Fraction bits of the negative multiplier in 'shift' form: a slope of 0.1 becomes 26/256. */
export const SLOPE_BITS = 8;
/** The largest shift. */
const MAXIMUM_SHIFT = 62;

/**
 * Ratios below this make nothing but zeros of any accumulator (all but: where wide accumulators meet wide
 * multipliers the shift ends a bit earlier).
 */
export function leastRatio({
  accumulator,
  multiplierBits,
}: Pick<NumberOptions, 'accumulator' | 'multiplierBits'>): number {
  return 2 ** -Math.min(Math.max(32, accumulator.bits), MAXIMUM_SHIFT + 1 - multiplierBits);
}

/**
 * The requantiser's settings for `ratio` = scale of the accumulators / scale of the output.
 *
 * - 'multiplier': a positive multiplier of exactly `multiplierBits` bits times 2^-shift next to the ratio, the
 *   negative one slope times it.
 * - 'shift': the ratio is a power of two and so is the positive multiplier: 1, or 2^8 where a slope needs fraction
 *   bits (fewer where the multiplier has fewer), or more where the ratio exceeds it. The slope has no more fraction bits
 *   than that even then: the hardware multiplies by those alone, and shifts.
 *
 * @throws InputError when the ratio is too large for the multiplier, or too small for the shift
 */
export function requantisation(
  layer: string,
  bias: number,
  ratio: number,
  { negativeSlope }: RequantisableActivation,
  { form, multiplierBits }: Pick<NumberOptions, 'form' | 'multiplierBits'>,
): ChannelRequantisation {
  const largest = 2 ** multiplierBits - 1;
  let exponent: number;
  let positiveMultiplier: number;
  let negativeMultiplier: number;
  if (form === 'shift') {
    exponent = Math.round(-Math.log2(ratio));
    const sloped = negativeSlope !== 0 && negativeSlope !== 1;
    const slopeBits = sloped ? Math.min(SLOPE_BITS, multiplierBits - 1) : 0;
    const fraction = Math.max(slopeBits, -exponent);
    positiveMultiplier = 2 ** fraction;
    negativeMultiplier = roundHalfEven(2 ** slopeBits * negativeSlope) * 2 ** (fraction - slopeBits);
    exponent += fraction;
  } else {
    exponent = multiplierBits - 1 - Math.floor(Math.log2(ratio));
    positiveMultiplier = roundHalfEven(ratio * 2 ** exponent);
    // The rounding (of the mantissa or of log2) may step over either end of the mantissa's range.
    if (positiveMultiplier > largest) {
      exponent -= 1;
      positiveMultiplier = roundHalfEven(ratio * 2 ** exponent);
    } else if (positiveMultiplier < 2 ** (multiplierBits - 1)) {
      exponent += 1;
      positiveMultiplier = roundHalfEven(ratio * 2 ** exponent);
    }
    negativeMultiplier = roundHalfEven(positiveMultiplier * negativeSlope);
  }
  if (!(exponent >= 0 && exponent <= MAXIMUM_SHIFT && positiveMultiplier <= largest)) {
    const most = form === 'shift' ? `2^${multiplierBits - 1}` : largest;
    throw new InputError(
      `${layer}: accumulators are ${ratio} times as coarse as the output, expected at most ${most} and no shift beyond ${MAXIMUM_SHIFT}; are the weights or ranges broken?`,
    );
  }
  return { bias, positiveMultiplier, negativeMultiplier, shift: exponent };
}

/**
 * Whether hardware without a multiplier can do it: the positive multiplier a power of two, the negative one at most that and
 * a slope of `SLOPE_BITS` fraction bits times it.
 */
export function fitsShiftForm({ positiveMultiplier, negativeMultiplier }: ChannelRequantisation): boolean {
  const step = Math.max(1, positiveMultiplier / 2 ** SLOPE_BITS);
  return (
    Number.isInteger(Math.log2(positiveMultiplier)) &&
    negativeMultiplier <= positiveMultiplier &&
    Number.isInteger(negativeMultiplier / step)
  );
}
