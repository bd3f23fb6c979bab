/** Quantised graphs, both ways of writing them: QuantizeLinear and DequantizeLinear around operators, and QLinear operators. */
import { InputError } from '../../../core/diagnostics.ts';
import { formatRange } from '../../../core/fixed-point.ts';
import { clamp, product } from '../../../core/integers.ts';
import type { GivenTensor } from '../../../graph/given-numbers.ts';
import { globalAveragePool } from '../../../ops/global-average-pool/global-average-pool.ts';
import { sigmoid } from '../../../ops/sigmoid/sigmoid.ts';
import { type Constant, type Dequantisation, dataTypeName, depthAbove, valuesOf } from '../constant.ts';
import type { Conversion } from '../conversion.ts';
import { axisOf, type OnnxNode, refuseFlag } from '../node.ts';
import type { DataType } from '../schema.ts';
import type { MapValue, Value } from '../value.ts';
import { addMaps, apply, leaky } from './elementwise.ts';
import type { Handlers } from './handler.ts';
import { joinMaps } from './layout.ts';
import { pool } from './pooling.ts';
import { convolve, multiply } from './products.ts';

/** Types of feature maps. */
const MAP_TYPES: Readonly<Partial<Record<DataType, GivenTensor['format']>>> = {
  int8: { bits: 8, signed: true },
  uint8: { bits: 8, signed: false },
  int16: { bits: 16, signed: true },
  uint16: { bits: 16, signed: false },
};

function checkScales(scales: readonly number[]): void {
  const wrong = scales.find((scale) => !(scale > 0 && Number.isFinite(scale)));
  if (wrong !== undefined) throw new InputError(`scale ${wrong}, expected a positive number`);
}

/** A tensor's numbers from the constants that hold its scale and zero point. */
function numbersFrom(scale: Constant, zeroPoint: Constant | undefined, fallback: DataType): GivenTensor {
  const type = zeroPoint?.type ?? fallback;
  const format = MAP_TYPES[type];
  if (format === undefined) {
    throw new InputError(`zero point of type ${type}, expected one of ${Object.keys(MAP_TYPES).join(', ')}`);
  }
  if (product(scale.dims) !== 1 || (zeroPoint !== undefined && product(zeroPoint.dims) !== 1)) {
    throw new InputError('scales a channel on a feature map, expected one scale and zero point');
  }
  const value = scale.reader()(0);
  checkScales([value]);
  return { scale: value, zeroPoint: zeroPoint?.reader()(0) ?? 0, format };
}

function numbersAt(node: OnnxNode, conversion: Conversion, index: number): GivenTensor {
  const scale = conversion.constant(node, index, 'the scale');
  const zeroPoint = conversion.optionalConstant(node, index + 1, 'the zero point');
  return numbersFrom(scale, zeroPoint, 'uint8');
}

function typeOf({ format }: GivenTensor): DataType {
  return `${format.signed ? 'int' : 'uint'}${format.bits}` as DataType;
}

/** A value that becomes integers by these numbers. */
function quantised(
  conversion: Conversion,
  value: MapValue,
  numbers: GivenTensor,
  roundsIntegers = false,
): MapValue {
  const { padding } = value;
  const tensor = conversion.quantise(value.tensor, numbers, roundsIntegers);
  const integers: MapValue = { ...value, tensor, domain: 'integer', type: typeOf(numbers) };
  if (padding === undefined) return integers;
  if (padding.value !== 0 && padding.value !== Number.NEGATIVE_INFINITY) {
    throw new InputError(`rounds padding of ${padding.value}, expected 0`);
  }
  const { low } = formatRange(numbers.format);
  return { ...integers, padding: { ...padding, value: padding.value === 0 ? numbers.zeroPoint : low } };
}

/** Integers that are read as real numbers by these numbers. */
function dequantised(conversion: Conversion, value: MapValue, numbers: GivenTensor): MapValue {
  if (value.domain !== 'integer') {
    throw new InputError('reads real numbers, expected the integers that QuantizeLinear makes');
  }
  const known = conversion.numbers.get(value.tensor);
  if (known === undefined) conversion.numbers.set(value.tensor, numbers);
  else if (known.scale !== numbers.scale || known.zeroPoint !== numbers.zeroPoint) {
    throw new InputError(
      `reads with scale ${numbers.scale} and zero point ${numbers.zeroPoint} what was made with ${known.scale} and ${known.zeroPoint}, expected the same`,
    );
  }
  const { padding } = value;
  const real: MapValue = { ...value, domain: 'dequantised', type: 'float32' };
  if (padding === undefined) return real;
  return { ...real, padding: { ...padding, value: (padding.value - numbers.zeroPoint) * numbers.scale } };
}

