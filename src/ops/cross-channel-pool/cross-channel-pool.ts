/** Maximum across channels: out[n] is the largest of `ratio` consecutive channels, cell by cell. */
import { z } from 'zod';
import { InputError } from '../../core/diagnostics.ts';
import { defineOp } from '../../graph/op.ts';

export const crossChannelPool = defineOp({
  name: 'crossChannelPool',
  summary: 'Maximum of every `ratio` consecutive channels: out[n] = max over j of in[n * ratio + j].',
  attributes: z.strictObject({
    ratio: z.int().min(1).max(16).describe('channels that become one, 1..16; must divide the channels'),
  }),
  inputs: 1,

  inferShape({ ratio }, [input]) {
    const [channels, rows, columns] = input!;
    if (channels % ratio !== 0) throw new InputError(`ratio: ${ratio} does not divide ${channels} channels`);
    return [channels / ratio, rows, columns];
  },

  float(tf, { ratio }, [map]) {
    const [, rows, columns, channels] = map!.shape;
    const kept = channels / ratio;
    const grouped = tf.reshape(map!, [rows * columns, kept, ratio]);
    return tf.reshape(tf.max(grouped, 2), [1, rows, columns, kept]);
  },

  machine: { stage: 'crossChannel', ratio: ({ ratio }) => ratio },

  integer({ ratio }, input, [channels, rows, columns]) {
    const cells = rows * columns;
    const result = new Int32Array(channels * cells);
    for (let n = 0; n < channels; n++) {
      for (let cell = 0; cell < cells; cell++) {
        let largest = input.data[n * ratio * cells + cell]!;
        for (let j = 1; j < ratio; j++) {
          largest = Math.max(largest, input.data[(n * ratio + j) * cells + cell]!);
        }
        result[n * cells + cell] = largest;
      }
    }
    return result;
  },
});
