/** The `model.json` of a layers model: its text as layers and what each reads. */
import { z } from 'zod';
import { parseJson } from '../../config/json.ts';
import { type Located, quote, type SourcePath } from '../../config/source.ts';
import { InputError, type SourcePosition } from '../../core/diagnostics.ts';
import { manifestSchema, type WeightGroups } from '../tfjs-weights.ts';
import { KerasLayer } from './layer.ts';

const MAXIMUM_LAYERS = 2000;
/** Layers that read one another in a row are walked level by level; their calls are counted all the same. */
const MAXIMUM_CALLS = 20_000;

const name = z.string().min(1).max(200);

const layerSchema = z.object({
  class_name: name,
  name: name.optional(),
  // Looked at key by key, by the layer's reader.
  config: z.unknown(),
  inbound_nodes: z.array(z.unknown()).max(1000).nullish(),
});
const layers = z.array(layerSchema).min(1).max(MAXIMUM_LAYERS);

const networkSchema = z.object({
  class_name: name,
  config: z.union([
    layers,
    z.object({
      name: z.string().max(200).nullish(),
      layers,
      output_layers: z.unknown().optional(),
    }),
  ]),
});

const modelSchema = z.object({
  format: z.string().max(100).nullish(),
  modelTopology: z.object({
    model_config: networkSchema.optional(),
    class_name: z.string().max(200).optional(),
    config: networkSchema.shape.config.optional(),
  }),
  weightsManifest: manifestSchema.optional(),
});

/** One use of a layer; layers that are used several times share their weights. */
export interface LayerCall {
  readonly layer: KerasLayer;
  /** Keys of the calls read. */
  readonly inputs: readonly string[];
}

export interface Topology {
  readonly name: string | undefined;
  /** In running order, by key. */
  readonly calls: ReadonlyMap<string, LayerCall>;
  /** Keys of the calls whose outputs are the network's. */
  readonly outputs: readonly string[];
  readonly weights: Located<WeightGroups> | undefined;
}

/** @throws InputError with line and column for whatever is no such model, for cycles and for names of nothing */
export function parseTopology(text: string, file: string): Topology {
  const { value, positionOf } = parseJson(text, file, modelSchema);
  if (value.format !== undefined && value.format !== null && value.format !== 'layers-model') {
    throw new InputError(
      `format: ${quote(value.format)} is not read here, expected layers-model`,
      positionOf(['format']),
    );
  }
  const { modelTopology: top, weightsManifest: groups } = value;
  const path: SourcePath =
    top.model_config === undefined ? ['modelTopology'] : ['modelTopology', 'model_config'];
  const className = top.model_config?.class_name ?? top.class_name;
  const config = top.model_config?.config ?? top.config;
  if (className === undefined || config === undefined) {
    throw new InputError(
      'modelTopology: has no class_name and config, expected a layers model',
      positionOf(path),
    );
  }
  const list = Array.isArray(config);
  const listPath: SourcePath = list ? [...path, 'config'] : [...path, 'config', 'layers'];
  const read = (list ? config : config.layers).map((entry, index) => ({
    layer: layerOf(entry, [...listPath, index], positionOf),
    inbound: entry.inbound_nodes ?? [],
    position: (): SourcePosition => positionOf([...listPath, index, 'inbound_nodes']),
  }));
  const seen = new Set<string>();
  for (const { layer } of read) {
    if (seen.has(layer.name))
      throw new InputError(`${layer.title}: its name is here twice`, layer.positionOf());
    seen.add(layer.name);
  }

  let calls: Map<string, LayerCall>;
  let outputs: string[];
  if (className === 'Sequential') {
    calls = new Map(
      read.map(({ layer }, i) => [
        callKey(layer.name, 0),
        { layer, inputs: i === 0 ? [] : [callKey(read[i - 1]!.layer.name, 0)] },
      ]),
    );
    outputs = [callKey(read.at(-1)!.layer.name, 0)];
  } else if ((className === 'Functional' || className === 'Model') && !list) {
    const unordered = new Map<string, LayerCall>();
    for (const { layer, inbound, position } of read) {
      // An input layer is called by nobody.
      const nodes = inbound.length === 0 ? [[]] : inbound;
      for (const [index, node] of nodes.entries()) {
        unordered.set(callKey(layer.name, index), { layer, inputs: references(node, position()) });
      }
    }
    if (unordered.size > MAXIMUM_CALLS) {
      throw new InputError(
        `layers: used ${unordered.size} times, expected at most ${MAXIMUM_CALLS}`,
        positionOf(listPath),
      );
    }
    calls = inRunningOrder(unordered);
    const outputPath = [...path, 'config', 'output_layers'];
    outputs = references(config.output_layers, positionOf(outputPath));
    const unknown = outputs.find((key) => !calls.has(key));
    if (outputs.length === 0 || unknown !== undefined) {
      throw new InputError(
        `output_layers: ${unknown === undefined ? 'none' : quote(unknown)}, expected layers of the model`,
        positionOf(outputPath),
      );
    }
  } else {
    throw new InputError(
      `class_name: ${quote(className)} is not read here, expected Sequential, Functional or Model`,
      positionOf([...path, 'class_name']),
    );
  }
  return {
    name: list ? undefined : (config.name ?? undefined),
    calls,
    outputs,
    weights: groups && { value: groups, positionOf: (inner) => positionOf(['weightsManifest', ...inner]) },
  };
}

