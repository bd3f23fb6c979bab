/** Cases of what has weights of its own, convolutions and fully connected layers; scales are powers of two. */
import { assert } from '../../src/core/diagnostics.ts';
import { type ChannelRequantisation, formatRange } from '../../src/core/fixed-point.ts';
import { product } from '../../src/core/integers.ts';
import type { Shape } from '../../src/graph/graph.ts';
import type { TensorNumbers } from '../../src/quant/input.ts';
import { runLayer } from '../../src/quant/integer-executor.ts';
import type { Layer } from '../../src/quant/layers.ts';
import { defaultNumbers } from '../../src/quant/numbers.ts';
import { requantisation } from '../../src/quant/requantisation.ts';
import { mayOverflow } from '../../src/quant/weights.ts';
import {
  type Alteration,
  accumulator,
  type Draw,
  type Edges,
  fedMap,
  mapOf,
  type OracleCase,
  onnxPads,
  paddedLayer,
  randomMap,
  scalar,
  scales,
  singleLayer,
} from './comparison.test-helper.ts';
import { elementType, type OnnxTensor } from './onnx-model.test-helper.ts';

const LINEAR = { negativeSlope: 1 };
const WEIGHTS = { bits: 8, signed: true };

/**
 * ONNX Runtime multiplies accumulators by a float32: exact by a power of two, as long as the accumulator itself is
 * exact in 24 bits. All cases of powers of two stay inside that.
 */
const EXACT_IN_FLOAT32 = { accumulator: { bits: 25, overflow: 'saturate' } } as const;

/** An array layer's integers, with scales next to them for ONNX. */
interface ArrayNumbers {
  readonly input: TensorNumbers;
  readonly output: TensorNumbers;
  readonly weights: Int8Array;
  /** One a filter. */
  readonly weightScales: readonly number[];
  readonly biases: readonly number[];
  readonly channels: readonly ChannelRequantisation[];
  /** What the layer claims; true makes the integer rule watch every addition. */
  readonly mayOverflow: boolean;
}

/**
 * Random integers whose results fall inside the output's format as often as at its ends. Small weights go with short
 * shifts, where ties are frequent.
 */
function drawNumbers(draw: Draw, layer: Layer, taps: number, withBias: boolean): ArrayNumbers {
  const [filters] = layer.outputShape;
  const input = draw.numbers();
  const format = { bits: 8, signed: input.format.signed };
  const largest = draw.pick([1, 3, 20, 128, 128]);
  const weights = Int8Array.from({ length: filters * taps }, () =>
    draw.integer(-largest, Math.min(largest, 127)),
  );
  const spread = largest * 80 * Math.sqrt(taps);
  const biases = Array.from({ length: filters }, () =>
    withBias ? draw.integer(-Math.round(spread), Math.round(spread)) : 0,
  );
  const perChannel = draw.chance();
  const shift = Math.max(0, Math.round(Math.log2(spread / 48)) + draw.integer(-2, 2));
  const outputExponent = draw.integer(-6, 3);
  const shared = outputExponent - shift - Math.log2(input.scale);
  const weightScales = biases.map(() => 2 ** (shared + (perChannel ? draw.integer(-2, 2) : 0)));
  const output = { format, zeroPoint: draw.zeroPoint(format), scale: 2 ** outputExponent };
  assert(!mayOverflow(weights, biases, input, EXACT_IN_FLOAT32), 'a case beyond float32');
  return {
    input,
    output,
    weights,
    weightScales,
    biases,
    channels: biases.map((bias, f) =>
      requantisation(
        layer.name,
        bias,
        (input.scale * weightScales[f]!) / output.scale,
        LINEAR,
        defaultNumbers('shift'),
      ),
    ),
    mayOverflow: mayOverflow(weights, biases, input, { accumulator }) || draw.chance(),
  };
}

function runArray(
  layer: Layer,
  { input, output, weights, channels, mayOverflow }: ArrayNumbers,
  data: ReturnType<typeof randomMap>,
  alteration: Alteration,
): ReturnType<typeof runLayer> {
  const rounding = alteration.rounding ?? 'half-even';
  const range = { ...formatRange(output.format), zeroPoint: output.zeroPoint, rounding };
  const map = mapOf(layer.inputShapes[0]!, data, input, alteration);
  const quantised = { layer, weights, channels, output: range, mayOverflow };
  return runLayer(quantised, [map], output, { accumulator }, { count: 0 });
}

/** Per tensor: one scale for all; per channel: a vector. */
function weightScaleTensor(weightScales: readonly number[]): OnnxTensor {
  const same = weightScales.every((scale) => scale === weightScales[0]);
  return same ? scales(weightScales[0]!) : { data: Float32Array.from(weightScales) };
}

/** Weights are symmetric: as many zero points of 0 as there are scales. */
function weightZeroPoints(weightScales: readonly number[]): OnnxTensor {
  const { data, dims } = weightScaleTensor(weightScales);
  return { data: new Int8Array(data.length), ...(dims ? { dims } : {}) };
}

interface ConvolutionDraw {
  readonly attributes: {
    readonly filters: number;
    readonly kernel: readonly [number, number];
    readonly stride: readonly [number, number];
    readonly dilation: readonly [number, number];
    readonly padding: Edges;
    readonly groups: number | 'depthwise';
  };
  readonly shape: Shape;
  readonly groups: number;
  readonly layer: Layer;
}

export type ConvolutionKind = 'ordinary' | 'grouped' | 'depthwise';

