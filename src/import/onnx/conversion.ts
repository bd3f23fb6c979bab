/**
 * A graph of ours while it is made from an ONNX graph: nodes, their parameters, and the numbers of a quantised file.
 *
 * QuantizeLinear and DequantizeLinear are no nodes: they say which numbers a tensor has. Where a file brings a tensor
 * to other numbers, a linear activation of slope 1 stands in between; the machine requantises there.
 */
import type { z } from 'zod';
import { InputError } from '../../core/diagnostics.ts';
import { product } from '../../core/integers.ts';
import type { NodeDescription } from '../../graph/build.ts';
import type { GivenTensor } from '../../graph/given-numbers.ts';
import type { AnyOp, Shape } from '../../graph/graph.ts';
import type { ParameterSpec } from '../../graph/op.ts';
import { checkElements, checkShape } from '../../graph/shape.ts';
import { convolution } from '../../ops/convolution/convolution.ts';
import { fullyConnected } from '../../ops/fully-connected/fully-connected.ts';
import { leakyRelu } from '../../ops/leaky-relu/leaky-relu.ts';
import { spaceToDepth } from '../../ops/space-to-depth/space-to-depth.ts';
import type { Constant } from './constant.ts';
import { type Filters, floatFilters } from './filters.ts';
import type { OnnxNode } from './node.ts';
import type { Edges, MapValue, Value } from './value.ts';
import { blockSide, isPlain, mapView, sizesOf } from './view.ts';

export interface ConvertedNode {
  readonly name: string;
  op: AnyOp;
  attributes: Readonly<Record<string, unknown>>;
  readonly inputs: string[];
  readonly inputShapes: readonly Shape[];
  shape: Shape;
  /** Integer weights are read from here when the whole graph is known. */
  filters?: Filters;
  bias?: { readonly constant: Constant; readonly factor: number };
}

/** Makes a parameter's values, in our order, when they are first asked for. */
export type ParameterMaker = () => Float32Array;

/** Most poolings and rearrangements in a row without rounding between them. */
const MAXIMUM_UNROUNDED = 64;

export class Conversion {
  readonly nodes = new Map<string, ConvertedNode>();
  readonly parameters = new Map<string, ParameterMaker>();
  /** Numbers of the tensors that the file quantises. */
  readonly numbers = new Map<string, GivenTensor>();
  readonly values = new Map<string, Value>();
  /** Tensors that the file rounds; what is behind the rounding is all that the machine has of them. */
  readonly #rounded = new Set<string>();
  /** How often a tensor is read in front of its rounding, if it has one. */
  readonly #readUnrounded = new Map<string, number>();
  readonly #names = new Set<string>();
  /** How many values of the file stand for a tensor. */
  readonly #standIns = new Map<string, number>();

  constructor(
    readonly input: { readonly name: string; readonly shape: Shape },
    /** How many nodes read a value, the graph's outputs included. */
    readonly uses: ReadonlyMap<string, number>,
  ) {
    this.#names.add(input.name);
  }

  shapeOf(tensor: string): Shape {
    return tensor === this.input.name ? this.input.shape : this.nodes.get(tensor)!.shape;
  }