/** Integer weights and their scales, as one constant of real numbers. */
function weightsFrom(
  integers: Constant,
  scale: Constant,
  zeroPoint: Constant | undefined,
  axis: number,
): Constant {
  const scales = valuesOf(scale);
  const zeroPoints = zeroPoint === undefined ? [0] : valuesOf(zeroPoint);
  checkScales(scales);
  const along = integers.dims[axis];
  for (const list of [scales, zeroPoints]) {
    if (list.length !== 1 && list.length !== along) {
      throw new InputError(`${list.length} scales or zero points along an axis of ${along ?? 'no'} elements`);
    }
  }
  return dequantisedConstant({ integers, scales, zeroPoints, axis });
}

function dequantisedConstant(dequantisation: Dequantisation): Constant {
  const { integers, scales, zeroPoints, axis } = dequantisation;
  const inner = product(integers.dims.slice(axis + 1));
  const size = integers.dims[axis] ?? 1;
  return {
    kind: 'constant',
    dims: integers.dims,
    type: 'float32',
    depth: depthAbove(integers),
    dequantisation,
    reader() {
      const read = integers.reader();
      return (index) => {
        const at = Math.floor(index / inner) % size;
        const zeroPoint = zeroPoints.length > 1 ? zeroPoints[at]! : zeroPoints[0]!;
        return Math.fround((read(index) - zeroPoint) * (scales.length > 1 ? scales[at]! : scales[0]!));
      };
    },
  };
}

function refuseBlocks(node: OnnxNode): void {
  const block = node.int('block_size', 0);
  if (block !== 0) throw new InputError(`block_size: ${block}, expected scales a tensor or a channel`);
}

function quantiseLinear(node: OnnxNode, conversion: Conversion): Value {
  refuseBlocks(node);
  const value = conversion.value(node, 0);
  const scale = conversion.constant(node, 1, 'the scale');
  const zeroPoint = conversion.optionalConstant(node, 2, 'the zero point');
  const type = dataTypeName(node.int('output_dtype', 0)) ?? 'uint8';
  if (value.kind === 'constant') return quantisedConstant(node, value, scale, zeroPoint, type);
  // What only the host can run stays in float, and so does what it hands back.
  if (conversion.nodes.get(value.tensor)?.op.machine.stage === 'host') return value;
  return quantised(conversion, value, numbersFrom(scale, zeroPoint, type));
}

/** Weights that were trained in float and are rounded in the file. */
function quantisedConstant(
  node: OnnxNode,
  value: Constant,
  scale: Constant,
  zeroPoint: Constant | undefined,
  fallback: DataType,
): Constant {
  const type = zeroPoint?.type ?? fallback;
  const format = MAP_TYPES[type];
  if (format === undefined) throw new InputError(`makes ${type} of weights, expected 8 or 16 bits`);
  const { low, high } = formatRange(format);
  const scales = valuesOf(scale);
  const zeroPoints = zeroPoint === undefined ? [0] : valuesOf(zeroPoint);
  checkScales(scales);
  const axis = scales.length > 1 ? axisOf(node.int('axis', 1), value.dims.length) : 0;
  const inner = product(value.dims.slice(axis + 1));
  const size = value.dims[axis] ?? 1;
  return {
    kind: 'constant',
    dims: value.dims,
    type,
    depth: depthAbove(value),
    reader() {
      const read = value.reader();
      return (index) => {
        const at = scales.length > 1 ? Math.floor(index / inner) % size : 0;
        const steps = Math.fround(read(index) / scales[at]!);
        return clamp(halfEven(steps) + (zeroPoints[at] ?? zeroPoints[0]!), low, high);
      };
    },
  };
}

/** The nearest integer, ties to even; any finite number. */
function halfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

function dequantiseLinear(node: OnnxNode, conversion: Conversion): Value {
  refuseBlocks(node);
  const value = conversion.value(node, 0);
  const scale = conversion.constant(node, 1, 'the scale');
  const zeroPoint = conversion.optionalConstant(node, 2, 'the zero point');
  if (value.kind === 'constant') {
    const axis = product(scale.dims) > 1 ? axisOf(node.int('axis', 1), value.dims.length) : 0;
    return weightsFrom(value, scale, zeroPoint, axis);
  }
  if (value.domain === 'real' && conversion.nodes.get(value.tensor)?.op.machine.stage === 'host')
    return value;
  return dequantised(conversion, value, numbersFrom(scale, zeroPoint, value.type));
}

/** An input of a QLinear operator, whose scale and zero point stand behind it. */
function integerInput(node: OnnxNode, conversion: Conversion, index: number): MapValue {
  return dequantised(conversion, conversion.view(node, index), numbersAt(node, conversion, index + 1));
}

function weightInput(node: OnnxNode, conversion: Conversion, index: number, axis: number): Constant {
  return weightsFrom(
    conversion.constant(node, index, 'the weights'),
    conversion.constant(node, index + 1, "the weights' scale"),
    conversion.optionalConstant(node, index + 2, "the weights' zero point"),
    axis,
  );
}

