/** Upsampling by repetition. */
import { z } from 'zod';
import { defineOp } from '../../graph/op.ts';
import { asPair, pairSchema } from '../shared/window.ts';

export const upsampleNearest = defineOp({
  name: 'upsampleNearest',
  summary: 'Every cell repeated over a block: out[y][x] = in[floor(y / rows)][floor(x / columns)].',
  attributes: z.strictObject({
    factor: pairSchema.describe('how often a cell is repeated: a number or [rows, columns], 1..64'),
  }),
  inputs: 1,

  inferShape({ factor }, [input]) {
    const [tall, wide] = asPair(factor);
    return [input![0], input![1] * tall, input![2] * wide];
  },

  // By tiling: resizing computes positions in floating point, which may miss a cell by one.
  float(tf, { factor }, [map]) {
    const [, rows, columns, channels] = map!.shape;
    const [tall, wide] = asPair(factor);
    const higher = tf.tile(tf.reshape(map!, [rows, 1, columns * channels]), [1, tall, 1]);
    const wider = tf.tile(tf.reshape(higher, [rows * tall * columns, 1, channels]), [1, wide, 1]);
    return tf.reshape(wider, [1, rows * tall, columns * wide, channels]);
  },

  machine: {
    stage: 'rearrange',
    rearrangement: ({ factor }) => ({ kind: 'upsample', factor: asPair(factor) }),
  },

  integer({ factor }, [input], [channels, rows, columns]) {
    const [tall, wide] = asPair(factor);
    const { data, shape } = input!;
    const result = new Int32Array(channels * rows * columns);
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < rows; y++) {
        const from = (c * shape[1] + Math.floor(y / tall)) * shape[2];
        const to = (c * rows + y) * columns;
        for (let x = 0; x < columns; x++) result[to + x] = data[from + Math.floor(x / wide)]!;
      }
    }
    return result;
  },
});
