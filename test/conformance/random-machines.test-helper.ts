/**
 * Random machines: odd arrays, buffers far too small for comfort, memories from absurdly slow to absurdly fast; and
 * random number formats, with a datapath that takes them.
 */
import fc from 'fast-check';
import { containerBytes, roundings } from '../../src/core/fixed-point.ts';
import { clamp } from '../../src/core/integers.ts';
import { crossChannelPoolSchema } from '../../src/hw/cross-channel-pool/config.ts';
import { sdramSchema } from '../../src/hw/dram/config.ts';
import type { MachineConfig } from '../../src/hw/machine/config.ts';
import type { NumberOptions } from '../../src/quant/quantised.ts';

const between = (min: number, max: number) => fc.integer({ min, max });
/** Evenly spread over powers of two, with any value in between. */
const sized = (min: number, max: number) =>
  fc
    .tuple(between(0, 1000), between(0, 1000))
    .map(([power, rest]) => Math.round(min * (max / min) ** ((power + rest / 1000) / 1001)));

const side = fc.oneof(between(1, 20), fc.constantFrom(4, 8, 16));

const idealDram: fc.Arbitrary<MachineConfig['dram']> = fc.record({
  kind: fc.constant('ideal' as const),
  bandwidthMBps: fc.oneof(fc.constantFrom(1, 10_000_000), sized(1, 1_000_000)),
  latencyNs: fc.oneof(fc.constant(0), between(0, 1000), fc.constant(100_000)),
  capacityMiB: fc.constant(16),
});

/** Small devices with legal timing, from leisurely to hurried, and any policy. */
const realDram: fc.Arbitrary<MachineConfig['dram']> = fc
  .record({
    channels: fc.constantFrom(1, 1, 2, 4),
    ranks: fc.constantFrom(1, 1, 2),
    bankGroups: fc.constantFrom(1, 1, 2, 4),
    burstLength: fc.constantFrom(4, 8, 16),
    busWidth: fc.constantFrom(16, 32, 64),
    tCK: fc.constantFrom(0.25, '5/6', 1.25, 7.5, 40),
    clocks: fc.array(between(1, 30), { minLength: 12, maxLength: 12 }),
    addressMapping: fc.constantFrom('rochrababgco', 'rorabgbachco', 'rababgrochco', 'corochrababg'),
    pagePolicy: fc.constantFrom('open' as const, 'closed' as const),
    transactionQueueEntries: fc.constantFrom(1, 4, 32),
    commandQueueEntries: fc.constantFrom(1, 3, 8),
    writeDrainThreshold: fc.constantFrom(0, 8),
    refresh: fc.constantFrom('staggered' as const, 'none' as const),
  })
  .map((random) => {
    const [CL, CWL, tRCD, tRP, tRRD, tCCD, tWTR, tWR, tRTP, tPPD, more, tRFC] = random.clocks as number[];
    return sdramSchema.parse({
      kind: 'sdram',
      name: 'random',
      organisation: {
        channels: random.channels,
        ranks: random.ranks,
        bankGroups: random.bankGroups,
        banksPerGroup: 2,
        rows: 4096,
        columns: 512,
        deviceWidth: 16,
        busWidth: random.busWidth,
        burstLength: random.burstLength,
      },
      timing: {
        ...{ tCK: random.tCK, CL, CWL, tRCD, tRP, tRAS: tRCD! + more!, tFAW: 2 * more!, tWR, tRTP, tPPD },
        ...{
          tRRD_S: tRRD,
          tRRD_L: tRRD! + 1,
          tCCD_S: tCCD,
          tCCD_L: tCCD! + 2,
          tWTR_S: tWTR,
          tWTR_L: tWTR! + 3,
        },
        ...{ tRFC: 5 * tRFC!, tREFI: 5 * tRFC! + tRP! + 200 },
      },
      controller: {
        addressMapping: random.addressMapping,
        pagePolicy: random.pagePolicy,
        transactionQueueEntries: random.transactionQueueEntries,
        commandQueueEntries: random.commandQueueEntries,
        writeDrainThreshold: random.writeDrainThreshold,
        refresh: random.refresh,
      },
    });
  });

