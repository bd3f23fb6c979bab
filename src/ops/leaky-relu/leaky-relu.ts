/** Leaky rectified linear unit. */
import { z } from 'zod';
import { defineOp } from '../../graph/op.ts';

export const leakyRelu = defineOp({
  name: 'leakyRelu',
  summary: 'x above zero, slope * x below.',
  attributes: z.strictObject({
    slope: z.number().min(0).max(1).default(0.1).describe('factor of negative values, 0..1'),
  }),
  inputs: 1,
  inferShape: (_attributes, [input]) => input!,
  float: (tf, { slope }, [map]) => tf.leakyRelu(map!, slope),
  machine: { stage: 'activation', activation: ({ slope }) => ({ negativeSlope: slope }) },
});
