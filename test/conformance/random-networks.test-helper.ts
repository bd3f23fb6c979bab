/**
 * Random small networks and their integers. A network grows from recipes; what does not fit where it would stand is
 * left out, so that every list of recipes is a network and shrinks well.
 */
import fc from 'fast-check';
import { InputError } from '../../src/core/diagnostics.ts';
import type { ChannelRequantisation } from '../../src/core/fixed-point.ts';
import { product } from '../../src/core/integers.ts';
import { randomStream } from '../../src/core/random.ts';
import { buildGraph, type NodeDescription } from '../../src/graph/build.ts';
import type { Graph, Shape } from '../../src/graph/graph.ts';
import type { RequantisableActivation } from '../../src/graph/op.ts';
import { findOperator } from '../../src/ops/index.ts';
import type { Layer, LayeredNetwork } from '../../src/quant/layers.ts';
import type { QuantisedLayer, QuantisedNetwork, RequantisationForm } from '../../src/quant/quantised.ts';

export interface NetworkRecipe {
  readonly shape: Shape;
  readonly layers: readonly LayerRecipe[];
}

interface LayerRecipe {
  readonly op: 'convolution' | 'crossChannelPool' | 'maxPool' | 'averagePool' | 'activation';
  readonly filters: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly padding: 'same' | 'valid' | { top: number; bottom: number; left: number; right: number };
  /** Picks one of the possible numbers of groups. */
  readonly groups: number;
  readonly batchNormalization: boolean;
  readonly activation: 'none' | 'relu' | 'leakyRelu' | 'clippedRelu';
  readonly ratio: number;
  readonly ceil: boolean;
  readonly countIncludesPadding: boolean;
  /** Reads an earlier tensor instead of the last one. */
  readonly branch: number | undefined;
  readonly isOutput: boolean;
}

const between = (min: number, max: number) => fc.integer({ min, max });
const pair = (max: number) => fc.tuple(between(1, max), between(1, max));
const oftenFalse = fc.nat(7).map((n) => n === 7);

const layerRecipe: fc.Arbitrary<LayerRecipe> = fc.record({
  op: fc.constantFrom(
    'convolution',
    'convolution',
    'convolution',
    'convolution',
    'crossChannelPool',
    'crossChannelPool',
    'maxPool',
    'averagePool',
    'activation',
  ),
  filters: between(1, 40),
  kernel: fc.oneof(pair(5), fc.constantFrom([1, 1] as const, [3, 3] as const)),
  stride: fc.oneof(fc.constant([1, 1] as const), pair(3)),
  dilation: fc.oneof(fc.constant([1, 1] as const), pair(2)),
  padding: fc.oneof(
    fc.constantFrom('same' as const, 'valid' as const),
    fc.record({ top: fc.nat(3), bottom: fc.nat(3), left: fc.nat(3), right: fc.nat(3) }),
  ),
  groups: fc.oneof(fc.constant(0), fc.constant(0), fc.nat(15)),
  batchNormalization: fc.boolean(),
  activation: fc.constantFrom('none', 'relu', 'leakyRelu', 'clippedRelu'),
  ratio: fc.constantFrom(2, 2, 3, 4, 1),
  ceil: fc.boolean(),
  countIncludesPadding: fc.boolean(),
  branch: fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat(15) }),
  isOutput: oftenFalse,
});

/** Layers in the order that lets them share a step, which random ones rarely have. */
const pipeRecipe = fc
  .tuple(layerRecipe, layerRecipe, layerRecipe, fc.nat(2))
  .map(([convolution, reduction, pool, left]): LayerRecipe[] => {
    const isOutput = false;
    const branch = undefined;
    const pipe: LayerRecipe[] = [
      { ...convolution, op: 'convolution', isOutput },
      { ...reduction, op: 'crossChannelPool', branch, isOutput: reduction.isOutput && left === 2 },
      { ...pool, op: pool.countIncludesPadding ? 'averagePool' : 'maxPool', branch },
    ];
    return pipe.filter((_, index) => index === 0 || index !== left);
  });