export const dramOf = fc.oneof(idealDram, realDram);

/** A machine and the numbers of a network that it takes. */
export interface Design {
  readonly machine: MachineConfig;
  readonly numbers: NumberOptions;
}

/** Half of them plain int8; the others anything that may be. */
const randomNumbers: fc.Arbitrary<NumberOptions> = fc
  .record({
    isPlain: fc.nat(9).map((n) => n < 3),
    bits: fc.constantFrom(8, 8, 8, 16, 16, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15),
    signed: fc.boolean(),
    symmetric: fc.boolean(),
    weightBits: fc.constantFrom(8, 8, 8, 8, 8, 16, 16, 16, 1, 1, 2, 3, 4, 5, 6, 7),
    weightScales: fc.constantFrom('per channel' as const, 'per tensor' as const, 'per group' as const),
    form: fc.constantFrom('shift' as const, 'multiplier' as const),
    multiplierBits: fc.oneof(fc.constant(16), between(8, 16), between(17, 32)),
    rounding: fc.constantFrom(...roundings),
    accumulator: fc.constantFrom('plain', 'plain', 'wide', 'narrow', 'narrow', 'tiny'),
    accumulatorBits: fc.nat(15),
    overflow: fc.constantFrom('saturate' as const, 'wrap' as const),
  })
  .map((random): NumberOptions => {
    const { isPlain, bits, signed, symmetric, weightBits, weightScales, form, rounding, overflow } = random;
    const activations = isPlain ? { bits: 8, signed: true, symmetric: true } : { bits, signed, symmetric };
    const weight = isPlain ? 8 : weightBits;
    // So narrow that a few products leave it, or that one does.
    const productBits = activations.bits + weight;
    const accumulatorBits = {
      plain: 32,
      wide: 33 + random.accumulatorBits,
      narrow: clamp(productBits + (random.accumulatorBits % 6), 8, 48),
      tiny: clamp(productBits - (random.accumulatorBits % 4), 8, 48),
    }[isPlain ? 'plain' : random.accumulator]!;
    return {
      activations,
      weightBits: weight,
      weightScales,
      form,
      multiplierBits: Math.min(isPlain ? 16 : random.multiplierBits, 64 - accumulatorBits),
      rounding,
      accumulator: { bits: accumulatorBits, overflow },
    };
  });

/** A cross-channel pooling unit of any kind that there is. */
export function randomUnit(
  maximumRatio: number,
  {
    form,
    position,
    mean,
    groupsOpen,
  }: {
    readonly form: 'running' | 'tree';
    readonly position: 'after' | 'before';
    readonly mean: boolean;
    readonly groupsOpen: number;
  },
): MachineConfig['postProcessing']['crossChannelPool'] {
  return crossChannelPoolSchema.parse({
    maximumRatio,
    form,
    position,
    mean: mean && form === 'running' && position === 'after',
    depth: form === 'tree' ? 1 : groupsOpen,
  });
}

