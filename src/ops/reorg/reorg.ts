/** Darknet's reorganisation in front of a passthrough (YOLOv2). */
import { z } from 'zod';
import { InputError } from '../../core/diagnostics.ts';
import { defineOp, type FloatMap } from '../../graph/op.ts';

/**
 * Darknet calls its routine for blocks of cells with the input's sides where those of the result are meant. So the
 * map's values, channel after channel, are taken as those of a map with stride^2 times fewer channels and stride
 * times the sides, and what comes of its blocks is taken as the result, in the same order:
 *
 *   wide[c][y][x], deep[k][y][x]: the values of `in` under [C / s^2][H s][W s] and of `out` under [C][H][W]
 *   deep[(dy * s + dx) * C / s^2 + c][y][x] = wide[c][y * s + dy][x * s + dx]
 *
 * Networks were trained so. (`spaceToDepth` is what was meant.)
 */
export const reorg = defineOp({
  name: 'reorg',
  summary:
    "Darknet's reorg: the values in their order are read as stride^2 times fewer channels of stride times the sides, its blocks become channels, and the result is read as stride^2 times the channels of a stride-th of the sides.",
  attributes: z.strictObject({
    stride: z.int().min(1).max(16).default(2).describe('side of a block, 1..16; must divide the sides'),
  }),
  inputs: 1,

  inferShape({ stride }, [input]) {
    const [channels, rows, columns] = input!;
    if (rows % stride !== 0 || columns % stride !== 0 || channels % stride ** 2 !== 0) {
      throw new InputError(
        `stride: ${stride} does not divide ${rows} rows and ${columns} columns, and its square ${channels} channels`,
      );
    }
    return [channels * stride ** 2, rows / stride, columns / stride];
  },

  float(tf, { stride: s }, [map]) {
    const [, rows, columns, channels] = map!.shape;
    const wide = channels / s ** 2;
    const planes = tf.transpose(map!, [0, 3, 1, 2]);
    // [c][y][dy][x][dx] to [dy][dx][c][y][x].
    const deep = tf.transpose(tf.reshape(planes, [wide, rows, s, columns, s]), [2, 4, 0, 1, 3]);
    const result: FloatMap = tf.reshape(deep, [1, channels * s ** 2, rows / s, columns / s]);
    return tf.transpose(result, [0, 2, 3, 1]);
  },

  machine: {
    stage: 'rearrange',
    rearrangement: ({ stride }) => ({ kind: 'flatBlocksToChannels', block: stride }),
  },

  integer({ stride: s }, [input]) {
    const { data, shape } = input!;
    const [channels, rows, columns] = shape;
    const fewer = channels / s ** 2;
    const result = new Int32Array(data.length);
    for (let k = 0; k < channels; k++) {
      const c = k % fewer;
      const cell = Math.floor(k / fewer);
      const [dy, dx] = [Math.floor(cell / s), cell % s];
      for (let y = 0; y < rows; y++) {
        for (let x = 0; x < columns; x++) {
          const from = (c * rows * s + y * s + dy) * columns * s + x * s + dx;
          result[(k * rows + y) * columns + x] = data[from]!;
        }
      }
    }
    return result;
  },
});
