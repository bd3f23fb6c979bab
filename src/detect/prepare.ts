/** From a picture to the network's input. */
import { InputError } from '../core/diagnostics.ts';
import { clamp } from '../core/integers.ts';
import type { NetworkInput } from '../graph/graph.ts';
import type { Picture } from './picture.ts';

/** Where a picture lies in the network's input: scaled to `width` x `height` cells, in the upper left corner. */
export interface Placement {
  readonly width: number;
  readonly height: number;
  readonly pictureWidth: number;
  readonly pictureHeight: number;
}

/** A picture as the network reads it. */
export interface PreparedPicture {
  /** C-order [3][rows][columns], in the network's units. */
  readonly values: Float32Array;
  readonly placement: Placement;
}

/** The largest size with the picture's proportions (to the nearest cell) that fits into rows x columns. */
export function placePicture(
  pictureWidth: number,
  pictureHeight: number,
  rows: number,
  columns: number,
): Placement {
  const scale = Math.min(columns / pictureWidth, rows / pictureHeight);
  return {
    width: clamp(Math.round(pictureWidth * scale), 1, columns),
    height: clamp(Math.round(pictureHeight * scale), 1, rows),
    pictureWidth,
    pictureHeight,
  };
}

/**
 * Scales a picture into the network's input, pads it on the right and at the bottom with black, and takes
 * (pixel - mean) / divisor of every cell, padding included.
 *
 * Bilinear with half-pixel centres: cell i looks at (i + 0.5) * picture / placed - 0.5, edges repeated, without
 * smoothing when it shrinks (as `tf.image.resizeBilinear(.., halfPixelCenters)` does). Pixels between pixels are
 * not rounded.
 *
 * Throws an `InputError` when the network does not read three channels.
 */
export function preparePicture(picture: Picture, input: NetworkInput): PreparedPicture {
  const [channels, rows, columns] = input.shape;
  if (channels !== 3) {
    throw new InputError(
      `the network reads ${channels} channels, expected 3 (red, green, blue) to show it a picture`,
    );
  }
  const placement = placePicture(picture.width, picture.height, rows, columns);
  const across = sampling(picture.width, placement.width);
  const down = sampling(picture.height, placement.height);
  const { mean, divisor } = input.preparation;
  const values = new Float32Array(3 * rows * columns);
  for (let channel = 0; channel < 3; channel++) {
    const plane = values.subarray(channel * rows * columns, (channel + 1) * rows * columns);
    plane.fill((0 - mean[channel]!) / divisor);
    for (let row = 0; row < placement.height; row++) {
      const { before: top, behind: bottom, share: vertical } = down[row]!;
      const upper = top * picture.width;
      const lower = bottom * picture.width;
      for (let column = 0; column < placement.width; column++) {
        const { before: left, behind: right, share: horizontal } = across[column]!;
        const pixel = (index: number): number => picture.data[index * 3 + channel]!;
        const above = mix(pixel(upper + left), pixel(upper + right), horizontal);
        const below = mix(pixel(lower + left), pixel(lower + right), horizontal);
        plane[row * columns + column] = (mix(above, below, vertical) - mean[channel]!) / divisor;
      }
    }
  }
  return { values, placement };
}

function mix(a: number, b: number, share: number): number {
  return a + (b - a) * share;
}

/** Per scaled cell along one axis: the two pixels around its centre and the second one's share. */
function sampling(from: number, to: number): { before: number; behind: number; share: number }[] {
  return Array.from({ length: to }, (_, i) => {
    const centre = clamp(((i + 0.5) * from) / to - 0.5, 0, from - 1);
    const before = Math.floor(centre);
    return { before, behind: Math.min(before + 1, from - 1), share: centre - before };
  });
}
