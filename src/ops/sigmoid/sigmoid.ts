/** Logistic function. */
import { z } from 'zod';
import { defineOp } from '../../graph/op.ts';

export const sigmoid = defineOp({
  name: 'sigmoid',
  summary: '1 / (1 + exp(-x)).',
  attributes: z.strictObject({}),
  inputs: 1,
  inferShape: (_attributes, [input]) => input!,
  float: (tf, _attributes, [map]) => tf.sigmoid(map!),
  machine: { stage: 'table', evaluate: (_attributes, x) => 1 / (1 + Math.exp(-x)) },
});
