/**
 * The operator contract. An operator is one folder in `ops/` that exports one `defineOp({...})`, plus one line in
 * `ops/index.ts`; nothing else in the project knows it by name.
 */
import type * as tfjs from '@tensorflow/tfjs-core';
import type { z } from 'zod';
import type { AccumulatorFormat, OverflowCount, Rounding } from '../core/fixed-point.ts';
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

/** Cross-channel pooling: one map out of every `ratio` consecutive ones. */
export interface CrossChannelReduction {
  readonly kind: 'maximum' | 'mean';
  readonly ratio: number;
}

/** How a map's values move without changing. */
export type Rearrangement =
  /** Every value repeated over a block: out[c][y][x] = in[c][floor(y / rows)][floor(x / columns)]. */
  | { readonly kind: 'upsample'; readonly factor: readonly [rows: number, columns: number] }
  /** Blocks become channels: out[(dy * block + dx) * C + c][y][x] = in[c][y * block + dy][x * block + dx]. */
  | { readonly kind: 'blocksToChannels'; readonly block: number }
  /**
   * The same on other shapes: the values in their order, [channel][row][column], are read as block^2 times fewer channels of
   * block times the sides; what blocksToChannels makes of that is read as block^2 times the channels of a block-th of the
   * sides.
   */
  | { readonly kind: 'flatBlocksToChannels'; readonly block: number };

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
 * - `table`: any other function of one value, looked up behind the requantiser in front.
 * - `crossChannel`: maximum or mean of every `ratio` consecutive channels; keeps the scale.
 * - `pool`: spatial pooling; keeps the scale.
 * - `sum`: elementwise sum of its inputs, each brought to a common scale.
 * - `join`: its inputs one after the other along the channels, each brought to the output's scale.
 * - `rearrange`: values move, none changes; keeps the scale.
 * - `host`: runs in float on the host, behind the machine's outputs only.
 * - `given`: reads nothing; its map lies in DRAM before the run, as the network's input does.
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
      /**
       * All parameters, by short name, of the same operator with every weight multiplied by inputs[its channel] *
       * outputs[its filter] and every bias by outputs[its filter]. Absent = its weights are not free to choose.
       */
      rescale?(
        attributes: A,
        input: Shape,
        read: ParameterReader,
        inputs: Float64Array,
        outputs: Float64Array,
      ): ReadonlyMap<string, Float32Array>;
    }
  | {
      readonly stage: 'affine';
      /** y = scale * x + offset, per channel. */
      affine(attributes: A, read: ParameterReader): { scale: Float32Array; offset: Float32Array };
      /** The parameters to replace, by short name, so that y comes out multiplied by outputs[its channel]. */
      rescale(attributes: A, read: ParameterReader, outputs: Float64Array): ReadonlyMap<string, Float32Array>;
    }
  | { readonly stage: 'activation'; activation(attributes: A): RequantisableActivation }
  | { readonly stage: 'table'; evaluate(attributes: A, x: number): number }
  | { readonly stage: 'crossChannel'; reduction(attributes: A): CrossChannelReduction }
  | { readonly stage: 'pool'; pooling(attributes: A, input: Shape, output: Shape): PoolingGeometry }
  | { readonly stage: 'sum' }
  | { readonly stage: 'join' }
  | { readonly stage: 'rearrange'; rearrangement(attributes: A, input: Shape, output: Shape): Rearrangement }
  | { readonly stage: 'host' }
  | {
      readonly stage: 'given';
      /** [channels][rows][columns], of a mean square next to 1. */
      values(attributes: A): Float32Array;
    };

export interface OpDefinition<A> {
  /** The name a model file uses. */
  readonly name: string;
  /** One sentence for the documentation and the JSON Schema. */
  readonly summary: string;
  /** Attributes in a model file, defaults filled in. */
  readonly attributes: z.ZodObject;
  /** Tensors read; [least, most] where that varies. */
  readonly inputs: number | readonly [least: number, most: number];
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
   *
   * `array`: accumulators without bias, summing weight * (value - zero point of the input) in the order channel,
   * kernel row, kernel column, under the accumulator's rule. `crossChannel`, `pool`, `rearrange`: integers of the
   * input's format. Others are requantised from their inputs and have no integer rule of their own.
   */
  integer?(
    attributes: A,
    inputs: readonly IntegerMap[],
    output: Shape,
    array: ArrayArithmetic | undefined,
  ): Int32Array | Float64Array;
}

/** What an `array` operator's integer rule sums with. */
export interface ArrayArithmetic {
  /** [filters][channels per group][kernel rows][kernel columns]. */
  readonly weights: Int8Array | Int16Array;
  readonly accumulator: AccumulatorFormat;
  /** False promises that no sum leaves the accumulator, in whatever order it is made. */
  readonly mayOverflow: boolean;
  readonly overflows: OverflowCount;
}

/** Integers of a quantised tensor: int8, uint8, int16 or uint16 by its format's container and sign. */
export type IntegerValues = Int8Array | Uint8Array | Int16Array | Uint16Array;

/** An integer feature map in C-order [channels][rows][columns]. */
export interface IntegerMap {
  readonly shape: Shape;
  readonly data: IntegerValues;
  /** The integer that stands for real zero; padding has this value. */
  readonly zeroPoint: number;
  /** How averages are rounded. */
  readonly rounding: Rounding;
}

/** Gives an operator its attribute type from its schema, so that its rules are checked against it. */
export function defineOp<S extends z.ZodObject>(
  definition: OpDefinition<z.output<S>> & { readonly attributes: S },
): OpDefinition<z.output<S>> {
  return definition;
}
