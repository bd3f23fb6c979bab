/**
 * A quantised network as an ONNX model of real operators between QuantizeLinear and DequantizeLinear: every rounding
 * of the machine stands where the machine has it, with its scale and zero point.
 *
 * The scales of filters are those that the requantiser's multipliers amount to, and slopes are the quotient of its two
 * multipliers; a runtime that works in exact arithmetic gets the machine's integers.
 */
import { InputError } from '../../core/diagnostics.ts';
import type { ChannelRequantisation, IntegerFormat } from '../../core/fixed-point.ts';
import type { ParameterValues } from '../../graph/graph.ts';
import type { RequantisableActivation } from '../../graph/op.ts';
import type { QuantisedLayer, QuantisedNetwork, QuantisedTensor } from '../../quant/quantised.ts';
import { roundHalfEven } from '../../quant/rounding.ts';
import { makeValues } from '../../quant/values.ts';
import { annotationsOf } from './annotations.ts';
import { OnnxBuilder, USUAL_OPSET, WIDE_OPSET } from './builder.ts';
import { writeNode } from './nodes.ts';
import {
  writeActivation,
  writeConvolution,
  writeCrossChannelPooling,
  writePooling,
  writeRearrangement,
} from './stages.ts';

/** What decides how a tensor is rounded. */
type TensorNumbers = Pick<QuantisedTensor, 'scale' | 'zeroPoint' | 'format'>;

/**
 * @param parameters of the nodes that run on the host
 * @throws InputError for widths that ONNX has no types for
 */
export function writeQuantisedOnnx(quantised: QuantisedNetwork, parameters: ParameterValues): Uint8Array {
  return new QuantisedWriter(quantised, parameters).write();
}

class QuantisedWriter {
  readonly #builder: OnnxBuilder;
  /** Names of the real numbers that a tensor's integers stand for. */
  readonly #real = new Map<string, string>();

  constructor(
    private readonly quantised: QuantisedNetwork,
    private readonly parameters: ParameterValues,
  ) {
    const { activations, weightBits } = quantised.numbers;
    if (activations.bits !== 8 && activations.bits !== 16) {
      throw new InputError(
        `feature maps of ${activations.bits} bits, expected 8 or 16, which ONNX has types for`,
      );
    }
    const wide = activations.bits === 16 || weightBits === 16;
    this.#builder = new OnnxBuilder(wide ? WIDE_OPSET : USUAL_OPSET);
  }