function layerOf(
  entry: z.output<typeof layerSchema>,
  path: SourcePath,
  positionOf: (path: SourcePath) => SourcePosition,
): KerasLayer {
  const { config } = entry;
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new InputError('config: expected a map', positionOf([...path, 'config']));
  }
  const given = (config as Record<string, unknown>).name ?? entry.name;
  if (typeof given !== 'string' || given === '' || given.length > 200) {
    throw new InputError(
      'name: expected a name of 1 to 200 characters',
      positionOf([...path, 'config', 'name']),
    );
  }
  return new KerasLayer(entry.class_name, given, config as Record<string, unknown>, (key) =>
    positionOf(key === undefined ? path : [...path, 'config', key]),
  );
}

function callKey(layer: string, index: number): string {
  return index === 0 ? layer : `${layer} (use ${index + 1})`;
}

/** [layer, use, output] wherever it stands in a list of lists; Keras 3 writes tensors with such a history instead. */
function references(value: unknown, position: SourcePosition, depth = 0): string[] {
  if (depth > 16) throw new InputError('is nested too deep, expected [layer, 0, 0]', position);
  if (Array.isArray(value)) {
    const [name, use, output] = value as unknown[];
    if (typeof name === 'string') {
      if (!Number.isInteger(use) || (use as number) < 0) {
        throw new InputError('expected [layer, number of its use, 0]', position);
      }
      if (output !== 0) {
        throw new InputError(
          `${quote(name)}: output ${JSON.stringify(output)}, expected 0: layers have one`,
          position,
        );
      }
      return [callKey(name, use as number)];
    }
    return value.flatMap((part) => references(part, position, depth + 1));
  }
  if (typeof value === 'object' && value !== null) {
    const { args, class_name: kind, config } = value as Record<string, unknown>;
    if (args !== undefined) return references(args, position, depth + 1);
    if (kind === '__keras_tensor__' && typeof config === 'object' && config !== null) {
      return references((config as Record<string, unknown>).keras_history, position, depth + 1);
    }
  }
  throw new InputError('expected layers as [layer, 0, 0]', position);
}

/** Every call behind those that it reads. @throws InputError for names of nothing and for cycles */
function inRunningOrder(calls: ReadonlyMap<string, LayerCall>): Map<string, LayerCall> {
  const waiting = new Map<string, number>();
  const readers = new Map<string, string[]>();
  for (const [key, { layer, inputs }] of calls) {
    waiting.set(key, inputs.length);
    for (const input of inputs) {
      if (!calls.has(input)) {
        throw new InputError(
          `${layer.title}: reads ${quote(input)}, which is no layer here`,
          layer.positionOf(),
        );
      }
      const known = readers.get(input);
      if (known === undefined) readers.set(input, [key]);
      else known.push(key);
    }
  }
  const ordered = new Map<string, LayerCall>();
  const ready = [...calls.keys()].filter((key) => waiting.get(key) === 0);
  for (const key of ready) {
    ordered.set(key, calls.get(key)!);
    for (const reader of readers.get(key) ?? []) {
      const left = waiting.get(reader)! - 1;
      waiting.set(reader, left);
      if (left === 0) ready.push(reader);
    }
  }
  const stuck = [...calls].find(([key]) => !ordered.has(key));
  if (stuck !== undefined) {
    const { layer } = stuck[1];
    throw new InputError(`${layer.title}: waits for its own output, expected no cycle`, layer.positionOf());
  }
  return ordered;
}
