/**
 * Random small networks and their integers. A network grows from recipes; what does not fit where it would stand is
 * left out, so that every list of recipes is a network and shrinks well.
 */
import fc from 'fast-check';
import { InputError } from '../../src/core/diagnostics.ts';
import { formatRange, type IntegerFormat } from '../../src/core/fixed-point.ts';
import { product } from '../../src/core/integers.ts';
import { randomStream } from '../../src/core/random.ts';
import { buildGraph, type NodeDescription } from '../../src/graph/build.ts';
import type { Graph, Shape } from '../../src/graph/graph.ts';
import type { IntegerValues, ParameterSpec } from '../../src/graph/op.ts';
import { findOperator } from '../../src/ops/index.ts';
import type { LayeredNetwork } from '../../src/quant/layers.ts';
import { quantise } from '../../src/quant/quantise.ts';
import type {
  NumberOptions,
  QuantisedLayer,
  QuantisedNetwork,
  QuantisedTensor,
} from '../../src/quant/quantised.ts';
import { makeValues } from '../../src/quant/values.ts';
import { mayOverflow } from '../../src/quant/weights.ts';

export interface NetworkRecipe {
  readonly shape: Shape;
  readonly layers: readonly LayerRecipe[];
  /** A node for the host behind the last one. */
  readonly softmax: boolean;
}

interface LayerRecipe {
  readonly op:
    | 'convolution'
    | 'crossChannelPool'
    | 'maxPool'
    | 'averagePool'
    | 'activation'
    | 'add'
    | 'concat'
    | 'upsampleNearest'
    | 'spaceToDepth'
    | 'fullyConnected'
    | 'globalAveragePool';
  readonly filters: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly padding: 'same' | 'valid' | { top: number; bottom: number; left: number; right: number };
  /** Picks one of the possible numbers of groups. */
  readonly groups: number;
  readonly batchNormalization: boolean;
  readonly activation: 'none' | 'relu' | 'leakyRelu' | 'clippedRelu';
  /** Behind it. */
  readonly table: 'none' | 'sigmoid' | 'tanh' | 'hardSwish' | 'silu';
  readonly ratio: number;
  readonly mean: boolean;
  /** Maps that are summed or put side by side, besides the last. */
  readonly others: readonly number[];
  readonly factor: readonly [number, number];
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
    'add',
    'concat',
    'upsampleNearest',
    'spaceToDepth',
    'fullyConnected',
    'globalAveragePool',
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
  table: fc.constantFrom('none', 'none', 'none', 'none', 'none', 'sigmoid', 'tanh', 'hardSwish', 'silu'),
  mean: fc.boolean(),
  others: fc.oneof(
    { weight: 9, arbitrary: fc.array(fc.nat(31), { minLength: 1, maxLength: 2 }) },
    { weight: 1, arbitrary: fc.array(fc.nat(31), { minLength: 3, maxLength: 7 }) },
  ),
  factor: fc.oneof(pair(3), fc.constant([2, 2] as const)),
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
      { ...convolution, op: convolution.isOutput ? 'add' : 'convolution', isOutput },
      {
        ...reduction,
        op: 'crossChannelPool',
        ratio: Math.max(2, reduction.ratio),
        branch,
        isOutput: reduction.isOutput && left === 2,
      },
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
    softmax: oftenFalse,
  }),
);

/** What a graph may cost the plain executor, in multiply-accumulates. */
const MOST_MACS = 1_500_000;
/** Rows and columns that upsampling may make. */
const MOST_SIDE = 100;

