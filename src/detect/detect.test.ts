import { describe, expect, it } from 'vitest';
import type { Picture } from '../core/picture.ts';
import type { DetectorHead, NetworkInput, Shape } from '../graph/graph.ts';
import { type Detection, decodeDetections, overlap, suppressOverlaps } from './decode.ts';
import { drawDetections } from './draw.ts';
import { seededPicture } from './picture.ts';
import { placePicture, preparePicture } from './prepare.ts';

function networkInput(shape: Shape): NetworkInput {
  return { name: 'image', shape, preparation: { mean: [10, 20, 30], divisor: 4 } };
}

/** Every pixel's weight is looked at for every cell. */
function scaledNaively(
  picture: Picture,
  width: number,
  height: number,
  row: number,
  column: number,
  channel: number,
) {
  const weight = (pixel: number, cell: number, from: number, to: number): number =>
    Math.max(0, 1 - Math.abs(pixel + 0.5 - ((cell + 0.5) * from) / to) / Math.max(1, from / to));
  let total = 0;
  let weights = 0;
  for (let y = 0; y < picture.height; y++) {
    for (let x = 0; x < picture.width; x++) {
      const w = weight(y, row, picture.height, height) * weight(x, column, picture.width, width);
      total += w * picture.data[(y * picture.width + x) * 3 + channel]!;
      weights += w;
    }
  }
  return total / weights;
}

describe('preparePicture', () => {
  it.each([
    [20, 10, [3, 8, 8], 8, 4],
    [5, 9, [3, 12, 12], 7, 12],
    [7, 7, [3, 6, 16], 6, 6],
    [30, 1, [3, 8, 8], 8, 1],
    [8, 8, [3, 8, 8], 8, 8],
  ] as const)('%d x %d into %j', (width, height, shape, placedWidth, placedHeight) => {
    const picture = seededPicture(width, height, 7);
    const { values, placement } = preparePicture(picture, networkInput(shape));
    expect([placement.width, placement.height]).toEqual([placedWidth, placedHeight]);
    for (let channel = 0; channel < 3; channel++) {
      for (let row = 0; row < shape[1]; row++) {
        for (let column = 0; column < shape[2]; column++) {
          const inside = row < placedHeight && column < placedWidth;
          const pixel = inside ? scaledNaively(picture, placedWidth, placedHeight, row, column, channel) : 0;
          const value = values[(channel * shape[1] + row) * shape[2] + column]!;
          expect(value).toBeCloseTo((pixel - [10, 20, 30][channel]!) / 4, 3);
        }
      }
    }
  });

  // Darknet's letterbox: sides cut to whole cells, half of what is left in front, grey around.
  it.each([
    [20, 10, [3, 9, 8], 8, 4, 0, 2],
    [5, 9, [3, 12, 12], 6, 12, 3, 0],
    [8, 8, [3, 8, 8], 8, 8, 0, 0],
  ] as const)('%d x %d into the centre of %j', (width, height, shape, wide, high, left, top) => {
    const picture = seededPicture(width, height, 7);
    const input = networkInput(shape);
    const { values, placement } = preparePicture(picture, {
      ...input,
      preparation: { ...input.preparation, placement: 'centre', surround: 127.5 },
    });
    expect(placement).toMatchObject({ width: wide, height: high, left, top });
    for (let channel = 0; channel < 3; channel++) {
      for (let row = 0; row < shape[1]; row++) {
        for (let column = 0; column < shape[2]; column++) {
          const [y, x] = [row - top, column - left];
          const inside = y >= 0 && y < high && x >= 0 && x < wide;
          const pixel = inside ? scaledNaively(picture, wide, high, y, x, channel) : 127.5;
          const value = values[(channel * shape[1] + row) * shape[2] + column]!;
          expect(value).toBeCloseTo((pixel - [10, 20, 30][channel]!) / 4, 3);
        }
      }
    }
  });

  it('leaves a picture of the right size as it is', () => {
    const picture = seededPicture(4, 4, 1);
    const { values } = preparePicture(picture, networkInput([3, 4, 4]));
    expect(values[0]).toBe(Math.fround((picture.data[0]! - 10) / 4));
  });

  it('refuses networks that read no colours', () => {
    expect(() => preparePicture(seededPicture(4, 4, 1), networkInput([1, 4, 4]))).toThrow(
      'the network reads 1 channels, expected 3 (red, green, blue) to show it a picture',
    );
  });
});

