/** A small machine with every unit, whose sums overflow now and then. */
import { type MachineConfig, machineSchema } from '../../src/hw/machine/config.ts';

export const smallMachine: MachineConfig = machineSchema.parse({
  name: 'small',
  clockMHz: 100,
  peArray: {
    rows: 4,
    columns: 4,
    dataflow: 'output-stationary',
    activationBits: 8,
    weightBits: 6,
    accumulatorBits: 18,
    pipelineDepth: 3,
    depthwise: { kernel: 2 },
  },
  buffers: {
    feature: { bytes: 4096, banks: 4 },
    weight: { bytes: 4096 },
    parameter: { bytes: 1024 },
    accumulator: { bytes: 4096 },
    pool: { bytes: 1024 },
    output: { bytes: 2048 },
  },
  postProcessing: {
    requantise: { form: 'multiplier', lookupTable: { bytes: 256 } },
    pipelineDepth: 4,
    crossChannelPool: { maximumRatio: 8 },
    spatialPool: { maximumWindow: 4 },
  },
  dma: { burstBytes: 16, outstandingReads: 4, outstandingWrites: 4, descriptorCycles: 4 },
  sequencer: { queueDepth: 16, startCycles: 4 },
  dram: { kind: 'ideal', bandwidthMBps: 1000, latencyNs: 100, capacityMiB: 16 },
});
