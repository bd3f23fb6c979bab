/** What maximum and average pooling share: attributes, and the walk over windows. */
import { z } from 'zod';
import type { Shape } from '../../graph/graph.ts';
import type { IntegerMap, PoolingGeometry } from '../../graph/op.ts';
import { type PlacedWindow, paddingDescription, paddingSchema, pairSchema, placeWindow } from './window.ts';

/** Fields of every pooling's attribute schema. */
export const poolingFields = {
  window: pairSchema.describe('size of the window: a number or [rows, columns], 1..64'),
  stride: pairSchema
    .optional()
    .describe('step of the window: a number or [rows, columns], 1..64; the window unless given'),
  padding: paddingSchema.default('valid').describe(paddingDescription),
  ceil: z
    .boolean()
    .default(false)
    .describe('round the output up: pad the bottom and right as far as the last window needs'),
};

const fields = z.strictObject(poolingFields);
type PoolingAttributes = z.output<typeof fields>;

/** The window over a map of this shape. @throws InputError when it does not fit. */
export function placePooling(attributes: PoolingAttributes, [, rows, columns]: Shape): PlacedWindow {
  const { window, stride, padding, ceil } = attributes;
  return placeWindow({ kernel: window, stride: stride ?? window, padding, ceil }, rows, columns);
}

export function poolingShape(attributes: PoolingAttributes, input: Shape): Shape {
  return [input[0], ...placePooling(attributes, input).output];
}

export function poolingGeometry(
  attributes: PoolingAttributes,
  input: Shape,
  kind: PoolingGeometry['kind'],
  countIncludesPadding: boolean,
): PoolingGeometry {
  const { kernel, stride, padding } = placePooling(attributes, input);
  return { kind, window: kernel, stride, padding, countIncludesPadding };
}

/**
 * Integer pooling: `start` over the window's real cells by `combine`, then `finish` with how many those were.
 * @returns [channels][rows][columns]
 */
export function poolInteger(
  attributes: PoolingAttributes,
  input: IntegerMap,
  rule: {
    readonly start: number;
    combine(accumulated: number, value: number): number;
    finish(accumulated: number, cells: number): number;
  },
): Int32Array {
  const [channels, inputRows, inputColumns] = input.shape;
  const { kernel, stride, padding, output } = placePooling(attributes, input.shape);
  const [rows, columns] = output;
  const result = new Int32Array(channels * rows * columns);
  for (let c = 0; c < channels; c++) {
    for (let oy = 0; oy < rows; oy++) {
      const startY = oy * stride[0] - padding.top;
      const firstY = Math.max(0, startY);
      const endY = Math.min(inputRows, startY + kernel[0]);
      for (let ox = 0; ox < columns; ox++) {
        const startX = ox * stride[1] - padding.left;
        const firstX = Math.max(0, startX);
        const endX = Math.min(inputColumns, startX + kernel[1]);
        let accumulated = rule.start;
        for (let y = firstY; y < endY; y++) {
          for (let x = firstX; x < endX; x++) {
            accumulated = rule.combine(accumulated, input.data[(c * inputRows + y) * inputColumns + x]!);
          }
        }
        result[(c * rows + oy) * columns + ox] = rule.finish(accumulated, (endY - firstY) * (endX - firstX));
      }
    }
  }
  return result;
}
