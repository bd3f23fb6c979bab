/** External memory as a part of a machine file, or as a file of its own (`hw-configs/dram/`). */
import { z } from 'zod';
import { parseFraction } from '../../core/fraction.ts';
import { type Constraint, checkFormula, commandClasses } from './constraints.ts';

export const idealDramSchema = z
  .strictObject({
    kind: z.literal('ideal').describe('Fixed latency and bandwidth; one channel, first come first served'),
    bandwidthMBps: z
      .int()
      .min(1)
      .max(10_000_000)
      .describe('Bandwidth of the channel, reads and writes together, in 10^6 bytes a second'),
    latencyNs: z
      .int()
      .min(0)
      .max(100_000)
      .describe('From the end of a transaction on the bus to its answer, in nanoseconds'),
    capacityMiB: z.int().min(1).max(1024).describe('Size of the device, in 2^20 bytes'),
  })
  .describe('External memory without rows and banks');

const powerOfTwo = (minimum: number, maximum: number) =>
  z
    .int()
    .min(minimum)
    .max(maximum)
    .refine((value) => (value & (value - 1)) === 0, { error: 'expected a power of two' });

const organisationSchema = z
  .strictObject({
    channels: powerOfTwo(1, 16).default(1).describe('Independent channels'),
    ranks: powerOfTwo(1, 8)
      .optional()
      .describe('Ranks of a channel; if absent, what channelSizeMiB makes of it'),
    channelSizeMiB: z
      .int()
      .min(1)
      .max(1_048_576)
      .optional()
      .describe('Size of a channel in 2^20 bytes, all its ranks; if absent, what ranks makes of it'),
    bankGroups: powerOfTwo(1, 8).describe('Bank groups of a rank; 1 where the standard has none'),
    banksPerGroup: powerOfTwo(1, 32).describe('Banks of a bank group'),
    rows: powerOfTwo(2, 2 ** 20).describe('Rows of a bank'),
    columns: powerOfTwo(16, 2 ** 14).describe('Columns of a row, each as wide as the device'),
    deviceWidth: powerOfTwo(4, 128).describe('Data pins of a device, in bits'),
    busWidth: powerOfTwo(8, 256).describe('Data bus of a channel, in bits'),
    burstLength: powerOfTwo(2, 32).describe('Beats of a burst; two beats a clock'),
  })
  .describe('What the channels are made of');

const clocks = (meaning: string) => z.int().min(0).max(100_000).describe(meaning);
const notModelled = (meaning: string) => clocks(`${meaning}. Read and checked, not modelled`).optional();

const timingSchema = z
  .strictObject({
    tCK: z
      .union([z.number().positive().max(1000), z.string().regex(/^\d{1,6}\/\d{1,6}$/)])
      .describe("Clock period in nanoseconds: a number, or a fraction such as '5/6'"),
    AL: clocks('Additive latency').default(0),
    CL: clocks('Read latency'),
    CWL: clocks('Write latency'),
    tRCD: clocks('Activate to read or write'),
    tRP: clocks('Precharge to activate'),
    tRAS: clocks('Activate to precharge'),
    tRC: clocks('Activate to activate of a bank; tRAS + tRP if absent').optional(),
    tRRD_S: clocks('Activate to activate, another bank group'),
    tRRD_L: clocks('Activate to activate, the same bank group'),
    tFAW: clocks('Window of a rank in which four activates are allowed'),
    tCCD_S: clocks('Column command to column command, another bank group'),
    tCCD_L: clocks('Column command to column command, the same bank group'),
    tWTR_S: clocks('End of write data to read, another bank group'),
    tWTR_L: clocks('End of write data to read, the same bank group'),
    tWR: clocks('End of write data to precharge'),
    tRTP: clocks('Read to precharge'),
    tRTRS: clocks('Bus handed from rank to rank, or from reading to writing').default(1),
    tPPD: clocks('Precharge to precharge of a rank (LPDDR4)').default(0),
    tRFC: clocks('Refresh to activate'),
    tREFI: clocks('Mean interval of refreshes of a rank'),
    tRFC2: notModelled('Refresh to activate in 2x refresh mode'),
    tRFC4: notModelled('Refresh to activate in 4x refresh mode'),
    tRFCb: notModelled('Refresh of a bank to activate'),
    tREFIb: notModelled('Mean interval of refreshes of single banks'),
    tRPRE: notModelled('Read preamble'),
    tWPRE: notModelled('Write preamble'),
    tWR2: notModelled('End of write data to precharge in CRC mode'),
    tCKE: notModelled('Least time of power-down'),
    tCKESR: notModelled('Least time of self-refresh'),
    tXS: notModelled('Exit from self-refresh'),
    tXP: notModelled('Exit from power-down'),
  })
  .describe('Timing in clocks, tCK in nanoseconds; names as in the JEDEC standards');

