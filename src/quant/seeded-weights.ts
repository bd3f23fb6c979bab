/**
 * Weights from a seed, for networks without a trained file: realistic ranges, so that quantisation and saturation
 * behave as on a trained network, and the same values on every machine.
 */
import { sum } from '../core/integers.ts';
import { hashSeed, randomStream } from '../core/random.ts';
import type { Graph, Node, ParameterValues } from '../graph/graph.ts';
import type { ParameterSpec } from '../graph/op.ts';
import { parameterSize } from '../graph/parameters.ts';

/**
 * Every parameter of the graph. Each has a stream of its own, `hashSeed(name, seed)`: adding a node leaves the
 * values of all others alone, apart from the scale of filters behind it.
 *
 * Filters are roughly normal with a variance that makes every convolution's sums come out at a variance next to 1: the mean
 * square of its input is followed through the graph (activations shrink it, maxima raise it). Biases are small;
 * batch norm's statistics lie near, not at, the identity, so that folding has something to do.
 * @param seed any 32-bit integer
 */
export function seededParameters(graph: Graph, seed: number): ParameterValues {
  const squares = meanSquares(graph);
  const values = new Map<string, Float32Array>();
  for (const node of graph.nodes) {
    // What reads nothing has no parameters.
    const meanSquare = squares.get(node.inputs[0]!) ?? 1;
    for (const parameter of node.parameters) {
      if (values.has(parameter.name)) continue;
      values.set(parameter.name, seededValues(parameter, meanSquare, hashSeed(parameter.name, seed)));
    }
  }
  return values;
}

/** Mean and spread of each kind of parameter; a filter's spread depends on its input. */
function distribution(
  { initial }: ParameterSpec,
  inputMeanSquare: number,
): { mean: number; deviation: number } {
  switch (initial.kind) {
    case 'weights':
      return { mean: 0, deviation: GAIN / Math.sqrt(initial.fanIn * inputMeanSquare) };
    case 'bias':
    case 'beta':
    case 'mean':
      return { mean: 0, deviation: 0.05 };
    case 'gamma':
    case 'variance':
      return { mean: 1, deviation: 0.1 };
  }
}

/** Makes up for what neighbouring cells that are alike take away, layer after layer; measured on Tiny-YOLOv2. */
const GAIN = 1.04;

/** The sum of four bytes has this mean and this standard deviation: sqrt(4 * (256^2 - 1) / 12). */
const BYTE_SUM_MEAN = 510;
const BYTE_SUM_DEVIATION = Math.sqrt(65535 / 3);

/** Normal but for the tails: the sum of the four bytes of one draw, within +-3.45 deviations. */
function seededValues(parameter: ParameterSpec, inputMeanSquare: number, seed: number): Float32Array {
  const { mean, deviation } = distribution(parameter, inputMeanSquare);
  const step = deviation / BYTE_SUM_DEVIATION;
  const offset = mean - BYTE_SUM_MEAN * step;
  const next = randomStream(seed);
  const values = new Float32Array(parameterSize(parameter));
  for (let i = 0; i < values.length; i++) {
    const bits = next();
    const pairs = (bits & 0x00ff00ff) + ((bits >>> 8) & 0x00ff00ff);
    values[i] = offset + step * ((pairs & 0xffff) + (pairs >>> 16));
  }
  return values;
}

/** Estimated mean square of every tensor: close enough to keep ranges sane, whatever the graph. */
function meanSquares(graph: Graph): Map<string, number> {
  const { mean, divisor } = graph.input.preparation;
  // Pixels spread evenly over 0..255: mean 127.5, variance 255^2 / 12.
  const channels = mean.map((level) => ((127.5 - level) ** 2 + 255 ** 2 / 12) / divisor ** 2);
  const input = channels.length === 0 ? 1 : channels.reduce((a, b) => a + b, 0) / channels.length;
  const squares = new Map([[graph.input.name, input]]);
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((read) => squares.get(read)!);
    squares.set(node.name, outputMeanSquare(node, inputs));
  }
  return squares;
}

function outputMeanSquare(node: Node, inputs: readonly number[]): number {
  const { machine } = node.op;
  const input = inputs[0]!;
  switch (machine.stage) {
    case 'array':
      // Without weights of its own it averages, as a pooling does.
      return node.parameters.length === 0 ? input : 1;
    case 'affine':
    case 'rearrange':
      return input;
    case 'activation': {
      // Half of a symmetric input keeps its square, the other half is scaled.
      const { negativeSlope } = machine.activation(node.attributes);
      return (input * (1 + negativeSlope ** 2)) / 2;
    }
    case 'table':
      return meanSquareBehind((x) => machine.evaluate(node.attributes, x), Math.sqrt(input));
    case 'crossChannel': {
      const { kind, ratio } = machine.reduction(node.attributes);
      // Channels come from filters of their own: their means average out.
      return kind === 'maximum' ? input * maximumGain(ratio) : input / ratio;
    }
    case 'pool': {
      const pooling = machine.pooling(node.attributes, node.inputShapes[0]!, node.outputShape);
      const cells = pooling.window[0] * pooling.window[1];
      return pooling.kind === 'maximum' ? input * maximumGain(cells) : input;
    }
    case 'sum':
      return sum(inputs);
    case 'join': {
      const channels = node.inputShapes.map((shape) => shape[0]);
      return sum(inputs.map((square, i) => square * channels[i]!)) / sum(channels);
    }
    case 'host':
    case 'given':
      return 1;
  }
}

/** Mean of f(x)^2 for normal x around 0, by a sum over +-4 deviations. */
function meanSquareBehind(f: (x: number) => number, deviation: number): number {
  let [total, weights] = [0, 0];
  for (let t = -4; t <= 4; t += 0.125) {
    const weight = Math.exp((-t * t) / 2);
    total += weight * f(t * deviation) ** 2;
    weights += weight;
  }
  return total / weights;
}

/** What the maximum of `count` neighbours, part correlated and part not, does to the mean square; measured. */
function maximumGain(count: number): number {
  return 1 + Math.log2(count) / 8;
}
