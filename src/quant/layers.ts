/**
 * From the graph to the layers of the quantised network.
 *
 * A layer is one operator with what melts into it: a convolution takes the batch norm and the activation behind it
 * (both live in its requantiser) and a table (which sits behind the requantiser). Maxima, poolings and lone
 * activations stay layers of their own; whether they cost a pass over DRAM or ride in a pipeline is the scheduler's
 * business, not the arithmetic's. Nodes that only the host can run are no layers at all.
 */
import { assert, InputError } from '../core/diagnostics.ts';
import { sum } from '../core/integers.ts';
import type { Graph, Node, Shape } from '../graph/graph.ts';
import type {
  ConvolutionGeometry,
  CrossChannelReduction,
  PoolingGeometry,
  Rearrangement,
  RequantisableActivation,
} from '../graph/op.ts';
import { parameterSize } from '../graph/parameters.ts';

export interface Layer {
  /** The first node's name. */
  readonly name: string;
  readonly node: Node;
  /** Nodes that melted into this layer, in order, without `node`. */
  readonly merged: readonly Node[];
  /** Tensors read and tensor made; the latter has the name of the last node of the layer. */
  readonly inputs: readonly string[];
  readonly output: string;
  readonly inputShapes: readonly Shape[];
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
      /** A function looked up behind the requantiser; the tensor in front of it is calibrated too. */
      readonly table?: Node;
    }
  | { readonly stage: 'activation'; readonly activation: RequantisableActivation; readonly table?: Node }
  | { readonly stage: 'crossChannel'; readonly reduction: CrossChannelReduction }
  | { readonly stage: 'pool'; readonly pooling: PoolingGeometry }
  | { readonly stage: 'sum'; readonly activation: RequantisableActivation }
  | { readonly stage: 'join' }
  | { readonly stage: 'rearrange'; readonly rearrangement: Rearrangement };

/** The network as the machine runs it. */
export interface LayeredNetwork {
  readonly graph: Graph;
  readonly layers: readonly Layer[];
  /** Outputs of the network that are computed in float on the host, from what the machine hands back. */
  readonly hostNodes: readonly Node[];
  /** Nodes that read nothing: their maps lie in DRAM before the run, beside the network's input. */
  readonly externalMaps: readonly Node[];
  /** Tensors the machine hands back: the graph's outputs, and what host nodes read in place of theirs. */
  readonly machineOutputs: readonly string[];
  readonly macs: number;
  readonly parameters: number;
}

/** Maps that lie in DRAM before the run: the network's input, then the external maps. */
export function givenMaps({ graph, externalMaps }: LayeredNetwork): { name: string; shape: Shape }[] {
  return [graph.input, ...externalMaps.map(({ name, outputShape }) => ({ name, shape: outputShape }))];
}

/**
 * Layers on the array whose maps only a cross-channel maximum reads, and how many filters in a row make one of its maps. No
 * group of them spans two groups of the convolution.
 */
export function pooledFilters({ layers, machineOutputs }: LayeredNetwork): ReadonlyMap<Layer, number> {
  const found = new Map<Layer, number>();
  for (const layer of layers) {
    if (layer.work.stage !== 'array' || machineOutputs.includes(layer.output)) continue;
    const readers = layers.filter(({ inputs }) => inputs.includes(layer.output));
    const work = readers[0]?.work;
    if (readers.length !== 1 || work?.stage !== 'crossChannel' || work.reduction.kind !== 'maximum') continue;
    const { filters, groups } = layer.work.convolution;
    if ((filters / groups) % work.reduction.ratio === 0) found.set(layer, work.reduction.ratio);
  }
  return found;
}

type Stage = Node['op']['machine']['stage'];

/** The activation of a layer that has none. */
const LINEAR: RequantisableActivation = { negativeSlope: 1 };

/**
 * Groups the graph's nodes into layers. What can melt into the node in front does so if that node's tensor is read by
 * nobody else and is no output of the network: behind an array node any number of `affine` nodes, then one
 * activation, then one table; behind an activation one table; behind a sum one activation. A table with nothing in
 * front that takes it is an activation layer that passes everything on.
 * @param apart tensors that a layer must end with: nothing melts into the node that makes them
 * @throws InputError for an `affine` node with no array layer in front to fold into, and for a `host` node that is
 *   no output of the network, is read by another node, or has no layer in front; for an input that no layer reads, and
 *   for a map from outside that is handed back.
 */