const constraintSchema: z.ZodType<Constraint> = z
  .strictObject({
    scope: z
      .enum(['bank', 'bankGroup', 'rank', 'otherRanks'])
      .describe('Which banks wait: the same bank, all of its bank group, all of its rank, all other ranks'),
    after: z.array(z.enum(commandClasses)).min(1),
    before: z.array(z.enum(commandClasses)).min(1),
    delay: z
      .string()
      .max(200)
      .superRefine((formula, context) => {
        const problem = checkFormula(formula);
        if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
      })
      .describe("Clocks: a sum of numbers, names of 'timing', RL, WL, BURST and max(a, b)"),
  })
  .superRefine(({ scope, after, before }, context) => {
    // A refresh has a rank, no bank; and it asks its own rank's banks whether it may go.
    if (after.includes('REF') && (scope === 'bank' || scope === 'bankGroup')) {
      context.addIssue({
        code: 'custom',
        path: ['scope'],
        message: 'a REF has no bank, expected rank or otherRanks after REF',
      });
    }
    if (before.includes('REF') && scope === 'otherRanks') {
      context.addIssue({
        code: 'custom',
        path: ['scope'],
        message: 'a REF waits for its own rank only, expected bank, bankGroup or rank before REF',
      });
    }
  })
  .describe('`before` waits at least `delay` clocks after `after`');

const controllerSchema = z
  .strictObject({
    addressMapping: z
      .string()
      .default('rochrababgco')
      .describe('Address fields from the most to the least significant: ro, ch, ra, ba, bg, co, each once'),
    pagePolicy: z
      .enum(['open', 'closed'])
      .default('open')
      .describe('open: a row stays open until another is needed; closed: every column command precharges'),
    transactionQueueEntries: z
      .int()
      .min(1)
      .max(1024)
      .default(32)
      .describe('Of the read queue, and of the write buffer'),
    commandQueueEntries: z.int().min(1).max(32).default(8).describe('Of each bank'),
    rowHitCap: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(4)
      .describe(
        'Column commands of an open row after which the oldest entry may close it although others hit',
      ),
    writeDrainThreshold: z
      .int()
      .min(0)
      .max(1024)
      .default(8)
      .describe('More buffered writes than this are drained while no bank has work'),
    refresh: z
      .enum(['staggered', 'none'])
      .default('staggered')
      .describe('staggered: all banks of one rank every tREFI / ranks; none: for experiments'),
  })
  .describe('Queues and policies of the memory controller');

const amount = (meaning: string) => z.number().min(0).max(1e9).describe(meaning);
const energySchema = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('commands').describe('Energy of each command, and power at rest'),
      activate: amount('Picojoules of an activate and its precharge'),
      read: amount('Picojoules of a read burst'),
      write: amount('Picojoules of a write burst'),
      refresh: amount('Picojoules of a refresh of a rank'),
      background: amount('Milliwatts of a channel at rest'),
    }),
    z.strictObject({
      kind: z.literal('currents').describe('Data-sheet currents of each supply'),
      supplies: z
        .array(
          z
            .strictObject({
              volts: amount('Voltage of the supply'),
              IDD0: amount('Activate-precharge cycling'),
              IDD2N: amount('Standby, all banks precharged'),
              IDD3N: amount('Standby, a bank active'),
              IDD4R: amount('Burst read'),
              IDD4W: amount('Burst write'),
              IDD5AB: amount('All-bank refresh'),
            })
            .describe('Currents in milliamperes of a device'),
        )
        .min(1)
        .max(4)
        .describe('Supplies of a device; their energies add up'),
    }),
  ])
  .describe('What the energy is counted from');

