/** The numbers of a quantised ONNX graph, once all of it is known. */
import { InputError } from '../../core/diagnostics.ts';
import type { IntegerFormat } from '../../core/fixed-point.ts';
import { product } from '../../core/integers.ts';
import type { GivenFilters, GivenNumbers, GivenTensor } from '../../graph/given-numbers.ts';
import { type Conversion, type ConvertedNode, parse, sameNumbers } from './conversion.ts';
import { integerBias, integerFilters, weightBits } from './filters.ts';

/**
 * @returns undefined for a graph of real numbers
 * @throws InputError for a graph that is quantised in part, or in widths that no datapath of ours mixes
 */
export function givenNumbers(conversion: Conversion): GivenNumbers | undefined {
  const { numbers, input, nodes } = conversion;
  if (numbers.size === 0) return undefined;
  if (!numbers.has(input.name)) {
    throw new InputError(
      `quantises ${[...numbers.keys()][0]} but not its input ${input.name}, expected all or nothing`,
    );
  }
  const [twice] = conversion.readTwice();
  if (twice !== undefined) {
    throw new InputError(
      `reads ${twice} in front of its QuantizeLinear and behind it, expected the rounded values alone`,
    );
  }
  const activations = commonFormat([...numbers.values()], numbers.get(input.name)!.format);
  const filters = new Map<string, GivenFilters>();
  for (const node of nodes.values()) {
    if (node.filters === undefined) continue;
    const scale = numbers.get(node.inputs[0]!)?.scale;
    if (scale === undefined) {
      throw new InputError(
        `${node.name} reads ${node.inputs[0]}, which is not quantised, expected QuantizeLinear there`,
      );
    }
    filters.set(node.name, filtersOf(node, scale));
  }
  const bits = [...filters.values()].some((one) => weightBits(one) === 16) ? 16 : 8;
  if (bits === 16) {
    for (const [name, one] of filters) {
      filters.set(name, { ...one, weights: Int16Array.from(one.weights) });
    }
  }
  return {
    activations,
    weightBits: bits,
    tensors: new Map([...numbers].map(([name, one]) => [name, inFormat(one, activations)])),
    filters,
    apart: apartTensors(conversion),
  };
}

function filtersOf(node: ConvertedNode, inputScale: number): GivenFilters {
  const filters = titled(node.name, () => integerFilters(node.filters!));
  if (node.bias === undefined) return { ...filters, biases: filters.scales.map(() => 0) };
  const { constant, factor } = node.bias;
  const units = filters.scales.map((scale) => inputScale * scale);
  const elements = product(constant.dims);
  const biases = elements === 0 ? undefined : integerBias(constant, factor, units);
  return biases === undefined ? filters : { ...filters, biases };
}

/** One width and one sign for all: the sign that most tensors have, the input's if there are as many of each. */
function commonFormat(all: readonly GivenTensor[], input: IntegerFormat): IntegerFormat {
  const odd = all.find(({ format }) => format.bits !== input.bits);
  if (odd !== undefined) {
    throw new InputError(
      `mixes feature maps of ${input.bits} and ${odd.format.bits} bits, expected one width`,
    );
  }
  const signed = all.filter(({ format }) => format.signed).length;
  const unsigned = all.length - signed;
  return { bits: input.bits, signed: signed === unsigned ? input.signed : signed > unsigned };
}

/** The same real numbers in the other sign: integers and zero point move by half the range, which rounds alike. */
function inFormat({ scale, zeroPoint, format }: GivenTensor, wanted: IntegerFormat): GivenTensor {
  const half = 2 ** (format.bits - 1);
  const moved = format.signed === wanted.signed ? 0 : format.signed ? half : -half;
  return { scale, zeroPoint: zeroPoint + moved, format: wanted };
}

/**
 * Tensors that are rounded and then requantised by an activation behind. Melting the two into one rounding is exact
 * for functions that are looked up, and for a ReLU of the same numbers: of the rest only what the file rounds twice
 * has all of its roundings.
 */
function apartTensors({ nodes, numbers }: Conversion): Set<string> {
  const apart = new Set<string>();
  for (const node of nodes.values()) {
    const { machine } = node.op;
    const source = node.inputs[0]!;
    const before = numbers.get(source);
    if (machine.stage !== 'activation' || before === undefined) continue;
    const after = numbers.get(node.name);
    const { negativeSlope } = machine.activation(parse(node.op, node.attributes));
    const melts = negativeSlope === 0 && after !== undefined && sameNumbers(before, after);
    if (!melts) apart.add(source);
  }
  return apart;
}

/** Puts a node's name in front of complaints about it. */
function titled<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof InputError && error.position === undefined) {
      throw new InputError(`${name}: ${error.message}`);
    }
    throw error;
  }
}
