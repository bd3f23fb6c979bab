/** Machines for the tests of the Verilog: the smallest one can say, with anything changed. */
import { type MachineConfig, machineSchema } from './machine/config.ts';

type Change = {
  readonly peArray?: Partial<MachineConfig['peArray']>;
  readonly requantise?: Partial<MachineConfig['postProcessing']['requantise']>;
};

export function machineWith({ peArray, requantise }: Change): MachineConfig {
  return machineSchema.parse({
    name: 'test',
    clockMHz: 100,
    peArray: {
      rows: 2,
      columns: 2,
      dataflow: 'output-stationary',
      activationBits: 8,
      weightBits: 8,
      accumulatorBits: 32,
      pipelineDepth: 3,
      ...peArray,
    },
    buffers: {
      feature: { bytes: 4096, banks: 4 },
      weight: { bytes: 4096 },
      parameter: { bytes: 1024 },
      accumulator: { bytes: 1024 },
      pool: { bytes: 1024 },
      output: { bytes: 1024 },
    },
    postProcessing: {
      requantise: { form: 'multiplier', ...requantise },
      pipelineDepth: 4,
      crossChannelPool: { maximumRatio: 4 },
      spatialPool: { maximumWindow: 4 },
    },
    dma: { burstBytes: 64, outstandingReads: 4, outstandingWrites: 4, descriptorCycles: 4 },
    sequencer: { queueDepth: 4, startCycles: 4 },
    dram: { kind: 'ideal', bandwidthMBps: 1000, latencyNs: 100, capacityMiB: 1 },
  });
}