/** A bias in whole units of the accumulator: its scale is the product of the input's and each filter's. */
function biasFrom(bias: Constant | undefined, input: GivenTensor, weights: Constant): Constant | undefined {
  if (bias === undefined) return undefined;
  const { scales } = weights.dequantisation!;
  const count = product(bias.dims);
  if (scales.length !== 1 && scales.length !== count) {
    throw new InputError(`a bias of ${count} elements, expected ${scales.length}`);
  }
  return dequantisedConstant({
    integers: { ...bias, dims: [count] },
    scales: scales.map((scale) => input.scale * scale),
    zeroPoints: [0],
    axis: 0,
  });
}

export const quantisedOperators: Handlers = {
  QuantizeLinear: quantiseLinear,
  DequantizeLinear: dequantiseLinear,
  QLinearConv(node, conversion) {
    const value = integerInput(node, conversion, 0);
    const input = numbersAt(node, conversion, 1);
    const weights = weightInput(node, conversion, 3, 0);
    const bias = biasFrom(conversion.optionalConstant(node, 8, 'the bias'), input, weights);
    const made = conversion.made(convolve(node, conversion, value, weights, bias));
    return quantised(conversion, made, numbersAt(node, conversion, 6));
  },
  QLinearMatMul(node, conversion) {
    const value = integerInput(node, conversion, 0);
    const weights = weightInput(node, conversion, 3, 1);
    const made = multiply(node, conversion, value, weights, {
      transposed: false,
      factor: 1,
      bias: undefined,
    });
    return quantised(conversion, made, numbersAt(node, conversion, 6));
  },
};

function operands(node: OnnxNode, conversion: Conversion, first: number, count: number): MapValue[] {
  return Array.from({ length: count }, (_, i) => integerInput(node, conversion, first + 3 * i));
}

/** ONNX Runtime's own operators. */
export const microsoftOperators: Handlers = {
  QuantizeLinear: quantiseLinear,
  DequantizeLinear: dequantiseLinear,
  QLinearConv(node, conversion) {
    refuseFlag(node, 'channels_last');
    return quantisedOperators.QLinearConv!(node, conversion);
  },
  QGemm(node, conversion) {
    refuseFlag(node, 'transA');
    const transposed = node.int('transB', 0) !== 0;
    const value = integerInput(node, conversion, 0);
    const weights = weightInput(node, conversion, 3, transposed ? 0 : 1);
    const factor = node.float('alpha', 1);
    // The bias counts in units of the scaled product.
    const bias = biasFrom(
      conversion.optionalConstant(node, 6, 'the bias'),
      numbersAt(node, conversion, 1),
      weights,
    );
    const made = multiply(node, conversion, value, weights, {
      transposed,
      factor,
      bias: bias && { constant: bias, factor },
    });
    if (conversion.optional(node, 7) === undefined) return made;
    return quantised(conversion, made, numbersAt(node, conversion, 7));
  },
  QLinearAdd(node, conversion) {
    const values = operands(node, conversion, 0, 2);
    return quantised(conversion, addMaps(node, conversion, values), numbersAt(node, conversion, 6));
  },
  QLinearConcat(node, conversion) {
    const count = (node.inputs.length - 2) / 3;
    if (!Number.isInteger(count))
      throw new InputError(`${node.inputs.length} inputs, expected 2 and 3 a map`);
    const values = operands(node, conversion, 2, count);
    return quantised(conversion, joinMaps(node, conversion, values), numbersAt(node, conversion, 0));
  },
  QLinearAveragePool(node, conversion) {
    refuseFlag(node, 'channels_last');
    const value = integerInput(node, conversion, 0);
    const made = pool('mean', node, conversion, value);
    // Over the whole map ONNX Runtime goes another way, and rounds distances from the zero point.
    const [, rows, columns] = conversion.shapeOf(made.tensor);
    return quantised(conversion, made, numbersAt(node, conversion, 3), rows * columns > 1);
  },
  QLinearGlobalAveragePool(node, conversion) {
    refuseFlag(node, 'channels_last');
    const value = integerInput(node, conversion, 0);
    const made = conversion.emit(node.name, globalAveragePool, {}, [conversion.map(value)]);
    return quantised(conversion, conversion.made(made), numbersAt(node, conversion, 3));
  },
  QLinearLeakyRelu(node, conversion) {
    const value = integerInput(node, conversion, 0);
    const made = leaky(node, conversion, value, node.float('alpha', 0.01));
    return quantised(conversion, made, numbersAt(node, conversion, 3));
  },
  QLinearSigmoid(node, conversion) {
    const value = integerInput(node, conversion, 0);
    return quantised(conversion, apply(node, conversion, value, sigmoid), numbersAt(node, conversion, 3));
  },
};
