/** Random machines: odd arrays, buffers far too small for comfort, memories from absurdly slow to absurdly fast. */
import fc from 'fast-check';
import type { MachineConfig } from '../../src/hw/machine/config.ts';

const between = (min: number, max: number) => fc.integer({ min, max });
/** Evenly spread over powers of two, with any value in between. */
const sized = (min: number, max: number) =>
  fc
    .tuple(between(0, 1000), between(0, 1000))
    .map(([power, rest]) => Math.round(min * (max / min) ** ((power + rest / 1000) / 1001)));

const side = fc.oneof(between(1, 20), fc.constantFrom(4, 8, 16));

export const dramOf: fc.Arbitrary<MachineConfig['dram']> = fc.record({
  kind: fc.constant('ideal' as const),
  bandwidthMBps: fc.oneof(fc.constantFrom(1, 10_000_000), sized(1, 1_000_000)),
  latencyNs: fc.oneof(fc.constant(0), between(0, 1000), fc.constant(100_000)),
  capacityMiB: fc.constant(16),
});

export const randomMachine: fc.Arbitrary<MachineConfig> = fc.noBias(
  fc
    .record({
      rows: side,
      columns: side,
      moreBanks: fc.oneof(fc.constant(0), fc.nat(12)),
      clockMHz: fc.constantFrom(1, 100, 400, 997, 2000),
      bytes: fc.record({
        feature: sized(64, 16384),
        weight: sized(48, 8192),
        parameter: sized(48, 1024),
        accumulator: sized(128, 8192),
        pool: sized(32, 1024),
        output: sized(32, 4096),
      }),
      form: fc.constantFrom('shift' as const, 'multiplier' as const),
      maximumRatio: fc.option(fc.constantFrom(2, 4, 16), { freq: 3 }),
      maximumWindow: between(4, 8),
      depths: fc.tuple(between(1, 16), between(1, 32)),
      burstBytes: fc.constantFrom(16, 32, 64, 128, 256),
      outstanding: fc.tuple(fc.oneof(between(1, 4), between(1, 64)), fc.oneof(between(1, 4), between(1, 64))),
      descriptorCycles: fc.nat(10),
      queueDepth: between(4, 32),
      startCycles: between(0, 10),
      dram: dramOf,
    })
    .map((random) => ({
      name: 'random',
      description: '',
      clockMHz: random.clockMHz,
      peArray: {
        rows: random.rows,
        columns: random.columns,
        dataflow: 'output-stationary' as const,
        activationBits: 8 as const,
        weightBits: 8 as const,
        accumulatorBits: 32 as const,
        pipelineDepth: random.depths[0],
      },
      buffers: {
        feature: { bytes: random.bytes.feature, banks: random.rows + random.moreBanks },
        weight: { bytes: random.bytes.weight },
        parameter: { bytes: random.bytes.parameter },
        accumulator: { bytes: random.bytes.accumulator },
        pool: { bytes: random.bytes.pool },
        output: { bytes: random.bytes.output },
      },
      postProcessing: {
        requantise: random.form,
        pipelineDepth: random.depths[1],
        crossChannelPool: random.maximumRatio === null ? null : { maximumRatio: random.maximumRatio },
        spatialPool: { maximumWindow: random.maximumWindow },
      },
      dma: {
        burstBytes: random.burstBytes as MachineConfig['dma']['burstBytes'],
        outstandingReads: random.outstanding[0],
        outstandingWrites: random.outstanding[1],
        descriptorCycles: random.descriptorCycles,
      },
      sequencer: { queueDepth: random.queueDepth, startCycles: random.startCycles },
      dram: random.dram,
    })),
);