const head: DetectorHead = {
  kind: 'yolov2',
  classes: ['face'],
  anchors: [
    [1, 2],
    [3, 1],
  ],
  classScores: false,
  scoreThreshold: 0.5,
  overlapThreshold: 0.4,
};

describe('decodeDetections', () => {
  it('puts boxes where the head says, in pixels of the picture', () => {
    // 2 anchors x 5 on a 2 x 4 grid; a 128 x 64 picture, shown at half its size.
    const values = new Float32Array(10 * 8).fill(-20);
    const cell = 1 * 4 + 2;
    for (const [field, value] of [0, 0, Math.log(2), 0, 3].entries()) values[(5 + field) * 8 + cell] = value;
    const placement = placePicture(128, 64, 32, 64);
    const [box, ...others] = decodeDetections(head, [{ values, shape: [10, 2, 4] }], [3, 32, 64], placement);
    expect(others).toEqual([]);
    // A cell is 32 x 32 picture pixels; the centre lies in the middle of column 2, row 1.
    expect(box!.left).toBeCloseTo(2.5 * 32 - (2 * 3 * 32) / 2, 4);
    expect(box!.top).toBeCloseTo(1.5 * 32 - 32 / 2, 4);
    expect(box!.width).toBeCloseTo(2 * 3 * 32, 4);
    expect(box!.height).toBeCloseTo(32, 4);
    expect(box!.score).toBeCloseTo(1 / (1 + Math.exp(-3)), 6);
    expect(box!.class).toBe('face');
  });

  it('counts from the picture where it lies in the centre', () => {
    const values = new Float32Array(10 * 8).fill(-20);
    const cell = 1 * 4 + 2;
    for (const [field, value] of [0, 0, Math.log(2), 0, 3].entries()) values[(5 + field) * 8 + cell] = value;
    // 64 x 32 cells of 64 x 48: eight rows above it, sixteen pixels of the picture.
    const placement = placePicture(128, 64, 48, 64, 'centre');
    const [box] = decodeDetections(head, [{ values, shape: [10, 2, 4] }], [3, 48, 64], placement);
    expect(box!.left).toBeCloseTo(2.5 * 32 - (2 * 3 * 32) / 2, 4);
    // A cell is 48 picture pixels high.
    expect(box!.top).toBeCloseTo(1.5 * 48 - 48 / 2 - 16, 4);
  });

  it('multiplies by the softmax of the class scores', () => {
    const classes = { ...head, classes: ['a', 'b', 'c'], anchors: [[1, 1]] as const, classScores: true };
    const values = new Float32Array([0, 0, 0, 0, 10, 1, 3, 1]);
    const placement = placePicture(8, 8, 8, 8);
    const [box] = decodeDetections(classes, [{ values, shape: [8, 1, 1] }], [3, 8, 8], placement);
    expect(box!.class).toBe('b');
    expect(box!.score).toBeCloseTo(Math.exp(3) / (Math.exp(3) + 2 * Math.E) / (1 + Math.exp(-10)), 6);
  });

  it('keeps boxes finite and drops what is not a number', () => {
    const placement = placePicture(8, 8, 8, 8);
    const one = { ...head, anchors: [[1, 1]] as const };
    const [box] = decodeDetections(
      one,
      [{ values: new Float32Array([0, 0, 1e30, 0, 9]), shape: [5, 1, 1] }],
      [3, 8, 8],
      placement,
    );
    expect(Number.isFinite(box!.width)).toBe(true);
    expect(
      decodeDetections(
        one,
        [{ values: new Float32Array(5).fill(Number.NaN), shape: [5, 1, 1] }],
        [3, 8, 8],
        placement,
      ),
    ).toEqual([]);
  });
});

