/**
 * The arithmetic of the quantised datapath, written from its definitions.
 *
 * Everything here is exact. Reference executor, kernels, simulator and RTL are all held to these functions.
 */
import { clamp } from './integers.ts';

/** A two's complement (or unsigned) integer of `bits` bits. */
export interface IntegerFormat {
  readonly bits: number;
  readonly signed: boolean;
}

/** Lowest and highest value of a format. */
export function formatRange({ bits, signed }: IntegerFormat): { low: number; high: number } {
  return signed ? { low: -(2 ** (bits - 1)), high: 2 ** (bits - 1) - 1 } : { low: 0, high: 2 ** bits - 1 };
}

/** Bytes that hold one value of up to `bits` (1..16) bits in memory: 1 or 2; values are not packed. */
export function containerBytes(bits: number): 1 | 2 {
  return bits <= 8 ? 1 : 2;
}

/**
 * What becomes of the part below the last bit.
 * - half-even: to nearest, ties to even (IEEE 754, ONNX)
 * - half-up: to nearest, ties towards plus infinity (add half, shift)
 * - half-away: to nearest, ties away from zero (C's round)
 * - truncate: dropped, towards minus infinity (an arithmetic shift)
 */
export const roundings = ['half-even', 'half-up', 'half-away', 'truncate'] as const;
export type Rounding = (typeof roundings)[number];

/** numerator / denominator rounded to an integer. `denominator` > 0, |numerator| < 2^52; exact. */
export function divideRound(numerator: number, denominator: number, rounding: Rounding): number {
  const floor = Math.floor(numerator / denominator);
  const twiceRest = 2 * (numerator - floor * denominator);
  const roundsUp =
    rounding !== 'truncate' &&
    (twiceRest > denominator ||
      (twiceRest === denominator && tieGoesUp(floor % 2 !== 0, floor < 0, rounding)));
  // Adding zero turns -0 into 0.
  return (roundsUp ? floor + 1 : floor) + 0;
}

/** Whether a value half way between `floor` (odd, negative or not) and `floor + 1` becomes the latter. */
function tieGoesUp(odd: boolean, negative: boolean, rounding: Exclude<Rounding, 'truncate'>): boolean {
  switch (rounding) {
    case 'half-even':
      return odd;
    case 'half-up':
      return true;
    case 'half-away':
      return !negative;
  }
}

/** value * multiplier / 2^shift rounded to an integer; exact for any safe integers. */
export function scaleRound(value: number, multiplier: number, shift: number, rounding: Rounding): number {
  const product = value * multiplier;
  if (Math.abs(product) < 2 ** 52) return divideRound(product, 2 ** shift, rounding);
  const exact = BigInt(value) * BigInt(multiplier);
  const bits = BigInt(shift);
  const floor = exact >> bits;
  const twiceRest = 2n * (exact - (floor << bits));
  const one = 1n << bits;
  const roundsUp =
    rounding !== 'truncate' &&
    (twiceRest > one || (twiceRest === one && tieGoesUp((floor & 1n) === 1n, floor < 0n, rounding)));
  return Number(roundsUp ? floor + 1n : floor);
}

/** The register products are summed in, and what happens at its ends. */
export interface AccumulatorFormat {
  /** 8..48. */
  readonly bits: number;
  readonly overflow: 'saturate' | 'wrap';
}

/** Counts additions whose exact result did not fit the accumulator. */
export interface OverflowCount {
  count: number;
}

/** sum + addend in the accumulator; both fit it or one product. */
export function accumulate(
  sum: number,
  addend: number,
  { bits, overflow }: AccumulatorFormat,
  overflows: OverflowCount,
): number {
  const exact = sum + addend;
  const half = 2 ** (bits - 1);
  if (exact >= -half && exact < half) return exact;
  overflows.count++;
  if (overflow === 'saturate') return exact < 0 ? -half : half - 1;
  const size = 2 * half;
  const wrapped = exact - size * Math.floor(exact / size);
  return wrapped >= half ? wrapped - size : wrapped;
}

/**
 * How one output channel's accumulators become activations: y = clamp(zeroPoint + round(v * m / 2^shift)), v =
 * accumulator + bias, with m chosen by the sign of v. The two multipliers carry the activation: equal = linear, a
 * zero negative one = ReLU, a smaller one = leaky ReLU. One rounding, one saturation.
 *
 * Powers of two: the positive multiplier is then itself a power of two and the hardware needs no multiplier.
 */
export interface ChannelRequantisation {
  /** In units of the accumulator; added by the accumulator's own rule. */
  readonly bias: number;
  /** 0..2^32 - 1. */
  readonly positiveMultiplier: number;
  /** 0..2^32 - 1. */
  readonly negativeMultiplier: number;
  /** 0..62. */
  readonly shift: number;
}

/** Where requantised values end. */
export interface OutputRange {
  readonly low: number;
  readonly high: number;
  /** The integer that stands for real zero. */
  readonly zeroPoint: number;
  readonly rounding: Rounding;
}

/** Requantise one value (accumulator with bias) to an activation. */
export function requantise(value: number, channel: ChannelRequantisation, output: OutputRange): number {
  const multiplier = value >= 0 ? channel.positiveMultiplier : channel.negativeMultiplier;
  const scaled = scaleRound(value, multiplier, channel.shift, output.rounding);
  return clamp(output.zeroPoint + scaled, output.low, output.high);
}
