/**
 * ONNX models: operator sets 7 to 21, one feature map in, batch of 1, real numbers or quantised.
 *
 * The file's messages (`schema.ts`, `wire.ts`) become constants and nodes; nodes that the outputs need are handed, one
 * after the other, to the handlers in `operators/`, which add nodes of ours to a `Conversion`. What the file quantises
 * becomes `GivenNumbers`.
 */
import { basename, dirname } from 'node:path';
import { quote } from '../../config/source.ts';
import { InputError } from '../../core/diagnostics.ts';
import { product } from '../../core/integers.ts';
import { buildGraph } from '../../graph/build.ts';
import { checkDetector } from '../../graph/detector-head.ts';
import type { Graph, InputPreparation, ParameterValues, Shape } from '../../graph/graph.ts';
import { checkShape, MAXIMUM_ELEMENTS } from '../../graph/shape.ts';
import { convolution } from '../../ops/convolution/convolution.ts';
import { reorg } from '../../ops/reorg/reorg.ts';
import type { ImportedNetwork, NetworkFileOptions } from '../imported-network.ts';
import { readBytes } from '../read-file.ts';
import { type Constant, dataTypeName, type ExternalData, isReal, readTensor } from './constant.ts';
import { Conversion, type ConvertedNode, type ParameterMaker, parse } from './conversion.ts';
import { externalDataIn, noExternalData } from './external-data.ts';
import { foldNode, readsThrough } from './fold.ts';
import { gatedActivation } from './gates.ts';
import { givenNumbers } from './given.ts';
import { type Annotations, readAnnotations } from './metadata.ts';
import { OnnxNode } from './node.ts';
import { handlerOf, supportedOperators } from './operators/index.ts';
import { type SpelledReorg, spelledReorg } from './reorg-spelling.ts';
import {
  type DataType,
  type GraphProto,
  type ModelProto,
  modelProto,
  type ValueInfoProto,
} from './schema.ts';
import { checkSignature } from './signatures.ts';
import type { Value } from './value.ts';
import { mapView, sizesOf, type View, vectorView } from './view.ts';
import { decode } from './wire.ts';
import { inRunningOrder, MAXIMUM_NODES, producersOf } from './wiring.ts';

const MAXIMUM_BYTES = 2 ** 31;
/** Elements of all constants that are worked out, each of which is held. */
const MAXIMUM_FOLDED = 2 ** 22;
const OLDEST_OPSET = 7;
const NEWEST_OPSET = 21;

/**
 * Reads an ONNX file and the files of external data beside it.
 * @throws InputError for what is no such file, and for networks that the machine cannot run
 */
export function readOnnxFile(path: string, options: NetworkFileOptions = {}): ImportedNetwork {
  const bytes = readBytes(path, 'an ONNX model', MAXIMUM_BYTES);
  return readOnnx(bytes, path, options, externalDataIn(dirname(path)));
}

/**
 * Reads an ONNX model's bytes, which stay in use: weights are read from them when they are asked for.
 * @param file names the model in messages
 * @throws InputError as above; nothing else, whatever the bytes
 */
export function readOnnx(
  bytes: Uint8Array,
  file: string,
  options: NetworkFileOptions = {},
  external: ExternalData = noExternalData,
): ImportedNetwork {
  const model = decode(bytes, modelProto, file);
  return inFile(file, () => new Reader(model, file, options, external).read());
}

/** Puts the file in front of complaints that have no place yet. */
function inFile<T>(file: string, work: () => T, title?: string): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InputError) || error.position !== undefined) throw error;
    const message = title === undefined ? error.message : `${title}: ${error.message}`;
    throw new InputError(message, { file });
  }
}

class Reader {
  readonly #graph: GraphProto;
  readonly #opsets: ReadonlyMap<string, number>;
  readonly #constants = new Map<string, Constant>();
  readonly #usedDims = new Set<string>();
  readonly #annotations: Annotations;
  #inputType: DataType = 'float32';
  /** Elements of constants that were worked out. */
  #folded = 0;

