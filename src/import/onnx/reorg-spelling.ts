/** Darknet's reorg as ONNX files spell it: Reshape, SpaceToDepth, Reshape, over shapes that no view of a map is. */
import type { Shape } from '../../graph/graph.ts';
import { valuesOf } from './constant.ts';
import type { Wiring } from './gates.ts';
import type { OnnxNode } from './node.ts';

export interface SpelledReorg {
  readonly stride: number;
  /** Name of the value that it reads, which has to be a map of this shape. */
  readonly input: string;
  readonly shape: Shape;
}

/** The reorg that ends in this node, if it is one; sizes have to stand in the file as numbers. */
export function spelledReorg(node: OnnxNode, wiring: Wiring): SpelledReorg | undefined {
  const [deep = ''] = node.inputs;
  const blocks = wiring.producer(deep);
  const [wide = ''] = blocks?.inputs ?? [];
  const first = wiring.producer(wide);
  if (first === undefined || blocks === undefined) return undefined;
  const types = [first, blocks, node].map(({ domain, opType }) => `${domain}${opType}`);
  if (types.join() !== 'Reshape,SpaceToDepth,Reshape') return undefined;
  const stride = blocks.int('blocksize', 0);
  const from = sizesOf(first, wiring);
  const to = sizesOf(node, wiring);
  if (from === undefined || to === undefined || stride < 2) return undefined;
  const shape: Shape = [from[0] * stride ** 2, from[1] / stride, from[2] / stride];
  const made = [shape[0] * stride ** 2, shape[1] / stride, shape[2] / stride];
  return made.join() === to.join() ? { stride, input: first.inputs[0] ?? '', shape } : undefined;
}

/** Channels, rows and columns that a Reshape asks for. */
function sizesOf(node: OnnxNode, wiring: Wiring): Shape | undefined {
  const constant = wiring.constant(node.inputs[1] ?? '');
  if (constant === undefined || constant.dims.join() !== '4') return undefined;
  const [batch, ...sizes] = valuesOf(constant) as [number, number, number, number];
  return batch === 1 && sizes.every((size) => size > 0) ? sizes : undefined;
}
