/** Rectified linear unit. */
import { z } from 'zod';
import { defineOp } from '../../graph/op.ts';

export const relu = defineOp({
  name: 'relu',
  summary: 'max(0, x).',
  attributes: z.strictObject({}),
  inputs: 1,
  inferShape: (_attributes, [input]) => input!,
  float: (tf, _attributes, [map]) => tf.relu(map!),
  machine: { stage: 'activation', activation: () => ({ negativeSlope: 0 }) },
});
