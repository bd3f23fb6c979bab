/** Parameters of the requantiser. */
import { z } from 'zod';

export const requantiseSchema = z
  .enum(['shift', 'multiplier'])
  .describe(
    'How accumulators become activations: power-of-two scales (a shift), or a 16-bit multiplier and a shift',
  );
