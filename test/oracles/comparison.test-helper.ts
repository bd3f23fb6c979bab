/** What the comparison with ONNX Runtime is made of: cases, deliberate mistakes, and the counting of differences. */
import { InputError } from '../../src/core/diagnostics.ts';
import {
  type AccumulatorFormat,
  formatRange,
  type IntegerFormat,
  type Rounding,
} from '../../src/core/fixed-point.ts';
import { product } from '../../src/core/integers.ts';
import { randomStream } from '../../src/core/random.ts';
import { buildGraph } from '../../src/graph/build.ts';
import type { Shape } from '../../src/graph/graph.ts';
import type { IntegerMap, IntegerValues } from '../../src/graph/op.ts';
import { findOperator } from '../../src/ops/index.ts';
import type { TensorNumbers } from '../../src/quant/input.ts';
import { type Layer, layerNetwork } from '../../src/quant/layers.ts';
import { makeValues } from '../../src/quant/values.ts';
import { type OnnxNode, type OnnxTensor, runOnnx, type TensorData } from './onnx-model.test-helper.ts';

/** Mistakes that `OracleCase.ours` can be asked to make. */
export interface Alteration {
  /** Instead of half to even. */
  readonly rounding?: Rounding;
  /** Added to the zero point of every input. */
  readonly zeroPoint?: number;
  /** The window's padding moved by one cell, the output's size kept. */
  readonly shiftPadding?: boolean;
}

/** One operator on one set of numbers: for ONNX Runtime, and for the product's own code. */
export interface OracleCase {
  readonly name: string;
  readonly node: OnnxNode;
  ours(alteration: Alteration): TensorData;
}

export interface Comparison {
  readonly cases: number;
  readonly elements: number;
  readonly differingCases: number;
  readonly differingElements: number;
  /** Largest difference of two elements. */
  readonly worst: number;
  /** The first difference in words; '' = none. */
  readonly first: string;
}

/** Runs all cases on both sides and counts the elements that are not the same. */
export async function compare(
  cases: readonly OracleCase[],
  alteration: Alteration = {},
): Promise<Comparison> {
  const theirs = await runOnnx(cases.map(({ node }) => node));
  const total = { elements: 0, differingCases: 0, differingElements: 0, worst: 0, first: '' };
  for (const [n, { name, ours }] of cases.entries()) {
    const mine = ours(alteration);
    const other = theirs[n]!;
    if (mine.length !== other.length || mine.constructor !== other.constructor) {
      const kinds = [mine, other].map((data) => `${data.constructor.name} of ${data.length}`);
      throw new Error(`${name}: ours is ${kinds[0]}, ONNX Runtime's is ${kinds[1]}`);
    }
    let differing = 0;
    for (let i = 0; i < mine.length; i++) {
      if (mine[i] === other[i]) continue;
      differing += 1;
      total.worst = Math.max(total.worst, Math.abs(mine[i]! - other[i]!));
      total.first ||= `${name}: element ${i} is ${mine[i]}, ONNX Runtime says ${other[i]}`;
    }
    total.elements += mine.length;
    total.differingElements += differing;
    if (differing > 0) total.differingCases += 1;
  }
  return { cases: cases.length, ...total };
}

/** Seeded draws. */
export class Draw {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = randomStream(seed);
  }

  /** Uniform, both ends included. */
  integer(low: number, high: number): number {
    return low + (this.#next() % (high - low + 1));
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)]!;
  }

  chance(): boolean {
    return this.integer(0, 1) === 1;
  }

  /** Uniform in [low, high). */
  real(low: number, high: number): number {
    return low + ((high - low) * this.#next()) / 2 ** 32;
  }

  /** Values all over the format. */
  values({ bits, signed }: IntegerFormat, length: number): IntegerValues {
    const { low, high } = formatRange({ bits, signed });
    return makeValues({ bits, signed }, length).map(() => this.integer(low, high));
  }

  /** 8 bits, any zero point (often at an end of the format), a power of two as scale. */
  numbers(): TensorNumbers {
    const format = { bits: 8, signed: this.chance() };
    return { format, zeroPoint: this.zeroPoint(format), scale: 2 ** this.integer(-8, 2) };
  }

  zeroPoint(format: IntegerFormat): number {
    const { low, high } = formatRange(format);
    return this.pick([low, high, 0, this.integer(low, high), this.integer(low, high)]);
  }

  /** Draws until the product accepts it; `attempt` throws `InputError` for what does not fit. */
  accepted<T>(attempt: () => T): T {
    for (;;) {
      try {
        return attempt();
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
      }
    }
  }
}

