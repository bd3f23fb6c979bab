/** A model file's network meets the tensors of its weight file. */
import { quote } from '../config/source.ts';
import { InputError } from '../core/diagnostics.ts';
import { formatRange } from '../core/fixed-point.ts';
import { product } from '../core/integers.ts';
import type { GivenFilters } from '../graph/given-numbers.ts';
import type { Graph, Node, ParameterValues } from '../graph/graph.ts';
import type { ImportedNetwork } from './imported-network.ts';
import type { ModelQuantisation } from './model-quantisation.ts';
import { matchParameters } from './parameters.ts';
import { realTensors, type StoredTensor } from './safetensors/read.ts';

/** What a weight file calls the integers of a layer. */
export const integerNames = (layer: string) => ({
  weights: `${layer}/integerWeights`,
  scales: `${layer}/weightScales`,
  biases: `${layer}/integerBiases`,
});

/** [filters, channels per group, kernel rows, kernel columns]. */
export function filterShape({ op, attributes, inputShapes, outputShape }: Node): number[] {
  if (op.machine.stage !== 'array') throw new InputError(`${op.name} has no filters`);
  const [input] = inputShapes;
  const { filters, groups, kernel } = op.machine.convolution(attributes, input!, outputShape);
  return [filters, input![0] / groups, ...kernel];
}

/** @throws InputError for tensors that are missing, of another shape or of another type */
export function withWeights(
  graph: Graph,
  quantisation: ModelQuantisation | undefined,
  tensors: ReadonlyMap<string, StoredTensor>,
  file: string,
): ImportedNetwork {
  const wanted = new Map<string, StoredTensor>();
  for (const { parameters } of graph.nodes) {
    for (const { name, shape } of parameters) {
      wanted.set(name, stored(tensors, name, shape, ['F32', 'F64', 'F16', 'BF16'], file));
    }
  }
  let parameters: ParameterValues | undefined;
  return {
    graph,
    parameters: () => {
      parameters ??= matchParameters(graph, realTensors(wanted, file), file).values;
      return parameters;
    },
    ...(quantisation && {
      given: {
        ...quantisation,
        filters: new Map(
          quantisation.filters.map((name) => [name, filtersOf(graph, name, quantisation, tensors, file)]),
        ),
      },
    }),
    weightSource: file,
  };
}

function filtersOf(
  graph: Graph,
  layer: string,
  { weightBits }: ModelQuantisation,
  tensors: ReadonlyMap<string, StoredTensor>,
  file: string,
): GivenFilters {
  const names = integerNames(layer);
  const shape = filterShape(graph.nodes.find(({ name }) => name === layer)!);
  const type = weightBits > 8 ? 'I16' : 'I8';
  const weights = stored(tensors, names.weights, shape, [type], file).values() as Int8Array | Int16Array;
  const { low, high } = formatRange({ bits: weightBits, signed: true });
  // A bit alone is plus or minus one.
  const wrong = weightBits === 1 ? undefined : weights.find((value) => value < low || value > high);
  if (wrong !== undefined) {
    throw new InputError(`${quote(names.weights)} holds ${wrong}, expected ${low}..${high}`, { file });
  }
  const [filters] = shape;
  const scales = stored(tensors, names.scales, [filters!], ['F64', 'F32'], file).values();
  if (scales.some((scale) => !(scale > 0))) {
    throw new InputError(`${quote(names.scales)} holds a scale that is not positive, expected them above 0`, {
      file,
    });
  }
  const biases =
    tensors.has(names.biases) && stored(tensors, names.biases, [filters!], ['I32', 'F64'], file).values();
  return { weights, scales: [...scales], ...(biases && { biases: [...biases] }) };
}

function stored(
  tensors: ReadonlyMap<string, StoredTensor>,
  name: string,
  shape: readonly number[],
  types: readonly string[],
  file: string,
): StoredTensor {
  const tensor = tensors.get(name);
  const expected = `${types.join(' or ')} [${shape.join(', ')}]`;
  if (tensor === undefined) throw new InputError(`has no ${quote(name)}, expected ${expected}`, { file });
  const fits = product(tensor.shape) === product(shape) && tensor.shape.join() === shape.join();
  if (!fits || !types.includes(tensor.dtype)) {
    throw new InputError(
      `${quote(name)} is ${tensor.dtype} [${tensor.shape.join(', ')}], expected ${expected}`,
      { file },
    );
  }
  return tensor;
}