const randomHardware: fc.Arbitrary<MachineConfig> = fc.noBias(
  fc
    .record({
      rows: side,
      columns: side,
      moreBanks: fc.oneof(fc.constant(0), fc.nat(12)),
      clockMHz: fc.constantFrom(1, 100, 400, 997, 2000),
      bytes: fc.record({
        feature: sized(96, 16384),
        weight: sized(96, 8192),
        parameter: sized(96, 1024),
        accumulator: sized(128, 8192),
        pool: sized(64, 2048),
        output: sized(64, 4096),
      }),
      mean: fc.nat(3).map((n) => n > 0),
      maximumRatio: fc.option(fc.constantFrom(2, 4, 16), { freq: 3 }),
      // Of eight units one is a tree, and two sit in front of the requantiser.
      form: fc.nat(7).map((n) => (n < 1 ? ('tree' as const) : ('running' as const))),
      position: fc.nat(7).map((n) => (n < 2 ? ('before' as const) : ('after' as const))),
      groupsOpen: fc.oneof(fc.constant(1), between(2, 16)),
      maximumWindow: between(4, 8),
      depths: fc.tuple(between(1, 16), between(1, 32)),
      burstBytes: fc.constantFrom(16, 32, 64, 128, 256),
      outstanding: fc.tuple(fc.oneof(between(1, 4), between(1, 64)), fc.oneof(between(1, 4), between(1, 64))),
      descriptorCycles: fc.nat(10),
      // Of four machines one keeps no map on chip; one in three has a depthwise mode.
      moves: fc.boolean(),
      kernel: fc.option(fc.constantFrom(1, 2, 3, 3), { freq: 2 }),
      queueDepth: fc.oneof(fc.constant(4), between(4, 32)),
      startCycles: between(0, 10),
      dram: dramOf,
    })
    .map((random) => ({
      name: 'random',
      description: '',
      memory: 'modelled' as const,
      clockMHz: random.clockMHz,
      peArray: {
        rows: random.rows,
        columns: random.columns,
        dataflow: 'output-stationary' as const,
        feed: 'broadcast' as const,
        foldOverlap: true,
        products: 'flattened' as const,
        activationBits: 8,
        weightBits: 8,
        accumulatorBits: 32,
        accumulatorOverflow: 'saturate' as const,
        pipelineDepth: random.depths[0],
        depthwise: random.kernel === null ? null : { kernel: random.kernel },
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
        requantise: {
          form: 'shift' as const,
          multiplierBits: 16,
          rounding: 'half-even' as const,
          lookupTable: null,
        },
        pipelineDepth: random.depths[1],
        crossChannelPool: random.maximumRatio === null ? null : randomUnit(random.maximumRatio, random),
        spatialPool: { maximumWindow: random.maximumWindow, average: true },
      },
      dma: {
        burstBytes: random.burstBytes as MachineConfig['dma']['burstBytes'],
        outstandingReads: random.outstanding[0],
        outstandingWrites: random.outstanding[1],
        descriptorCycles: random.descriptorCycles,
        moves: random.moves,
      },
      sequencer: { queueDepth: random.queueDepth, startCycles: random.startCycles },
      dram: random.dram,
    })),
);

/** `spare`: whether the machine could take wider numbers; `table`: of 8, how its table compares with what is needed. */
export const randomDesign: fc.Arbitrary<Design> = fc.noBias(
  fc
    .record({ hardware: randomHardware, numbers: randomNumbers, spare: fc.boolean(), table: fc.nat(7) })
    .map(({ hardware, numbers, spare, table }) => ({
      machine: withDatapath(hardware, numbers, spare, table),
      numbers,
    })),
);

/** The machine with a datapath for these numbers. */
function withDatapath(
  machine: MachineConfig,
  numbers: NumberOptions,
  spare: boolean,
  table: number,
): MachineConfig {
  const { activations, weightBits, accumulator, form, multiplierBits, rounding } = numbers;
  const tableBytes = 2 ** activations.bits * containerBytes(activations.bits);
  return {
    ...machine,
    peArray: {
      ...machine.peArray,
      activationBits: spare ? 16 : activations.bits,
      weightBits: spare ? 16 : weightBits,
      accumulatorBits: accumulator.bits,
      accumulatorOverflow: accumulator.overflow,
    },
    postProcessing: {
      ...machine.postProcessing,
      requantise: {
        form,
        multiplierBits,
        rounding,
        lookupTable: table === 0 ? null : { bytes: table === 1 ? 16 : Math.max(16, tableBytes) },
      },
    },
  };
}
