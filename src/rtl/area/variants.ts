/** What other cross-channel pooling units would cost on a machine: each a configuration, measured as a whole machine. */
import {
  type CrossChannelPoolConfig,
  crossChannelBytes,
  crossChannelEntries,
  crossChannelValueBits,
  handoverColumns,
} from '../../hw/cross-channel-pool/config.ts';
import type { MachineConfig } from '../../hw/machine/config.ts';
import { parameterRecordBytes } from '../../hw/requantise/parameters.ts';
import { requantisers } from '../../hw/requantise/verilog.ts';
import { type MeasureOptions, measureMachines, withoutCcp } from './measure.ts';

export interface CcpVariant {
  /** What `postProcessing.crossChannelPool` says of it. */
  readonly config: Pick<CrossChannelPoolConfig, 'maximumRatio' | 'form' | 'position' | 'depth'>;
  /** Values that leave the chain in one cycle at most: rows times columns handed over. */
  readonly lanes: number;
  /** Bits of a value as its bytes are counted. */
  readonly bits: number;
  /** Maxima kept. */
  readonly entries: number;
  readonly bufferBytes: number;
  /** Requantisers a row. */
  readonly requantisers: number;
  /** What the parameter buffer gives in one cycle. */
  readonly recordBytes: number;
  /** Of the machine with this unit less the one with none: chain, requantisers and buffers' logic included. */
  readonly extraGates: number;
  readonly extraFlipFlops: number;
  /** Of all gates of the machine with this unit. */
  readonly extraGateFraction: number;
}

/** The machine with another unit; means are left out, which only one form can take and which have no RTL. */
export function withUnit(machine: MachineConfig, config: CcpVariant['config']): MachineConfig {
  const { postProcessing } = machine;
  return {
    ...machine,
    postProcessing: { ...postProcessing, crossChannelPool: { ...config, mean: false } },
  };
}

/** The units that are compared; trees only where they share out the columns. */
export function variantConfigs({ peArray }: MachineConfig): CcpVariant['config'][] {
  const running = (position: 'after' | 'before', depth: number) =>
    ({ form: 'running', position, depth, maximumRatio: 16 }) as const;
  const trees = [2, 4, 8].filter((ratio) => peArray.columns % ratio === 0);
  const tree = (position: 'after' | 'before', maximumRatio: number) =>
    ({ form: 'tree', position, depth: 1, maximumRatio }) as const;
  return [
    running('after', 1),
    running('after', 4),
    running('after', 16),
    running('before', 1),
    running('before', 4),
    ...trees.map((ratio) => tree('after', ratio)),
    ...trees.map((ratio) => tree('before', ratio)),
  ];
}

/** Synthesises them. */
export async function measureVariants(
  machine: MachineConfig,
  options: MeasureOptions,
): Promise<CcpVariant[]> {
  const { peArray } = machine;
  const configs = variantConfigs(machine);
  const variants = configs.map((config) => withUnit(machine, config));
  const [without, ...measured] = await measureMachines([withoutCcp(machine), ...variants], options);
  const gatesWithout = totalOf(without!, ({ gates }) => gates);
  const flipFlopsWithout = totalOf(without!, ({ count, flipFlopsEach }) => count * flipFlopsEach);
  return configs.map((config, index) => {
    const unit = { ...config, mean: false };
    const variant = variants[index]!;
    const gates = totalOf(measured[index]!, (one) => one.gates);
    const handover = handoverColumns(unit, peArray.columns);
    return {
      config,
      lanes: peArray.rows * handover,
      bits: crossChannelValueBits(unit, peArray),
      entries: crossChannelEntries(unit, peArray),
      bufferBytes: crossChannelBytes(unit, peArray),
      requantisers: requantisers(variant),
      recordBytes: handover * parameterRecordBytes(variant),
      extraGates: gates - gatesWithout,
      extraFlipFlops:
        totalOf(measured[index]!, ({ count, flipFlopsEach }) => count * flipFlopsEach) - flipFlopsWithout,
      extraGateFraction: (gates - gatesWithout) / gates,
    };
  });
}

function totalOf<T>(list: readonly T[], value: (one: T) => number): number {
  return list.reduce((total, one) => total + value(one), 0);
}
