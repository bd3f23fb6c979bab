/** A map from outside the network. */
import { z } from 'zod';
import { randomStream } from '../../core/random.ts';
import type { Shape } from '../../graph/graph.ts';
import { defineOp } from '../../graph/op.ts';

const side = (what: string) => z.int().min(1).max(65536).describe(what);

/** Even over this range on both sides of 0, so that the mean square is 1. */
const REACH = Math.sqrt(3);

/** The values in C-order [channels][rows][columns]. */
function seededValues(shape: Shape, seed: number): Float32Array {
  const next = randomStream(seed);
  const values = new Float32Array(shape[0] * shape[1] * shape[2]);
  for (let i = 0; i < values.length; i++) values[i] = (next() / 2 ** 31 - 1) * REACH;
  return values;
}

export const externalMap = defineOp({
  name: 'externalMap',
  summary:
    'A map that comes from outside the network (the host, another network) and lies in DRAM before the run; its values are seeded.',
  attributes: z.strictObject({
    shape: z
      .tuple([side('channels'), side('rows'), side('columns')])
      .describe('channels, rows, columns, each 1..65536, at most 2^28 values in all'),
    seed: z
      .int()
      .min(0)
      .max(2 ** 32 - 1)
      .default(1)
      .describe('of the values, which are even over -sqrt(3)..sqrt(3)'),
  }),
  inputs: 0,

  inferShape: ({ shape }) => shape,

  float(tf, { shape, seed }) {
    const [channels, rows, columns] = shape;
    const values = seededValues(shape, seed);
    const cells = rows * columns;
    const last = new Float32Array(values.length);
    for (let c = 0; c < channels; c++) {
      for (let cell = 0; cell < cells; cell++) last[cell * channels + c] = values[c * cells + cell]!;
    }
    return tf.tensor4d(last, [1, rows, columns, channels]);
  },

  machine: {
    stage: 'given',
    values: ({ shape, seed }) => seededValues(shape, seed),
  },
});
