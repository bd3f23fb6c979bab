/** Cases of everything that is no product of weights: poolings, sums, concatenations, (de)quantisation. */
import { InputError } from '../../src/core/diagnostics.ts';
import { formatRange } from '../../src/core/fixed-point.ts';
import { product } from '../../src/core/integers.ts';
import { buildGraph, type NodeDescription } from '../../src/graph/build.ts';
import type { ParameterValues, Shape } from '../../src/graph/graph.ts';
import { findOperator } from '../../src/ops/index.ts';
import { dequantise, quantiseInput, type TensorNumbers } from '../../src/quant/input.ts';
import { runLayer } from '../../src/quant/integer-executor.ts';
import { layerNetwork } from '../../src/quant/layers.ts';
import { defaultNumbers } from '../../src/quant/numbers.ts';
import { quantise } from '../../src/quant/quantise.ts';
import type { NumberOptions, QuantisedLayer, QuantisedTensor } from '../../src/quant/quantised.ts';
import {
  type Alteration,
  accumulator,
  type Draw,
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

/** `QuantizeLinear`, 8 and 16 bits. */
export function quantiseCase(draw: Draw): OracleCase {
  const format = { bits: draw.pick([8, 16]), signed: draw.chance() };
  const tensor = { format, zeroPoint: draw.zeroPoint(format), scale: 2 ** draw.integer(-12, 6) };
  const { high } = formatRange(format);
  const values = Float32Array.from({ length: 48 }, (_, i) => {
    // Halves of a step are the ties; far values saturate.
    if (i % 3 === 0) return (draw.integer(-300, 300) / 2) * tensor.scale;
    if (i % 3 === 1) return draw.real(-2 * high, 2 * high) * tensor.scale;
    return draw.pick([0, -0, 1e30, -1e30, draw.real(-4, 4) * tensor.scale, 1e-40]);
  });
  const result = scalar(format, tensor.zeroPoint);
  return {
    name: `QuantizeLinear ${elementType(result.data)} ${tensor.scale} ${tensor.zeroPoint}`,
    node: {
      op: 'QuantizeLinear',
      inputs: [{ data: values, fed: true }, scales(tensor.scale), result],
      output: elementType(result.data),
    },
    ours: (alteration) =>
      quantiseInput(values, { ...tensor, zeroPoint: tensor.zeroPoint + (alteration.zeroPoint ?? 0) }),
  };
}

/** `DequantizeLinear`, 8 and 16 bits; any scale that is a float32. */
export function dequantiseCase(draw: Draw): OracleCase {
  const format = { bits: draw.pick([8, 16]), signed: draw.chance() };
  const zeroPoint = draw.zeroPoint(format);
  const scale = draw.pick([2 ** draw.integer(-12, 6), Math.fround(draw.real(1e-4, 3))]);
  const data = draw.values(format, 48);
  return {
    name: `DequantizeLinear ${elementType(data)} ${scale} ${zeroPoint}`,
    node: {
      op: 'DequantizeLinear',
      inputs: [{ data, fed: true }, scales(scale), scalar(format, zeroPoint)],
      output: 'float32',
    },
    ours: (alteration) => dequantise(data, { scale, zeroPoint: zeroPoint + (alteration.zeroPoint ?? 0) }),
  };
}

/** `MaxPool`, or `QLinearAveragePool` with equal scales and zero points on both sides. */
export function poolCase(draw: Draw, op: 'maxPool' | 'averagePool'): OracleCase {
  const average = op === 'averagePool';
  const input = draw.numbers();
  const { shape, attributes, layer } = draw.accepted(() => {
    const shape: Shape = [draw.integer(1, 4), draw.integer(1, 9), draw.integer(1, 9)];
    const window = [draw.integer(1, 4), draw.integer(1, 4)] as const;
    // ONNX Runtime wants less padding than window.
    const edge = (axis: 0 | 1): number => draw.integer(0, Math.min(2, window[axis] - 1));
    const padding = { top: edge(0), bottom: edge(0), left: edge(1), right: edge(1) };
    const { top, bottom, left, right } = padding;
    if (window[0] > top + shape[1] + bottom || window[1] > left + shape[2] + right) {
      throw new InputError('ONNX Runtime wants no more window than padded map, rounding up or not');
    }
    const ceil = draw.chance();
    const attributes = {
      window,
      stride: [draw.integer(1, 3), draw.integer(1, 3)] as const,
      padding,
      ceil,
      ...(average ? { countIncludesPadding: draw.chance() } : {}),
    };
    return { shape, attributes, layer: singleLayer(op, attributes, shape) };
  });
  // A window as large as the map goes down another path in ONNX Runtime, which rounds the mean's distance from the
  // zero point (the others and we: the mean of the integers). That is the same for even zero points, and is the same
  // for odd ones but for ties.
  const global = average && layer.outputShape[1] * layer.outputShape[2] === 1;
  const zeroPoint = global ? input.zeroPoint & ~1 : input.zeroPoint;
  const data = randomMap(draw, shape, input);
  const point = scalar(input.format, zeroPoint);
  const places = {
    kernel_shape: attributes.window,
    strides: attributes.stride,
    pads: onnxPads(attributes.padding),
    ceil_mode: attributes.ceil ? 1 : 0,
  };
  const map = fedMap(data, shape);
  return {
    name: `${op} ${JSON.stringify(attributes)} on ${shape.join(' x ')} ${elementType(data)}, zero ${zeroPoint}`,
    node: average
      ? {
          op: 'QLinearAveragePool',
          domain: 'com.microsoft',
          attributes: { ...places, count_include_pad: attributes.countIncludesPadding ? 1 : 0 },
          inputs: [map, scales(input.scale), point, scales(input.scale), point],
          output: elementType(data),
        }
      : { op: 'MaxPool', attributes: places, inputs: [map], output: elementType(data) },
    ours(alteration) {
      const padded = alteration.shiftPadding ? paddedLayer(op, attributes, shape, alteration) : layer;
      const quantised = {
        layer: padded,
        output: { ...formatRange(input.format), zeroPoint, rounding: alteration.rounding ?? 'half-even' },
      } as const;
      return runLayer(
        quantised,
        [mapOf(shape, data, { zeroPoint }, alteration)],
        input,
        { accumulator },
        { count: 0 },
      );
    },
  };
}

/** The last layer of a small network as the product quantises it, and the tensors around it. */
interface LastLayer {
  readonly quantised: QuantisedLayer;
  readonly inputs: readonly QuantisedTensor[];
  readonly output: QuantisedTensor;
}

/** `wanted` by tensor name: calibrated ranges are made to give these numbers. */
function lastLayer(
  shape: Shape,
  nodes: readonly NodeDescription[],
  parameters: ParameterValues,
  wanted: ReadonlyMap<string, TensorNumbers>,
  numbers: NumberOptions,
): LastLayer {
  const graph = buildGraph({
    name: 'case',
    description: '',
    input: { name: 'x0', shape, preparation: { mean: [0], divisor: 1 } },
    nodes,
    outputs: [nodes.at(-1)!.name],
  });
  const ranges = new Map(
    [...wanted].map(([name, { scale, zeroPoint, format }]) => {
      const { low, high } = formatRange(format);
      return [name, { low: scale * (low - zeroPoint), high: scale * (high - zeroPoint) }];
    }),
  );
  const { layers, tensors } = quantise(layerNetwork(graph), parameters, ranges, numbers);
  const quantised = layers.at(-1)!;
  return {
    quantised,
    inputs: quantised.layer.inputs.map((name) => tensors.get(name)!),
    output: tensors.get(quantised.layer.output)!,
  };
}

function runLast(
  { quantised, inputs, output }: LastLayer,
  data: readonly ReturnType<typeof randomMap>[],
  alteration: Alteration,
): ReturnType<typeof runLayer> {
  const maps = inputs.map((tensor, i) => mapOf(tensor.shape, data[i]!, tensor, alteration));
  const rounding = alteration.rounding ?? quantised.output.rounding;
  const altered = { ...quantised, output: { ...quantised.output, rounding } };
  return runLayer(altered, maps, output, { accumulator }, { count: 0 });
}

/** Powers of two not far from each other, or any scales. */
export type ScaleKind = 'powers of two' | 'general';

function numbersFor(kind: ScaleKind, signed: boolean, multiplierBits: number): NumberOptions {
  return {
    ...defaultNumbers(kind === 'general' ? 'multiplier' : 'shift'),
    activations: { bits: 8, signed, symmetric: false },
    multiplierBits,
  };
}

function drawTensor(draw: Draw, kind: ScaleKind, signed: boolean): TensorNumbers {
  const format = { bits: 8, signed };
  const scale = kind === 'general' ? Math.fround(draw.real(0.02, 0.1)) : 2 ** draw.integer(-3, 1);
  return { format, zeroPoint: draw.zeroPoint(format), scale };
}

/** A tensor's scale and zero point as ONNX operators read them, one after the other. */
function onnxNumbers({ scale, zeroPoint, format }: TensorNumbers): [OnnxTensor, OnnxTensor] {
  return [scales(scale), scalar(format, zeroPoint)];
}

/**
 * `QLinearAdd`. It rounds with the zero point added, we add it behind: the same for even zero points, and for odd ones
 * but for ties (0.5 on zero point 1 is 2 there, 1 here).
 */
export function addCase(
  draw: Draw,
  kind: ScaleKind = 'powers of two',
  shape: Shape = [draw.integer(1, 4), draw.integer(1, 5), draw.integer(1, 5)],
  outputZeroPoint: 'even' | 'any' = 'even',
): OracleCase {
  const signed = draw.chance();
  const drawn = drawTensor(draw, kind, signed);
  const y = outputZeroPoint === 'even' ? { ...drawn, zeroPoint: drawn.zeroPoint & ~1 } : drawn;
  const wanted = new Map([
    ['x0', drawTensor(draw, kind, signed)],
    ['x1', drawTensor(draw, kind, signed)],
    ['y', y],
  ]);
  const last = lastLayer(
    shape,
    [
      { name: 'x1', op: findOperator('relu')!, inputs: ['x0'] },
      { name: 'y', op: findOperator('add')!, inputs: ['x0', 'x1'] },
    ],
    new Map(),
    wanted,
    numbersFor(kind, signed, 16),
  );
  const data = last.inputs.map((tensor) => randomMap(draw, shape, tensor));
  const operands = last.inputs.flatMap((tensor, i) => [fedMap(data[i]!, shape), ...onnxNumbers(tensor)]);
  return {
    name: `QLinearAdd ${JSON.stringify([...last.inputs, last.output])}`,
    node: {
      op: 'QLinearAdd',
      domain: 'com.microsoft',
      inputs: [...operands, ...onnxNumbers(last.output)],
      output: elementType(data[0]!),
    },
    ours: (alteration) => runLast(last, data, alteration),
  };
}

/** `QLinearConcat` of two or three maps. */
export function concatCase(
  draw: Draw,
  kind: ScaleKind = 'powers of two',
  [rows, columns]: readonly [number, number] = [draw.integer(1, 5), draw.integer(1, 5)],
): OracleCase {
  const signed = draw.chance();
  const names = draw.pick([
    ['x0', 'x1'],
    ['x0', 'x1', 'x2'],
  ]);
  const wanted = new Map([...names, 'y'].map((name) => [name, drawTensor(draw, kind, signed)]));
  // Sometimes an input has the output's numbers: its values pass as they are.
  if (draw.chance()) wanted.set('x1', wanted.get('y')!);
  const channels = draw.integer(1, 4);
  const others = names.slice(1).map((name) => ({ name, filters: draw.integer(1, 4) }));
  const convolution = findOperator('convolution')!;
  const last = lastLayer(
    [channels, rows, columns],
    [
      ...others.map(({ name, filters }) => ({
        name,
        op: convolution,
        attributes: { filters, kernel: 1, bias: false },
        inputs: ['x0'],
      })),
      { name: 'y', op: findOperator('concat')!, inputs: names },
    ],
    new Map(others.map(({ name, filters }) => [`${name}/filters`, new Float32Array(filters * channels)])),
    wanted,
    numbersFor(kind, signed, 16),
  );
  const data = last.inputs.map((tensor) => randomMap(draw, tensor.shape, tensor));
  const operands = last.inputs.flatMap((tensor, i) => [
    fedMap(data[i]!, tensor.shape),
    ...onnxNumbers(tensor),
  ]);
  return {
    name: `QLinearConcat ${JSON.stringify([...last.inputs, last.output])}`,
    node: {
      op: 'QLinearConcat',
      domain: 'com.microsoft',
      attributes: { axis: 1 },
      inputs: [...onnxNumbers(last.output), ...operands],
      output: elementType(data[0]!),
    },
    ours: (alteration) => runLast(last, data, alteration),
  };
}

/** `QLinearGlobalAveragePool`; with powers of two the map has so many cells as well. */
export function globalAverageCase(draw: Draw, kind: ScaleKind = 'powers of two'): OracleCase {
  const signed = draw.chance();
  const side = (): number => (kind === 'general' ? draw.integer(1, 9) : 2 ** draw.integer(0, 3));
  const shape: Shape = [kind === 'general' ? 64 : draw.integer(1, 9), side(), side()];
  const x = drawTensor(draw, kind, signed);
  // The mean of random values is close to the middle: a finer scale spreads it.
  const finer = kind === 'general' ? draw.real(1, 4) : draw.pick([1, 2, 4]);
  const y = { ...drawTensor(draw, kind, signed), scale: Math.fround(x.scale / finer) };
  const last = lastLayer(
    shape,
    [{ name: 'y', op: findOperator('globalAveragePool')!, inputs: ['x0'] }],
    new Map(),
    new Map([
      ['x0', x],
      ['y', y],
    ]),
    numbersFor(kind, signed, 32),
  );
  const [tensor] = last.inputs;
  const data = draw.values(tensor!.format, product(shape));
  return {
    name: `QLinearGlobalAveragePool ${JSON.stringify([tensor, last.output])}`,
    node: {
      op: 'QLinearGlobalAveragePool',
      domain: 'com.microsoft',
      inputs: [fedMap(data, shape), ...onnxNumbers(tensor!), ...onnxNumbers(last.output)],
      output: elementType(data),
    },
    ours: (alteration) => runLast(last, [data], alteration),
  };
}
