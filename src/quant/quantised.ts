/** The quantised network as data: integers that fully decide what the machine computes. */
import type {
  AccumulatorFormat,
  ChannelRequantisation,
  IntegerFormat,
  OutputRange,
  Rounding,
} from '../core/fixed-point.ts';
import type { Shape } from '../graph/graph.ts';
import type { IntegerValues } from '../graph/op.ts';
import type { Layer, LayeredNetwork } from './layers.ts';

/** real value = scale * (integer - zeroPoint). */
export interface QuantisedTensor {
  readonly name: string;
  readonly shape: Shape;
  readonly scale: number;
  readonly zeroPoint: number;
  readonly format: IntegerFormat;
}

export interface QuantisedLayer {
  readonly layer: Layer;
  /** `array`: [filters][channels per group][kernel rows][kernel columns]; int8 up to 8 bits, else int16. */
  readonly weights?: Int8Array | Int16Array;
  /**
   * `array`, `activation`, `sum`: one entry an output channel. `join`: one entry an output channel, made for the
   * input that channel comes from; {bias 0, multipliers 1, shift 0} where its values pass as they are.
   */
  readonly channels?: readonly ChannelRequantisation[];
  /** `sum`: value = sum over inputs of multiplier * (integer - zero point), exact (37 bits); 1..65535 each. */
  readonly operandMultipliers?: readonly number[];
  /** Saturation of what the requantiser makes. With a table this is the range of the table's index. */
  readonly output: OutputRange;
  /** Table by index - output.low; values of the output tensor's format. */
  readonly table?: IntegerValues;
  /** With a table: scale of its index, real = indexScale * (index - output.zeroPoint). */
  readonly indexScale?: number;
  /** `array`: some input could leave the accumulator's range; false is proof that none can. */
  readonly mayOverflow?: boolean;
}

/** How accumulators are scaled back: by powers of two alone, or by an integer multiplier and a shift. */
export type RequantisationForm = 'shift' | 'multiplier';

/** Everything that decides the integers, besides the weights and the calibrated ranges. */
export interface NumberOptions {
  readonly activations: IntegerFormat & {
    /** Symmetric: zero point 0 (unsigned: values below zero saturate); else the range is used fully. */
    readonly symmetric: boolean;
  };
  /** 1..8 or 16; 1 = {-1, +1}. */
  readonly weightBits: number;
  /** One a filter; one for all; or one for the filters of a group that a cross-channel maximum reduces, else one a filter. */
  readonly weightScales: 'per channel' | 'per tensor' | 'per group';
  readonly form: RequantisationForm;
  /** 8..32; with accumulator.bits at most 64 in all. */
  readonly multiplierBits: number;
  readonly rounding: Rounding;
  readonly accumulator: AccumulatorFormat;
}

export interface QuantisedNetwork {
  readonly network: LayeredNetwork;
  readonly numbers: NumberOptions;
  readonly tensors: ReadonlyMap<string, QuantisedTensor>;
  /** In the order of `network.layers`. */
  readonly layers: readonly QuantisedLayer[];
}
