/** Trained values meet the network they are for. */
import { InputError } from '../core/diagnostics.ts';
import type { Graph, ParameterValues } from '../graph/graph.ts';

/** A tensor as a weight file holds it: its shape, and its values in C-order. */
export interface NamedTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export type NamedTensors = ReadonlyMap<string, NamedTensor>;

/** The values a network needs, and the names of those it has no use for. */
export interface MatchedParameters {
  readonly values: ParameterValues;
  readonly unused: readonly string[];
}

/**
 * Picks a network's parameters out of a weight file. `file` is only for messages.
 *
 * Throws an `InputError` that names the first parameter, in the network's order, that is missing or has another
 * shape.
 */
export function matchParameters(graph: Graph, tensors: NamedTensors, file: string): MatchedParameters {
  const values = new Map<string, Float32Array>();
  for (const node of graph.nodes) {
    for (const { name, shape } of node.parameters) {
      const wanted = `[${shape.join(', ')}] for '${node.name}' of ${graph.name}`;
      const tensor = tensors.get(name);
      if (tensor === undefined) throw new InputError(`has no '${name}', expected ${wanted}`, { file });
      if (!sameShape(tensor.shape, shape)) {
        throw new InputError(`'${name}' is [${tensor.shape.join(', ')}], expected ${wanted}`, { file });
      }
      values.set(name, tensor.values);
    }
  }
  return { values, unused: [...tensors.keys()].filter((name) => !values.has(name)) };
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}
