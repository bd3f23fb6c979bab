/** Hyperbolic tangent. */
import { z } from 'zod';
import { defineOp } from '../../graph/op.ts';

export const tanh = defineOp({
  name: 'tanh',
  summary: 'tanh(x).',
  attributes: z.strictObject({}),
  inputs: 1,
  inferShape: (_attributes, [input]) => input!,
  float: (tf, _attributes, [map]) => tf.tanh(map!),
  machine: { stage: 'table', evaluate: (_attributes, x) => Math.tanh(x) },
});
