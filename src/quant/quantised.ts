/** The quantised network as data: integers that fully decide what the machine computes. */
import type { ChannelRequantisation } from '../core/fixed-point.ts';
import type { Shape } from '../graph/graph.ts';
import type { Layer, LayeredNetwork } from './layers.ts';

/** real value = scale * integer. */
export interface QuantisedTensor {
  readonly name: string;
  readonly shape: Shape;
  readonly scale: number;
  readonly bits: 8;
}

export interface QuantisedLayer {
  readonly layer: Layer;
  /** `array` layers: int8 [filters][channels per group][kernel rows][kernel columns]. */
  readonly weights?: Int8Array;
  /** `array` and `activation` layers: one entry a filter (channel). */
  readonly channels?: readonly ChannelRequantisation[];
  /** Saturation bounds of the output. */
  readonly low: number;
  readonly high: number;
}

/** How accumulators are scaled back: by powers of two alone, or by an integer multiplier and a shift. */
export type RequantisationForm = 'shift' | 'multiplier';

export interface QuantisedNetwork {
  readonly network: LayeredNetwork;
  readonly form: RequantisationForm;
  readonly tensors: ReadonlyMap<string, QuantisedTensor>;
  /** In the order of `network.layers`. */
  readonly layers: readonly QuantisedLayer[];
}
