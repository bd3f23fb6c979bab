/** Sigmoid linear unit (swish). */
import { z } from 'zod';
import { defineOp } from '../../graph/op.ts';

export const silu = defineOp({
  name: 'silu',
  summary: 'x / (1 + exp(-x)).',
  attributes: z.strictObject({}),
  inputs: 1,
  inferShape: (_attributes, [input]) => input!,
  float: (tf, _attributes, [map]) => tf.mul(map!, tf.sigmoid(map!)),
  machine: { stage: 'table', evaluate: (_attributes, x) => x / (1 + Math.exp(-x)) },
});