function drawConvolution(draw: Draw, kind: ConvolutionKind): ConvolutionDraw {
  const side = (high: number): [number, number] => [draw.integer(1, high), draw.integer(1, high)];
  return draw.accepted(() => {
    const groups = kind === 'ordinary' ? 1 : draw.integer(2, 4);
    const channels = groups * (kind === 'depthwise' ? 1 : draw.integer(1, 4));
    const shape: Shape = [channels, ...side(9)];
    const attributes = {
      filters: kind === 'depthwise' ? channels : groups * draw.integer(1, 3),
      kernel: draw.pick([side(4), [1, 1] as [number, number], [3, 3] as [number, number]]),
      stride: draw.pick([side(3), [1, 1] as [number, number]]),
      dilation: draw.pick([side(2), [1, 1] as [number, number]]),
      padding: {
        top: draw.integer(0, 2),
        bottom: draw.integer(0, 2),
        left: draw.integer(0, 2),
        right: draw.integer(0, 2),
      },
      groups: kind === 'depthwise' ? ('depthwise' as const) : groups,
    };
    return { attributes, shape, groups, layer: singleLayer('convolution', attributes, shape) };
  });
}

function onnxConvolution({
  attributes,
  groups,
}: ConvolutionDraw): Record<string, number | readonly number[]> {
  return {
    kernel_shape: attributes.kernel,
    strides: attributes.stride,
    dilations: attributes.dilation,
    pads: onnxPads(attributes.padding),
    group: groups,
  };
}

/** The input, the filters and how they are called in messages. */
function convolutionParts(draw: Draw, kind: ConvolutionKind) {
  const convolution = drawConvolution(draw, kind);
  const { attributes, shape, groups, layer } = convolution;
  const groupChannels = shape[0] / groups;
  const numbers = drawNumbers(draw, layer, groupChannels * product(attributes.kernel), draw.chance());
  const data = randomMap(draw, shape, numbers.input);
  const filters: OnnxTensor = {
    data: numbers.weights,
    dims: [layer.outputShape[0], groupChannels, ...attributes.kernel],
  };
  const name = `${kind} ${JSON.stringify(attributes)} on ${shape.join(' x ')} ${elementType(data)}`;
  return { convolution, layer, shape, numbers, data, filters, name };
}

/** `QLinearConv`. */
export function convolutionCase(draw: Draw, kind: ConvolutionKind): OracleCase {
  const { convolution, shape, numbers, data, filters, name } = convolutionParts(draw, kind);
  const { input, output, weightScales, biases } = numbers;
  return {
    name: `QLinearConv ${name}`,
    node: {
      op: 'QLinearConv',
      attributes: onnxConvolution(convolution),
      inputs: [
        fedMap(data, shape),
        scales(input.scale),
        scalar(input.format, input.zeroPoint),
        filters,
        weightScaleTensor(weightScales),
        weightZeroPoints(weightScales),
        scales(output.scale),
        scalar(output.format, output.zeroPoint),
        { data: Int32Array.from(biases) },
      ],
      output: elementType(data),
    },
    ours: (alteration) =>
      runArray(
        paddedLayer('convolution', convolution.attributes, shape, alteration),
        numbers,
        data,
        alteration,
      ),
  };
}

/** `ConvInteger`: accumulators alone. */
export function accumulatorCase(draw: Draw, kind: ConvolutionKind): OracleCase {
  const { convolution, shape, numbers, data, filters, name } = convolutionParts(draw, kind);
  const { input, weights, mayOverflow } = numbers;
  return {
    name: `ConvInteger ${name}`,
    node: {
      op: 'ConvInteger',
      attributes: onnxConvolution(convolution),
      inputs: [fedMap(data, shape), filters, scalar(input.format, input.zeroPoint), scalar(WEIGHTS, 0)],
      output: 'int32',
    },
    ours(alteration) {
      const layer = paddedLayer('convolution', convolution.attributes, shape, alteration);
      const { op, attributes } = layer.node;
      const array = { weights, accumulator, mayOverflow, overflows: { count: 0 } };
      const map = mapOf(shape, data, input, alteration);
      return Int32Array.from(op.integer!(attributes, [map], layer.outputShape, array));
    },
  };
}

/** `QLinearMatMul`, or `QGemm` where there is a bias. */
export function fullyConnectedCase(draw: Draw, withBias: boolean): OracleCase {
  const shape: Shape = [draw.integer(1, 6), draw.integer(1, 4), draw.integer(1, 4)];
  const inputs = product(shape);
  const units = draw.integer(1, 32);
  const layer = singleLayer('fullyConnected', { units, bias: withBias }, shape);
  const numbers = drawNumbers(draw, layer, inputs, withBias);
  const { input, output, weights, weightScales, biases } = numbers;
  const data = randomMap(draw, shape, input);
  // ONNX has a unit's weights in a column.
  const matrix = Int8Array.from(weights, (_, i) => weights[(i % units) * inputs + Math.floor(i / units)]!);
  const factors: OnnxTensor[] = [
    { data, dims: [1, inputs], fed: true },
    scales(input.scale),
    scalar(input.format, input.zeroPoint),
    { data: matrix, dims: [inputs, units] },
    weightScaleTensor(weightScales),
    weightZeroPoints(weightScales),
  ];
  const result = [scales(output.scale), scalar(output.format, output.zeroPoint)];
  const name = `${units} units on ${shape.join(' x ')} ${elementType(data)}`;
  return {
    name: `${withBias ? 'QGemm' : 'QLinearMatMul'} ${name}`,
    node: withBias
      ? {
          op: 'QGemm',
          domain: 'com.microsoft',
          inputs: [...factors, { data: Int32Array.from(biases) }, ...result],
          output: elementType(data),
        }
      : { op: 'QLinearMatMul', inputs: [...factors, ...result], output: elementType(data) },
    ours: (alteration) => runArray(layer, numbers, data, alteration),
  };
}
