/**
 * Activations that files spell with several nodes: x times a gate of x.
 *
 * SiLU is x * sigmoid(x); hard-swish is x * hardSigmoid(x), or x * min(6, max(0, x + 3)) / 6 with the division before
 * or behind the product. A file that says so means one operator of ours.
 */
import type { AnyOp } from '../../graph/graph.ts';
import { hardSwish } from '../../ops/hard-swish/hard-swish.ts';
import { silu } from '../../ops/silu/silu.ts';
import { type Constant, valuesOf } from './constant.ts';
import type { OnnxNode } from './node.ts';

export interface GatedActivation {
  readonly op: AnyOp;
  /** Name of the value that it reads. */
  readonly input: string;
}

/** What is known of a graph before it is converted. */
export interface Wiring {
  producer(value: string): OnnxNode | undefined;
  /** Initialisers and Constant nodes. */
  constant(value: string): Constant | undefined;
}

/** A function of a value, but for a divisor that is still missing. */
interface Gate {
  readonly op: AnyOp;
  readonly input: string;
  readonly divisor: number;
}

/** The activation that ends in this node, if it is one. */
export function gatedActivation(node: OnnxNode, wiring: Wiring): GatedActivation | undefined {
  const found = product(node, wiring);
  return found !== undefined && isClose(found.divisor, 1) ? found : undefined;
}

/** @param divides whether the product may stand behind a division; only one may */
function product(node: OnnxNode, wiring: Wiring, divides = true): Gate | undefined {
  if (node.domain !== '') return undefined;
  if (node.opType === 'Mul') {
    for (const [value, other] of bothWays(node)) {
      const found = gate(other, wiring);
      if (found?.input === value) return found;
    }
  }
  if (!divides) return undefined;
  return divided(node, wiring, (inner) => {
    const producer = wiring.producer(inner);
    return producer?.opType === 'Mul' ? product(producer, wiring, false) : undefined;
  });
}

/** A gate of a value: what the value is multiplied by. */
function gate(name: string, wiring: Wiring): Gate | undefined {
  const node = wiring.producer(name);
  if (node === undefined || node.domain !== '') return undefined;
  const [input = ''] = node.inputs;
  if (node.opType === 'Sigmoid') return { op: silu, input, divisor: 1 };
  if (node.opType === 'HardSigmoid') {
    const fits = isClose(node.float('alpha', 0.2), 1 / 6) && isClose(node.float('beta', 0.5), 0.5);
    return fits ? { op: hardSwish, input, divisor: 1 } : undefined;
  }
  if (node.opType === 'Clip') {
    const bound = (at: number, key: string) =>
      node.opset < 11 ? node.float(key, Number.NaN) : number(node, at, wiring);
    const shifted = wiring.producer(input);
    if (bound(1, 'min') !== 0 || bound(2, 'max') !== 6 || shifted?.opType !== 'Add') return undefined;
    for (const [value, , at] of bothWays(shifted)) {
      if (number(shifted, 1 - at, wiring) === 3) return { op: hardSwish, input: value, divisor: 6 };
    }
    return undefined;
  }
  return divided(node, wiring, (inner) => {
    const producer = wiring.producer(inner);
    return producer?.opType === 'Clip' ? gate(inner, wiring) : undefined;
  });
}

/** Something divided by a constant, or multiplied by its inverse. */
function divided(node: OnnxNode, wiring: Wiring, what: (name: string) => Gate | undefined): Gate | undefined {
  if (node.opType !== 'Div' && node.opType !== 'Mul') return undefined;
  for (const [value, , at] of bothWays(node)) {
    if (node.opType === 'Div' && at !== 0) continue;
    const constant = number(node, 1 - at, wiring);
    if (constant === undefined || constant === 0) continue;
    const found = what(value);
    if (found === undefined) continue;
    return { ...found, divisor: node.opType === 'Div' ? found.divisor / constant : found.divisor * constant };
  }
  return undefined;
}

/** The two inputs, either one first. */
function bothWays({ inputs: [a = '', b = ''] }: OnnxNode): [value: string, other: string, at: 0 | 1][] {
  return [
    [a, b, 0],
    [b, a, 1],
  ];
}

/** An input that is one number. */
function number(node: OnnxNode, index: number, wiring: Wiring): number | undefined {
  const constant = wiring.constant(node.inputs[index] ?? '');
  if (constant === undefined || constant.dims.some((size) => size !== 1)) return undefined;
  return valuesOf(constant)[0];
}

/** Equal but for what float32 and short decimals lose. */
function isClose(a: number, b: number): boolean {
  return Math.abs(a - b) < 1e-4 * Math.abs(b);
}
