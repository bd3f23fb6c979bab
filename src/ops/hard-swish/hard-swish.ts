/** Piecewise polynomial stand-in for SiLU (MobileNetV3). */
import { z } from 'zod';
import { defineOp } from '../../graph/op.ts';

export const hardSwish = defineOp({
  name: 'hardSwish',
  summary: 'x * min(6, max(0, x + 3)) / 6.',
  attributes: z.strictObject({}),
  inputs: 1,
  inferShape: (_attributes, [input]) => input!,
  float: (tf, _attributes, [map]) => tf.mul(map!, tf.div(tf.clipByValue(tf.add(map!, 3), 0, 6), 6)),
  machine: { stage: 'table', evaluate: (_attributes, x) => (x * Math.min(6, Math.max(0, x + 3))) / 6 },
});