  constructor(
    model: ModelProto,
    private readonly file: string,
    private readonly options: NetworkFileOptions,
    private readonly external: ExternalData,
  ) {
    if (model.graph === undefined) {
      throw new InputError('byte 0: holds no graph, expected an ONNX model');
    }
    this.#graph = model.graph;
    this.#opsets = new Map(
      model.opset_import.map(({ domain = '', version = 0 }) => [domain === 'ai.onnx' ? '' : domain, version]),
    );
    const version = this.#opsets.get('') ?? 0;
    if (!(version >= OLDEST_OPSET && version <= NEWEST_OPSET)) {
      throw new InputError(
        `is of operator set ${version === 0 ? 'none' : version}, expected ${OLDEST_OPSET} to ${NEWEST_OPSET}`,
      );
    }
    this.#annotations = readAnnotations(model);
  }

  read(): ImportedNetwork {
    const { node: protos, initializer, input: inputs } = this.#graph;
    if (protos.length > MAXIMUM_NODES) {
      throw new InputError(`has ${protos.length} nodes, expected at most ${MAXIMUM_NODES}`);
    }
    for (const tensor of initializer) {
      const name = tensor.name ?? '';
      if (this.#constants.has(name)) throw new InputError(`initialises ${quote(name)} twice, expected once`);
      this.#constants.set(name, readTensor(tensor, this.external));
    }
    const fed = inputs.filter(({ name }) => !this.#constants.has(name ?? ''));
    const [input] = fed;
    if (input === undefined || fed.length > 1) {
      const names = fed.map(({ name }) => quote(name ?? '')).join(', ');
      throw new InputError(`has ${fed.length} inputs${names && ` (${names})`}, expected one`);
    }
    const nodes = protos.map((proto) => new OnnxNode(proto, this.#opsets));
    const known = new Set([...this.#constants.keys(), input.name ?? '']);
    const producers = producersOf(nodes, known);
    const ordered = inRunningOrder(nodes, producers, known);
    const outputs = this.#graph.output.map(({ name }) => name ?? '');
    const needed = this.needed(ordered, producers, outputs);
    const conversion = this.convert(input, needed, outputs);
    const wrong = [...(this.options.dims?.keys() ?? [])].find((name) => !this.#usedDims.has(name));
    if (wrong !== undefined) {
      throw new InputError(`has no symbolic dimension ${quote(wrong)} in its input, expected another --dim`);
    }
    return this.finish(conversion, outputs);
  }

  /** The nodes that the outputs depend on; those that spell one activation together are one. */
  private needed(
    ordered: readonly OnnxNode[],
    producers: ReadonlyMap<string, OnnxNode>,
    outputs: readonly string[],
  ): NeededNode[] {
    const wiring = {
      producer: (value: string) => producers.get(value),
      constant: (value: string): Constant | undefined => {
        const known = this.#constants.get(value);
        if (known !== undefined) return known;
        const node = producers.get(value);
        return node?.opType === 'Constant' && node.domain === ''
          ? inFile(this.file, () => foldNode(node, [], this.external), node.title)
          : undefined;
      },
    };
    const wanted = new Set(outputs);
    const result: NeededNode[] = [];
    for (const node of [...ordered].reverse()) {
      if (!node.outputs.some((output) => wanted.has(output))) continue;
      const gated = inFile(this.file, () => gatedActivation(node, wiring), node.title);
      const moved = inFile(this.file, () => spelledReorg(node, wiring), node.title);
      const input = gated?.input ?? moved?.input;
      const inputs = input === undefined ? node.inputs : [input];
      for (const name of inputs) wanted.add(name);
      result.push({ node, inputs, ...(gated && { op: gated.op }), ...(moved && { reorg: moved }) });
    }
    return result.reverse();
  }

  private convert(
    input: ValueInfoProto,
    needed: readonly NeededNode[],
    outputs: readonly string[],
  ): Conversion {
    const uses = new Map<string, number>();
    for (const name of [...needed.flatMap(({ inputs }) => inputs), ...outputs]) {
      uses.set(name, (uses.get(name) ?? 0) + 1);
    }
    const { shape, view, type } = this.inputView(input, needed);
    this.#inputType = type;
    const conversion = new Conversion({ name: inputName(input.name ?? ''), shape }, uses);
    for (const [name, constant] of this.#constants) conversion.setValue(name, constant);
    conversion.setValue(input.name ?? '', {
      kind: 'map',
      tensor: conversion.input.name,
      view,
      domain: isReal(type) ? 'real' : 'integer',
      type,
    });
    for (const one of needed) {
      const [output] = one.node.outputs;
      const value = inFile(this.file, () => this.valueOf(one, conversion), one.node.title);
      if (output !== undefined && output !== '') conversion.setValue(output, value);
    }
    return conversion;
  }

  private valueOf({ node, inputs: names, op, reorg: moved }: NeededNode, conversion: Conversion): Value {
    if (moved !== undefined) {
      const value = conversion.values.get(moved.input);
      if (value?.kind !== 'map' || conversion.shapeOf(conversion.map(value)).join() !== moved.shape.join()) {
        throw new InputError(
          `ends a reorg of ${moved.shape.join(' x ')} (Reshape, SpaceToDepth, Reshape), expected a map of that shape in front of it`,
        );
      }
      const tensor = conversion.map(conversion.read(value));
      return conversion.made(conversion.emit(node.name, reorg, { stride: moved.stride }, [tensor]), value);
    }
    if (op !== undefined) {
      const value = conversion.values.get(names[0]!);
      if (value?.kind !== 'map') throw new InputError('is an activation of a constant, expected a map');
      if (value.domain === 'integer' || value.padding !== undefined) {
        throw new InputError('is an activation of integers or padded maps, expected real numbers');
      }
      return conversion.madeView(
        conversion.emit(node.name, op, {}, [conversion.read(value).tensor]),
        value.view,
      );
    }
    checkSignature(node);
    const handler = handlerOf(node);
    const inputs = names.map((name) => {
      if (name === '') return undefined;
      const value = conversion.values.get(name);
      if (value === undefined) {
        throw new InputError(
          `reads ${quote(name)}, an output that is not computed here (masks, places of maxima, statistics)`,
        );
      }
      return value;
    });
    if (inputs.every((value) => value === undefined || value.kind === 'constant')) {
      const folded = foldNode(node, inputs as (Constant | undefined)[], this.external);
      if (folded !== undefined) {
        if (!readsThrough(node)) this.#folded += product(folded.dims);
        if (this.#folded > MAXIMUM_FOLDED) {
          throw new InputError(`${this.#folded} constants are worked out up to here, expected shapes`);
        }
        return folded;
      }
    }
    if (handler === undefined) {
      throw new InputError(`is not read here; supported: ${supportedOperators()}`);
    }
    return handler(node, conversion);
  }

  /** The input's shape; other orders of dimensions than ours are seen from what the first nodes do with it. */
  private inputView(
    { name = '', type }: ValueInfoProto,
    needed: readonly NeededNode[],
  ): { shape: Shape; view: View; type: DataType } {
    const tensor = type?.tensor_type;
    const element = dataTypeName(tensor?.elem_type);
    const what = `input ${quote(name)}`;
    if (tensor?.shape === undefined || element === undefined) {
      throw new InputError(`${what} has no element type and shape, expected a tensor`);
    }
    const sizes = tensor.shape.dim.map(({ dim_value: size, dim_param: symbol = '' }, axis) => {
      if (size !== undefined && !(size === 0 && symbol !== '')) return size;
      const key = symbol === '' ? `${name}.${axis}` : symbol;
      const given = this.options.dims?.get(key);
      if (given !== undefined) this.#usedDims.add(key);
      // The batch is one picture whatever it is called.
      if (given === undefined && axis > 0) {
        throw new InputError(`${what} has a symbolic dimension ${axis}, expected --dim ${key}=<size>`);
      }
      return given ?? 1;
    });
    const [batch, ...rest] = sizes;
    if (batch !== 1 || (rest.length !== 3 && rest.length !== 1)) {
      throw new InputError(
        `${what} is ${sizes.join(' x ')}, expected a batch of 1 and channels, rows, columns (or features)`,
      );
    }
    if (rest.length === 1) {
      const shape: Shape = [rest[0]!, 1, 1];
      checkShape(what, shape);
      return { shape, view: vectorView(shape[0]), type: element };
    }
    const turned = this.isTurned(name, needed);
    const [a, b, c] = rest as [number, number, number];
    const shape: Shape = turned ? [c, a, b] : [a, b, c];
    checkShape(what, shape);
    const view = mapView(shape);
    return {
      shape,
      view: turned ? [view[0]!, view[2]!, view[3]!, view[1]!] : view,
      type: element,
    };
  }

  /** Whether everything that reads a value first turns [rows, columns, channels] into [channels, rows, columns]. */
  private isTurned(name: string, needed: readonly NeededNode[]): boolean {
    const names = new Set([name]);
    let turned = false;
    for (const { node, inputs } of needed) {
      if (!inputs.some((input) => names.has(input))) continue;
      if (node.opType === 'Transpose') {
        if (node.ints('perm')?.join() !== '0,3,1,2') return false;
        turned = true;
      } else if (['Cast', 'Identity', 'QuantizeLinear', 'DequantizeLinear'].includes(node.opType)) {
        for (const output of node.outputs) names.add(output);
      } else {
        return false;
      }
    }
    return turned;
  }

  private finish(conversion: Conversion, outputs: readonly string[]): ImportedNetwork {
    const made = outputs.map((name) => this.outputTensor(conversion, name));
    separateAffine(conversion, new Set(made));
    checkParameters(conversion);
    const given = givenNumbers(conversion);
    const channels = conversion.input.shape[0];
    const { name, description, preparation, detector } = this.#annotations;
    if (preparation !== undefined && preparation.mean.length !== channels) {
      throw new InputError(`metadata: ${preparation.mean.length} means, expected ${channels}, one a channel`);
    }
    const graph = buildGraph({
      name: name ?? modelName(this.file),
      description,
      input: {
        ...conversion.input,
        preparation: preparation ?? this.usualPreparation(conversion),
      },
      nodes: conversion.descriptions(),
      outputs: [...new Set(made)],
      detector,
    });
    checkDetector(graph);
    return {
      graph,
      parameters: lazily(graph, conversion.parameters, this.file),
      ...(given && { given }),
      weightSource: this.file,
    };
  }

  /** Pixels over 255; an input of bytes is fed the pixels themselves. */
  private usualPreparation({ numbers, input }: Conversion): InputPreparation {
    const means = (mean: number) => new Array<number>(input.shape[0]).fill(mean);
    if (this.#inputType !== 'uint8') return { mean: means(0), divisor: 255 };
    const { zeroPoint, scale } = numbers.get(input.name) ?? { zeroPoint: 0, scale: 1 };
    return { mean: means(zeroPoint), divisor: 1 / scale };
  }

  private outputTensor(conversion: Conversion, name: string): string {
    const what = `output ${quote(name)}`;
    const value = conversion.values.get(name);
    if (value === undefined) throw new InputError(`${what} is made by no node`);
    if (value.kind === 'constant') throw new InputError(`${what} is a constant, expected a computed one`);
    if (value.padding !== undefined)
      throw new InputError(`${what} is padded, expected no Pad in front of it`);
    if (!conversion.nodes.has(value.tensor)) {
      throw new InputError(
        `${what} is the input (${sizesOf(value.view).join(' x ')}), expected a computed one`,
      );
    }
    return value.tensor;
  }
}

interface NeededNode {
  readonly node: OnnxNode;
  readonly inputs: readonly string[];
  readonly reorg?: SpelledReorg;
  /** The activation that the node is the end of. */
  readonly op?: Parameters<Conversion['emit']>[1];
}

function inputName(name: string): string {
  const plain = name
    .replace(/[^A-Za-z0-9_./-]/g, '_')
    .replace(/^[^A-Za-z_]+/, '')
    .slice(0, 90);
  return plain === '' ? 'input' : plain;
}

/** From the file's name: exporters call all their graphs alike. */
function modelName(file: string): string {
  const name = basename(file.replaceAll('\\', '/')).replace(/\.onnx$/i, '');
  return inputName(name === '' ? 'model' : name);
}

/**
 * Scales and offsets of channels that no convolution right in front can take become convolutions of their own, one
 * cell large and a channel each.
 */
function separateAffine(conversion: Conversion, outputs: ReadonlySet<string>): void {
  const readers = new Map<string, number>();
  for (const { inputs } of conversion.nodes.values()) {
    for (const input of inputs) readers.set(input, (readers.get(input) ?? 0) + 1);
  }
  for (const node of conversion.nodes.values()) {
    const { machine } = node.op;
    if (machine.stage !== 'affine') continue;
    const source = conversion.nodes.get(node.inputs[0]!);
    const stage = source?.op.machine.stage;
    const folds =
      source !== undefined &&
      (stage === 'array' || stage === 'affine') &&
      readers.get(source.name) === 1 &&
      !outputs.has(source.name) &&
      !conversion.numbers.has(source.name);
    if (folds) continue;
    const attributes = parse(node.op, node.attributes);
    const makers = takeParameters(conversion, node);
    const values = () => machine.affine(attributes, (shortName) => makers.get(shortName)!());
    conversion.replace(node, convolution, { groups: 'depthwise', kernel: 1 });
    conversion.setParameter(node, 'filters', () => values().scale);
    conversion.setParameter(node, 'bias', () => values().offset);
  }
}

/** A node's parameters by the names its operator has for them, taken off the list. */
function takeParameters(conversion: Conversion, node: ConvertedNode): Map<string, ParameterMaker> {
  const makers = new Map<string, ParameterMaker>();
  for (const { name, shortName } of node.op.parameters?.(
    node.name,
    parse(node.op, node.attributes),
    node.inputShapes,
  ) ?? []) {
    makers.set(shortName, conversion.parameters.get(name)!);
    conversion.parameters.delete(name);
  }
  return makers;
}

/** Weights that many nodes share are held once a node. */
function checkParameters({ nodes }: Conversion): void {
  let elements = 0;
  for (const { name, op, attributes, inputShapes } of nodes.values()) {
    const all = op.parameters?.(name, parse(op, attributes), inputShapes) ?? [];
    for (const { shape } of all) elements += product(shape);
  }
  if (elements > MAXIMUM_ELEMENTS) {
    throw new InputError(`has ${elements} parameters, expected at most ${MAXIMUM_ELEMENTS} (2^28)`);
  }
}

/** All parameters, made once; from then on nothing holds the file. */
function lazily(
  graph: Graph,
  makers: ReadonlyMap<string, ParameterMaker>,
  file: string,
): () => ParameterValues {
  let left: ReadonlyMap<string, ParameterMaker> | undefined = makers;
  let values: ParameterValues = new Map();
  return () => {
    if (left !== undefined) {
      const names = graph.nodes.flatMap(({ name, parameters }) =>
        parameters.map((parameter) => [name, parameter.name] as const),
      );
      const all = left;
      values = new Map(names.map(([node, name]) => [name, inFile(file, () => all.get(name)!(), node)]));
      left = undefined;
    }
    return values;
  };
}
