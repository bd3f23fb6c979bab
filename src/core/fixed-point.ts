/**
 * The arithmetic of the quantised datapath, written from its definitions.
 *
 * Everything here is exact: operands are integers whose products stay inside the 53 bits of a double (an int32
 * accumulator times a 16-bit multiplier needs 47). The kernels and the RTL are held to these functions.
 */
import { clamp } from './integers.ts';

/** Lowest and highest value of a signed two's complement integer of `bits` bits (2..32). */
export function signedRange(bits: number): { low: number; high: number } {
  const half = 2 ** (bits - 1);
  return { low: -half, high: half - 1 };
}

/** numerator / denominator rounded to the nearest integer, ties to even. `denominator` > 0; exact. */
export function divideRoundHalfEven(numerator: number, denominator: number): number {
  const floor = Math.floor(numerator / denominator);
  const twiceRest = 2 * (numerator - floor * denominator);
  if (twiceRest > denominator) return floor + 1;
  if (twiceRest < denominator) return floor;
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * How one output channel's accumulators become activations: y = clamp(round(v * m / 2^shift)), v = accumulator
 * + bias, with m chosen by the sign of v. The two multipliers carry the activation: equal = linear, a zero
 * negative one = ReLU, a smaller one = leaky ReLU. One rounding, one saturation.
 *
 * Powers of two: the positive multiplier is then itself a power of two and the hardware needs no multiplier.
 */
export interface ChannelRequantisation {
  /** int32, in units of the accumulator. */
  readonly bias: number;
  /** 0..65535. */
  readonly positiveMultiplier: number;
  /** 0..65535. */
  readonly negativeMultiplier: number;
  /** 0..47. */
  readonly shift: number;
}

/** Requantise one accumulator (int32) to an activation in [low, high]; round half to even, saturate. */
export function requantise(
  accumulator: number,
  channel: ChannelRequantisation,
  low: number,
  high: number,
): number {
  const value = accumulator + channel.bias;
  const multiplier = value >= 0 ? channel.positiveMultiplier : channel.negativeMultiplier;
  return clamp(divideRoundHalfEven(value * multiplier, 2 ** channel.shift), low, high);
}
