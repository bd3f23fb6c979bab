/** From the network's output to boxes: YOLOv2's anchor-box head. */
import { assert } from '../core/diagnostics.ts';
import type { DetectorHead, Shape } from '../graph/graph.ts';
import type { Placement } from './prepare.ts';

/** One detection, in pixels of the input picture. A box may reach over the picture's edge. */
export interface Detection {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** 0..1. */
  readonly score: number;
  readonly class: string;
}

/** The most boxes that compete for their place; of more, the best. Comparing them costs the square. */
const MAXIMUM_CANDIDATES = 10_000;
/** exp() of more than this only makes boxes that are infinite. */
const MAXIMUM_EXPONENT = 30;

/**
 * Decodes a head's output: per grid cell and anchor x, y, w, h and objectness, then a score per class if the head
 * has them.
 *
 * Centre = (column + sigmoid(x)) / columns of the input's width, size = exp(w) * anchor / columns of it, likewise
 * down; score = sigmoid(objectness), times the best softmax of the class scores. Boxes below `scoreThreshold` are
 * dropped, then those overlapping a better one of their class by more than `overlapThreshold`.
 *
 * @param values C-order [anchors * (5 + class scores)][rows][columns], as `shape` says.
 * @param input shape of the network's input, that `placement` speaks of.
 * @returns best score first.
 */
export function decodeDetections(
  head: DetectorHead,
  values: Float32Array,
  shape: Shape,
  input: Shape,
  placement: Placement,
): Detection[] {
  const [channels, rows, columns] = shape;
  const cells = rows * columns;
  const fields = 5 + (head.classScores ? head.classes.length : 0);
  assert(channels === head.anchors.length * fields, 'the detector head does not fit the output');
  assert(values.length === channels * cells, 'the output has another size than its shape says');
  // Picture pixels per grid cell.
  const cellWidth = (input[2] / columns) * (placement.pictureWidth / placement.width);
  const cellHeight = (input[1] / rows) * (placement.pictureHeight / placement.height);

  const found: Detection[] = [];
  for (const [anchor, [anchorWidth, anchorHeight]] of head.anchors.entries()) {
    for (let cell = 0; cell < cells; cell++) {
      const field = (index: number): number => values[(anchor * fields + index) * cells + cell]!;
      const objectness = sigmoid(field(4));
      if (!(objectness >= head.scoreThreshold)) continue;
      const best = head.classScores
        ? bestClass(head.classes.length, (i) => field(5 + i))
        : { index: 0, share: 1 };
      const score = objectness * best.share;
      if (score < head.scoreThreshold) continue;
      const width = exponential(field(2)) * anchorWidth * cellWidth;
      const height = exponential(field(3)) * anchorHeight * cellHeight;
      const centreX = ((cell % columns) + sigmoid(field(0))) * cellWidth;
      const centreY = (Math.floor(cell / columns) + sigmoid(field(1))) * cellHeight;
      const name = head.classes[best.index]!;
      found.push({ left: centreX - width / 2, top: centreY - height / 2, width, height, score, class: name });
    }
  }
  return suppressOverlaps(found, head.overlapThreshold);
}

/**
 * Non-maximum suppression: best first, drops every box whose intersection over union with a kept box of the same
 * class is above `threshold`. Equal scores keep their order.
 */
export function suppressOverlaps(detections: readonly Detection[], threshold: number): Detection[] {
  const kept: Detection[] = [];
  const candidates = [...detections].sort((a, b) => b.score - a.score).slice(0, MAXIMUM_CANDIDATES);
  for (const candidate of candidates) {
    const beaten = kept.some((box) => box.class === candidate.class && overlap(box, candidate) > threshold);
    if (!beaten) kept.push(candidate);
  }
  return kept;
}

/** Intersection over union of two boxes, 0..1. */
export function overlap(a: Detection, b: Detection): number {
  const width = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
  const height = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
  if (!(width > 0) || !(height > 0)) return 0;
  const common = width * height;
  return common / (a.width * a.height + b.width * b.height - common);
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function exponential(x: number): number {
  return Math.exp(Math.min(x, MAXIMUM_EXPONENT));
}

/** The class with the highest score, the first of equals, and its share under softmax. */
function bestClass(classes: number, score: (index: number) => number): { index: number; share: number } {
  let index = 0;
  for (let i = 1; i < classes; i++) if (score(i) > score(index)) index = i;
  let total = 0;
  for (let i = 0; i < classes; i++) total += Math.exp(score(i) - score(index));
  return { index, share: 1 / total };
}
