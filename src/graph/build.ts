/**
 * Builds a `Graph` from node descriptions: checks names, wiring and attributes, infers shapes. Whoever reads model
 * files only has to name operators and hand over what stood in the file.
 */
import type { z } from 'zod';
import { InputError, type SourcePosition } from '../core/diagnostics.ts';
import type { AnyOp, DetectorHead, Graph, NetworkInput, Node, Shape } from './graph.ts';
import { checkElements, checkShape } from './shape.ts';

export interface NodeDescription {
  readonly name: string;
  readonly op: AnyOp;
  /** As it stood in the file: the operator's schema checks it and fills the defaults in. */
  readonly attributes?: unknown;
  /** Names of tensors made before this node: the network's input or earlier nodes. */
  readonly inputs: readonly string[];
  /** Where the node stands in its file; messages start with it, else with the node's name. */
  readonly position?: SourcePosition | undefined;
}

export interface GraphDescription {
  readonly name: string;
  readonly description: string;
  readonly input: NetworkInput;
  /** In topological order. */
  readonly nodes: readonly NodeDescription[];
  /** Tensors handed back by the network; absent = those that no node reads. */
  readonly outputs?: readonly string[] | undefined;
  readonly detector?: DetectorHead | undefined;
}

/**
 * The checked graph.
 * @throws InputError for names used twice, tensors nobody makes, a wrong number of inputs, bad attributes, shapes
 *   that do not fit, tensors beyond the bounds of `shape.ts`; it starts with the node's position, or its name.
 */
export function buildGraph(description: GraphDescription): Graph {
  const { name, input, detector } = description;
  if (input.name === '') throw new InputError(`network ${name}: the input has no name`);
  prefixed(`network ${name}`, undefined, () => checkShape(`input ${input.name}`, input.shape));
  if (description.nodes.length === 0)
    throw new InputError(`network ${name} has no nodes, expected at least one`);

  const later = new Set(description.nodes.map((node) => node.name));
  const shapes = new Map<string, Shape>([[input.name, input.shape]]);
  const parameterShapes = new Map<string, string>();
  const nodes: Node[] = [];
  for (const node of description.nodes) {
    prefixed(node.name, node.position, () => {
      const built = buildNode(node, shapes, later);
      shapes.set(built.name, built.outputShape);
      for (const parameter of built.parameters) {
        const shape = parameter.shape.join(' x ');
        const known = parameterShapes.get(parameter.name);
        if (known !== undefined && known !== shape) {
          throw new InputError(`weights ${parameter.name} are read as ${shape} here and as ${known} before`);
        }
        parameterShapes.set(parameter.name, shape);
      }
      nodes.push(built);
    });
  }

  const read = new Set(nodes.flatMap((node) => node.inputs));
  const outputs = description.outputs ?? nodes.map((node) => node.name).filter((made) => !read.has(made));
  if (outputs.length === 0) throw new InputError(`network ${name} names no outputs, expected at least one`);
  for (const output of outputs) {
    if (!nodes.some((node) => node.name === output)) {
      throw new InputError(`network ${name}: output ${output} is made by no node`);
    }
  }
  if (new Set(outputs).size !== outputs.length) {
    throw new InputError(`network ${name} names an output twice`);
  }
  return {
    name,
    description: description.description,
    input,
    nodes,
    outputs: [...outputs],
    ...(detector === undefined ? {} : { detector }),
  };
}

function buildNode(
  node: NodeDescription,
  shapes: ReadonlyMap<string, Shape>,
  all: ReadonlySet<string>,
): Node {
  const { name, op } = node;
  if (name === '') throw new InputError('the node has no name');
  if (shapes.has(name)) throw new InputError(`the name ${name} is used twice`);
  checkArity(op, node.inputs.length);
  const inputShapes = node.inputs.map((read) => {
    const shape = shapes.get(read);
    if (shape === undefined) {
      throw new InputError(
        all.has(read)
          ? `reads ${read}, which this node or a later one makes; nodes must stand in the order they run`
          : `reads ${read}, which nothing makes`,
      );
    }
    return shape;
  });
  const attributes = parseAttributes(op.attributes, node.attributes ?? {});
  const outputShape = op.inferShape(attributes, inputShapes);
  checkShape('the output', outputShape);
  const parameters = op.parameters?.(name, attributes, inputShapes) ?? [];
  for (const parameter of parameters) checkElements(parameter.name, parameter.shape);
  return { name, op, attributes, inputs: [...node.inputs], inputShapes, outputShape, parameters };
}

function checkArity({ name, inputs }: AnyOp, given: number): void {
  const [least, most] = typeof inputs === 'number' ? [inputs, inputs] : inputs;
  if (given >= least && given <= most) return;
  const expected = least === most ? least : `${least} to ${most}`;
  throw new InputError(`${name} reads ${expected} tensor(s), got ${given}`);
}

function parseAttributes(schema: z.ZodObject, raw: unknown): unknown {
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const field = issue.path[0];
  const path = issue.path.join('.');
  // "Invalid input" is all that a union can say; the field's description says what would have been right.
  const about = typeof field === 'string' ? schema.shape[field] : undefined;
  const expected = (about as z.ZodType | undefined)?.description;
  const detail =
    issue.code === 'invalid_union' && expected !== undefined
      ? `does not fit; expected: ${expected}`
      : issue.message;
  throw new InputError(path === '' ? detail : `${path}: ${detail}`);
}

/** Runs `work` and puts where it happened in front of an `InputError` that does not say so yet. */
function prefixed(name: string, position: SourcePosition | undefined, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof InputError) || error.position !== undefined) throw error;
    const message = `${name}: ${error.message}`;
    throw position === undefined ? new InputError(message) : new InputError(message, position);
  }
}
