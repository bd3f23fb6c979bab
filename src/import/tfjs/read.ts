/** TensorFlow.js layers models: a `model.json` with topology and weight manifest, its shards beside it. */
import { basename } from 'node:path';
import { quote } from '../../config/source.ts';
import { InputError } from '../../core/diagnostics.ts';
import type { InputPreparation, Shape } from '../../graph/graph.ts';
import type { ImportedNetwork, NetworkFileOptions } from '../imported-network.ts';
import { NetworkBuilder } from '../network-builder.ts';
import type { NamedTensors } from '../parameters.ts';
import { readText } from '../read-file.ts';
import { parseManifest, readWeightGroups } from '../tfjs-weights.ts';
import { TfjsContext, type Value, type WeightSource } from './context.ts';
import type { KerasLayer } from './layer.ts';
import { layerReaders, supportedLayers } from './layers.ts';
import { type LayerCall, parseTopology, type Topology } from './topology.ts';

/**
 * Reads a `model.json`. Weights are those that it lists, or of `options.weights`, a manifest of its own, where it lists
 * none; shards are read when values are asked for.
 * @throws InputError for what is no such model, and for layers that the machine cannot run
 */
export function readTfjsFile(path: string, options: NetworkFileOptions = {}): ImportedNetwork {
  const topology = parseTopology(readText(path, 'a TensorFlow.js layers model'), path);
  return convertTopology(
    topology,
    path,
    weightSource(topology, path, options.weights),
    options.dims ?? new Map(),
  );
}

function weightSource(
  topology: Topology,
  path: string,
  manifest: string | undefined,
): WeightSource | undefined {
  if (topology.weights !== undefined && manifest !== undefined) {
    throw new InputError('--weights: the network brings its weights, expected none', { file: path });
  }
  const located = topology.weights ?? (manifest === undefined ? undefined : parseManifest(manifest));
  if (located === undefined) return undefined;
  const file = topology.weights === undefined ? manifest! : path;
  let tensors: NamedTensors | undefined;
  return {
    groups: located.value,
    file,
    positionOf: located.positionOf,
    tensors: () => {
      tensors ??= readWeightGroups(located, file);
      return tensors;
    },
  };
}

/** A model that is read as a network of ours; `file` names it in messages. @throws InputError as `readTfjsFile` */
export function convertTopology(
  topology: Topology,
  file: string,
  weights?: WeightSource,
  dims: ReadonlyMap<string, number> = new Map(),
): ImportedNetwork {
  const inputs = [...topology.calls.values()].filter(({ inputs }) => inputs.length === 0);
  const [first] = inputs as [LayerCall];
  if (inputs.length !== 1) {
    const names = inputs.map(({ layer }) => quote(layer.name)).join(', ');
    throw new InputError(`has ${inputs.length} inputs (${names}), expected one`, { file });
  }
  const usedDims = new Set<string>();
  const shape = inputShape(first.layer, dims, usedDims);
  const wrong = [...dims.keys()].find((key) => !usedDims.has(key));
  if (wrong !== undefined) {
    throw new InputError(`has no symbolic dimension ${quote(wrong)} in its input, expected another --dim`, {
      file,
    });
  }
  const isInputLayer = first.layer.className === 'InputLayer';
  const builder = inLayer(
    first.layer,
    () => new NetworkBuilder(isInputLayer ? first.layer.name : 'image', shape),
  );
  const context = new TfjsContext(builder, weights);
  const image: Value = { tensor: builder.input.name, flat: shape[1] * shape[2] === 1 };
  const values = new Map<string, Value>();
  for (const [key, { layer, inputs }] of topology.calls) {
    const read = layerReaders.get(layer.className);
    if (read === undefined) {
      throw new InputError(
        `${layer.title}: is not read here; supported: ${supportedLayers().join(', ')}`,
        layer.positionOf(),
      );
    }
    const from = inputs.length === 0 ? [image] : inputs.map((input) => values.get(input)!);
    values.set(
      key,
      inLayer(layer, () => read(layer, from, context)),
    );
  }
  const tensors = topology.outputs.map((key) => {
    const value = values.get(key)!;
    const [, rows, columns] = context.shapeOf(value);
    if (value.padding !== undefined || (value.flat && rows * columns > 1)) {
      throw new InputError(
        `${topology.calls.get(key)!.layer.title}: is an output that only moves values, expected a layer that computes`,
        topology.calls.get(key)!.layer.positionOf(),
      );
    }
    return value.tensor;
  });
  const { graph, parameters } = inFile(file, () =>
    builder.finish({
      name: topology.name ?? basename(file.replaceAll('\\', '/')).replace(/\.json$/i, ''),
      preparation: preparationOf(context, topology, first, file),
      outputs: tensors,
    }),
  );
  return weights === undefined ? { graph } : { graph, parameters, weightSource: weights.file };
}

/** [channels, rows, columns] of [batch, rows, columns, channels] or [batch, features]. */
function inputShape(layer: KerasLayer, dims: ReadonlyMap<string, number>, used: Set<string>): Shape {
  const key = ['batch_input_shape', 'batch_shape'].find((one) => layer.raw(one) !== undefined);
  const given = key === undefined ? undefined : layer.raw(key);
  if (!Array.isArray(given) || (given.length !== 4 && given.length !== 2)) {
    return layer.refuse(key ?? 'batch_input_shape', '[null, rows, columns, channels] on the first layer');
  }
  const [batch, ...sides] = given as unknown[];
  if (batch !== null && batch !== 1) return layer.refuse(key!, 'a batch of null or 1');
  const sizes = sides.map((side, at) => {
    const name = `${layer.name}.${at + 1}`;
    const size = side === null ? dims.get(name) : side;
    if (side === null && dims.has(name)) used.add(name);
    if (side === null && size === undefined) {
      throw new InputError(
        `${layer.title}: has a symbolic dimension ${at + 1}, expected --dim ${name}=<size>`,
        layer.positionOf(key),
      );
    }
    return Number.isInteger(size) && (size as number) >= 1
      ? (size as number)
      : layer.refuse(key!, 'sizes of at least 1');
  });
  const [rows, columns, channels] = sizes as [number, number, number];
  return sizes.length === 1 ? [rows, 1, 1] : [channels, rows, columns];
}

/** Pixels over 255, unless the first layer scales them itself. */
function preparationOf(
  { rescaling, builder }: TfjsContext,
  { calls }: Topology,
  first: LayerCall,
  file: string,
): InputPreparation {
  const [channels] = builder.input.shape;
  if (rescaling === undefined) return { mean: new Array<number>(channels).fill(0), divisor: 255 };
  const { name } = first.layer;
  const readers = [...calls.values()].filter(({ inputs }) => inputs.includes(name));
  if (first.layer.className === 'InputLayer' && readers.length > 1) {
    throw new InputError(
      'scales its input for some layers and not for others, expected Rescaling in front of all',
      {
        file,
      },
    );
  }
  return {
    // Zero, not minus zero.
    mean: Array.from({ length: channels }, (_, c) => 0 - rescaling.offsets[c]! / rescaling.scale),
    divisor: 1 / rescaling.scale,
  };
}

/** Puts place and layer in front of complaints that have none. */
function inLayer<T>(layer: KerasLayer, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InputError) || error.position !== undefined) throw error;
    throw new InputError(`${layer.title}: ${error.message}`, layer.positionOf());
  }
}

function inFile<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InputError) || error.position !== undefined) throw error;
    throw new InputError(error.message, { file });
  }
}
