/** From a picture to the network's input. */
import { InputError } from '../core/diagnostics.ts';
import { clamp } from '../core/integers.ts';
import type { Picture } from '../core/picture.ts';
import type { NetworkInput } from '../graph/graph.ts';

/** Where a picture lies in the network's input: scaled to `width` x `height` cells, so many columns and rows from its corner. */
export interface Placement {
  readonly left: number;
  readonly top: number;
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

/**
 * The largest size with the picture's proportions that fits into rows x columns: to the nearest cell in the corner; cut to
 * whole cells in the centre, as Darknet does it, an odd cell around it on the right or at the bottom.
 */
export function placePicture(
  pictureWidth: number,
  pictureHeight: number,
  rows: number,
  columns: number,
  place: 'corner' | 'centre' = 'corner',
): Placement {
  const isWide = columns * pictureHeight <= rows * pictureWidth;
  const round = place === 'centre' ? Math.floor : Math.round;
  const width = isWide ? columns : clamp(round((pictureWidth * rows) / pictureHeight), 1, columns);
  const height = isWide ? clamp(round((pictureHeight * columns) / pictureWidth), 1, rows) : rows;
  const inFront = (cells: number): number => (place === 'centre' ? Math.floor(cells / 2) : 0);
  return {
    left: inFront(columns - width),
    top: inFront(rows - height),
    width,
    height,
    pictureWidth,
    pictureHeight,
  };
}

/**
 * Scales a picture into the network's input, surrounds it as the network's preparation says (on the right and at the
 * bottom, with black), and takes (pixel - mean) / divisor of every cell, those around it included.
 *
 * Bilinear with half-pixel centres: cell i looks at (i + 0.5) * picture / placed - 0.5, edges repeated. Where the
 * picture shrinks, the two pixels become as many as a cell covers, weighted by the same triangle made wider (as
 * Pillow and browsers do it, not TensorFlow): without that, detections flicker with what happens to be skipped.
 * Nothing is rounded to whole pixel values.
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
  const { mean, divisor, placement: place, surround = 0 } = input.preparation;
  const placement = placePicture(picture.width, picture.height, rows, columns, place);
  const across = samples(picture.width, placement.width);
  const down = samples(picture.height, placement.height);
  const values = new Float32Array(3 * rows * columns);
  // One channel, scaled across but not yet down.
  const narrow = new Float32Array(picture.height * placement.width);
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < picture.height; y++) {
      for (let column = 0; column < placement.width; column++) {
        const { first, weights } = across[column]!;
        let at = (y * picture.width + first) * 3 + channel;
        let pixel = 0;
        for (let i = 0; i < weights.length; i++, at += 3) pixel += weights[i]! * picture.data[at]!;
        narrow[y * placement.width + column] = pixel;
      }
    }
    const plane = values.subarray(channel * rows * columns, (channel + 1) * rows * columns);
    plane.fill((surround - mean[channel]!) / divisor);
    for (let row = 0; row < placement.height; row++) {
      const { first, weights } = down[row]!;
      for (let column = 0; column < placement.width; column++) {
        let at = first * placement.width + column;
        let pixel = 0;
        for (let i = 0; i < weights.length; i++, at += placement.width) pixel += weights[i]! * narrow[at]!;
        const cell = (placement.top + row) * columns + placement.left + column;
        plane[cell] = (pixel - mean[channel]!) / divisor;
      }
    }
  }
  return { values, placement };
}

/** Per scaled cell along one axis: the first pixel it sees, and the weights, adding up to 1, of it and the next. */
function samples(from: number, to: number): { first: number; weights: Float64Array }[] {
  const reach = Math.max(1, from / to);
  return Array.from({ length: to }, (_, cell) => {
    const centre = ((cell + 0.5) * from) / to - 0.5;
    const first = Math.max(0, Math.floor(centre - reach) + 1);
    const end = Math.min(from, Math.ceil(centre + reach));
    const weights = Float64Array.from(
      { length: end - first },
      (_, i) => 1 - Math.abs(first + i - centre) / reach,
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => weight / total) };
  });
}
