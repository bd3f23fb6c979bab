/** Nodes of ours in ONNX: by their stage where the stage says all, by the operator where it does not. */
import { assert, InputError } from '../../core/diagnostics.ts';
import type { AnyOp, Node, ParameterValues } from '../../graph/graph.ts';
import { parameterReader } from '../../graph/parameters.ts';
import { batchNormalization } from '../../ops/batch-normalization/batch-normalization.ts';
import { fullyConnected } from '../../ops/fully-connected/fully-connected.ts';
import { globalAveragePool } from '../../ops/global-average-pool/global-average-pool.ts';
import { hardSwish } from '../../ops/hard-swish/hard-swish.ts';
import { sigmoid } from '../../ops/sigmoid/sigmoid.ts';
import { silu } from '../../ops/silu/silu.ts';
import { softmax } from '../../ops/softmax/softmax.ts';
import { tanh } from '../../ops/tanh/tanh.ts';
import type { OnnxBuilder } from './builder.ts';
import {
  writeActivation,
  writeConvolution,
  writeCrossChannelPooling,
  writePooling,
  writeRearrangement,
} from './stages.ts';

type Writer = (
  builder: OnnxBuilder,
  node: Node,
  inputs: readonly string[],
  parameters: ParameterValues,
) => string;

const plain =
  (op: string, attributes: Readonly<Record<string, number>> = {}): Writer =>
  (builder, { name }, inputs) =>
    builder.node(op, inputs, name, attributes);

/** Operators whose stage does not say what they are. */
const writers = new Map<AnyOp, Writer>([
  [sigmoid, plain('Sigmoid')],
  [tanh, plain('Tanh')],
  [hardSwish, plain('HardSwish')],
  [softmax, plain('Softmax', { axis: 1 })],
  [globalAveragePool, plain('GlobalAveragePool')],
  [
    silu,
    (builder, { name }, [input]) =>
      builder.node('Mul', [input!, builder.node('Sigmoid', [input!], `${name}/gate`)], name),
  ],
  [batchNormalization, writeNormalization],
  [fullyConnected, writeFullyConnected],
]);

/** Adds one node of ours; what it makes has the node's name. @throws InputError for operators that ONNX lacks */
export const writeNode: Writer = (builder, node, inputs, parameters) => {
  const own = writers.get(node.op);
  if (own !== undefined) return own(builder, node, inputs, parameters);
  const { name, attributes, inputShapes, outputShape } = node;
  const { machine } = node.op;
  const [input] = inputs;
  const [shape] = inputShapes;
  if (machine.stage === 'given') {
    throw new InputError(
      `${name}: ${node.op.name} cannot be written as ONNX, expected a network of one input`,
    );
  }
  assert(input !== undefined && shape !== undefined, `node ${name} reads nothing`);
  switch (machine.stage) {
    case 'array': {
      const geometry = machine.convolution(attributes, shape, outputShape);
      const { weights, bias } = machine.weights(attributes, shape, parameterReader(node, parameters));
      const dims = [geometry.filters, shape[0] / geometry.groups, ...geometry.kernel];
      const read = [input, builder.initialiser(`${name}/filters`, dims, weights)];
      if (node.parameters.some(({ initial }) => initial.kind === 'bias')) {
        read.push(builder.initialiser(`${name}/bias`, [geometry.filters], bias));
      }
      return writeConvolution(builder, read, name, geometry);
    }
    case 'activation':
      return writeActivation(builder, input, name, machine.activation(attributes));
    case 'crossChannel':
      return writeCrossChannelPooling(builder, input, name, machine.reduction(attributes), outputShape);
    case 'pool':
      return writePooling(builder, input, name, machine.pooling(attributes, shape, outputShape));
    case 'rearrange':
      return writeRearrangement(
        builder,
        input,
        name,
        machine.rearrangement(attributes, shape, outputShape),
        shape,
      );
    case 'sum':
      return builder.node(inputs.length === 2 ? 'Add' : 'Sum', inputs, name);
    case 'join':
      return builder.node('Concat', inputs, name, { axis: 1 });
    default:
      throw new InputError(`${name}: ${node.op.name} cannot be written as ONNX`);
  }
};

function writeNormalization(
  builder: OnnxBuilder,
  node: Node,
  inputs: readonly string[],
  parameters: ParameterValues,
): string {
  const { name, attributes } = node;
  const read = parameterReader(node, parameters);
  const statistics = node.parameters.map(({ shortName, shape }) =>
    builder.initialiser(`${name}/${shortName}`, shape, read(shortName)),
  );
  const { epsilon } = attributes as { readonly epsilon: number };
  return builder.node('BatchNormalization', [...inputs, ...statistics], name, {
    epsilon: { float: epsilon },
  });
}

/** The map flattened channel by channel, as ONNX has it. */
function writeFullyConnected(
  builder: OnnxBuilder,
  node: Node,
  inputs: readonly string[],
  parameters: ParameterValues,
): string {
  const { name, attributes, inputShapes, outputShape } = node;
  const { machine } = node.op;
  assert(machine.stage === 'array', `node ${name} has no weights`);
  const { weights, bias } = machine.weights(attributes, inputShapes[0]!, parameterReader(node, parameters));
  const [units] = outputShape;
  const flat = builder.node('Flatten', inputs, `${name}/flat`, { axis: 1 });
  const read = [flat, builder.initialiser(`${name}/weights`, [units, weights.length / units], weights)];
  if (node.parameters.some(({ initial }) => initial.kind === 'bias')) {
    read.push(builder.initialiser(`${name}/bias`, [units], bias));
  }
  const product = builder.node('Gemm', read, name, { transB: 1 }, `${name}/product`);
  // A map of one cell again, for whatever comes behind.
  const shape = builder.wholeNumbers(`${name}/shape`, [1, units, 1, 1]);
  return builder.node('Reshape', [product, shape], `${name}/map`, {}, name);
}
