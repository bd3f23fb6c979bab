/** Parameters of the array of processing elements. */
import { z } from 'zod';

export const peArraySchema = z
  .strictObject({
    rows: z.int().min(1).max(256).describe('Rows: output pixels computed at once, in raster order'),
    columns: z.int().min(1).max(256).describe('Columns: filters computed at once'),
    dataflow: z
      .literal('output-stationary')
      .describe('Every element keeps one output; features are broadcast along rows, weights along columns'),
    activationBits: z.int().min(2).max(16).describe('Most bits of an activation; values take 1 or 2 bytes'),
    weightBits: z.int().min(1).max(16).describe('Most bits of a weight; values take 1 or 2 bytes'),
    accumulatorBits: z.int().min(8).max(48).describe('Bits of an accumulator'),
    accumulatorOverflow: z
      .enum(['saturate', 'wrap'])
      .default('saturate')
      .describe('What a sum does that leaves the accumulator; every time is counted'),
    pipelineDepth: z
      .int()
      .min(1)
      .max(16)
      .describe(
        'Cycles from reading operands to the finished product sum: buffer, operand register, multiply-add',
      ),
    depthwise: z
      .strictObject({
        kernel: z
          .int()
          .min(1)
          .max(15)
          .describe(
            'Rows and columns of the kernels it takes; a tree of adders sums their taps, each by the multipliers of a column',
          ),
      })
      .nullable()
      .default(null)
      .describe(
        'Depthwise mode, for column strides 1 and 2: a row of R values a cycle passes shift registers and a tree of adders; null: a depthwise layer uses one column',
      ),
  })
  .describe(
    'Processing elements; each has an accumulator and a shadow of it that drains during the next fold',
  );

export type PeArrayConfig = z.output<typeof peArraySchema>;

/** Bytes of a partial sum in the accumulator buffer. */
export function accumulatorBytes(accumulatorBits: number): 4 | 8 {
  return accumulatorBits <= 32 ? 4 : 8;
}
