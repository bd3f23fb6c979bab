/** A network of real numbers as an ONNX model. */
import type { Graph, ParameterValues } from '../../graph/graph.ts';
import { annotationsOf } from './annotations.ts';
import { OnnxBuilder, USUAL_OPSET } from './builder.ts';
import { writeNode } from './nodes.ts';

/**
 * The graph node by node, batch normalisation unfolded; tensors keep their names.
 * @throws InputError for missing parameters
 */
export function writeFloatOnnx(graph: Graph, parameters: ParameterValues): Uint8Array {
  const builder = new OnnxBuilder(USUAL_OPSET);
  for (const node of graph.nodes) writeNode(builder, node, node.inputs, parameters);
  const outputs = graph.outputs.map((name) => ({
    name,
    shape: graph.nodes.find((node) => node.name === name)!.outputShape,
  }));
  return builder.finish(graph.input, outputs, annotationsOf(graph));
}