export const networkRecipe: fc.Arbitrary<NetworkRecipe> = fc.noBias(
  fc.record({
    shape: fc.tuple(fc.oneof(between(1, 4), between(1, 40)), between(1, 30), between(1, 30)),
    layers: fc
      .array(
        fc.oneof(
          layerRecipe.map((layer) => [layer]),
          layerRecipe.map((layer) => [layer]),
          pipeRecipe,
        ),
        {
          minLength: 1,
          maxLength: 4,
        },
      )
      .map((parts) => parts.flat()),
  }),
);

/** What a graph may cost the plain executor, in multiply-accumulates. */
const MOST_MACS = 3_000_000;

export function buildNetwork({ shape, layers }: NetworkRecipe): Graph {
  const nodes: NodeDescription[] = [];
  const flagged = new Set<string>();
  // Tensors that a branch may read: not those in front of a batch norm, which would then have nothing to fold into.
  const readable = ['image'];
  let last = 'image';
  let macs = 0;

  const graphOf = (all: readonly NodeDescription[]): Graph => {
    const read = new Set(all.flatMap((node) => node.inputs));
    const names = all.map((node) => node.name);
    return buildGraph({
      name: 'random',
      description: '',
      input: { name: 'image', shape, preparation: { mean: new Array<number>(shape[0]).fill(0), divisor: 1 } },
      nodes: all,
      outputs: names.filter((name) => flagged.has(name) || !read.has(name)),
    });
  };
  /** Adds a node if it fits. */
  const add = (op: string, attributes: object, input: string): string | undefined => {
    const name = `${op}${nodes.length}`;
    const node: NodeDescription = { name, op: findOperator(op)!, attributes, inputs: [input] };
    try {
      const made = graphOf([...nodes, node]).nodes.at(-1)!;
      const cost = made.op.macs?.(made.attributes, made.inputShapes, made.outputShape) ?? 0;
      if (macs + cost > MOST_MACS || product(made.outputShape) > 20_000) return undefined;
      macs += cost;
    } catch (error) {
      if (error instanceof InputError) return undefined;
      throw error;
    }
    nodes.push(node);
    return name;
  };
  const channelsOf = (tensor: string): number =>
    tensor === 'image' ? shape[0] : graphOf(nodes).nodes.find((node) => node.name === tensor)!.outputShape[0];

  layers.forEach((recipe, index) => {
    const input = recipe.branch === undefined ? last : readable[recipe.branch % readable.length]!;
    const channels = channelsOf(input);
    let made: string | undefined;
    switch (recipe.op) {
      case 'convolution': {
        const next = layers[index + 1];
        made = add('convolution', convolutionAttributes(recipe, channels, next), input);
        if (made === undefined) break;
        if (recipe.batchNormalization) made = add('batchNormalization', {}, made)!;
        else readable.push(made);
        if (recipe.activation !== 'none') {
          if (!recipe.batchNormalization && recipe.isOutput) flagged.add(made);
          made = add(recipe.activation, {}, made)!;
        }
        break;
      }
      case 'crossChannelPool': {
        let { ratio } = recipe;
        while (channels % ratio !== 0) ratio--;
        made = add('crossChannelPool', { ratio }, input);
        break;
      }
      case 'activation':
        made = add(recipe.activation === 'none' ? 'relu' : recipe.activation, {}, input);
        break;
      default: {
        const { kernel, stride, padding, ceil, countIncludesPadding } = recipe;
        const window = kernel.map((side) => Math.min(side, 4));
        const attributes = { window, stride, padding, ceil };
        made = add(
          recipe.op,
          recipe.op === 'averagePool' ? { ...attributes, countIncludesPadding } : attributes,
          input,
        );
      }
    }
    if (made === undefined) return;
    last = made;
    readable.push(made);
    if (recipe.isOutput) flagged.add(made);
  });
  if (nodes.length === 0) add('convolution', { filters: 3, kernel: 1 }, 'image');
  return graphOf(nodes);
}

