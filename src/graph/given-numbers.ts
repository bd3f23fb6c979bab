/** Number formats that a quantised file brings with it: scales, zero points and integer weights, as they stand there. */
import type { IntegerFormat } from '../core/fixed-point.ts';

/** real = scale * (integer - zeroPoint). */
export interface GivenTensor {
  readonly scale: number;
  readonly zeroPoint: number;
  readonly format: IntegerFormat;
}

/** Integer weights of an array node; real = scale of the filter * integer. */
export interface GivenFilters {
  /** [filters][channels per group][kernel rows][kernel columns], zero points taken off. */
  readonly weights: Int8Array | Int16Array;
  /** One a filter. */
  readonly scales: readonly number[];
  /** In units of input scale * filter scale; absent = the node's float bias, rounded to that unit. */
  readonly biases?: readonly number[];
}

export interface GivenNumbers {
  /** All of this width and sign; the file's may differ in sign, which shifts integers and zero points alike. */
  readonly activations: IntegerFormat;
  /** 1..8 or 16. */
  readonly weightBits: number;
  /** By tensor name: the network's input, and every tensor that the file quantises. */
  readonly tensors: ReadonlyMap<string, GivenTensor>;
  /** By name of the array node. */
  readonly filters: ReadonlyMap<string, GivenFilters>;
  /** Tensors that a layer must stop at: melting the next node into it would leave one of the file's roundings out. */
  readonly apart: ReadonlySet<string>;
}
