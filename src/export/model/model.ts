/**
 * The project's own files of a network: a model file (YAML), a line a layer, and its weights as safetensors beside it.
 *
 * What has its default is left out, and the same network makes the same bytes: two versions of a network differ in the
 * lines of the layers that differ. Read back, they are the same network, value by value.
 */
import { basename } from 'node:path';
import { Document, type Node as YamlNode } from 'yaml';
import { InputError } from '../../core/diagnostics.ts';
import type { GivenNumbers } from '../../graph/given-numbers.ts';
import type { Graph, Node, ParameterValues } from '../../graph/graph.ts';
import type { ImportedNetwork } from '../../import/imported-network.ts';
import { filterShape, integerNames } from '../../import/model-weights.ts';
import { readModelText } from '../../import/model-yaml.ts';
import { writeFilesAtomically } from '../../import/write-file.ts';
import { safetensorsPieces, type TensorToWrite } from './safetensors.ts';

/** A network to write: as a reader hands it over, or as it was loaded. */
export type NetworkToWrite = Pick<ImportedNetwork, 'graph' | 'parameters' | 'given'>;

/** The files of a network: the model file's text, and the weight file's pieces, absent for a network without weights. */
export interface ModelFiles {
  readonly text: string;
  readonly weights?: readonly Uint8Array[] | undefined;
}

/**
 * Writes a network's model file and, beside it, its weights, under the same name with the ending .safetensors; both are
 * there whole or not at all, the weights first.
 * @param path of the model file, ending in .yaml or .yml
 * @returns the paths that were written
 * @throws InputError for paths that cannot be written, and for networks that a model file has no words for
 */
export function writeModel(network: NetworkToWrite, path: string): string[] {
  if (!/[^/\\]\.ya?ml$/i.test(path)) {
    throw new InputError('expected a name that ends in .yaml', { file: path });
  }
  const weightPath = path.replace(/\.ya?ml$/i, '.safetensors');
  const { text, weights } = modelFiles(network, basename(weightPath));
  const files = [
    ...(weights === undefined ? [] : [{ path: weightPath, pieces: weights }]),
    { path, pieces: [text] },
  ];
  writeFilesAtomically(files);
  return files.map((file) => file.path);
}

/** @param location of the weight file, from the model file's folder */
export function modelFiles({ graph, parameters, given }: NetworkToWrite, location: string): ModelFiles {
  const weights =
    parameters === undefined ? undefined : safetensorsPieces(tensorsOf(graph, parameters(), given));
  const text = modelText(graph, weights && location, given);
  // Readers of other formats allow what model files do not (layers without end, names of a kilometre): say so here.
  const back = readModelText(text, `model file of ${graph.name}`);
  if (back.graph.nodes.length !== graph.nodes.length) {
    throw new InputError(`${graph.name}: has no model file, expected layers that one can hold`);
  }
  return { text, weights };
}

function tensorsOf(graph: Graph, values: ParameterValues, given: GivenNumbers | undefined): TensorToWrite[] {
  const tensors = new Map<string, TensorToWrite>();
  const add = (tensor: TensorToWrite): void => {
    tensors.set(tensor.name, tensor);
  };
  for (const node of graph.nodes) {
    for (const { name, shape } of node.parameters) {
      const found = values.get(name);
      if (found === undefined) throw new InputError(`${node.name}: no weights called ${name}`);
      if (!tensors.has(name)) add({ name, shape, values: found });
    }
  }
  for (const node of graph.nodes) {
    const filters = given?.filters.get(node.name);
    if (filters === undefined) continue;
    const names = integerNames(node.name);
    for (const name of Object.values(names)) {
      if (!tensors.has(name)) continue;
      throw new InputError(`${node.name}: weights called ${name}, the name of the layer's integers`);
    }
    const { weights, scales, biases } = filters;
    const shape = filterShape(node);
    add({ name: names.weights, shape, values: weights });
    add({ name: names.scales, shape: [shape[0]!], values: Float64Array.from(scales) });
    if (biases === undefined) continue;
    const small = biases.every((bias) => Object.is(bias, bias | 0));
    const list = small ? Int32Array.from(biases) : Float64Array.from(biases);
    add({ name: names.biases, shape: [shape[0]!], values: list });
  }
  return [...tensors.values()];
}

function modelText(graph: Graph, location: string | undefined, given: GivenNumbers | undefined): string {
  const { name, description, input, nodes, outputs, detector } = graph;
  const { mean, divisor, placement, surround } = input.preparation;
  const document = new Document({
    name,
    ...(description !== '' && { description }),
    input: {
      name: input.name,
      shape: [...input.shape],
      ...(mean.some((one) => !Object.is(one, 0)) && { mean: [...mean] }),
      divisor,
      ...(placement === 'centre' && { placement }),
      ...(surround !== undefined && surround !== 0 && { surround }),
    },
    layers: nodes.map((node, i) => layerOf(node, nodes[i - 1]?.name ?? input.name)),
    outputs: [...outputs],
    ...(detector && { detector }),
    ...(location !== undefined && { weights: location }),
    ...(given && { quantisation: quantisationOf(graph, given) }),
  });
  inOneLine(document, ['input']);
  inOneLine(document, ['outputs']);
  for (let i = 0; i < nodes.length; i++) inOneLine(document, ['layers', i]);
  for (let i = 0; i < (detector?.anchors.length ?? 0); i++) inOneLine(document, ['detector', 'anchors', i]);
  if (given !== undefined) {
    inOneLine(document, ['quantisation', 'activations']);
    for (let i = 0; i < given.tensors.size; i++) inOneLine(document, ['quantisation', 'tensors', i]);
  }
  return document.toString({
    lineWidth: 0,
    flowCollectionPadding: true,
    aliasDuplicateObjects: false,
  } as object);
}

function inOneLine(document: Document, path: (string | number)[]): void {
  const node = document.getIn(path, true) as YamlNode & { flow?: boolean };
  node.flow = true;
}

function layerOf(node: Node, previous: string): object {
  const { name, op, inputs } = node;
  const [only] = inputs;
  const follows = inputs.length === 0 || (inputs.length === 1 && only === previous);
  return {
    op: op.name,
    name,
    ...(!follows && { from: inputs.length === 1 ? only : [...inputs] }),
    ...attributesToWrite(node),
  };
}

/** The attributes but those that have their default. */
function attributesToWrite({ op, attributes }: Node): Record<string, unknown> {
  const all = attributes as Readonly<Record<string, unknown>>;
  const left: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(all)) {
    if (value === undefined) continue;
    const { [key]: _, ...rest } = all;
    const without = op.attributes.safeParse(rest);
    const isDefault = without.success && JSON.stringify(without.data[key]) === JSON.stringify(value);
    if (!isDefault) left[key] = value;
  }
  return left;
}

function quantisationOf(graph: Graph, given: GivenNumbers): object {
  const order = [graph.input.name, ...graph.nodes.map(({ name }) => name)];
  return {
    activations: { bits: given.activations.bits, signed: given.activations.signed },
    weightBits: given.weightBits,
    tensors: order.flatMap((name) => {
      const found = given.tensors.get(name);
      return found === undefined ? [] : [{ name, scale: found.scale, zeroPoint: found.zeroPoint }];
    }),
    filters: order.filter((name) => given.filters.has(name)),
    ...(given.apart.size > 0 && { apart: order.filter((name) => given.apart.has(name)) }),
  };
}