  write(): Uint8Array {
    const { network, tensors, layers } = this.quantised;
    const { graph, hostNodes } = network;
    this.round(graph.input.name, graph.input.name, tensors.get(graph.input.name)!);
    for (const node of network.externalMaps) writeNode(this.#builder, node, [], this.parameters);
    for (const one of layers) this.layer(one);
    for (const node of hostNodes) {
      const inputs = node.inputs.map((input) => this.#real.get(input)!);
      writeNode(this.#builder, node, inputs, this.parameters);
    }
    const host = new Set(hostNodes.map(({ name }) => name));
    const outputs = graph.outputs.map((name) => ({
      name: host.has(name) ? name : this.#real.get(name)!,
      shape: graph.nodes.find((node) => node.name === name)!.outputShape,
    }));
    return this.#builder.finish(graph.input, outputs, annotationsOf(graph));
  }

  /** QuantizeLinear and DequantizeLinear behind `value`; what comes out stands for `tensor`. */
  private round(value: string, tensor: string, { scale, zeroPoint, format }: TensorNumbers): string {
    const builder = this.#builder;
    const step = builder.number(`${tensor}/scale`, scale);
    const zero = builder.initialiser(`${tensor}/zero`, [], makeValues(format, 1).fill(zeroPoint));
    const integers = builder.node('QuantizeLinear', [value, step, zero], `${tensor}/integers`);
    const real = builder.node('DequantizeLinear', [integers, step, zero], `${tensor}/rounded`);
    this.#real.set(tensor, real);
    return real;
  }

  private layer(one: QuantisedLayer): void {
    const { layer, table, indexScale, output } = one;
    const { format, ...numbers } = this.quantised.tensors.get(layer.output)!;
    const inputs = layer.inputs.map((input) => this.#real.get(input)!);
    let made = this.work(one, inputs);
    if (table !== undefined && 'table' in layer.work && layer.work.table !== undefined) {
      const node = layer.work.table;
      const index = { scale: indexScale!, zeroPoint: output.zeroPoint, format };
      // A table on its own reads what was rounded to the index already.
      const source = layer.node === node ? inputs[0]! : this.round(made, `${layer.name}/index`, index);
      made = writeNode(this.#builder, node, [source], this.parameters);
    }
    this.round(made, layer.output, { ...numbers, format });
  }

  /** The layer in real numbers, its activation included, its table not. */
  private work(one: QuantisedLayer, inputs: readonly string[]): string {
    const { layer } = one;
    const { work, node } = layer;
    const builder = this.#builder;
    const [input] = inputs;
    switch (work.stage) {
      case 'array': {
        const read = [input!, ...this.filters(one)];
        return this.activated(one, writeConvolution(builder, read, node.name, work.convolution));
      }
      case 'activation':
        return work.table === node ? input! : this.activated(one, input!);
      case 'sum': {
        const made = builder.node(inputs.length === 2 ? 'Add' : 'Sum', inputs, node.name);
        return this.activated(one, made);
      }
      case 'join':
        return builder.node('Concat', inputs, node.name, { axis: 1 });
      case 'pool':
        return writePooling(builder, input!, node.name, work.pooling);
      case 'crossChannel':
        return writeCrossChannelPooling(builder, input!, node.name, work.reduction, layer.outputShape);
      case 'rearrange':
        return writeRearrangement(builder, input!, node.name, work.rearrangement, layer.inputShapes[0]!);
    }
  }

  /** The activation that the two multipliers amount to. */
  private activated({ layer, channels, output }: QuantisedLayer, value: string): string {
    const { work } = layer;
    if (!('activation' in work)) return value;
    const { scale } = this.made(layer);
    const activation: RequantisableActivation = {
      negativeSlope: slopeOf(channels!, work.activation.negativeSlope),
      ...(work.activation.upper === undefined ? {} : { upper: (output.high - output.zeroPoint) * scale }),
    };
    if (activation.negativeSlope === 1 && activation.upper === undefined) return value;
    const node = layer.merged.find(({ op }) => op.machine.stage === 'activation') ?? layer.node;
    return writeActivation(this.#builder, value, node.name, activation);
  }

  /** What the layer's requantiser makes: the output, or the index of the table. */
  private made(layer: QuantisedLayer['layer']): { scale: number } {
    const index = this.quantised.layers.find((one) => one.layer === layer)?.indexScale;
    return index === undefined ? this.quantised.tensors.get(layer.output)! : { scale: index };
  }

  /** Integer weights and biases of a layer, dequantised. */
  private filters({ layer, weights, channels }: QuantisedLayer): string[] {
    const { work, inputShapes } = layer;
    if (work.stage !== 'array' || weights === undefined || channels === undefined) return [];
    const builder = this.#builder;
    const { groups, filters, kernel } = work.convolution;
    const input = this.quantised.tensors.get(layer.inputs[0]!)!;
    const { scale: output } = this.made(layer);
    const units = channels.map(({ positiveMultiplier, shift }) => (positiveMultiplier / 2 ** shift) * output);
    const dequantised = (
      what: string,
      dims: readonly number[],
      values: Int8Array | Int16Array | Int32Array,
      scales: readonly number[],
    ) => {
      const format: IntegerFormat = { bits: 8 * values.BYTES_PER_ELEMENT, signed: true };
      const name = `${layer.node.name}/${what}`;
      const zeros =
        values instanceof Int32Array ? new Int32Array(filters) : (makeValues(format, filters) as Int8Array);
      return builder.node(
        'DequantizeLinear',
        [
          builder.initialiser(`${name}/integers`, dims, values),
          builder.initialiser(`${name}/scale`, [filters], Float32Array.from(scales)),
          builder.initialiser(`${name}/zero`, [filters], zeros),
        ],
        name,
        { axis: 0 },
      );
    };
    const dims = [filters, inputShapes[0]![0] / groups, ...kernel];
    const names = [
      dequantised(
        'filters',
        dims,
        weights,
        units.map((unit) => unit / input.scale),
      ),
    ];
    if (channels.some(({ bias }) => bias !== 0)) {
      const wide = channels.find(({ bias }) => bias < -(2 ** 31) || bias >= 2 ** 31);
      if (wide !== undefined) {
        throw new InputError(`${layer.name}: bias ${wide.bias}, expected 32 bits, which ONNX has`);
      }
      const biases = Int32Array.from(channels, ({ bias }) => bias);
      names.push(dequantised('bias', [filters], biases, units));
    }
    return names;
  }
}

/** The slope as it was meant, where all multipliers are that; else (few bits of fraction) what the first one makes of it. */
function slopeOf(channels: readonly ChannelRequantisation[], meant: number): number {
  const kept = channels.every(
    ({ positiveMultiplier, negativeMultiplier }) =>
      roundHalfEven(positiveMultiplier * meant) === negativeMultiplier,
  );
  return kept && !isCoarse(channels)
    ? meant
    : channels[0]!.negativeMultiplier / channels[0]!.positiveMultiplier;
}

/** Whether the multipliers have too few bits to carry a slope but roughly. */
function isCoarse(channels: readonly ChannelRequantisation[]): boolean {
  return channels.some(({ positiveMultiplier }) => positiveMultiplier < 2 ** 12);
}
