/** Pooling across channels: out[n] is the largest, or the mean, of `ratio` consecutive channels, cell by cell. */
import { z } from 'zod';
import { InputError } from '../../core/diagnostics.ts';
import { divideRound } from '../../core/fixed-point.ts';
import { defineOp } from '../../graph/op.ts';

export const crossChannelPool = defineOp({
  name: 'crossChannelPool',
  summary:
    'Maximum or mean of every `ratio` consecutive channels: out[n] = max (or mean) over j of in[n * ratio + j].',
  attributes: z.strictObject({
    ratio: z.int().min(1).max(16).describe('channels that become one, 1..16; must divide the channels'),
    kind: z.enum(['maximum', 'mean']).default('maximum').describe("'maximum' or 'mean' of the channels"),
  }),
  inputs: 1,

  inferShape({ ratio }, [input]) {
    const [channels, rows, columns] = input!;
    if (channels % ratio !== 0) throw new InputError(`ratio: ${ratio} does not divide ${channels} channels`);
    return [channels / ratio, rows, columns];
  },

  float(tf, { ratio, kind }, [map]) {
    const [, rows, columns, channels] = map!.shape;
    const kept = channels / ratio;
    const grouped = tf.reshape(map!, [rows * columns, kept, ratio]);
    const pooled = kind === 'maximum' ? tf.max(grouped, 2) : tf.mean(grouped, 2);
    return tf.reshape(pooled, [1, rows, columns, kept]);
  },

  machine: { stage: 'crossChannel', reduction: ({ ratio, kind }) => ({ kind, ratio }) },

  integer({ ratio, kind }, [input], [channels, rows, columns]) {
    const { data, rounding } = input!;
    const cells = rows * columns;
    const result = new Int32Array(channels * cells);
    for (let n = 0; n < channels; n++) {
      for (let cell = 0; cell < cells; cell++) {
        let largest = Number.NEGATIVE_INFINITY;
        let total = 0;
        for (let j = 0; j < ratio; j++) {
          const value = data[(n * ratio + j) * cells + cell]!;
          largest = Math.max(largest, value);
          total += value;
        }
        result[n * cells + cell] = kind === 'maximum' ? largest : divideRound(total, ratio, rounding);
      }
    }
    return result;
  },
});
