/** What a machine with `memory: ideal-infinite` has for everything that its file may leave out. */
import type { MachineConfig } from './config.ts';

/** As much as a command can address. */
const bytes = 2 ** 24;

/** Sections that such a machine need not describe. Their figures decide about nothing but energy. */
export const idealSections: Pick<MachineConfig, 'buffers' | 'dma' | 'sequencer' | 'dram'> = {
  buffers: {
    feature: { bytes, banks: 256 },
    weight: { bytes },
    parameter: { bytes },
    accumulator: { bytes },
    pool: { bytes },
    output: { bytes },
  },
  dma: { burstBytes: 256, outstandingReads: 64, outstandingWrites: 64, descriptorCycles: 0, moves: true },
  sequencer: { queueDepth: 32, startCycles: 0 },
  dram: { kind: 'ideal', bandwidthMBps: 10_000_000, latencyNs: 0, capacityMiB: 4096 },
};

/** The machine as a program is made for it: an ideal, infinite memory has buffers that hold anything, and no banks that meet. */
export function withoutLimits(machine: MachineConfig): MachineConfig {
  if (machine.memory === 'modelled') return machine;
  const { buffers, dma, sequencer, dram } = idealSections;
  return {
    ...machine,
    buffers: { ...buffers, feature: { bytes, banks: Number.POSITIVE_INFINITY } },
    dma,
    sequencer,
    dram,
  };
}
