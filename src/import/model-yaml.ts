/**
 * The model file: a network as a YAML list of layers, in the order they run.
 *
 *     name: tiny
 *     input: { shape: [3, 16, 16], divisor: 255 }
 *     layers:
 *       - { op: convolution, name: conv1, filters: 8, kernel: 3, padding: 1 }
 *       - { op: relu }
 *
 * A layer is an operator's name, that operator's attributes, an optional name and where it reads from. Operators
 * bring their own attribute schemas; this file knows none of them.
 */
import { dirname } from 'node:path';
import { z } from 'zod';
import { quote } from '../config/source.ts';
import { parseYaml } from '../config/yaml.ts';
import { InputError, type SourcePosition } from '../core/diagnostics.ts';
import { sum } from '../core/integers.ts';
import { buildGraph, type NodeDescription } from '../graph/build.ts';
import { checkDetector } from '../graph/detector-head.ts';
import type { AnyOp, Graph } from '../graph/graph.ts';
import { parameterCount } from '../graph/parameters.ts';
import { MAXIMUM_ELEMENTS } from '../graph/shape.ts';
import { findOperator, operators } from '../ops/index.ts';
import type { ImportedNetwork } from './imported-network.ts';
import { pathInside } from './inside.ts';
import { checkQuantisation, type ModelQuantisation, quantisationSchema } from './model-quantisation.ts';
import { withWeights } from './model-weights.ts';
import { readText } from './read-file.ts';
import { readSafetensorsFile } from './safetensors/read.ts';
import { tensorName } from './tensor-name.ts';

const side = z.int().min(1).max(65536);

const input = z
  .strictObject({
    name: tensorName.default('image').describe('Name of the input tensor.'),
    shape: z.tuple([side, side, side]).describe('Channels, rows, columns.'),
    mean: z
      .array(z.number().min(-1e6).max(1e6))
      .min(1)
      .max(65536)
      .optional()
      .describe(
        'Subtracted from the pixels (0..255), one number a channel: red, green, blue. Default: 0 each.',
      ),
    divisor: z
      .number()
      .min(1e-6)
      .max(1e6)
      .default(255)
      .describe('What the pixels are divided by after the mean is subtracted.'),
    placement: z
      .enum(['corner', 'centre'])
      .default('corner')
      .describe('Where a picture of other proportions lies: in the upper left corner, or in the centre.'),
    surround: z
      .number()
      .min(0)
      .max(255)
      .default(0)
      .describe('Level of the cells around the picture, 0 (black) to 255.'),
  })
  .describe('The picture the network reads.');

function layerSchema(op: AnyOp) {
  return op.attributes
    .safeExtend({
      op: z.literal(op.name),
      name: tensorName.optional().describe("Name of the layer's output. Default: the operator and a number."),
      from: z
        .union([tensorName, z.array(tensorName).min(1).max(16)])
        .optional()
        .describe('What the layer reads. Default: the layer before it.'),
    })
    .describe(op.summary);
}

/** What every layer has; the operator's attributes come beside it. */
interface LayerHead {
  readonly op: string;
  readonly name?: string | undefined;
  readonly from?: string | readonly string[] | undefined;
}

const layerSchemas = operators.map(layerSchema);
const layer = z.discriminatedUnion('op', layerSchemas as [(typeof layerSchemas)[number]]);

export const detector = z
  .strictObject({
    kind: z
      .enum(['yolov2', 'yolov3'])
      .describe(
        "'yolov2': anchors in grid cells, softmax over the classes; 'yolov3': anchors in pixels of the input, every class for itself.",
      ),
    classes: z.array(z.string().min(1).max(100)).min(1).max(10_000).describe('Names of the classes.'),
    anchors: z
      .array(z.tuple([z.number().positive().max(1e6), z.number().positive().max(1e6)]))
      .min(1)
      .max(64)
      .describe('Width and height of each anchor, in the unit of the kind.'),
    masks: z
      .array(z.array(z.int().min(0).max(63)).min(1).max(64))
      .min(1)
      .max(16)
      .optional()
      .describe(
        'For each output, in their order, which anchors it has, counted from 0. Default: the first output has all.',
      ),
    classScores: z
      .boolean()
      .default(false)
      .describe('Whether each anchor has a score per class behind x, y, w, h and objectness.'),
    scoreThreshold: z.number().min(0).max(1).default(0.5).describe('Boxes that score less are dropped.'),
    overlapThreshold: z
      .number()
      .min(0)
      .max(1)
      .default(0.4)
      .describe('Of two boxes of a class that overlap more (intersection over union), the better one stays.'),
  })
  .describe('How the host turns the output into boxes.');

const weights = z
  .string()
  .min(1)
  .max(1000)
  .describe("The network's weights: a safetensors file in this file's folder or below.");

