/** What runs behind the machine: the network's last nodes that stay in float. */
import { InputError } from '../core/diagnostics.ts';
import { product } from '../core/integers.ts';
import type { ParameterValues } from '../graph/graph.ts';
import type { Tf } from '../graph/op.ts';
import { parameterReader } from '../graph/parameters.ts';
import { channelsFirst, channelsLast } from './float-reference.ts';
import type { LayeredNetwork } from './layers.ts';

/**
 * Runs the host nodes on the machine's results.
 * @param tensors what the machine handed back, in real numbers, by tensor name, [channels][rows][columns]
 * @returns every host node's output by name, [channels][rows][columns]
 * @throws InputError when a tensor that a host node reads is missing or has the wrong size
 */
export function runHost(
  tf: Tf,
  { hostNodes }: LayeredNetwork,
  parameters: ParameterValues,
  tensors: ReadonlyMap<string, Float32Array>,
): Map<string, Float32Array> {
  const results = new Map<string, Float32Array>();
  for (const node of hostNodes) {
    tf.tidy(() => {
      const inputs = node.inputs.map((name, i) => {
        const values = tensors.get(name);
        const shape = node.inputShapes[i]!;
        if (values?.length !== product(shape)) {
          throw new InputError(
            `${node.name}: got ${values?.length ?? 'no'} values of ${name}, expected ${product(shape)}`,
          );
        }
        return channelsLast(tf, values, shape);
      });
      const read = parameterReader(node, parameters);
      const result = node.op.float(tf, node.attributes, inputs, read, node.outputShape);
      results.set(node.name, channelsFirst(result));
    });
  }
  return results;
}