export const sdramSchema = z
  .strictObject({
    kind: z.literal('sdram').describe('Banks, rows and a controller; timing of a JEDEC standard'),
    name: z.string().min(1).max(100).describe('Name in reports'),
    source: z.string().max(1000).default('').describe('Where the figures come from'),
    organisation: organisationSchema,
    timing: timingSchema,
    constraints: z
      .array(constraintSchema)
      .max(100)
      .default([])
      .describe('Rules between commands besides those that all SDRAM standards share'),
    controller: controllerSchema.prefault({}),
    energy: energySchema.nullable().default(null),
  })
  .superRefine((config, context) => {
    for (const { path, message } of contradictions(config)) {
      context.addIssue({ code: 'custom', path, message });
    }
  })
  .describe('External memory with the timing of its banks and rows');

export const dramSchema = z.discriminatedUnion('kind', [idealDramSchema, sdramSchema]);

export type IdealDramConfig = z.output<typeof idealDramSchema>;
export type SdramConfig = z.output<typeof sdramSchema>;
export type SdramTiming = SdramConfig['timing'];
export type SdramEnergy = NonNullable<SdramConfig['energy']>;
export type DramConfig = z.output<typeof dramSchema>;

/** Sizes that follow from an organisation. */
export interface SdramGeometry {
  readonly ranks: number;
  readonly banksPerRank: number;
  /** Of a channel. */
  readonly banks: number;
  /** Devices that make a rank's bus. */
  readonly devicesPerRank: number;
  /** Bytes of a burst: what one column command moves. */
  readonly burstBytes: number;
  /** Clocks a burst takes on the bus. */
  readonly burstClocks: number;
  /** Bursts of a row. */
  readonly columnBursts: number;
  /** Of a row of a rank, all devices together. */
  readonly rowBytes: number;
  readonly channelBytes: number;
}

/** Geometry of a channel; a row of a rank has `columns x busWidth / 8` bytes. */
export function geometryOf({ organisation }: Pick<SdramConfig, 'organisation'>): SdramGeometry {
  const { bankGroups, banksPerGroup, rows, columns, deviceWidth, busWidth, burstLength } = organisation;
  const banksPerRank = bankGroups * banksPerGroup;
  const rowBytes = (columns * busWidth) / 8;
  const rankBytes = rowBytes * rows * banksPerRank;
  const ranks = organisation.ranks ?? Math.max(1, (organisation.channelSizeMiB! * 2 ** 20) / rankBytes);
  return {
    ranks,
    banksPerRank,
    banks: ranks * banksPerRank,
    devicesPerRank: busWidth / deviceWidth,
    burstBytes: (burstLength * busWidth) / 8,
    burstClocks: burstLength / 2,
    columnBursts: columns / burstLength,
    rowBytes,
    channelBytes: rankBytes * ranks,
  };
}

/** Bytes of a whole memory, all channels. */
export function capacityBytes(config: DramConfig): number {
  if (config.kind === 'ideal') return config.capacityMiB * 2 ** 20;
  return geometryOf(config).channelBytes * config.organisation.channels;
}

/** Bytes a second on all buses together, in 10^6: what nothing exceeds. */
export function peakBandwidthMBps(config: DramConfig): number {
  if (config.kind === 'ideal') return config.bandwidthMBps;
  const { burstBytes, burstClocks } = geometryOf(config);
  const [numerator, denominator] = clockPeriod(config.timing);
  return (1000 * config.organisation.channels * burstBytes * denominator) / (burstClocks * numerator);
}

/** Nanoseconds from a read to its data when nothing else is going on and the row is closed. */
export function idleLatencyNs(config: DramConfig): number {
  if (config.kind === 'ideal') return config.latencyNs;
  const { AL, CL, tRCD } = config.timing;
  const [numerator, denominator] = clockPeriod(config.timing);
  return ((2 + tRCD + AL + CL + geometryOf(config).burstClocks) * numerator) / denominator;
}

/** The mapping search asks for every tiling. */
const clockPeriods = new WeakMap<object, readonly [numerator: number, denominator: number]>();

