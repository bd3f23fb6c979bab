/** Parameters of the requantiser. */
import { z } from 'zod';
import { roundings } from '../../core/fixed-point.ts';

export const requantiseSchema = z
  .strictObject({
    form: z
      .enum(['shift', 'multiplier'])
      .describe(
        'How accumulators become activations: power-of-two scales (a shift), or a multiplier and a shift',
      ),
    multiplierBits: z.int().min(8).max(32).default(16).describe('Bits of the multiplier'),
    rounding: z
      .enum(roundings)
      .default('half-even')
      .describe('What becomes of the part below the last bit; truncate drops it, towards minus infinity'),
    lookupTable: z
      .strictObject({
        bytes: z
          .int()
          .min(16)
          .max(2 ** 20)
          .describe('Table of one function of one value, in bytes'),
      })
      .nullable()
      .default(null)
      .describe('Sigmoid and other functions behind the requantiser; null = none'),
  })
  .describe('Bias, scaling, activation');

export type RequantiseConfig = z.output<typeof requantiseSchema>;