export function layerNetwork(graph: Graph, apart: ReadonlySet<string> = new Set()): LayeredNetwork {
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const input of node.inputs) readers.set(input, [...(readers.get(input) ?? []), node]);
  }
  const soleReader = (tensor: string): Node | undefined => {
    const reading = readers.get(tensor) ?? [];
    const melts = reading.length === 1 && !graph.outputs.includes(tensor) && !apart.has(tensor);
    return melts ? reading[0] : undefined;
  };

  const merged = new Set<Node>();
  const layers: Layer[] = [];
  const hostNodes: Node[] = [];
  const externalMaps: Node[] = [];
  if (!readers.has(graph.input.name)) {
    throw new InputError(`${graph.input.name}: no layer reads the network's input, expected one that does`);
  }
  for (const node of graph.nodes) {
    if (merged.has(node)) continue;
    if (node.op.machine.stage === 'host') {
      checkHostNode(node, graph, readers.get(node.name) ?? []);
      hostNodes.push(node);
      continue;
    }
    if (node.op.machine.stage === 'given') {
      checkExternal(node, graph);
      externalMaps.push(node);
      continue;
    }
    const behind = mergeable(node, soleReader);
    for (const one of behind) merged.add(one);
    layers.push(makeLayer(node, behind));
  }
  const host = new Map(hostNodes.map((node) => [node.name, node]));
  return {
    graph,
    layers,
    hostNodes,
    externalMaps,
    machineOutputs: [...new Set(graph.outputs.flatMap((output) => host.get(output)?.inputs ?? [output]))],
    macs: sum(layers.map((layer) => layer.macs)),
    parameters: sum(layers.map((layer) => layer.parameters)),
  };
}

function checkHostNode({ name, op, inputs }: Node, graph: Graph, readers: readonly Node[]): void {
  const where = `${name}: ${op.name} runs on the host, behind the machine's outputs`;
  if (readers.length > 0) throw new InputError(`${where}; ${readers[0]!.name} cannot read it`);
  if (!graph.outputs.includes(name)) {
    throw new InputError(`${where}; expected it among the network's outputs`);
  }
  const given = graph.nodes.filter((one) => one.op.machine.stage === 'given').map((one) => one.name);
  if ([graph.input.name, ...given].some((map) => inputs.includes(map))) {
    throw new InputError(`${where}; expected a layer in front of it`);
  }
}

function checkExternal({ name, op }: Node, graph: Graph): void {
  if (graph.outputs.includes(name)) {
    throw new InputError(`${name}: ${op.name} comes from outside; expected a layer that reads it`);
  }
}

/** The nodes behind a node that melt into it, in order. */
function mergeable(node: Node, soleReader: (tensor: string) => Node | undefined): Node[] {
  const behind: Node[] = [];
  let next = soleReader(node.name);
  const take = (stage: Stage): boolean => {
    if (next?.op.machine.stage !== stage) return false;
    behind.push(next);
    next = soleReader(next.name);
    return true;
  };
  switch (node.op.machine.stage) {
    case 'array':
      while (take('affine'));
      take('activation');
      take('table');
      break;
    case 'activation':
      take('table');
      break;
    case 'sum':
      take('activation');
      break;
  }
  return behind;
}

function makeLayer(node: Node, merged: readonly Node[]): Layer {
  const last = merged.at(-1) ?? node;
  return {
    name: node.name,
    node,
    merged,
    inputs: node.inputs,
    output: last.name,
    inputShapes: node.inputShapes,
    outputShape: last.outputShape,
    macs: node.op.macs?.(node.attributes, node.inputShapes, node.outputShape) ?? 0,
    parameters: foldedParameters(node, merged),
    work: layerWork(node, merged),
  };
}

/** Folding an affine node leaves an offset behind: the layer gains a bias if it had none. */
function foldedParameters(node: Node, merged: readonly Node[]): number {
  const kept = [node, ...merged].flatMap((one) => one.parameters.filter((parameter) => parameter.folded));
  const hasBias = kept.some((parameter) => parameter.initial.kind === 'bias');
  const gainsBias = !hasBias && merged.some((one) => one.op.machine.stage === 'affine');
  return sum(kept.map(parameterSize)) + (gainsBias ? node.outputShape[0] : 0);
}

function layerWork(node: Node, merged: readonly Node[]): LayerWork {
  const { machine } = node.op;
  const inputShape = node.inputShapes[0];
  assert(inputShape !== undefined, `node ${node.name} reads nothing`);
  const carrier = merged.find((one) => one.op.machine.stage === 'activation');
  const activation = carrier === undefined ? LINEAR : activationOf(carrier);
  const behind = merged.find((one) => one.op.machine.stage === 'table');
  const table = behind === undefined ? {} : { table: behind };
  switch (machine.stage) {
    case 'array': {
      const convolution = machine.convolution(node.attributes, inputShape, node.outputShape);
      return { stage: 'array', convolution, activation, ...table };
    }
    case 'activation':
      return { stage: 'activation', activation: activationOf(node), ...table };
    case 'table':
      return { stage: 'activation', activation: LINEAR, table: node };
    case 'crossChannel':
      return { stage: 'crossChannel', reduction: machine.reduction(node.attributes) };
    case 'pool':
      return { stage: 'pool', pooling: machine.pooling(node.attributes, inputShape, node.outputShape) };
    case 'sum':
      return { stage: 'sum', activation };
    case 'join':
      return { stage: 'join' };
    case 'rearrange': {
      const rearrangement = machine.rearrangement(node.attributes, inputShape, node.outputShape);
      return { stage: 'rearrange', rearrangement };
    }
    case 'affine':
      throw new InputError(
        `${node.name}: ${node.op.name} has no convolution to fold into; expected one right in front whose result nothing else reads`,
      );
    case 'host':
    case 'given':
      throw new Error(`internal: node ${node.name} is no layer`);
  }
}

function activationOf(node: Node): RequantisableActivation {
  const { machine } = node.op;
  assert(machine.stage === 'activation', `node ${node.name} is no activation`);
  return machine.activation(node.attributes);
}
