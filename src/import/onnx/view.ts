/**
 * ONNX tensors as views of our feature maps.
 *
 * Exporters reshape and transpose freely: a flattened map before a fully connected layer, groups of channels before
 * a maximum, blocks of cells that become channels. None of that moves a value here. A view says for each of its
 * dimensions which parts of the map's channels, rows and columns its index is made of; operators look at that.
 */
import { product } from '../../core/integers.ts';
import type { Shape } from '../../graph/graph.ts';

export const CHANNELS = 0;
export const ROWS = 1;
export const COLUMNS = 2;

/** A part of an axis of the map: index on the axis = sum over its parts of step * index of the part. */
export interface Part {
  readonly axis: 0 | 1 | 2;
  readonly size: number;
  readonly step: number;
}

/** One list a dimension, outermost part first; parts of size 1 are left out, so a dimension of 1 is empty. */
export type View = readonly (readonly Part[])[];

/** A whole axis as a dimension. */
function whole(axis: 0 | 1 | 2, size: number): Part[] {
  return size === 1 ? [] : [{ axis, size, step: 1 }];
}

/** [1, channels, rows, columns]. */
export function mapView([channels, rows, columns]: Shape): View {
  return [[], whole(CHANNELS, channels), whole(ROWS, rows), whole(COLUMNS, columns)];
}

/** [1, channels], of a map of one cell. */
export function vectorView(channels: number): View {
  return [[], whole(CHANNELS, channels)];
}

/** The view's dimensions, as ONNX sees them. */
export function sizesOf(view: View): number[] {
  return view.map((parts) => product(parts.map(({ size }) => size)));
}

/** The same values in the same order under other dimensions; undefined where an axis would be cut across. */
export function reshapeView(view: View, sizes: readonly number[]): View | undefined {
  // Outermost last: taken from the end.
  const left = view.flat().reverse();
  const result: Part[][] = [];
  for (const size of sizes) {
    const parts: Part[] = [];
    let need = size;
    while (need > 1) {
      const part = left.pop();
      if (part === undefined) return undefined;
      if (need % part.size === 0) {
        parts.push(part);
        need /= part.size;
      } else if (part.size % need === 0) {
        const inner = part.size / need;
        parts.push({ axis: part.axis, size: need, step: part.step * inner });
        left.push({ axis: part.axis, size: inner, step: part.step });
        need = 1;
      } else {
        return undefined;
      }
    }
    if (need !== 1) return undefined;
    result.push(joinParts(parts));
  }
  return left.length === 0 ? result : undefined;
}

/** Neighbouring parts that are one run of an axis become one part. */
function joinParts(parts: readonly Part[]): Part[] {
  const joined: Part[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    if (last !== undefined && last.axis === part.axis && last.step === part.step * part.size) {
      joined[joined.length - 1] = { axis: part.axis, size: last.size * part.size, step: part.step };
    } else {
      joined.push(part);
    }
  }
  return joined;
}

export function sameView(a: View, b: View): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Whether a dimension is this axis of the map, whole. */
export function isWhole(parts: readonly Part[], axis: 0 | 1 | 2, shape: Shape): boolean {
  return JSON.stringify(parts) === JSON.stringify(whole(axis, shape[axis]));
}

/** Whether the view is [1, channels, rows, columns], or [1, channels] of a map of one cell. */
export function isPlain(view: View, shape: Shape): boolean {
  const plain = mapView(shape);
  return sameView(view, plain) || (view.length === 2 && sameView([...view, [], []], plain));
}

/**
 * The side of the blocks, if the view makes channels of square blocks of cells: dimension 1 runs over the rows of a
 * block, then its columns, then the channels.
 */
export function blockSide(view: View, [channels, rows, columns]: Shape): number | undefined {
  if (view.length !== 4 || view[0]!.length !== 0) return undefined;
  const block = view[1]![0]?.size;
  if (block === undefined || rows % block !== 0 || columns % block !== 0) return undefined;
  const expected: View = [
    [],
    [
      { axis: ROWS, size: block, step: 1 },
      { axis: COLUMNS, size: block, step: 1 },
      ...whole(CHANNELS, channels),
    ],
    rows === block ? [] : [{ axis: ROWS, size: rows / block, step: block }],
    columns === block ? [] : [{ axis: COLUMNS, size: columns / block, step: block }],
  ];
  return sameView(view, expected) ? block : undefined;
}

/**
 * The ratio, if a dimension is the innermost part of the channels: `ratio` consecutive channels.
 * @param parts of the dimension
 */
export function consecutiveChannels(parts: readonly Part[]): number | undefined {
  const [part, ...more] = parts;
  return part?.axis === CHANNELS && part.step === 1 && more.length === 0 ? part.size : undefined;
}

/**
 * The view once every `ratio` consecutive channels became one.
 * @returns undefined where a dimension cuts a group of channels apart
 */
export function poolChannels(view: View, ratio: number): View | undefined {
  const result: Part[][] = [];
  for (const parts of view) {
    const kept: Part[] = [];
    for (const part of parts) {
      if (part.axis !== CHANNELS) kept.push(part);
      else if (part.step % ratio === 0) kept.push({ ...part, step: part.step / ratio });
      else if (part.step === 1 && part.size % ratio === 0) {
        if (part.size > ratio) kept.push({ ...part, size: part.size / ratio });
      } else return undefined;
    }
    result.push(kept);
  }
  return result;
}

/**
 * For every index of the flattened view: which value of the map it is, the map taken row by row, cell by cell, all
 * channels of a cell side by side.
 */
export function channelsLastOrder(view: View, [channels, , columns]: Shape): Int32Array {
  const steps = [1, columns * channels, channels];
  let order: number[] = [0];
  for (const { axis, size, step } of view.flat()) {
    const stride = step * steps[axis]!;
    order = order.flatMap((base) => Array.from({ length: size }, (_, i) => base + i * stride));
  }
  return Int32Array.from(order);
}
