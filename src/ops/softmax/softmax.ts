/** Softmax over the channels. */
import { z } from 'zod';
import { defineOp } from '../../graph/op.ts';

export const softmax = defineOp({
  name: 'softmax',
  summary:
    'exp(x) over its sum across the channels, cell by cell; runs in float on the host, as the last node.',
  attributes: z.strictObject({}),
  inputs: 1,
  inferShape: (_attributes, [input]) => input!,
  float: (tf, _attributes, [map]) => tf.softmax(map!, 3),
  machine: { stage: 'host' },
});
