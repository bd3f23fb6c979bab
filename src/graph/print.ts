/** The graph as rows of a table; how a table looks is the report's business. */
import { product } from '../core/integers.ts';
import type { Graph, Shape } from './graph.ts';
import { parameterCount } from './parameters.ts';

export interface GraphRow {
  readonly name: string;
  readonly operator: string;
  /** [channels, rows, columns]. */
  readonly output: Shape;
  /** Multiply-accumulates, padded taps counted; 0 for operators that have none. */
  readonly macs: number;
  /** Parameters as trained, before batch norm is folded. */
  readonly parameters: number;
  /** Of the output, a byte a value, and of the parameters in float32, as trained. */
  readonly bytes: { readonly output: number; readonly parameters: number };
}

/** One row a node, in the order they run. */
export function graphRows(graph: Graph): GraphRow[] {
  return graph.nodes.map((node) => ({
    name: node.name,
    operator: node.op.name,
    output: node.outputShape,
    macs: node.op.macs?.(node.attributes, node.inputShapes, node.outputShape) ?? 0,
    parameters: parameterCount(node),
    bytes: { output: product(node.outputShape), parameters: 4 * parameterCount(node) },
  }));
}
