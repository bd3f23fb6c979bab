/** Maximum pooling. */
import { z } from 'zod';
import { defineOp } from '../../graph/op.ts';
import {
  placePooling,
  poolInteger,
  poolingFields,
  poolingGeometry,
  poolingShape,
} from '../shared/pooling.ts';
import { padMap } from '../shared/window.ts';

/** The lowest float32: padding that never wins. */
const LOWEST = -3.4028234663852886e38;

export const maxPool = defineOp({
  name: 'maxPool',
  summary: 'Largest value of every window; cells outside the map are left out.',
  attributes: z.strictObject(poolingFields),
  inputs: 1,
  inferShape: (attributes, [input]) => poolingShape(attributes, input!),

  float(tf, attributes, [map]) {
    const [, rows, columns, channels] = map!.shape;
    const { kernel, stride, padding } = placePooling(attributes, [channels, rows, columns]);
    return tf.maxPool(padMap(tf, map!, padding, LOWEST), [...kernel], [...stride], 'valid');
  },

  machine: {
    stage: 'pool',
    pooling: (attributes, input) => poolingGeometry(attributes, input, 'maximum', false),
  },

  integer: (attributes, [input]) =>
    poolInteger(attributes, input!, {
      start: Number.NEGATIVE_INFINITY,
      combine: Math.max,
      finish: (largest) => largest,
    }),
});
