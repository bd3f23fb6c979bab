/** Drawing detections on a picture. */
import { clamp } from '../core/integers.ts';
import type { Picture } from '../core/picture.ts';
import type { Detection } from './decode.ts';

type Colour = readonly [red: number, green: number, blue: number];

/** Told apart by eye; the class decides. */
const COLOURS: readonly Colour[] = [
  [255, 64, 64],
  [64, 220, 96],
  [80, 144, 255],
  [255, 200, 0],
  [230, 80, 230],
  [0, 210, 210],
];
const BLACK: Colour = [0, 0, 0];

/** 5 x 7 dots each, a row a number, the highest of five bits on the left. */
const GLYPHS: Readonly<Record<string, readonly number[]>> = {
  '0': [14, 17, 19, 21, 25, 17, 14],
  '1': [4, 12, 4, 4, 4, 4, 14],
  '2': [14, 17, 1, 2, 4, 8, 31],
  '3': [31, 2, 4, 2, 1, 17, 14],
  '4': [2, 6, 10, 18, 31, 2, 2],
  '5': [31, 16, 30, 1, 1, 17, 14],
  '6': [6, 8, 16, 30, 17, 17, 14],
  '7': [31, 1, 2, 4, 8, 8, 8],
  '8': [14, 17, 17, 14, 17, 17, 14],
  '9': [14, 17, 17, 15, 1, 2, 12],
  '.': [0, 0, 0, 0, 0, 12, 12],
};

/**
 * A copy of the picture with a frame around every detection and its score (two decimals) on the frame's upper left
 * corner. Frames are 2 pixels wide, 3 from 800 pixels on, and stay inside the picture; a class keeps its colour.
 */
export function drawDetections(picture: Picture, detections: readonly Detection[]): Picture {
  const copy = { ...picture, data: picture.data.slice() };
  const wide = Math.max(picture.width, picture.height) >= 800 ? 3 : 2;
  const classes = [...new Set(detections.map((detection) => detection.class))].sort();
  // The best comes last, on top of the others.
  for (const detection of [...detections].reverse()) {
    const colour = COLOURS[classes.indexOf(detection.class) % COLOURS.length]!;
    const left = clamp(Math.round(detection.left), 0, picture.width - 1);
    const top = clamp(Math.round(detection.top), 0, picture.height - 1);
    const right = clamp(Math.round(detection.left + detection.width), left + 1, picture.width);
    const bottom = clamp(Math.round(detection.top + detection.height), top + 1, picture.height);
    fill(copy, left, top, right, top + wide, colour);
    fill(copy, left, bottom - wide, right, bottom, colour);
    fill(copy, left, top, left + wide, bottom, colour);
    fill(copy, right - wide, top, right, bottom, colour);
    drawLabel(copy, left, top, detection.score.toFixed(2), colour);
  }
  return copy;
}

function drawLabel(picture: Picture, left: number, top: number, text: string, colour: Colour): void {
  const width = text.length * 6 + 1;
  const x = clamp(left, 0, Math.max(0, picture.width - width));
  // Above the frame, or inside it when there is no room.
  const y = top >= 9 ? top - 9 : top;
  fill(picture, x, y, x + width, y + 9, colour);
  for (const [index, character] of [...text].entries()) {
    for (const [row, dots] of (GLYPHS[character] ?? []).entries()) {
      for (let column = 0; column < 5; column++) {
        if ((dots & (16 >> column)) === 0) continue;
        const dotX = x + 1 + index * 6 + column;
        fill(picture, dotX, y + 1 + row, dotX + 1, y + 2 + row, BLACK);
      }
    }
  }
}

/** Fills a rectangle as far as it lies in the picture; right and bottom are one past the last pixel. */
function fill(
  picture: Picture,
  left: number,
  top: number,
  right: number,
  bottom: number,
  colour: Colour,
): void {
  for (let y = Math.max(0, top); y < Math.min(bottom, picture.height); y++) {
    for (let x = Math.max(0, left); x < Math.min(right, picture.width); x++) {
      picture.data.set(colour, (y * picture.width + x) * 3);
    }
  }
}