/** Clock period in nanoseconds as an exact fraction. */
export function clockPeriod(
  timing: Pick<SdramTiming, 'tCK'>,
): readonly [numerator: number, denominator: number] {
  let period = clockPeriods.get(timing);
  if (period === undefined) {
    period = parseFraction(timing.tCK);
    clockPeriods.set(timing, period);
  }
  return period;
}

/** Banks of a channel the controller can hold in one mask. */
const maximumBanks = 32;
/** Bursts in all channels: what decoding does in 32-bit integers. */
const maximumBursts = 2 ** 31;

interface Contradiction {
  readonly path: (string | number)[];
  readonly message: string;
}

/** What no device can be. */
function* contradictions(config: SdramConfig): Generator<Contradiction> {
  const { organisation, timing, controller } = config;
  const { ranks, channelSizeMiB, columns, burstLength, busWidth, deviceWidth } = organisation;
  const inOrganisation = (key: string, message: string) => ({ path: ['organisation', key], message });
  const inTiming = (key: string, message: string) => ({ path: ['timing', key], message });

  if (ranks === undefined && channelSizeMiB === undefined) {
    yield {
      path: ['organisation'],
      message: 'neither ranks nor channelSizeMiB is given, expected one of them',
    };
    return;
  }
  const geometry = geometryOf(config);
  if (!Number.isInteger(Math.log2(geometry.ranks)) || geometry.ranks > 8) {
    yield inOrganisation(
      'channelSizeMiB',
      `${channelSizeMiB} MiB make ${geometry.ranks} ranks, expected 1, 2, 4 or 8`,
    );
    return;
  }
  if (
    ranks !== undefined &&
    channelSizeMiB !== undefined &&
    geometry.channelBytes !== channelSizeMiB * 2 ** 20
  ) {
    yield inOrganisation(
      'channelSizeMiB',
      `${ranks} ranks have ${geometry.channelBytes / 2 ** 20} MiB, expected the same here, got ${channelSizeMiB}`,
    );
  }
  if (geometry.banks > maximumBanks) {
    yield inOrganisation(
      'banksPerGroup',
      `${geometry.banks} banks in a channel, expected at most ${maximumBanks}`,
    );
  }
  if (capacityBytes(config) / geometry.burstBytes > maximumBursts) {
    yield inOrganisation('rows', `the memory has more than ${maximumBursts} bursts, expected fewer`);
  }
  if (busWidth < deviceWidth) {
    yield inOrganisation('busWidth', `${busWidth} bits, expected at least deviceWidth, ${deviceWidth}`);
  }
  if (columns < burstLength) {
    yield inOrganisation('columns', `${columns}, expected at least burstLength, ${burstLength}`);
  }

  if (parseFraction(timing.tCK)[0] === 0 || parseFraction(timing.tCK)[1] === 0) {
    yield inTiming('tCK', `expected a period above 0, got ${timing.tCK}`);
  }
  if (timing.tRC !== undefined && timing.tRC < timing.tRAS + timing.tRP) {
    yield inTiming(
      'tRC',
      `${timing.tRC} is less than tRAS + tRP = ${timing.tRAS} + ${timing.tRP}, expected at least ${timing.tRAS + timing.tRP}`,
    );
  }
  if (timing.tRAS < timing.tRCD) {
    yield inTiming('tRAS', `${timing.tRAS}, expected at least tRCD, ${timing.tRCD}`);
  }
  for (const name of ['tRRD', 'tCCD', 'tWTR'] as const) {
    const [short, long] = [timing[`${name}_S`], timing[`${name}_L`]];
    if (long < short) yield inTiming(`${name}_L`, `${long}, expected at least ${name}_S, ${short}`);
  }
  if (controller.refresh !== 'none') {
    const least = timing.tRFC + timing.tRP;
    if (timing.tREFI <= least) {
      yield inTiming(
        'tREFI',
        `${timing.tREFI} leaves no time between refreshes, expected more than tRFC + tRP, ${least}`,
      );
    }
  }
  const mapping = controller.addressMapping.match(/../g) ?? [];
  if ([...mapping].sort().join() !== 'ba,bg,ch,co,ra,ro' || controller.addressMapping.length !== 12) {
    yield {
      path: ['controller', 'addressMapping'],
      message: `expected ro, ch, ra, ba, bg and co once each, such as rochrababgco, got '${controller.addressMapping.slice(0, 40)}'`,
    };
  }
}
