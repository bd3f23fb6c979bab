/** What other cross-channel pooling units would cost on a machine: lanes, bits, depth, a tree, before the requantiser. */
import {
  type CrossChannelForm,
  crossChannelBits,
  crossChannelVerilog,
} from '../../hw/cross-channel-pool/verilog.ts';
import type { MachineConfig } from '../../hw/machine/config.ts';
import type { MeasureOptions } from './measure.ts';
import { synthesise } from './synthesise.ts';

export interface CcpVariant {
  /** Running maxima over channels that follow each other, or a tree over lanes that hold channels. */
  readonly form: 'running' | 'tree';
  /** Where it stands: on activations, or on sums that are still as wide as the accumulators. */
  readonly place: 'behind requantise' | 'before requantise';
  readonly lanes: number;
  readonly bits: number;
  /** Maxima held a lane; 0 for a tree. */
  readonly depth: number;
  /** Channels a tree takes the maximum of; null where the ratio is set by the command. */
  readonly ratio: number | null;
  readonly gates: number;
  readonly flipFlops: number;
  readonly logicDepth: number;
}

/** The forms that are compared, first the machine's own. */
function forms(machine: MachineConfig): CrossChannelForm[] {
  const { rows, accumulatorBits } = machine.peArray;
  const bits = crossChannelBits(machine);
  const running = (lanes: number, width: number, depth: number): CrossChannelForm => ({
    kind: 'running',
    lanes,
    bits: width,
    depth,
  });
  const trees = [2, 4, 8].filter((ratio) => rows % ratio === 0);
  return [
    running(rows, bits, 1),
    running(rows, machine.peArray.activationBits, 1),
    running(2 * rows, bits, 1),
    running(rows, bits, 4),
    running(rows, bits, 16),
    running(rows, accumulatorBits, 1),
    ...trees.map((ratio): CrossChannelForm => ({ kind: 'tree', lanes: rows, bits, ratio })),
    ...trees
      .slice(0, 1)
      .map((ratio): CrossChannelForm => ({ kind: 'tree', lanes: rows, bits: accumulatorBits, ratio })),
  ];
}

/** Synthesises them. */
export async function measureVariants(
  machine: MachineConfig,
  { library, cache, progress }: MeasureOptions,
): Promise<CcpVariant[]> {
  const list = forms(machine);
  const variants: CcpVariant[] = [];
  for (const form of list) {
    const { area, flipFlops, depth } = await synthesise(
      { module: crossChannelVerilog(form), below: [] },
      library,
      cache,
    );
    variants.push({
      form: form.kind,
      place: form.bits > crossChannelBits(machine) ? 'before requantise' : 'behind requantise',
      lanes: form.lanes,
      bits: form.bits,
      depth: form.kind === 'running' ? form.depth : 0,
      ratio: form.kind === 'tree' ? form.ratio : null,
      gates: area,
      flipFlops,
      logicDepth: depth,
    });
    progress?.(variants.length, list.length);
  }
  return variants;
}
