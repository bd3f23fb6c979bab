/** A generator of pictures, for calibration and runs without one. */
import { clamp } from '../core/integers.ts';
import type { Picture } from '../core/picture.ts';
import { hashSeed, randomStream } from '../core/random.ts';

/** Lattices of random colours that a seeded picture blends: cells along its longer side, and contrast. */
const OCTAVES = [
  { cells: 4, contrast: 230 },
  { cells: 15, contrast: 90 },
] as const;

/**
 * A made-up picture: soft blobs of colour in two sizes and light noise, so that feature maps get a range somewhat
 * like that of photographs. The same on every machine for the same size and seed.
 */
export function seededPicture(width: number, height: number, seed: number): Picture {
  const random = randomStream(hashSeed('picture', seed));
  const octaves = OCTAVES.map(({ cells, contrast }) => {
    const cell = Math.max(width, height) / cells;
    const stride = (cells + 2) * 3;
    return {
      stride,
      colours: Float64Array.from(
        { length: (cells + 2) * stride },
        () => (random() / 2 ** 32 - 0.5) * contrast,
      ),
      // One row of the lattice, blended for the row of pixels at hand.
      blended: new Float64Array(stride),
      across: Array.from({ length: width }, (_, x) => smoothStep(x / cell)),
      down: Array.from({ length: height }, (_, y) => smoothStep(y / cell)),
    };
  });

  const data = new Uint8Array(width * height * 3);
  const rowColours = new Float64Array(width * 3);
  for (let y = 0; y < height; y++) {
    rowColours.fill(120);
    for (const { stride, colours, blended, across, down } of octaves) {
      const { index, share } = down[y]!;
      for (let i = 0; i < stride; i++) {
        const above = colours[index * stride + i]!;
        blended[i] = above + (colours[(index + 1) * stride + i]! - above) * share;
      }
      for (let x = 0; x < width; x++) {
        const { index: column, share: part } = across[x]!;
        for (let channel = 0; channel < 3; channel++) {
          const left = blended[column * 3 + channel]!;
          rowColours[x * 3 + channel]! += left + (blended[column * 3 + 3 + channel]! - left) * part;
        }
      }
    }
    for (let x = 0; x < width; x++) {
      // One number gives three noises of -8..7.
      const noise = random();
      for (let channel = 0; channel < 3; channel++) {
        const value = rowColours[x * 3 + channel]! + ((noise >>> (8 * channel)) & 15) - 8;
        data[(y * width + x) * 3 + channel] = clamp(Math.round(value), 0, 255);
      }
    }
  }
  return { width, height, data };
}

/** The lattice line in front of a position and the next one's share, level at both. */
function smoothStep(position: number): { index: number; share: number } {
  const index = Math.floor(position);
  const t = position - index;
  return { index, share: t * t * (3 - 2 * t) };
}
