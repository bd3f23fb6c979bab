/** Blocks of cells become channels. */
import { z } from 'zod';
import { InputError } from '../../core/diagnostics.ts';
import { defineOp } from '../../graph/op.ts';

/**
 * The order of channels is TensorFlow's: out[(dy * block + dx) * C + c][y][x] = in[c][y * block + dy][x * block + dx],
 * so all C channels of a block's first cell come first. (Darknet's reorg orders them otherwise.)
 */
export const spaceToDepth = defineOp({
  name: 'spaceToDepth',
  summary:
    "The cells of every block x block square become channels, in TensorFlow's order: cell by cell, each with all its channels.",
  attributes: z.strictObject({
    block: z.int().min(1).max(16).describe('side of a block, 1..16; must divide the rows and the columns'),
  }),
  inputs: 1,

  inferShape({ block }, [input]) {
    const [channels, rows, columns] = input!;
    if (rows % block !== 0 || columns % block !== 0) {
      throw new InputError(`block: ${block} does not divide ${rows} rows and ${columns} columns alike`);
    }
    return [channels * block * block, rows / block, columns / block];
  },

  float(tf, { block }, [map]) {
    const [, rows, columns, channels] = map!.shape;
    const [high, wide] = [rows / block, columns / block];
    const blocks = tf.reshape(map!, [high, block, wide, block * channels]);
    return tf.reshape(tf.transpose(blocks, [0, 2, 1, 3]), [1, high, wide, block * block * channels]);
  },

  machine: { stage: 'rearrange', rearrangement: ({ block }) => ({ kind: 'blocksToChannels', block }) },

  integer({ block }, [input], [channels, rows, columns]) {
    const { data, shape } = input!;
    const result = new Int32Array(channels * rows * columns);
    for (let out = 0; out < channels; out++) {
      const c = out % shape[0];
      const cell = Math.floor(out / shape[0]);
      const [dy, dx] = [Math.floor(cell / block), cell % block];
      for (let y = 0; y < rows; y++) {
        const from = (c * shape[1] + y * block + dy) * shape[2] + dx;
        const to = (out * rows + y) * columns;
        for (let x = 0; x < columns; x++) result[to + x] = data[from + x * block]!;
      }
    }
    return result;
  },
});
