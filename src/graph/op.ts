/**
 * The operator contract. An operator is one folder in `ops/` that exports one `defineOp({...})`, plus one line in
 * `ops/index.ts`; nothing else in the project knows it by name.
 */
import type * as tfjs from '@tensorflow/tfjs-core';
import type { z } from 'zod';
import type { Shape } from './graph.ts';

/** The TensorFlow.js module, handed in so that no operator loads it: float rules run only where someone asks. */
export type Tf = typeof tfjs;
/** Float feature maps are NHWC with N = 1. */
export type FloatMap = tfjs.Tensor4D;

export interface ParameterSpec {
  /** Full name, `<node>/<parameter>` unless the node names another entry, as in a weight manifest. */
  readonly name: string;
  /** What the operator's own rules call it ("filters"); see `ParameterReader`. */
  readonly shortName: string;
  readonly shape: readonly number[];
  /** How a seeded generator fills it; `fanIn` is the number of products summed into one output. */
  readonly initial:
    | { readonly kind: 'weights'; readonly fanIn: number }
    | { readonly kind: 'bias' | 'gamma' | 'beta' | 'mean' | 'variance' };
  /** Whether the parameter still exists once the graph is folded (batch norm's vanish into the convolution). */
  readonly folded: boolean;
}

/** Reads a node's parameter by its short name ("filters"); throws if the node has none of that name. */
export type ParameterReader = (shortName: string) => Float32Array;

/** Piecewise-linear activation that the requantiser can carry: y = x above 0, slope * x below, at most `upper`. */
export interface RequantisableActivation {
  readonly negativeSlope: number;
  readonly upper?: number;
}

/** A convolution as the PE array sees it. Weights are [filters][channels per group][kernel rows][kernel columns]. */
export interface ConvolutionGeometry {
  readonly groups: number;
  readonly filters: number;
  readonly kernel: readonly [rows: number, columns: number];
  readonly stride: readonly [rows: number, columns: number];
  readonly dilation: readonly [rows: number, columns: number];
  /** Zero padding in front and behind, per axis. */
  readonly padding: {
    readonly top: number;
    readonly bottom: number;
    readonly left: number;
    readonly right: number;
  };
}

/** A spatial pooling as the pooling unit sees it. Positions outside the map are left out of the window. */
export interface PoolingGeometry {
  readonly kind: 'maximum' | 'average';
  readonly window: readonly [rows: number, columns: number];
  readonly stride: readonly [rows: number, columns: number];
  readonly padding: {
    readonly top: number;
    readonly bottom: number;
    readonly left: number;
    readonly right: number;
  };
  /** Average only: divide by the whole window's size even where it hangs over the edge. */
  readonly countIncludesPadding: boolean;
}

/**
 * What an operator is to the quantised machine. The kinds are the stages of the post-processing pipeline, not the
 * operators: several operators can share one, and the scheduler fuses by kind alone.
 *
 * - `array`: makes int32 accumulators on the PE array; what follows it requantises.
 * - `affine`: per-channel scale and offset, folded into the array operator in front before quantisation.
 * - `activation`: carried by the requantiser in front.
 * - `crossChannel`: maximum of every `ratio` consecutive channels; keeps the scale.
 * - `pool`: spatial pooling; keeps the scale.
 */
export type MachineRole<A> =
  | {
      readonly stage: 'array';
      convolution(attributes: A, input: Shape, output: Shape): ConvolutionGeometry;
      /** Float weights as [filters][channels per group][kernel rows][kernel columns], and the bias per filter. */
      weights(
        attributes: A,
        input: Shape,
        read: ParameterReader,
      ): { weights: Float32Array; bias: Float32Array };
    }
  | {
      readonly stage: 'affine';
      /** y = scale * x + offset, per channel. */
      affine(attributes: A, read: ParameterReader): { scale: Float32Array; offset: Float32Array };
    }
  | { readonly stage: 'activation'; activation(attributes: A): RequantisableActivation }
  | { readonly stage: 'crossChannel'; ratio(attributes: A): number }
  | { readonly stage: 'pool'; pooling(attributes: A, input: Shape, output: Shape): PoolingGeometry };

export interface OpDefinition<A> {
  /** The name a model file uses. */
  readonly name: string;
  /** One sentence for the documentation and the JSON Schema. */
  readonly summary: string;
  /** Attributes in a model file, defaults filled in. */
  readonly attributes: z.ZodObject;
  readonly inputs: number;
  /** Output shape, or an `InputError` without position that says what does not fit. */
  inferShape(attributes: A, inputs: readonly Shape[]): Shape;
  /** Parameters of a node called `node`; absent = none. */
  parameters?(node: string, attributes: A, inputs: readonly Shape[]): ParameterSpec[];
  /** Multiply-accumulates, padded taps counted; absent = none. */
  macs?(attributes: A, inputs: readonly Shape[], output: Shape): number;
  /** The float rule, on TensorFlow.js. */
  float(tf: Tf, attributes: A, inputs: readonly FloatMap[], read: ParameterReader, output: Shape): FloatMap;
  readonly machine: MachineRole<A>;
  /**
   * The integer rule, written plainly from the definition; shares no code with the simulator's kernels.
   * `array` operators make int32 accumulators without bias from int8 weights; the others make int8 maps.
   * `activation` operators apply themselves to the integers as they stand (scale 1), rounded half to even; between
   * two scales the requantiser carries them. `affine` operators have no integers of their own and throw.
   */
  integer(attributes: A, input: IntegerMap, output: Shape, weights: Int8Array | undefined): Int32Array;
}

/** An integer feature map in C-order [channels][rows][columns]. */
export interface IntegerMap {
  readonly shape: Shape;
  readonly data: Int8Array | Int32Array;
}

/** Gives an operator its attribute type from its schema, so that its rules are checked against it. */
export function defineOp<S extends z.ZodObject>(
  definition: OpDefinition<z.output<S>> & { readonly attributes: S },
): OpDefinition<z.output<S>> {
  return definition;
}
