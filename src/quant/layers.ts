/**
 * From the graph to the layers of the quantised network.
 *
 * A layer is one operator with what melts into it: a convolution takes the batch norm and the activation behind it
 * (both live in its requantiser). Maxima, poolings and lone activations stay layers of their own; whether they
 * cost a pass over DRAM or ride in a pipeline is the scheduler's business, not the arithmetic's.
 */
import { assert, InputError } from '../core/diagnostics.ts';
import { sum } from '../core/integers.ts';
import type { Graph, Node, Shape } from '../graph/graph.ts';
import type { ConvolutionGeometry, PoolingGeometry, RequantisableActivation } from '../graph/op.ts';
import { parameterSize } from '../graph/parameters.ts';

export interface Layer {
  /** The first node's name. */
  readonly name: string;
  readonly node: Node;
  /** Nodes that melted into this layer, in order, without `node`. */
  readonly merged: readonly Node[];
  /** Tensor read and tensor made; the latter has the name of the last node of the layer. */
  readonly input: string;
  readonly output: string;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly macs: number;
  /** Parameters that remain after folding. */
  readonly parameters: number;
  readonly work: LayerWork;
}

/** What the layer does, by stage of the machine. */
export type LayerWork =
  | {
      readonly stage: 'array';
      readonly convolution: ConvolutionGeometry;
      readonly activation: RequantisableActivation;
    }
  | { readonly stage: 'activation'; readonly activation: RequantisableActivation }
  | { readonly stage: 'crossChannel'; readonly ratio: number }
  | { readonly stage: 'pool'; readonly pooling: PoolingGeometry };

/** The network as the machine runs it. */
export interface LayeredNetwork {
  readonly graph: Graph;
  readonly layers: readonly Layer[];
  readonly macs: number;
  readonly parameters: number;
}

/** The activation of a layer that has none. */
const LINEAR: RequantisableActivation = { negativeSlope: 1 };

/**
 * Groups the graph's nodes into layers. What can melt into the convolution in front does so if that convolution's
 * tensor is read by nobody else and is no output of the network: any number of `affine` nodes, then one activation.
 * @throws InputError for an `affine` node with no array layer in front to fold into.
 */
export function layerNetwork(graph: Graph): LayeredNetwork {
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const input of node.inputs) readers.set(input, [...(readers.get(input) ?? []), node]);
  }
  const soleReader = (tensor: string): Node | undefined => {
    const reading = readers.get(tensor) ?? [];
    return reading.length === 1 && !graph.outputs.includes(tensor) ? reading[0] : undefined;
  };

  const merged = new Set<Node>();
  const layers: Layer[] = [];
  for (const node of graph.nodes) {
    if (merged.has(node)) continue;
    const behind = node.op.machine.stage === 'array' ? mergeable(node, soleReader) : [];
    for (const one of behind) merged.add(one);
    layers.push(makeLayer(node, behind));
  }
  return {
    graph,
    layers,
    macs: sum(layers.map((layer) => layer.macs)),
    parameters: sum(layers.map((layer) => layer.parameters)),
  };
}

/** The nodes behind an array node that melt into it, in order. */
function mergeable(node: Node, soleReader: (tensor: string) => Node | undefined): Node[] {
  const behind: Node[] = [];
  let next = soleReader(node.name);
  while (next?.op.machine.stage === 'affine') {
    behind.push(next);
    next = soleReader(next.name);
  }
  if (next?.op.machine.stage === 'activation') behind.push(next);
  return behind;
}

function makeLayer(node: Node, merged: readonly Node[]): Layer {
  const last = merged.at(-1) ?? node;
  const input = node.inputs[0];
  const inputShape = node.inputShapes[0];
  assert(input !== undefined && inputShape !== undefined, `node ${node.name} reads nothing`);
  return {
    name: node.name,
    node,
    merged,
    input,
    output: last.name,
    inputShape,
    outputShape: last.outputShape,
    macs: node.op.macs?.(node.attributes, node.inputShapes, node.outputShape) ?? 0,
    parameters: foldedParameters(node, merged),
    work: layerWork(node, merged, inputShape),
  };
}

/** Folding an affine node leaves an offset behind: the layer gains a bias if it had none. */
function foldedParameters(node: Node, merged: readonly Node[]): number {
  const kept = [node, ...merged].flatMap((one) => one.parameters.filter((parameter) => parameter.folded));
  const hasBias = kept.some((parameter) => parameter.initial.kind === 'bias');
  const gainsBias = !hasBias && merged.some((one) => one.op.machine.stage === 'affine');
  return sum(kept.map(parameterSize)) + (gainsBias ? node.outputShape[0] : 0);
}

function layerWork(node: Node, merged: readonly Node[], inputShape: Shape): LayerWork {
  const { machine } = node.op;
  switch (machine.stage) {
    case 'array': {
      const carrier = merged.find((one) => one.op.machine.stage === 'activation');
      return {
        stage: 'array',
        convolution: machine.convolution(node.attributes, inputShape, node.outputShape),
        activation: carrier === undefined ? LINEAR : activationOf(carrier),
      };
    }
    case 'activation':
      return { stage: 'activation', activation: activationOf(node) };
    case 'crossChannel':
      return { stage: 'crossChannel', ratio: machine.ratio(node.attributes) };
    case 'pool':
      return { stage: 'pool', pooling: machine.pooling(node.attributes, inputShape, node.outputShape) };
    case 'affine':
      throw new InputError(
        `${node.name}: ${node.op.name} has no convolution to fold into; expected one right in front whose result nothing else reads`,
      );
  }
}

function activationOf(node: Node): RequantisableActivation {
  const { machine } = node.op;
  assert(machine.stage === 'activation', `node ${node.name} is no activation`);
  return machine.activation(node.attributes);
}