describe('decodeDetections of several outputs', () => {
  it('takes anchors in pixels of the input, by mask, and every class for itself', () => {
    const head: DetectorHead = {
      kind: 'yolov3',
      classes: ['a', 'b'],
      anchors: [
        [10, 20],
        [16, 8],
      ],
      masks: [[1], [0]],
      classScores: true,
      scoreThreshold: 0.5,
      overlapThreshold: 0.4,
    };
    // x, y, w, h, objectness, two classes; the second output has four cells of which the last holds a box.
    const coarse = new Float32Array([0, 0, Math.log(2), 0, 9, 4, 3]);
    const fine = new Float32Array(28).fill(-20);
    for (const [field, value] of [0, 0, 0, 0, 8, 7, -7].entries()) fine[field * 4 + 3] = value;
    const found = decodeDetections(
      head,
      [
        { values: coarse, shape: [7, 1, 1] },
        { values: fine, shape: [7, 2, 2] },
      ],
      [3, 64, 64],
      placePicture(128, 128, 64, 64),
    );
    expect(found.map((box) => box.class)).toEqual(['a', 'a', 'b']);
    // A pixel of the input is 2 x 2 of the picture.
    expect(found[0]).toMatchObject({ left: 96 - 10, top: 96 - 20 });
    expect(found[0]!.width).toBeCloseTo(20, 6);
    expect(found[1]!.width).toBeCloseTo(2 * 16 * 2, 4);
    expect(found[1]!.score).toBeCloseTo(1 / (1 + Math.exp(-9)) / (1 + Math.exp(-4)), 6);
    expect(found[2]!.left).toBeCloseTo(64 - 32, 4);
  });
});

describe('suppressOverlaps', () => {
  const at = (left: number, score: number, name = 'a'): Detection => ({
    left,
    top: 0,
    width: 10,
    height: 10,
    score,
    class: name,
  });

  it('computes intersection over union', () => {
    expect(overlap(at(0, 1), at(5, 1))).toBeCloseTo(1 / 3, 10);
    expect(overlap(at(0, 1), at(10, 1))).toBe(0);
    expect(overlap(at(0, 1), at(0, 1))).toBe(1);
  });

  it('keeps the best of each heap, class by class', () => {
    const boxes = [at(0, 0.5), at(1, 0.9), at(30, 0.6), at(2, 0.7, 'b'), at(6, 0.8)];
    expect(suppressOverlaps(boxes, 0.4).map((box) => [box.left, box.class])).toEqual([
      [1, 'a'],
      [6, 'a'],
      [2, 'b'],
      [30, 'a'],
    ]);
  });
});

describe('drawDetections', () => {
  it('draws a frame on a copy, cut at the edges', () => {
    const picture = { width: 60, height: 40, data: new Uint8Array(60 * 40 * 3) };
    const box = { left: 20, top: 15, width: 30, height: 20, score: 0.93, class: 'face' };
    const drawn = drawDetections(picture, [box, { ...box, left: -1e9, top: -5, width: 2e9, height: 1e12 }]);
    expect(picture.data.every((value) => value === 0)).toBe(true);
    const red = (x: number, y: number) => drawn.data[(y * 60 + x) * 3];
    expect([red(20, 25), red(21, 25), red(22, 25), red(49, 25), red(47, 25)]).toEqual([255, 255, 0, 255, 0]);
    expect([red(35, 15), red(35, 34), red(35, 17), red(0, 39), red(59, 20)]).toEqual([255, 255, 0, 255, 255]);
  });
});

describe('seededPicture', () => {
  it('is the same for the same seed, and uses the range', () => {
    const first = seededPicture(100, 60, 3);
    expect(first).toEqual(seededPicture(100, 60, 3));
    expect(first.data).not.toEqual(seededPicture(100, 60, 4).data);
    expect(Math.min(...first.data)).toBeLessThan(40);
    expect(Math.max(...first.data)).toBeGreaterThan(215);
  });
});
