/** The number formats a network can be quantised to: their bounds, and the usual choice. */
import { z } from 'zod';
import { InputError } from '../core/diagnostics.ts';
import { roundings } from '../core/fixed-point.ts';
import type { NumberOptions, RequantisationForm } from './quantised.ts';

/** Most bits of a value in the accumulator times a multiplier. */
const MAXIMUM_PRODUCT_BITS = 64;

export const numberOptionsSchema = z
  .strictObject({
    activations: z.strictObject({
      bits: z.int().min(2).max(16).describe('2..16'),
      signed: z.boolean().describe('whether activations have a sign'),
      symmetric: z
        .boolean()
        .describe('zero point 0; else the zero point is chosen so that the range is used'),
    }),
    weightBits: z
      .int()
      .refine((bits) => (bits >= 1 && bits <= 8) || bits === 16, 'expected 1 to 8, or 16')
      .describe('1..8 or 16; 1 = {-1, +1}'),
    weightScales: z
      .enum(['per channel', 'per tensor', 'per group'])
      .describe('one scale a filter, one for all, or one for the filters of a cross-channel group'),
    form: z.enum(['shift', 'multiplier']).describe('requantisation by powers of two, or by multipliers'),
    multiplierBits: z.int().min(8).max(32).describe('8..32'),
    rounding: z.enum(roundings).describe('what becomes of the part below the last bit'),
    accumulator: z.strictObject({
      bits: z.int().min(8).max(48).describe('8..48'),
      overflow: z.enum(['saturate', 'wrap']).describe('what happens at the ends of the accumulator'),
    }),
  })
  .refine(({ accumulator, multiplierBits }) => accumulator.bits + multiplierBits <= MAXIMUM_PRODUCT_BITS, {
    error: `accumulator.bits and multiplierBits exceed ${MAXIMUM_PRODUCT_BITS} together`,
  });

/** Symmetric int8, a scale a filter, 16-bit multipliers, half to even, 32-bit saturating accumulators. */
export function defaultNumbers(form: RequantisationForm): NumberOptions {
  return {
    activations: { bits: 8, signed: true, symmetric: true },
    weightBits: 8,
    weightScales: 'per channel',
    form,
    multiplierBits: 16,
    rounding: 'half-even',
    accumulator: { bits: 32, overflow: 'saturate' },
  };
}

/** @throws InputError for widths out of range, naming the first field that does not fit. */
export function checkNumbers(numbers: NumberOptions): void {
  const result = numberOptionsSchema.safeParse(numbers);
  if (result.success) return;
  const issue = result.error.issues[0]!;
  throw new InputError(`number format: ${[...issue.path, issue.message].join(': ')}`);
}