/** The model file's schema. */
export const modelSchema = z.strictObject({
  name: tensorName,
  description: z.string().max(2000).default(''),
  input,
  layers: z.array(layer).min(1).max(2000).describe('In the order they run.'),
  outputs: z
    .array(tensorName)
    .min(1)
    .max(2000)
    .optional()
    .describe('Tensors to keep. Default: those that no layer reads.'),
  detector: detector.optional(),
  weights: weights.optional(),
  quantisation: quantisationSchema.optional(),
});

/** A model file's text as values; its weights are in another file. */
export interface ModelText {
  readonly graph: Graph;
  /** Where the weights lie, as the file says it. */
  readonly weights?: { readonly location: string; readonly position: SourcePosition } | undefined;
  /** The network's own numbers, without the integers of its filters. */
  readonly quantisation?: ModelQuantisation | undefined;
}

/**
 * Reads a model file's text. `file` is only for messages.
 *
 * Throws an `InputError` with line and column for whatever is wrong with the text, and for layers that do not fit
 * together (with the layer's position).
 */
export function readModel(text: string, file: string): Graph {
  return readModelText(text, file).graph;
}

/** Reads a model file's text as `readModel` does, and what it says of weights and number formats. */
export function readModelText(text: string, file: string): ModelText {
  const { value: model, positionOf } = parseYaml(text, file, modelSchema);
  const [channels] = model.input.shape;
  const mean = model.input.mean ?? new Array<number>(channels).fill(0);
  if (mean.length !== channels) {
    const message = `mean: expected ${channels} entries, one a channel, got ${mean.length}`;
    throw new InputError(message, positionOf(['input', 'mean']));
  }
  if (model.detector !== undefined && !model.detector.classScores && model.detector.classes.length > 1) {
    throw new InputError(
      `classes: expected one class as classScores is false, got ${model.detector.classes.length}`,
      positionOf(['detector', 'classes']),
    );
  }

  const counts = new Map<string, number>();
  let previous = model.input.name;
  const nodes: NodeDescription[] = [];
  for (const [index, entry] of model.layers.entries()) {
    const { op, name: givenName, from, ...attributes } = entry as LayerHead & Record<string, unknown>;
    const count = (counts.get(op) ?? 0) + 1;
    counts.set(op, count);
    const name = givenName ?? `${op}${count}`;
    const operator = findOperator(op)!;
    const behind = operator.inputs === 0 ? [] : [previous];
    const inputs = from === undefined ? behind : typeof from === 'string' ? [from] : from;
    nodes.push({ name, op: operator, attributes, inputs, position: positionOf(['layers', index]) });
    previous = name;
  }

  const graph = atLeastIn(positionOf([]), () =>
    buildGraph({
      name: model.name,
      description: model.description,
      input: {
        name: model.input.name,
        shape: model.input.shape,
        preparation: {
          mean,
          divisor: model.input.divisor,
          ...(model.input.placement === 'centre' && { placement: 'centre' }),
          ...(model.input.surround !== 0 && { surround: model.input.surround }),
        },
      },
      nodes,
      ...(model.outputs === undefined ? {} : { outputs: model.outputs }),
      ...(model.detector === undefined ? {} : { detector: model.detector }),
    }),
  );
  const parameters = sum(graph.nodes.map(parameterCount));
  if (parameters > MAXIMUM_ELEMENTS) {
    throw new InputError(
      `layers: ${parameters} parameters, expected at most ${MAXIMUM_ELEMENTS} (2^28)`,
      positionOf(['layers']),
    );
  }
  atLeastIn(positionOf(['detector']), () => checkDetector(graph));
  if (model.quantisation !== undefined && model.weights === undefined) {
    const message = 'quantisation: needs the integers of its filters, expected weights: <file> too';
    throw new InputError(message, positionOf(['quantisation']));
  }
  return {
    graph,
    weights:
      model.weights === undefined
        ? undefined
        : { location: model.weights, position: positionOf(['weights']) },
    quantisation: model.quantisation && checkQuantisation(model.quantisation, graph, positionOf),
  };
}

/** Reads a model file's network; throws an `InputError` as `readModel` does, and when there is no such file. */
export function readModelFile(path: string): Graph {
  return readModel(readText(path, 'a model file'), path);
}

/**
 * Reads a model file and, if it names one, its weight file: weights are converted when they are asked for.
 * @throws InputError as `readModel` does, for weight files outside the folder, and for tensors that are missing or of
 *   another shape
 */
export function readModelNetwork(path: string): ImportedNetwork {
  const { graph, weights: named, quantisation } = readModelText(readText(path, 'a model file'), path);
  if (named === undefined) return { graph };
  const file = atLeastIn(named.position, () =>
    pathInside(
      dirname(path),
      named.location,
      `weights ${quote(named.location)}`,
      "a file in the model's folder",
    ),
  );
  return withWeights(graph, quantisation, readSafetensorsFile(file), file);
}

/** Gives errors that know no place the file at least. */
function atLeastIn<T>(position: SourcePosition, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof InputError && error.position === undefined)
      throw new InputError(error.message, position);
    throw error;
  }
}
