/** Average pooling. */
import { z } from 'zod';
import { divideRound } from '../../core/fixed-point.ts';
import type { FloatMap, Tf } from '../../graph/op.ts';
import { defineOp } from '../../graph/op.ts';
import {
  placePooling,
  poolInteger,
  poolingFields,
  poolingGeometry,
  poolingShape,
} from '../shared/pooling.ts';
import { type PlacedWindow, padMap, realOutputs } from '../shared/window.ts';

export const averagePool = defineOp({
  name: 'averagePool',
  summary: 'Mean of every window, by default over the cells inside the map alone.',
  attributes: z.strictObject({
    ...poolingFields,
    countIncludesPadding: z
      .boolean()
      .default(false)
      .describe("divide by the whole window's size even where it hangs over the edge"),
  }),
  inputs: 1,
  inferShape: (attributes, [input]) => poolingShape(attributes, input!),

  float(tf, attributes, [map]) {
    const [, rows, columns, channels] = map!.shape;
    const window = placePooling(attributes, [channels, rows, columns]);
    const { kernel, stride, padding } = window;
    const padded = padMap(tf, map!, padding, 0);
    const whole = tf.avgPool(padded, [...kernel], [...stride], 'valid');
    if (padded === map || attributes.countIncludesPadding) return whole;
    return tf.mul(whole, shareOfWindow(tf, window, rows, columns));
  },

  machine: {
    stage: 'pool',
    pooling: (attributes, input) =>
      poolingGeometry(attributes, input, 'average', attributes.countIncludesPadding),
  },

  integer(attributes, [input]) {
    const { zeroPoint, rounding } = input!;
    const { kernel } = placePooling(attributes, input!.shape);
    const size = kernel[0] * kernel[1];
    return poolInteger(attributes, input!, {
      start: 0,
      combine: (total, value) => total + value,
      finish: (total, cells) =>
        attributes.countIncludesPadding
          ? divideRound(total + (size - cells) * zeroPoint, size, rounding)
          : divideRound(total, cells, rounding),
    });
  },
});

/** [1, rows, columns, 1]: window size over the number of its real cells; undoes the padding's share of the mean. */
function shareOfWindow(tf: Tf, window: PlacedWindow, rows: number, columns: number): FloatMap {
  const vertical = realCells(rows, window, 0);
  const horizontal = realCells(columns, window, 1);
  const size = window.kernel[0] * window.kernel[1];
  const shares = vertical.flatMap((high) => horizontal.map((wide) => size / (high * wide)));
  return tf.tensor4d(shares, [1, vertical.length, horizontal.length, 1]);
}

/** Along one axis: how many cells of each window lie inside the map. */
function realCells(input: number, window: PlacedWindow, axis: 0 | 1): number[] {
  const front = axis === 0 ? window.padding.top : window.padding.left;
  const counts = new Array<number>(window.output[axis]).fill(0);
  for (let tap = 0; tap < window.kernel[axis]; tap++) {
    const { first, end } = realOutputs(input, counts.length, window.stride[axis], tap - front);
    for (let at = first; at < end; at++) counts[at]! += 1;
  }
  return counts;
}