/** `count` cases from a seed. */
export function drawCases(count: number, seed: number, one: (draw: Draw) => OracleCase): OracleCase[] {
  const draw = new Draw(seed);
  return Array.from({ length: count }, () => one(draw));
}

/** 32 bits: what ONNX Runtime sums in. */
export const accumulator: AccumulatorFormat = { bits: 32, overflow: 'saturate' };

/** The only layer of a network of one node. */
export function singleLayer(op: string, attributes: object, shape: Shape): Layer {
  const graph = buildGraph({
    name: 'case',
    description: '',
    input: { name: 'x', shape, preparation: { mean: [0], divisor: 1 } },
    nodes: [{ name: 'y', op: findOperator(op)!, attributes, inputs: ['x'] }],
  });
  return layerNetwork(graph).layers[0]!;
}

/** An input as integer rules read it. */
export function mapOf(
  shape: Shape,
  data: IntegerValues,
  { zeroPoint }: Pick<TensorNumbers, 'zeroPoint'>,
  alteration: Alteration,
): IntegerMap {
  return {
    shape,
    data,
    zeroPoint: zeroPoint + (alteration.zeroPoint ?? 0),
    rounding: alteration.rounding ?? 'half-even',
  };
}

/** A map of `shape` with values all over the tensor's format. */
export function randomMap(draw: Draw, shape: Shape, numbers: TensorNumbers): IntegerValues {
  return draw.values(numbers.format, product(shape));
}

export interface Edges {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** The same number of cells, one of them on the other side, rows before columns. */
export function shiftedEdges(edges: Edges): Edges {
  const { top, bottom, left, right } = edges;
  if (bottom > 0) return { ...edges, top: top + 1, bottom: bottom - 1 };
  if (top > 0) return { ...edges, top: top - 1, bottom: bottom + 1 };
  if (right > 0) return { ...edges, left: left + 1, right: right - 1 };
  return left > 0 ? { ...edges, left: left - 1, right: right + 1 } : edges;
}

/** The layer, with its padding shifted if that is asked for (and if the product takes it). */
export function paddedLayer(
  op: string,
  attributes: { readonly padding: Edges },
  shape: Shape,
  { shiftPadding }: Alteration,
): Layer {
  const straight = singleLayer(op, attributes, shape);
  if (!shiftPadding) return straight;
  try {
    const shifted = { ...attributes, padding: shiftedEdges(attributes.padding) };
    const layer = singleLayer(op, shifted, shape);
    // Rounding the output up may make it one cell larger or smaller.
    return layer.outputShape.join() === straight.outputShape.join() ? layer : straight;
  } catch (error) {
    if (error instanceof InputError) return straight;
    throw error;
  }
}

/** ONNX puts all fronts before all ends. */
export function onnxPads({ top, bottom, left, right }: Edges): number[] {
  return [top, left, bottom, right];
}

/** A scale (or several, a vector). */
export function scales(...values: readonly number[]): OnnxTensor {
  return { data: Float32Array.from(values), ...(values.length === 1 ? { dims: [] } : {}) };
}

/** A scalar of the format. */
export function scalar(format: IntegerFormat, value: number): OnnxTensor {
  return { data: makeValues(format, 1).fill(value), dims: [] };
}

/** A map as ONNX reads it, batch first. */
export function fedMap(data: IntegerValues, shape: Shape): OnnxTensor {
  return { data, dims: [1, ...shape], fed: true };
}
