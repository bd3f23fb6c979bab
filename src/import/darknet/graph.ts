/** What Darknet's layers make of a graph of ours: which tensor each layer's number stands for, and the heads. */
import { quote } from '../../config/source.ts';
import { assert, InputError } from '../../core/diagnostics.ts';
import type { AnyOp, DetectorHead, Shape } from '../../graph/graph.ts';
import type { NetworkBuilder, ParameterMakers } from '../network-builder.ts';
import type { Section } from '../sections.ts';
import type { DarknetWeights, WeightBlock, WeightPlan } from './weights.ts';

/** A layer's output; a head's is what it decodes, and no layer may read that. */
export interface LayerResult {
  readonly tensor: string;
  readonly head?: DetectorHead;
}

export type LayerReader = (section: Section, graph: DarknetGraph) => LayerResult;

export class DarknetGraph {
  readonly #results: LayerResult[] = [];
  #section: Section | undefined;

  constructor(
    private readonly builder: NetworkBuilder,
    readonly plan: WeightPlan,
    private readonly opened: { weights?: DarknetWeights },
    private readonly classes: readonly string[] | undefined,
  ) {}

  add(section: Section, read: LayerReader): void {
    this.#section = section;
    this.#results.push(read(section, this));
  }

  /** The number of the layer that is being read. */
  get index(): number {
    return this.#results.length;
  }

  shapeOf(tensor: string): Shape {
    return this.builder.shapeOf(tensor);
  }

  get inputName(): string {
    return this.builder.input.name;
  }

  /** The tensor of the layer in front. */
  get previous(): string {
    return this.index === 0 ? this.builder.input.name : this.#readable(this.index - 1);
  }

  /** The tensor that `key` names: a layer's number, or below zero its distance. */
  layer(section: Section, key: string, number: number): string {
    const at = number < 0 ? this.index + number : number;
    if (at < 0 || at >= this.index) {
      throw new InputError(
        `${key}: ${number} is layer ${at}, expected one of the ${this.index} layers in front of this one`,
        section.positionOf(key),
      );
    }
    return this.#readable(at);
  }

  #readable(at: number): string {
    const { tensor, head } = this.#results[at]!;
    if (head !== undefined) {
      throw new InputError(`reads layer ${at}, a detection head, expected a layer that makes a map`);
    }
    return tensor;
  }

  /** Adds a node called after the layer. */
  emit(
    what: string,
    op: AnyOp,
    attributes: Readonly<Record<string, unknown>>,
    inputs: readonly string[],
    makers: ParameterMakers = {},
  ): string {
    return this.builder.emit(what, op, attributes, inputs, makers, this.#section?.position);
  }

  take(what: string, length: number): WeightBlock {
    return this.plan.take(`layer ${this.index}: ${what}`, length);
  }

  values(block: WeightBlock, source?: (index: number) => number): Float32Array {
    assert(this.opened.weights !== undefined, 'weights are asked for before they are there');
    return this.opened.weights.read(block, source);
  }

  classNames(count: number): string[] {
    if (this.classes !== undefined && this.classes.length !== count) {
      throw new InputError(
        `classes: ${count}, but the .names file beside has ${this.classes.length} (${quote(this.classes[0] ?? '')} ...)`,
      );
    }
    return [...(this.classes ?? Array.from({ length: count }, (_, i) => `class${i}`))];
  }

  /** The network's outputs: what its heads read, or the last layer's map. */
  outputs(): { outputs: string[]; detector?: DetectorHead } {
    const heads = this.#results.filter(({ head }) => head !== undefined);
    const last = this.#results.at(-1);
    if (last === undefined) throw new InputError('has no layers, expected at least one');
    if (heads.length === 0) return { outputs: [last.tensor] };
    const outputs = heads.map(({ tensor }) => tensor);
    const [{ head: first }] = heads as [LayerResult];
    assert(first !== undefined, 'a head without a head');
    if (heads.length === 1) return { outputs, detector: first };
    if (new Set(outputs).size < outputs.length) {
      throw new InputError('has two heads on one map, expected a map for each');
    }
    return { outputs, detector: joinHeads(heads.map(({ head }) => head!)) };
  }
}

/** One head of several outputs. Their anchors are listed one after the other, those that are the same once. */
function joinHeads(heads: readonly DetectorHead[]): DetectorHead {
  const [first] = heads as [DetectorHead];
  const anchors: (readonly [number, number])[] = [];
  const masks = heads.map((head) => {
    if (head.kind !== first.kind || head.classes.length !== first.classes.length) {
      throw new InputError('has heads of several kinds or numbers of classes, expected the same for all');
    }
    const own = head.masks?.[0] ?? head.anchors.map((_, i) => i);
    return own.map((index) => {
      const anchor = head.anchors[index]!;
      const known = anchors.findIndex((one) => one.join() === anchor.join());
      return known === -1 ? anchors.push(anchor) - 1 : known;
    });
  });
  return { ...first, anchors, masks };
}
