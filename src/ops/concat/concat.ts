/** Concatenation along the channels. */
import { z } from 'zod';
import { InputError } from '../../core/diagnostics.ts';
import { sum } from '../../core/integers.ts';
import { defineOp } from '../../graph/op.ts';
import { formatShape } from '../../graph/shape.ts';

export const concat = defineOp({
  name: 'concat',
  summary: 'The channels of 2 to 64 maps of the same rows and columns, one after the other.',
  attributes: z.strictObject({}),
  inputs: [2, 64],

  inferShape(_attributes, inputs) {
    const [, rows, columns] = inputs[0]!;
    const odd = inputs.find((shape) => shape[1] !== rows || shape[2] !== columns);
    if (odd !== undefined) {
      throw new InputError(
        `puts ${formatShape(inputs[0]!)} and ${formatShape(odd)} side by side, expected the same rows and columns`,
      );
    }
    return [sum(inputs.map(([channels]) => channels)), rows, columns];
  },

  float: (tf, _attributes, maps) => tf.concat([...maps], 3),
  machine: { stage: 'join' },
});
