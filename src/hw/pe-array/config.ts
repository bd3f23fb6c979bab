/** Parameters of the array of processing elements. */
import { z } from 'zod';

/** What an element keeps while operands pass. */
export const dataflowNames = ['output-stationary', 'weight-stationary', 'input-stationary'] as const;

export type DataflowName = (typeof dataflowNames)[number];

export const peArraySchema = z
  .strictObject({
    rows: z
      .int()
      .min(1)
      .max(256)
      .describe(
        'Rows: output pixels computed at once, in raster order; products summed at once in a weight- or input-stationary array. Post-processing takes as many values at once',
      ),
    columns: z
      .int()
      .min(1)
      .max(256)
      .describe('Columns: filters computed at once; output pixels in an input-stationary array'),
    dataflow: z
      .enum(dataflowNames)
      .describe(
        'What an element keeps. output-stationary: the sum of one pixel and filter; rows are pixels, columns filters, time products. weight-stationary: a weight; rows are products of a sum, columns filters, time pixels. input-stationary: a feature; rows are products, columns pixels, time filters',
      ),
    feed: z
      .enum(['broadcast', 'systolic'])
      .default('broadcast')
      .describe(
        'How operands reach the elements. broadcast: all in one cycle. systolic: from neighbour to neighbour, so the last element works rows + columns - 2 cycles behind the first',
      ),
    foldOverlap: z
      .boolean()
      .default(true)
      .describe(
        'true: a fold begins when the one before has read its last operands, and stationary operands come in while that one computes. false: every fold waits for its stationary operands, and for the one before to have left the array',
      ),
    products: z
      .enum(['flattened', 'channels'])
      .default('flattened')
      .describe(
        'What the rows of a weight- or input-stationary array hold at once. flattened: any consecutive products, tap after tap of an input channel. channels: input channels of one tap, so rows stay empty where there are fewer channels. In the second order sums are added otherwise: a network whose sums may leave the accumulator is refused',
      ),
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
        'Depthwise mode, for column strides 1 and 2: a row of R values a cycle passes shift registers and a tree of adders; null: a depthwise layer uses one column. Only in output-stationary broadcast arrays',
      ),
  })
  .describe(
    'Processing elements; in an output-stationary array each has an accumulator and a shadow of it that drains during the next fold, in the others a stationary operand and a shadow of it',
  );

export type PeArrayConfig = z.output<typeof peArraySchema>;

/** Bytes of a partial sum in the accumulator buffer. */
export function accumulatorBytes(accumulatorBits: number): 4 | 8 {
  return accumulatorBits <= 32 ? 4 : 8;
}
