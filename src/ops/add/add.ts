/** Elementwise sum. */
import { z } from 'zod';
import { InputError } from '../../core/diagnostics.ts';
import { defineOp } from '../../graph/op.ts';
import { formatShape } from '../../graph/shape.ts';

export const add = defineOp({
  name: 'add',
  summary: 'Elementwise sum of 2 to 8 maps of the same shape.',
  attributes: z.strictObject({}),
  inputs: [2, 8],

  inferShape(_attributes, inputs) {
    const [first, ...others] = inputs;
    const odd = others.find((shape) => shape.join() !== first!.join());
    if (odd !== undefined) {
      throw new InputError(`adds ${formatShape(first!)} and ${formatShape(odd)}, expected the same shape`);
    }
    return first!;
  },

  float: (tf, _attributes, maps) => maps.reduce((total, map) => tf.add(total, map)),
  machine: { stage: 'sum' },
});
