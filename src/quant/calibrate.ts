/** Calibration: how large the tensors get on sample pictures. */
import { InputError } from '../core/diagnostics.ts';
import type { Graph, ParameterValues } from '../graph/graph.ts';
import type { Tf } from '../graph/op.ts';
import { floatRanges } from './float-reference.ts';

/** max |x| by tensor name, the network's input included. */
export type TensorRanges = ReadonlyMap<string, number>;

/**
 * The largest magnitude of every tensor over all inputs.
 * @param inputs prepared pictures, [channels][rows][columns]; at least one
 * @throws InputError without inputs, for inputs or parameters of the wrong size, for values that are not finite
 */
export function calibrate(
  tf: Tf,
  graph: Graph,
  parameters: ParameterValues,
  inputs: readonly Float32Array[],
): TensorRanges {
  if (inputs.length === 0) throw new InputError('calibration needs at least one picture');
  const ranges = new Map<string, number>();
  for (const input of inputs) {
    for (const [name, range] of floatRanges(tf, graph, parameters, input)) {
      ranges.set(name, Math.max(range, ranges.get(name) ?? 0));
    }
  }
  return ranges;
}
