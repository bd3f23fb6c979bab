/** A layer's float weights with batch norm multiplied in. */
import { assert } from '../core/diagnostics.ts';
import type { ParameterValues } from '../graph/graph.ts';
import { parameterReader } from '../graph/parameters.ts';
import type { Layer } from './layers.ts';

/**
 * Weights [filters][channels per group][kernel rows][kernel columns] and one bias a filter of an array layer.
 * @throws InputError when a parameter is missing or has the wrong size
 */
export function foldedWeights(
  layer: Layer,
  parameters: ParameterValues,
): { weights: Float32Array; bias: Float32Array } {
  const { node } = layer;
  const { machine } = node.op;
  assert(machine.stage === 'array', `layer ${layer.name} has no weights`);
  const { weights, bias } = machine.weights(
    node.attributes,
    node.inputShapes[0]!,
    parameterReader(node, parameters),
  );
  for (const behind of layer.merged) {
    if (behind.op.machine.stage !== 'affine') continue;
    const { scale, offset } = behind.op.machine.affine(
      behind.attributes,
      parameterReader(behind, parameters),
    );
    const size = weights.length / bias.length;
    for (let f = 0; f < bias.length; f++) {
      const factor = scale[f]!;
      for (let i = f * size; i < (f + 1) * size; i++) weights[i] = weights[i]! * factor;
      bias[f] = bias[f]! * factor + offset[f]!;
    }
  }
  return { weights, bias };
}
