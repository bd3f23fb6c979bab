/** What the readers of layers share: the graph they add to, the weights they ask for, and what a value stands for. */
import { quote } from '../../config/source.ts';
import { InputError, type SourcePosition } from '../../core/diagnostics.ts';
import type { AnyOp, Shape } from '../../graph/graph.ts';
import type { NetworkBuilder, ParameterMaker, ParameterMakers } from '../network-builder.ts';
import type { NamedTensors } from '../parameters.ts';
import type { WeightGroups } from '../tfjs-weights.ts';
import type { KerasLayer } from './layer.ts';

export interface Edges {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** A layer's output: a map of ours under Keras' view of it. */
export interface Value {
  readonly tensor: string;
  /** Flattened: row after row, a cell's channels side by side. */
  readonly flat?: boolean;
  /** Zeros around it that no layer has taken up yet. */
  readonly padding?: Edges;
}

/** The weights that a model's manifest lists; without one, there are none. */
export interface WeightSource {
  readonly groups: WeightGroups;
  readonly file: string;
  positionOf(path: readonly (string | number)[]): SourcePosition;
  /** Reads the shards when first asked. */
  tensors(): NamedTensors;
}

export class TfjsContext {
  /** (pixel - mean) / divisor, where a Rescaling layer comes first. */
  rescaling: { readonly scale: number; readonly offsets: readonly number[] } | undefined;
  readonly #shapes = new Map<
    string,
    { readonly shape: readonly number[]; readonly position: SourcePosition }
  >();

  constructor(
    readonly builder: NetworkBuilder,
    private readonly weights: WeightSource | undefined,
  ) {
    for (const [g, group] of (weights?.groups ?? []).entries()) {
      for (const [w, { name, shape }] of group.weights.entries()) {
        this.#shapes.set(name, { shape, position: weights!.positionOf([g, 'weights', w, 'shape']) });
      }
    }
  }

  shapeOf({ tensor }: Value): Shape {
    return this.builder.shapeOf(tensor);
  }

  emit(
    layer: KerasLayer,
    part: string,
    op: AnyOp,
    attributes: Readonly<Record<string, unknown>>,
    inputs: readonly string[],
    makers: ParameterMakers = {},
  ): string {
    return this.builder.emit(
      part === '' ? layer.name : `${layer.name}/${part}`,
      op,
      attributes,
      inputs,
      makers,
      layer.positionOf(),
    );
  }

  /**
   * A weight of a layer, under the name that Keras gives it.
   * @throws InputError when the manifest lacks it, or has it in another shape
   */
  weight(layer: KerasLayer, what: string, shape: readonly number[]): ParameterMaker {
    const { weights } = this;
    if (weights === undefined) return () => new Float32Array(0);
    const name = this.#weightName(layer, what, weights);
    const found = this.#shapes.get(name)!;
    if (found.shape.join() !== shape.join()) {
      throw new InputError(
        `shape: ${quote(name)} is [${found.shape.join(', ')}], expected [${shape.join(', ')}] for ${layer.title}`,
        found.position,
      );
    }
    return () => weights.tensors().get(name)!.values;
  }

  /** <layer>/<what>, or the one name that ends so: layers of layers put their own names in front. */
  #weightName(layer: KerasLayer, what: string, { file }: WeightSource): string {
    const own = `${layer.name}/${what}`;
    if (this.#shapes.has(own)) return own;
    const ends = [...this.#shapes.keys()].filter((name) => name.endsWith(`/${own}`));
    if (ends.length === 1) return ends[0]!;
    throw new InputError(`has no weights ${quote(own)}, expected them for ${layer.title}`, { file });
  }
}