function convolutionAttributes(recipe: LayerRecipe, channels: number, next: LayerRecipe | undefined): object {
  const { kernel, padding } = recipe;
  const stride = recipe.stride.map((side) => Math.min(side, 2));
  const common = { kernel, stride, padding, dilation: recipe.dilation, bias: !recipe.batchNormalization };
  // So that the maximum across channels behind it has whole groups of maps.
  const multiple = next?.op === 'crossChannelPool' ? next.ratio : 1;
  if (recipe.groups > 12 && channels % multiple === 0) return { ...common, groups: 'depthwise' };
  const possible = [1, 2, 3, 4, 5, 6, 8, channels].filter((groups) => channels % groups === 0);
  const groups = possible[recipe.groups % possible.length]!;
  const step = lowestCommonMultiple(groups, multiple);
  return { ...common, groups, filters: Math.max(step, recipe.filters - (recipe.filters % step)) };
}

function lowestCommonMultiple(a: number, b: number): number {
  let multiple = a;
  while (multiple % b !== 0) multiple += a;
  return multiple;
}

/** Random integers for every layer, such that outputs spread over the whole range and sometimes saturate. */
export function randomIntegers(
  network: LayeredNetwork,
  form: RequantisationForm,
  seed: number,
): QuantisedNetwork {
  const random = randomStream(seed);
  const below = (limit: number): number => random() % limit;
  const { input } = network.graph;
  const tensors = new Map(
    [{ name: input.name, shape: input.shape }, ...network.layers.map(outputOf)].map(({ name, shape }) => [
      name,
      { name, shape, scale: 1, bits: 8 as const },
    ]),
  );
  const layers = network.layers.map((layer): QuantisedLayer => {
    const { work } = layer;
    if (work.stage === 'pool' || work.stage === 'crossChannel') return { layer, low: -128, high: 127 };
    const high = work.activation.upper === undefined ? 127 : 20 + below(108);
    const low = below(4) === 0 ? -1 - below(128) : -128;
    const filters = layer.outputShape[0];
    const products =
      work.stage === 'activation'
        ? 0
        : (layer.inputShape[0] / work.convolution.groups) * product(work.convolution.kernel);
    const channels = Array.from({ length: filters }, () =>
      randomChannel(products, work.activation, form, below),
    );
    if (products === 0) return { layer, channels, low, high };
    const weights = Int8Array.from({ length: filters * products }, () => below(255) - 127);
    return { layer, weights, channels, low, high };
  });
  return { network, form, tensors, layers };
}

const outputOf = (layer: Layer) => ({ name: layer.output, shape: layer.outputShape });

/** Settings that bring sums of `products` products of random bytes (0: a byte alone) back to about a byte. */
function randomChannel(
  products: number,
  { negativeSlope }: RequantisableActivation,
  form: RequantisationForm,
  below: (limit: number) => number,
): ChannelRequantisation {
  const spread = products === 0 ? 73 : 73 * 73 * Math.sqrt(products);
  const ratio = (2 ** (below(5) - 2) * 60) / spread;
  const exponent = Math.round(-Math.log2(ratio));
  // 'shift': a power of two; 'multiplier': any mantissa of 16 bits.
  const fraction = form === 'shift' ? 8 : 15;
  const positiveMultiplier = form === 'shift' ? 256 : 32768 + below(32768);
  return {
    bias: below(Math.ceil(spread)) - Math.ceil(spread / 2),
    positiveMultiplier,
    negativeMultiplier: Math.round(positiveMultiplier * negativeSlope),
    shift: exponent + fraction,
  };
}

export function randomBytes(count: number, seed: number): Int8Array {
  const random = randomStream(seed);
  return Int8Array.from({ length: count }, () => (random() >>> 8) & 255);
}
