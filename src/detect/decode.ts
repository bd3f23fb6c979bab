/** From the network's outputs to boxes: YOLOv2's and YOLOv3's anchor-box heads. */
import { assert } from '../core/diagnostics.ts';
import { anchorsOfOutputs, fieldsPerAnchor } from '../graph/detector-head.ts';
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

/** One output of a network, C-order [channels][rows][columns]. */
export interface HeadOutput {
  readonly values: Float32Array;
  readonly shape: Shape;
}

/**
 * Decodes a head's outputs: per grid cell and anchor x, y, w, h and objectness, then a score per class if the head
 * has them.
 *
 * Centre = (column + sigmoid(x)) / columns of the input's width, size = exp(w) * anchor (cells of the grid, or pixels of
 * the input, by the kind), likewise down; score = sigmoid(objectness), times the best softmax of the class scores
 * (yolov2) or the sigmoid of each of them (yolov3: a box may have several classes). Boxes below `scoreThreshold` are
 * dropped, then those overlapping a better one of their class by more than `overlapThreshold`.
 *
 * @param outputs the network's, in their order: as many as the head has masks, one if it has none.
 * @param input shape of the network's input, that `placement` speaks of.
 * @returns best score first.
 */
export function decodeDetections(
  head: DetectorHead,
  outputs: readonly HeadOutput[],
  input: Shape,
  placement: Placement,
): Detection[] {
  const found = anchorsOfOutputs(head).flatMap((anchors, at) => {
    const output = outputs[at];
    assert(output !== undefined, 'the detector head has more outputs than the network');
    return decodeOutput({ ...head, anchors }, output, input, placement);
  });
  return suppressOverlaps(found, head.overlapThreshold);
}

function decodeOutput(
  head: DetectorHead,
  { values, shape }: HeadOutput,
  input: Shape,
  placement: Placement,
): Detection[] {
  const [channels, rows, columns] = shape;
  const cells = rows * columns;
  const fields = fieldsPerAnchor(head);
  assert(channels === head.anchors.length * fields, 'the detector head does not fit the output');
  assert(values.length === channels * cells, 'the output has another size than its shape says');
  // Picture pixels per grid cell, and per unit of the anchors.
  const pixelWidth = placement.pictureWidth / placement.width;
  const pixelHeight = placement.pictureHeight / placement.height;
  const cellWidth = (input[2] / columns) * pixelWidth;
  const cellHeight = (input[1] / rows) * pixelHeight;
  const fromLeft = placement.left * pixelWidth;
  const fromTop = placement.top * pixelHeight;
  const inPixels = head.kind === 'yolov3';
  const unitWidth = inPixels ? pixelWidth : cellWidth;
  const unitHeight = inPixels ? pixelHeight : cellHeight;

  const found: Detection[] = [];
  for (const [anchor, [anchorWidth, anchorHeight]] of head.anchors.entries()) {
    for (let cell = 0; cell < cells; cell++) {
      const field = (index: number): number => values[(anchor * fields + index) * cells + cell]!;
      const objectness = sigmoid(field(4));
      if (!(objectness >= head.scoreThreshold)) continue;
      for (const { index, share } of classShares(head, (i) => field(5 + i))) {
        const score = objectness * share;
        if (!(score >= head.scoreThreshold)) continue;
        const width = exponential(field(2)) * anchorWidth * unitWidth;
        const height = exponential(field(3)) * anchorHeight * unitHeight;
        const left = ((cell % columns) + sigmoid(field(0))) * cellWidth - width / 2 - fromLeft;
        const top = (Math.floor(cell / columns) + sigmoid(field(1))) * cellHeight - height / 2 - fromTop;
        found.push({ left, top, width, height, score, class: head.classes[index]! });
      }
    }
  }
  return found;
}

/** Classes that a box may have, and what each makes of its objectness. */
function classShares(
  head: DetectorHead,
  score: (index: number) => number,
): { index: number; share: number }[] {
  if (!head.classScores) return [{ index: 0, share: 1 }];
  if (head.kind === 'yolov2') return [bestClass(head.classes.length, score)];
  return head.classes.map((_, index) => ({ index, share: sigmoid(score(index)) }));
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
