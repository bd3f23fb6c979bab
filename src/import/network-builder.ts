/** A graph of ours while a reader makes it from a file: nodes in running order, their shapes, and where their weights come from. */
import { InputError, type SourcePosition } from '../core/diagnostics.ts';
import { sum } from '../core/integers.ts';
import { buildGraph } from '../graph/build.ts';
import { checkDetector } from '../graph/detector-head.ts';
import type { AnyOp, DetectorHead, Graph, InputPreparation, ParameterValues, Shape } from '../graph/graph.ts';
import { parameterCount } from '../graph/parameters.ts';
import { checkElements, checkShape, MAXIMUM_ELEMENTS } from '../graph/shape.ts';
import { convolution } from '../ops/convolution/convolution.ts';

/** Makes a parameter's values, in our order, when they are first asked for. */
export type ParameterMaker = () => Float32Array;
/** By the operator's own names for its parameters ("filters"). */
export type ParameterMakers = Readonly<Record<string, ParameterMaker>>;

export interface DraftNode {
  readonly name: string;
  op: AnyOp;
  attributes: Readonly<Record<string, unknown>>;
  readonly inputs: readonly string[];
  readonly inputShapes: readonly Shape[];
  readonly shape: Shape;
  makers: ParameterMakers;
  readonly position: SourcePosition | undefined;
}

export interface BuiltNetwork {
  readonly graph: Graph;
  /** Makes all parameters, once. @throws InputError as the makers do */
  readonly parameters: () => ParameterValues;
}

/** A name of letters that every format of ours takes. */
export function plainName(wanted: string, otherwise: string): string {
  const plain = wanted
    .replace(/[^A-Za-z0-9_./-]/g, '_')
    .replace(/^[^A-Za-z_]+/, '')
    .slice(0, 90);
  return plain === '' ? otherwise : plain;
}

export class NetworkBuilder {
  readonly #nodes = new Map<string, DraftNode>();
  readonly #names = new Set<string>();
  readonly input: { readonly name: string; readonly shape: Shape };

  /** @throws InputError for shapes beyond the bounds of `shape.ts` */
  constructor(name: string, shape: Shape) {
    checkShape('the input', shape);
    this.input = { name: plainName(name, 'input'), shape };
    this.#names.add(this.input.name);
  }

  shapeOf(tensor: string): Shape {
    return tensor === this.input.name ? this.input.shape : this.#nodes.get(tensor)!.shape;
  }

  /** The node that makes a tensor; none for the input. */
  node(tensor: string): DraftNode | undefined {
    return this.#nodes.get(tensor);
  }

  /**
   * Adds a node and hands back its tensor's name: the one wanted, or one like it that is free.
   * @throws InputError for attributes or inputs that the operator does not take
   */
  emit(
    wanted: string,
    op: AnyOp,
    attributes: Readonly<Record<string, unknown>>,
    inputs: readonly string[],
    makers: ParameterMakers = {},
    position?: SourcePosition,
  ): string {
    const inputShapes = inputs.map((tensor) => this.shapeOf(tensor));
    const [least, most] = typeof op.inputs === 'number' ? [op.inputs, op.inputs] : op.inputs;
    if (inputs.length < least || inputs.length > most) {
      throw new InputError(`reads ${inputs.length} maps, expected ${least} to ${most}`);
    }
    const parsed = parsedAttributes(op, attributes);
    const shape = op.inferShape(parsed, inputShapes);
    checkShape('the output', shape);
    for (const parameter of op.parameters?.('', parsed, inputShapes) ?? []) {
      checkElements(parameter.shortName, parameter.shape);
    }
    const name = this.#freeName(wanted);
    this.#nodes.set(name, { name, op, attributes, inputs, inputShapes, shape, makers, position });
    return name;
  }

  #freeName(wanted: string): string {
    const stem = plainName(wanted, 'layer');
    let name = stem;
    for (let count = 2; this.#names.has(name); count++) name = `${stem}_${count}`;
    this.#names.add(name);
    return name;
  }

  /**
   * The graph of what the outputs need.
   * @throws InputError as `buildGraph` does, and for more than 2^28 parameters
   */
  finish(description: {
    readonly name: string;
    readonly preparation: InputPreparation;
    readonly outputs: readonly string[];
    readonly detector?: DetectorHead | undefined;
  }): BuiltNetwork {
    const { name, preparation, detector } = description;
    const outputs = [...new Set(description.outputs)];
    if (outputs.includes(this.input.name)) throw new InputError('hands its input back, expected layers');
    const nodes = this.#needed(outputs);
    this.#separateAffine(nodes, new Set(outputs));
    const graph = buildGraph({
      name: plainName(name, 'model'),
      description: '',
      input: { ...this.input, preparation },
      nodes,
      outputs,
      detector,
    });
    const parameters = sum(graph.nodes.map(parameterCount));
    if (parameters > MAXIMUM_ELEMENTS) {
      throw new InputError(`has ${parameters} parameters, expected at most ${MAXIMUM_ELEMENTS} (2^28)`);
    }
    checkDetector(graph);
    let values: ParameterValues | undefined;
    return {
      graph,
      parameters: () => {
        values ??= new Map(
          graph.nodes.flatMap((node) => {
            const { makers } = this.#nodes.get(node.name)!;
            return node.parameters.map((one) => [one.name, makers[one.shortName]!()] as const);
          }),
        );
        return values;
      },
    };
  }

  #needed(outputs: readonly string[]): DraftNode[] {
    const wanted = new Set(outputs);
    const kept = [...this.#nodes.values()].reverse().filter(({ name, inputs }) => {
      if (!wanted.has(name)) return false;
      for (const input of inputs) wanted.add(input);
      return true;
    });
    return kept.reverse();
  }

  /** Batch normalisation that no convolution right in front can take becomes a convolution of one cell and a channel each. */
  #separateAffine(nodes: readonly DraftNode[], outputs: ReadonlySet<string>): void {
    const readers = new Map<string, number>();
    for (const input of nodes.flatMap(({ inputs }) => inputs)) {
      readers.set(input, (readers.get(input) ?? 0) + 1);
    }
    for (const node of nodes) {
      const { machine } = node.op;
      if (machine.stage !== 'affine') continue;
      const source = this.#nodes.get(node.inputs[0]!);
      const stage = source?.op.machine.stage;
      const folds =
        source !== undefined &&
        (stage === 'array' || stage === 'affine') &&
        readers.get(source.name) === 1 &&
        !outputs.has(source.name);
      if (folds) continue;
      const { makers } = node;
      const attributes = parsedAttributes(node.op, node.attributes);
      const values = () => machine.affine(attributes, (shortName) => makers[shortName]!());
      node.op = convolution;
      node.attributes = { groups: 'depthwise', kernel: 1 };
      node.makers = { filters: () => values().scale, bias: () => values().offset };
    }
  }
}

function parsedAttributes(op: AnyOp, attributes: object): unknown {
  const result = op.attributes.safeParse(attributes);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new InputError([...issue.path.map(String), issue.message].join(': '));
}
