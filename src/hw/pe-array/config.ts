/** Parameters of the array of processing elements. */
import { z } from 'zod';

export const peArraySchema = z
  .strictObject({
    rows: z.int().min(1).max(256).describe('Rows: output pixels computed at once, in raster order'),
    columns: z.int().min(1).max(256).describe('Columns: filters computed at once'),
    dataflow: z
      .literal('output-stationary')
      .describe('Every element keeps one output; features are broadcast along rows, weights along columns'),
    activationBits: z.literal(8).describe('Bits of an activation'),
    weightBits: z.literal(8).describe('Bits of a weight'),
    accumulatorBits: z.literal(32).describe('Bits of an accumulator'),
    pipelineDepth: z
      .int()
      .min(1)
      .max(16)
      .describe(
        'Cycles from reading operands to the finished product sum: buffer, operand register, multiply-add',
      ),
  })
  .describe(
    'Processing elements; each has an accumulator and a shadow of it that drains during the next fold',
  );

export type PeArrayConfig = z.output<typeof peArraySchema>;
