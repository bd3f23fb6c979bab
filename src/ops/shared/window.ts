/** Sliding windows: what convolutions and poolings have in common, sizes and padding and which taps are real. */
import { z } from 'zod';
import { InputError } from '../../core/diagnostics.ts';
import { ceilDiv } from '../../core/integers.ts';
import type { FloatMap, Tf } from '../../graph/op.ts';

/** [rows, columns]. */
export type Pair = readonly [rows: number, columns: number];

export interface Padding {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** A window once it is laid over a map. */
export interface PlacedWindow {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly dilation: Pair;
  readonly padding: Padding;
  /** Output rows and columns. */
  readonly output: Pair;
}

const side = (what: string, maximum: number) => z.int().min(1).max(maximum).describe(what);
const edge = (what: string) => z.int().min(0).max(4095).default(0).describe(what);

/** A side or a [rows, columns] pair of sides, 1..64. */
export const pairSchema = z.union([
  side('rows and columns alike', 64),
  z.tuple([side('rows', 64), side('columns', 64)]),
]);

export const paddingSchema = z.union([
  z.int().min(0).max(4095).describe('cells on every side'),
  z.enum(['same', 'valid']),
  z.strictObject({
    top: edge('cells above'),
    bottom: edge('cells below'),
    left: edge('cells to the left'),
    right: edge('cells to the right'),
  }),
]);

/** What the `padding` field of every windowed operator says about itself. */
export const paddingDescription =
  "cells around the map: a number, {top, bottom, left, right}, 'valid' (none), or 'same' (output side = input side / stride rounded up, the odd cell at the bottom or right)";

/** A side or a pair as a pair. */
export function asPair(value: number | Pair): Pair {
  return typeof value === 'number' ? [value, value] : value;
}

export interface WindowAttributes {
  readonly kernel: number | Pair;
  readonly stride: number | Pair;
  readonly dilation?: number | Pair;
  readonly padding: z.output<typeof paddingSchema>;
  /** Pad the bottom and right as far as the last window that starts inside the map needs it. */
  readonly ceil?: boolean;
}

/**
 * Lays a window over a map of `rows` x `columns` cells.
 * @throws InputError when the window does not fit or some window would hold padding only.
 */
export function placeWindow(attributes: WindowAttributes, rows: number, columns: number): PlacedWindow {
  const kernel = asPair(attributes.kernel);
  const stride = asPair(attributes.stride);
  const dilation = asPair(attributes.dilation ?? 1);
  const { padding } = attributes;
  const asked: Padding | 'same' =
    padding === 'same' || typeof padding === 'object'
      ? padding
      : padding === 'valid'
        ? { top: 0, bottom: 0, left: 0, right: 0 }
        : { top: padding, bottom: padding, left: padding, right: padding };
  const axis = (name: string, input: number, at: 0 | 1, front: number, back: number): PlacedAxis =>
    placeAxis(name, {
      input,
      kernel: kernel[at],
      stride: stride[at],
      dilation: dilation[at],
      padding: asked === 'same' ? 'same' : [front, back],
      ceil: attributes.ceil ?? false,
    });
  const explicit = asked === 'same' ? { top: 0, bottom: 0, left: 0, right: 0 } : asked;
  const vertical = axis('rows', rows, 0, explicit.top, explicit.bottom);
  const horizontal = axis('columns', columns, 1, explicit.left, explicit.right);
  return {
    kernel,
    stride,
    dilation,
    padding: {
      top: vertical.front,
      bottom: vertical.back,
      left: horizontal.front,
      right: horizontal.back,
    },
    output: [vertical.output, horizontal.output],
  };
}

interface AxisWindow {
  readonly input: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: 'same' | readonly [front: number, back: number];
  readonly ceil: boolean;
}

interface PlacedAxis {
  readonly output: number;
  readonly front: number;
  readonly back: number;
}

function placeAxis(name: string, axis: AxisWindow): PlacedAxis {
  const { input, kernel, stride, dilation } = axis;
  const extent = (kernel - 1) * dilation + 1;
  let placed: PlacedAxis;
  if (axis.padding === 'same') {
    const output = ceilDiv(input, stride);
    const total = Math.max(0, (output - 1) * stride + extent - input);
    const front = Math.floor(total / 2);
    placed = { output, front, back: total - front };
  } else {
    const [front, back] = axis.padding;
    const room = front + input + back - extent;
    let output = Math.floor(room / stride) + 1;
    if (axis.ceil) {
      output = ceilDiv(Math.max(room, 0), stride) + 1;
      // A last window that would start behind the map is dropped, not padded for.
      if (output > 1 && (output - 1) * stride >= input + front) output -= 1;
    } else if (room < 0) {
      throw new InputError(
        `a window of ${extent} ${name} does not fit into ${front + input + back} (${input} and ${front + back} of padding)`,
      );
    }
    const needed = Math.max(0, (output - 1) * stride + extent - front - input);
    placed = { output, front, back: axis.ceil ? needed : back };
  }
  // Only windows that start before or behind the map can miss it: one that starts inside has its first tap there.
  const lastStart = (placed.output - 1) * stride - placed.front;
  for (let start = -placed.front; start < 0 && start <= lastStart; start += stride) {
    const steps = ceilDiv(-start, dilation);
    if (steps >= kernel || start + steps * dilation >= input) throw emptyWindow(name);
  }
  if (lastStart >= input) throw emptyWindow(name);
  return placed;
}

function emptyWindow(name: string): InputError {
  return new InputError(`some windows hold nothing but padding (${name}); make the padding smaller`);
}

/**
 * The outputs whose tap at `offset` from the window's start falls on a real cell: first and one past the last.
 * Integer rules walk these and never test bounds inside.
 */
export function realOutputs(
  input: number,
  output: number,
  stride: number,
  offset: number,
): { first: number; end: number } {
  const first = Math.max(0, Math.ceil(-offset / stride));
  const end = Math.min(output, Math.floor((input - 1 - offset) / stride) + 1);
  return { first, end: Math.max(first, end) };
}

/** A float map with `padding` cells of `value` around it. */
export function padMap(tf: Tf, map: FloatMap, padding: Padding, value: number): FloatMap {
  const { top, bottom, left, right } = padding;
  if (top + bottom + left + right === 0) return map;
  return tf.pad(
    map,
    [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ],
    value,
  );
}
