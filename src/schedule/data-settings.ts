/** What a program takes from the quantised network; without data, values that cost the same. */
import { formatRange, type OutputRange } from '../core/fixed-point.ts';
import type { Layer } from '../quant/layers.ts';
import type { NumberOptions, QuantisedLayer, QuantisedNetwork } from '../quant/quantised.ts';
import type { Step } from './steps.ts';

export class DataSettings {
  private readonly layers: ReadonlyMap<Layer, QuantisedLayer>;

  constructor(
    private readonly numbers: NumberOptions,
    private readonly quantised: QuantisedNetwork | undefined,
  ) {
    this.layers = new Map(quantised?.layers.map((layer) => [layer.layer, layer]) ?? []);
  }

  get isUnsigned(): boolean {
    return !this.numbers.activations.signed;
  }

  /** The integer of real zero in a tensor; a stored virtual map has that of the layer it belongs to. */
  zeroPoint(tensor: string, step: Step): number {
    const { tensors } = this.quantised ?? {};
    return (tensors?.get(tensor) ?? tensors?.get(step.layers[0]!.output))?.zeroPoint ?? 0;
  }

  output(layer: Layer): OutputRange {
    const { low, high } = formatRange(this.numbers.activations);
    return this.layers.get(layer)?.output ?? { low, high, zeroPoint: 0, rounding: this.numbers.rounding };
  }

  mayOverflow(layer: Layer | undefined): boolean {
    const known = layer && this.layers.get(layer);
    // Only `false` is proof.
    return known?.weights !== undefined && known.mayOverflow !== false;
  }
}