  /** A name of its own, of letters that every format of ours takes. */
  uniqueName(wanted: string): string {
    const plain = wanted
      .replace(/[^A-Za-z0-9_./-]/g, '_')
      .replace(/^[^A-Za-z_]+/, '')
      .slice(0, 90);
    const stem = plain === '' ? 'node' : plain;
    let name = stem;
    for (let count = 2; this.#names.has(name); count++) name = `${stem}_${count}`;
    this.#names.add(name);
    return name;
  }

  /** Adds a node. @throws InputError for attributes or inputs that the operator does not take */
  emit(wanted: string, op: AnyOp, attributes: Readonly<Record<string, unknown>>, inputs: readonly string[]) {
    const inputShapes = inputs.map((tensor) => this.shapeOf(tensor));
    const shape = this.checked(op, attributes, inputShapes);
    const name = this.uniqueName(wanted);
    const node: ConvertedNode = { name, op, attributes, inputs: [...inputs], inputShapes, shape };
    this.nodes.set(name, node);
    return node;
  }

  private checked(op: AnyOp, attributes: object, inputShapes: readonly Shape[]): Shape {
    const parsed = parse(op, attributes);
    const [least, most] = typeof op.inputs === 'number' ? [op.inputs, op.inputs] : op.inputs;
    if (inputShapes.length < least || inputShapes.length > most) {
      throw new InputError(`reads ${inputShapes.length} maps, expected ${least} to ${most}`);
    }
    const shape = op.inferShape(parsed, inputShapes);
    checkShape('the output', shape);
    for (const one of op.parameters?.('', parsed, inputShapes) ?? []) {
      checkElements(one.shortName, one.shape);
    }
    return shape;
  }

  /** Puts another operator of the same output in a node's place. */
  replace(node: ConvertedNode, op: AnyOp, attributes: Readonly<Record<string, unknown>>): void {
    node.shape = this.checked(op, attributes, node.inputShapes);
    node.op = op;
    node.attributes = attributes;
  }

  /** The parameter of a node that its operator calls so. */
  specOf(node: ConvertedNode, shortName: string): ParameterSpec {
    const all = node.op.parameters?.(node.name, parse(node.op, node.attributes), node.inputShapes) ?? [];
    return all.find((one) => one.shortName === shortName)!;
  }

  setParameter(node: ConvertedNode, shortName: string, make: ParameterMaker): void {
    this.parameters.set(this.specOf(node, shortName).name, make);
  }

  /** Weights of an array node, and its bias if the node has one. */
  setFilters(node: ConvertedNode, filters: Filters, bias: Constant | undefined, biasFactor = 1): void {
    const shortName = node.op === fullyConnected ? 'weights' : 'filters';
    node.filters = filters;
    this.setParameter(node, shortName, () => floatFilters(filters));
    if (bias !== undefined) this.setBias(node, bias, biasFactor);
  }

  setBias(node: ConvertedNode, constant: Constant, factor: number): void {
    const [count] = node.shape;
    const elements = product(constant.dims);
    if (elements !== count && elements !== 1) {
      throw new InputError(`a bias of ${constant.dims.join(' x ')}, expected ${count} elements`);
    }
    node.bias = { constant, factor };
    this.setParameter(node, 'bias', () => {
      const read = constant.reader();
      return finite(Float32Array.from({ length: count }, (_, i) => factor * read(elements === 1 ? 0 : i)));
    });
  }

  /**
   * Gives a node without bias one, if the value has no other reader and no numbers yet.
   * @param bias one number, or one a channel
   * @returns whether it has it now
   */
  addBias(valueName: string, value: MapValue, bias: Constant): boolean {
    const node = this.nodes.get(value.tensor);
    const free =
      node !== undefined &&
      (node.op === convolution || node.op === fullyConnected) &&
      node.attributes.bias === false &&
      this.uses.get(valueName) === 1 &&
      this.#standIns.get(node.name) === 1 &&
      !this.numbers.has(node.name);
    if (!free) return false;
    node.attributes = { ...node.attributes, bias: true };
    this.setBias(node, bias, 1);
    return true;
  }

  /** A value of the file. */
  setValue(name: string, value: Value): void {
    this.values.set(name, value);
    if (value.kind === 'map') this.#standIns.set(value.tensor, (this.#standIns.get(value.tensor) ?? 0) + 1);
  }

  /** An input of a node. @throws InputError when it is left out */
  value(node: OnnxNode, index: number): Value {
    const value = this.optional(node, index);
    if (value === undefined) throw new InputError(`lacks input ${index + 1}`);
    return value;
  }

  optional(node: OnnxNode, index: number): Value | undefined {
    const name = node.inputs[index];
    return name === undefined || name === '' ? undefined : this.values.get(name);
  }

  /** An input that has to be known. */
  constant(node: OnnxNode, index: number, what: string): Constant {
    const value = this.value(node, index);
    if (value.kind !== 'constant')
      throw new InputError(`${what}: computed by the network, expected a constant`);
    return value;
  }

  optionalConstant(node: OnnxNode, index: number, what: string): Constant | undefined {
    return this.optional(node, index) === undefined ? undefined : this.constant(node, index, what);
  }

  /** An input that is a feature map, under whatever dimensions. */
  view(node: OnnxNode, index: number): MapValue {
    const value = this.value(node, index);
    if (value.kind === 'constant') {
      throw new InputError(`input ${index + 1} is a constant, expected what the network computes`);
    }
    return value;
  }

  /** An input of real numbers that an operator of ours is going to read. */
  real(node: OnnxNode, index: number): MapValue {
    const value = this.view(node, index);
    if (value.domain === 'integer') {
      throw new InputError(`reads integers (${node.inputs[index]}), expected DequantizeLinear in front`);
    }
    return this.read(value);
  }

  /** Notes that a value is read as it is. */
  read(value: MapValue): MapValue {
    if (value.domain === 'real') {
      this.#readUnrounded.set(value.tensor, (this.#readUnrounded.get(value.tensor) ?? 0) + 1);
    }
    return value;
  }

  /** Tensors whose real and whose rounded values are both read. */
  readTwice(): string[] {
    return [...this.#rounded].filter((tensor) => (this.#readUnrounded.get(tensor) ?? 0) > 0);
  }

  /** The tensor behind a value that has to be a whole map, [1, channels, rows, columns], without padding. */
  map(value: MapValue): string {
    if (value.padding !== undefined) throw new InputError(paddingMessage);
    return this.paddedMap(value);
  }

  /** The same where the operator adds the padding itself. */
  paddedMap(value: MapValue): string {
    const shape = this.shapeOf(value.tensor);
    if (isPlain(value.view, shape)) return value.tensor;
    const block = blockSide(value.view, shape);
    if (block !== undefined) {
      const node = this.emit(`${value.tensor}/blocks`, spaceToDepth, { block }, [value.tensor]);
      const numbers = this.numbers.get(value.tensor);
      if (numbers !== undefined && value.domain !== 'real') this.numbers.set(node.name, numbers);
      return node.name;
    }
    throw new InputError(
      `reads ${sizesOf(value.view).join(' x ')}, which is no view of a map of ${shape.join(' x ')} that the machine has (whole maps, flattened ones in front of Gemm and MatMul, groups of channels, blocks of cells)`,
    );
  }

  /** What an operator on whole maps made. */
  made(node: ConvertedNode, from?: MapValue): MapValue {
    const view = mapView(node.shape);
    // A vector stays one: [1, channels].
    return this.madeView(node, from?.view.length === 2 ? view.slice(0, 2) : view, from);
  }

  /** The result of a node under other dimensions. */
  madeView(node: ConvertedNode, view: MapValue['view'], from?: MapValue): MapValue {
    const type = from?.type ?? 'float32';
    if (from?.domain !== 'integer') return { kind: 'map', tensor: node.name, view, domain: 'real', type };
    const numbers = this.numbers.get(from.tensor);
    if (numbers === undefined) throw new InputError(`reads integers of no known scale (${from.tensor})`);
    this.numbers.set(node.name, numbers);
    return { kind: 'map', tensor: node.name, view, domain: 'integer', type };
  }

  /**
   * The tensor with these numbers: the one given, if it has none or the same; else one behind it that is requantised.
   * @param roundsIntegers the file's mean rounds the mean of the integers themselves, as QLinearAveragePool does;
   *   else zero points are added behind the rounding, as QuantizeLinear does
   */
  quantise(tensor: string, numbers: GivenTensor, roundsIntegers = false, depth = 0): string {
    const known = this.numbers.get(tensor);
    if (known !== undefined) return sameNumbers(known, numbers) ? tensor : this.requantised(tensor, numbers);
    const node = this.nodes.get(tensor);
    const stage = node?.op.machine.stage;
    if (node === undefined || (stage !== 'pool' && stage !== 'crossChannel' && stage !== 'rearrange')) {
      this.setNumbers(tensor, numbers);
      return tensor;
    }
    const source = node.inputs[0]!;
    const mean = meanOf(node);
    if (mean === undefined && !this.numbers.has(source)) {
      // Maxima and rearrangements commute with rounding: the numbers may stand in front as well.
      if (depth > MAXIMUM_UNROUNDED || this.quantise(source, numbers, false, depth + 1) !== source) {
        throw new InputError(
          `rounds ${tensor} but not ${source} in front of it, expected QuantizeLinear there`,
        );
      }
      // The reader that has been counted stands in front of the rounding in the file, behind it here.
      this.#readUnrounded.set(source, this.#readUnrounded.get(source)! - 1);
      this.setNumbers(tensor, numbers);
      return tensor;
    }
    const sourceNumbers = this.numbers.get(source);
    if (sourceNumbers === undefined) {
      throw new InputError(
        `rounds ${tensor}, whose input ${source} is not quantised; expected QuantizeLinear there`,
      );
    }
    const same = sameNumbers(sourceNumbers, numbers);
    if (mean !== undefined) {
      const tiesMove = !roundsIntegers && mean.cells % 2 === 0 && numbers.zeroPoint % 2 !== 0;
      if ((!same || tiesMove) && this.asConvolution(node, mean)) {
        this.setNumbers(tensor, numbers);
        return tensor;
      }
    }
    this.setNumbers(tensor, sourceNumbers);
    return same ? tensor : this.requantised(tensor, numbers);
  }

  private requantised(tensor: string, numbers: GivenTensor): string {
    const node = this.emit(`${tensor}/requantised`, leakyRelu, { slope: 1 }, [tensor]);
    this.numbers.set(node.name, numbers);
    return node.name;
  }

  private setNumbers(tensor: string, numbers: GivenTensor): void {
    this.numbers.set(tensor, numbers);
    this.#rounded.add(tensor);
  }

  /**
   * A mean as a convolution with weights of one, which is requantised from the exact sum: possible where every
   * window has the same number of cells.
   */
  private asConvolution(node: ConvertedNode, mean: Mean): boolean {
    const { cells, attributes } = mean;
    if (attributes === undefined) return false;
    this.replace(node, convolution, { ...attributes, bias: false });
    // No integers of the file's: the quantiser takes ones, on a scale of 1 / cells, where the machine can.
    this.setParameter(node, 'filters', () => new Float32Array(node.shape[0] * cells).fill(1 / cells));
    return true;
  }

  /** Nodes for `buildGraph`. */
  descriptions(): NodeDescription[] {
    return [...this.nodes.values()].map(({ name, op, attributes, inputs }) => ({
      name,
      op,
      attributes,
      inputs,
    }));
  }
}

export const paddingMessage = 'reads a padded map, expected Pad in front of a convolution or a pooling only';

/** A mean that can be written as a convolution. */
interface Mean {
  /** Values in one mean. */
  readonly cells: number;
  /** Of the convolution; absent: windows differ in their cells. */
  readonly attributes: Readonly<Record<string, unknown>> | undefined;
}

function meanOf({ op, attributes, inputShapes, shape }: ConvertedNode): Mean | undefined {
  const { machine } = op;
  const [input] = inputShapes;
  if (machine.stage === 'pool') {
    const pooling = machine.pooling(parse(op, attributes), input!, shape);
    if (pooling.kind !== 'average') return undefined;
    const { window, stride, padding, countIncludesPadding } = pooling;
    const whole = countIncludesPadding || Object.values(padding).every((cells) => cells === 0);
    const cells = window[0] * window[1];
    return {
      cells,
      attributes: whole ? { groups: 'depthwise', kernel: window, stride, padding } : undefined,
    };
  }
  if (machine.stage === 'crossChannel') {
    const { kind, ratio } = machine.reduction(parse(op, attributes));
    if (kind !== 'mean') return undefined;
    return {
      cells: ratio,
      attributes: { filters: shape[0], groups: shape[0], kernel: 1 },
    };
  }
  return undefined;
}

export function sameNumbers(a: GivenTensor, b: GivenTensor): boolean {
  return (
    a.scale === b.scale &&
    a.zeroPoint === b.zeroPoint &&
    a.format.bits === b.format.bits &&
    a.format.signed === b.format.signed
  );
}

export function finite(values: Float32Array): Float32Array {
  const wrong = values.find((value) => !Number.isFinite(value));
  if (wrong !== undefined) throw new InputError(`parameters hold ${wrong}, expected finite numbers`);
  return values;
}

/** An operator's attributes with the defaults filled in. */
export function parse(op: AnyOp, attributes: object): unknown {
  const result = (op.attributes as z.ZodObject).safeParse(attributes);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const key = String(issue.path[0] ?? 'attributes');
  const field = op.attributes.shape[key] as z.ZodType | undefined;
  const given = JSON.stringify((attributes as Readonly<Record<string, unknown>>)[key]);
  throw new InputError(`${key}: ${given}, expected ${field?.description ?? issue.message}`);
}

/** Attributes without what is their default, pairs of the same as one number. */
export function pair([rows, columns]: readonly [number, number]): number | readonly [number, number] {
  return rows === columns ? rows : [rows, columns];
}

export function paddingAttribute({ top, bottom, left, right }: Edges): number | Edges | 'valid' {
  if (top === bottom && top === left && top === right) return top === 0 ? 'valid' : top;
  return { top, bottom, left, right };
}