export function buildNetwork({ shape, layers, softmax }: NetworkRecipe): Graph {
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
  const add = (op: string, attributes: object, ...inputs: readonly string[]): string | undefined => {
    const name = `${op}${nodes.length}`;
    const node: NodeDescription = { name, op: findOperator(op)!, attributes, inputs };
    try {
      const made = graphOf([...nodes, node]).nodes.at(-1)!;
      const cost = made.op.macs?.(made.attributes, made.inputShapes, made.outputShape) ?? 0;
      if (macs + cost > MOST_MACS || product(made.outputShape) > 20_000) return undefined;
      if (Math.max(made.outputShape[1], made.outputShape[2]) > MOST_SIDE) return undefined;
      macs += cost;
    } catch (error) {
      if (error instanceof InputError) return undefined;
      throw error;
    }
    nodes.push(node);
    return name;
  };
  const shapeOf = (tensor: string): Shape =>
    tensor === 'image' ? shape : graphOf(nodes).nodes.find((node) => node.name === tensor)!.outputShape;
  /** `input` and, for each number, another map that fits beside it: an earlier one, or one made for the purpose. */
  const together = (input: string, others: readonly number[], fits: (map: Shape) => boolean): string[] => {
    const inputs = [input];
    for (const other of others) {
      const possible = readable.filter((tensor) => fits(shapeOf(tensor)));
      let found = possible[other % possible.length]!;
      if (found === input && other > 3) {
        found = add('convolution', { filters: shapeOf(input)[0], kernel: 1 }, input) ?? found;
        if (found !== input) readable.push(found);
      }
      inputs.push(found);
    }
    return inputs;
  };

  layers.forEach((recipe, index) => {
    const input = recipe.branch === undefined ? last : readable[recipe.branch % readable.length]!;
    const [channels, rows, columns] = shapeOf(input);
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
        if (recipe.table !== 'none') made = add(recipe.table, {}, made)!;
        break;
      }
      case 'add': {
        const inputs = together(
          input,
          recipe.others,
          (map) => map.join() === [channels, rows, columns].join(),
        );
        made = add('add', {}, ...inputs);
        if (made !== undefined && recipe.activation !== 'none') made = add(recipe.activation, {}, made)!;
        break;
      }
      case 'concat': {
        const inputs = together(input, recipe.others, (map) => map[1] === rows && map[2] === columns);
        made = add('concat', {}, ...inputs);
        break;
      }
      case 'upsampleNearest':
        made = add('upsampleNearest', { factor: recipe.factor }, input);
        break;
      case 'spaceToDepth': {
        let block = Math.max(...recipe.factor);
        while (rows % block !== 0 || columns % block !== 0) block--;
        made = add('spaceToDepth', { block }, input);
        break;
      }
      case 'fullyConnected':
        made = add('fullyConnected', { units: recipe.filters, bias: recipe.ceil }, input);
        if (made !== undefined && recipe.activation !== 'none') made = add(recipe.activation, {}, made)!;
        break;
      case 'globalAveragePool':
        made = add('globalAveragePool', {}, input);
        break;
      case 'crossChannelPool': {
        let { ratio } = recipe;
        while (channels % ratio !== 0) ratio--;
        made = add('crossChannelPool', { ratio, kind: recipe.mean ? 'mean' : 'maximum' }, input);
        break;
      }
      case 'activation':
        if (recipe.activation !== 'none') made = add(recipe.activation, {}, input)!;
        if (recipe.table !== 'none') made = add(recipe.table, {}, made ?? input)!;
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
  if (nodes.length === 0) last = add('convolution', { filters: 3, kernel: 1 }, 'image')!;
  if (softmax && last !== 'image') add('softmax', {}, last);
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

/**
 * A network quantised from random parameters and ranges, such that outputs spread over the whole range and sometimes
 * saturate. In some layers what the quantiser never makes: ranges that are cut off below, biases that reach for the
 * ends of the accumulator.
 */
export function randomIntegers(
  network: LayeredNetwork,
  numbers: NumberOptions,
  seed: number,
): QuantisedNetwork {
  const random = randomStream(seed);
  const below = (limit: number): number => random() % limit;
  const { graph } = network;
  const parameters = new Map(
    graph.nodes.flatMap((node) => node.parameters.map((spec) => [spec.name, randomParameter(spec, below)])),
  );
  const ranges = new Map(
    [graph.input, ...graph.nodes].map(({ name }) => {
      const spread = 2 ** (below(5) - 2);
      const low = below(6) === 0 ? 0 : -spread * (1 + below(8));
      return [name, { low, high: spread * (1 + below(8)) }];
    }),
  );
  const quantised = quantise(network, parameters, ranges, numbers);
  const layers = quantised.layers.map((layer): QuantisedLayer => {
    const { output, channels, weights } = layer;
    const cuts = channels !== undefined && layer.table === undefined && below(5) === 0;
    const low = cuts
      ? output.low + below(Math.min(output.high, output.zeroPoint) - output.low + 1)
      : output.low;
    const cut = { ...layer, output: { ...output, low } };
    if (channels === undefined || weights === undefined || below(8) > 0) return cut;
    const reach = 2 ** (numbers.accumulator.bits - 1 - below(4));
    const biased = channels.map((channel) => ({
      ...channel,
      bias: Math.round(((below(2001) - 1000) / 1001) * (reach - 1)),
    }));
    const input = quantised.tensors.get(layer.layer.inputs[0]!)!;
    const biases = biased.map(({ bias }) => bias);
    return { ...cut, channels: biased, mayOverflow: mayOverflow(weights, biases, input, numbers) };
  });
  return { ...quantised, layers };
}

/** Weights of magnitudes that differ from filter to filter, so that the filters' scales do. */
function randomParameter({ initial, shape }: ParameterSpec, below: (limit: number) => number): Float32Array {
  const filters = shape.at(-1)!;
  const unit = (): number => (below(20001) - 10000) / 10000;
  return Float32Array.from({ length: product(shape) }, (_, i) => {
    switch (initial.kind) {
      case 'weights':
        return (unit() * 2 ** -((i % filters) % 3)) / Math.sqrt(initial.fanIn);
      case 'gamma':
      case 'variance':
        return 1 + unit() / 2;
      default:
        return unit();
    }
  });
}

/** Values over the whole range of the format. */
export function randomValues(format: IntegerFormat, count: number, seed: number): IntegerValues {
  const random = randomStream(seed);
  const { low, high } = formatRange(format);
  const values = makeValues(format, count);
  for (let i = 0; i < count; i++) values[i] = low + (random() % (high - low + 1));
  return values;
}

export function randomInput({ tensors, network }: QuantisedNetwork, seed: number): IntegerValues {
  const { format, shape }: QuantisedTensor = tensors.get(network.graph.input.name)!;
  return randomValues(format, product(shape), seed);
}
