/** The network in floating point, on whatever TensorFlow.js backend is set; batch norm and all run unfolded. */
import { assert, InputError } from '../core/diagnostics.ts';
import { product } from '../core/integers.ts';
import type { Graph, ParameterValues, Shape } from '../graph/graph.ts';
import type { FloatMap, Tf } from '../graph/op.ts';
import { parameterReader } from '../graph/parameters.ts';

/**
 * Runs the graph and hands back the tensors asked for.
 * @param input the prepared picture, [channels][rows][columns]
 * @param keep which tensors (by name, the input included) to copy out
 * @returns name to values, [channels][rows][columns]
 * @throws InputError when the input has the wrong size or a parameter is missing or has the wrong size
 */
export function runFloat(
  tf: Tf,
  graph: Graph,
  parameters: ParameterValues,
  input: Float32Array,
  keep: (tensorName: string) => boolean,
): Map<string, Float32Array> {
  const kept = new Map<string, Float32Array>();
  visitTensors(tf, graph, parameters, input, (name, map) => {
    if (keep(name)) kept.set(name, channelsFirst(map));
  });
  return kept;
}

/**
 * Calls `visit` with the input and every node's output, and frees each tensor after its last reader.
 * @param input the prepared picture, [channels][rows][columns]
 * @throws InputError as `runFloat`
 */
export function visitTensors(
  tf: Tf,
  graph: Graph,
  parameters: ParameterValues,
  input: Float32Array,
  visit: (name: string, map: FloatMap) => void,
): void {
  const expected = product(graph.input.shape);
  if (input.length !== expected) {
    throw new InputError(
      `input ${graph.input.name}: ${input.length} values, expected ${expected} (${graph.input.shape.join(' x ')})`,
    );
  }
  const pending = new Map<string, number>();
  for (const name of graph.nodes.flatMap((node) => node.inputs)) {
    pending.set(name, (pending.get(name) ?? 0) + 1);
  }
  const live = new Map<string, FloatMap>();
  const release = (name: string) => {
    live.get(name)?.dispose();
    live.delete(name);
  };
  try {
    live.set(graph.input.name, channelsLast(tf, input, graph.input.shape));
    visit(graph.input.name, live.get(graph.input.name)!);
    for (const node of graph.nodes) {
      const inputs = node.inputs.map((name) => live.get(name)!);
      const read = parameterReader(node, parameters);
      const output = tf.tidy(() => {
        const result = node.op.float(tf, node.attributes, inputs, read, node.outputShape);
        // An operator that does nothing may hand its input back; a tensor of its own is needed to free it apart.
        return inputs.includes(result) ? tf.clone(result) : result;
      });
      live.set(node.name, output);
      const [channels, rows, columns] = node.outputShape;
      assert(
        output.shape.join() === [1, rows, columns, channels].join(),
        `${node.op.name} of node ${node.name} made ${output.shape.join(' x ')} instead of ${node.outputShape.join(' x ')}`,
      );
      visit(node.name, output);
      if (!pending.has(node.name)) release(node.name);
      for (const name of node.inputs) {
        const left = pending.get(name)! - 1;
        pending.set(name, left);
        if (left === 0) release(name);
      }
    }
  } finally {
    for (const name of [...live.keys()]) release(name);
  }
}

/** [channels][rows][columns] to a TensorFlow map. */
export function channelsLast(tf: Tf, values: Float32Array, [channels, rows, columns]: Shape): FloatMap {
  const cells = rows * columns;
  const result = new Float32Array(values.length);
  for (let c = 0; c < channels; c++) {
    for (let cell = 0; cell < cells; cell++) result[cell * channels + c] = values[c * cells + cell]!;
  }
  return tf.tensor4d(result, [1, rows, columns, channels]);
}

/** A TensorFlow map to [channels][rows][columns]; by hand, the WebAssembly backend takes seconds to transpose. */
export function channelsFirst(map: FloatMap): Float32Array {
  const [, rows, columns, channels] = map.shape;
  const cells = rows * columns;
  const values = map.dataSync();
  const result = new Float32Array(values.length);
  for (let c = 0; c < channels; c++) {
    for (let cell = 0; cell < cells; cell++) result[c * cells + cell] = values[cell * channels + c]!;
  }
  return result;
}
