/** Rectified linear unit with a ceiling (ReLU6 and its kin). */
import { z } from 'zod';
import { defineOp } from '../../graph/op.ts';

export const clippedRelu = defineOp({
  name: 'clippedRelu',
  summary: 'min(maximum, max(0, x)).',
  attributes: z.strictObject({
    maximum: z.number().min(1e-6).max(1e6).default(6).describe('largest value let through, 1e-6..1e6'),
  }),
  inputs: 1,
  inferShape: (_attributes, [input]) => input!,
  float: (tf, { maximum }, [map]) => tf.clipByValue(map!, 0, maximum),
  machine: {
    stage: 'activation',
    activation: ({ maximum }) => ({ negativeSlope: 0, upper: maximum }),
  },
});
