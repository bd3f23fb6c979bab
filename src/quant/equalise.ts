/**
 * Cross-layer equalisation (Nagel et al., 2019): where a convolution's output reaches another one through nothing
 * but positively homogeneous functions, f(s x) = s f(x) for s > 0, a channel can be divided by s in the first and
 * multiplied by s in the second without changing the network. Chosen well, s makes the weights of both use their
 * common scale evenly, which is what weights with one scale a tensor, and few bits, need.
 */
import type { Node, ParameterValues } from '../graph/graph.ts';
import { parameterReader } from '../graph/parameters.ts';
import { foldedWeights } from './fold.ts';
import type { Layer, LayeredNetwork } from './layers.ts';

/** Two array layers and how the first one's filters become channels of the second. */
interface Pair {
  readonly first: Layer;
  readonly second: Layer;
  /** Consecutive filters that one channel is made of (cross-channel pooling between the two). */
  readonly ratio: number;
}

/** Every pair depends on its neighbours: sweeps over all of them until the factors settle, at most this many. */
const MAXIMUM_SWEEPS = 10;
const SETTLED = 1e-3;
/** A factor beyond this says that a channel is all but dead; float32 should not drown in it. */
const LARGEST_FACTOR = 2 ** 10;

/**
 * Parameters of the same network, up to float32 rounding, with the weights of neighbouring layers evened out.
 *
 * Pairs: an array layer without table, read by one layer only and no output, whose activation is linear, ReLU or
 * leaky ReLU; then any number of poolings, cross-channel poolings and upsamplings likewise; then an array layer. Both
 * need weights of their own that no other node reads.
 * @throws InputError when a parameter is missing or has the wrong size
 */
export function equaliseLayers(network: LayeredNetwork, parameters: ParameterValues): ParameterValues {
  const pairs = findPairs(network);
  const values = new Map(parameters);
  for (let sweep = 0; sweep < MAXIMUM_SWEEPS; sweep++) {
    let farthest = 0;
    for (const pair of pairs) {
      const factors = equalisingFactors(pair, values);
      for (const factor of factors) farthest = Math.max(farthest, Math.abs(Math.log(factor)));
      applyFactors(pair, factors, values);
    }
    if (farthest < SETTLED) break;
  }
  return values;
}

function findPairs({ graph, layers, machineOutputs }: LayeredNetwork): Pair[] {
  const readers = new Map<string, Layer[]>();
  for (const layer of layers) {
    for (const name of layer.inputs) readers.set(name, [...(readers.get(name) ?? []), layer]);
  }
  const users = new Map<string, number>();
  for (const { name } of graph.nodes.flatMap((node) => node.parameters)) {
    users.set(name, (users.get(name) ?? 0) + 1);
  }
  const scalable = ({ node, merged }: Layer): boolean => {
    const { machine } = node.op;
    const own = [node, ...merged].every((one) => one.parameters.every(({ name }) => users.get(name) === 1));
    return machine.stage === 'array' && machine.rescale !== undefined && own;
  };

  const pairs: Pair[] = [];
  for (const first of layers) {
    const { work } = first;
    if (work.stage !== 'array' || !scalable(first)) continue;
    if (work.table !== undefined || work.activation.upper !== undefined) continue;
    let ratio = 1;
    let last = first;
    for (;;) {
      const reading = readers.get(last.output) ?? [];
      if (reading.length !== 1 || machineOutputs.includes(last.output)) break;
      last = reading[0]!;
      if (last.work.stage === 'crossChannel') ratio *= last.work.reduction.ratio;
      else if (last.work.stage === 'array') {
        if (scalable(last)) pairs.push({ first, second: last, ratio });
        break;
      } else if (!keepsChannels(last)) break;
    }
  }
  return pairs;
}

/** Whether every channel of the output depends on its channel of the input alone, homogeneously. */
function keepsChannels({ work }: Layer): boolean {
  return work.stage === 'pool' || (work.stage === 'rearrange' && work.rearrangement.kind === 'upsample');
}

/** For every channel between the two: sqrt(max |w| behind it / max |w| in front), what its filters are multiplied by. */
function equalisingFactors({ first, second, ratio }: Pair, values: ParameterValues): Float64Array {
  const channels = second.inputShapes[0]![0];
  const front = new Float64Array(channels);
  forWeights(first, values, (weight, filter) => {
    const channel = Math.floor(filter / ratio);
    front[channel] = Math.max(front[channel]!, weight);
  });
  const behind = new Float64Array(channels);
  forWeights(second, values, (weight, _filter, channel) => {
    behind[channel] = Math.max(behind[channel]!, weight);
  });
  return front.map((largest, c) => {
    // Dead on either side: there is nothing to even out.
    if (largest === 0 || behind[c] === 0) return 1;
    return Math.min(LARGEST_FACTOR, Math.max(1 / LARGEST_FACTOR, Math.sqrt(behind[c]! / largest)));
  });
}

/** Calls `visit` with |w| of every weight of the layer, batch norm folded, its filter, and the channel it reads. */
function forWeights(
  layer: Layer,
  values: ParameterValues,
  visit: (magnitude: number, filter: number, channel: number) => void,
): void {
  if (layer.work.stage !== 'array') return;
  const { groups, filters, kernel } = layer.work.convolution;
  const { weights } = foldedWeights(layer, values);
  const groupChannels = layer.inputShapes[0]![0] / groups;
  const taps = kernel[0] * kernel[1];
  let at = 0;
  for (let f = 0; f < filters; f++) {
    const firstChannel = Math.floor((f * groups) / filters) * groupChannels;
    for (let c = 0; c < groupChannels; c++) {
      for (let tap = 0; tap < taps; tap++) visit(Math.abs(weights[at++]!), f, firstChannel + c);
    }
  }
}

/** Multiplies the first layer's filters by their channel's factor and divides the second's weights by it. */
function applyFactors(
  { first, second, ratio }: Pair,
  factors: Float64Array,
  values: Map<string, Float32Array>,
): void {
  const filters = first.node.outputShape[0];
  const outputs = Float64Array.from({ length: filters }, (_, f) => factors[Math.floor(f / ratio)]!);
  const affine = first.merged.findLast((one) => one.op.machine.stage === 'affine');
  if (affine?.op.machine.stage === 'affine') {
    const read = parameterReader(affine, values);
    store(affine, affine.op.machine.rescale(affine.attributes, read, outputs), values);
  } else {
    rescaleArray(first.node, ones(first.node.inputShapes[0]![0]), outputs, values);
  }
  const inverse = factors.map((factor) => 1 / factor);
  rescaleArray(second.node, inverse, ones(second.node.outputShape[0]), values);
}

function rescaleArray(
  node: Node,
  inputs: Float64Array,
  outputs: Float64Array,
  values: Map<string, Float32Array>,
): void {
  const { machine } = node.op;
  if (machine.stage !== 'array' || machine.rescale === undefined) return;
  const read = parameterReader(node, values);
  store(node, machine.rescale(node.attributes, node.inputShapes[0]!, read, inputs, outputs), values);
}

function store(
  node: Node,
  scaled: ReadonlyMap<string, Float32Array>,
  values: Map<string, Float32Array>,
): void {
  for (const { name, shortName } of node.parameters) {
    const replacement = scaled.get(shortName);
    if (replacement !== undefined) values.set(name, replacement);
  }
}

function ones(length: number): Float64Array {
  return new Float64Array(length).fill(1);
}
