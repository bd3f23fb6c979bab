/** Random devices with legal timing, and random requests for them. */
import fc from 'fast-check';
import { type SdramConfig, sdramSchema } from './config.ts';

const between = (min: number, max: number) => fc.integer({ min, max });

/** Small devices, so that banks, rows and queues meet often; timing from hurried to leisurely. */
export const randomSdram: fc.Arbitrary<SdramConfig> = fc
  .record({
    channels: fc.constantFrom(1, 1, 1, 2),
    ranks: fc.constantFrom(1, 1, 2, 4),
    bankGroups: fc.constantFrom(1, 2, 4),
    banksPerGroup: fc.constantFrom(1, 2, 2, 8),
    burstLength: fc.constantFrom(4, 8, 16),
    CL: between(2, 30),
    CWL: between(1, 20),
    tRCD: between(1, 25),
    tRP: between(1, 25),
    rasBeyond: between(0, 30),
    rcBeyond: fc.constantFrom(0, 0, 5),
    tRRD_S: between(1, 12),
    rrdBeyond: between(0, 4),
    tFAW: between(1, 60),
    tCCD_S: between(1, 9),
    ccdBeyond: between(0, 4),
    tWTR_S: between(1, 12),
    wtrBeyond: between(0, 8),
    tWR: between(1, 30),
    tRTP: between(1, 12),
    tRTRS: between(0, 3),
    tPPD: fc.constantFrom(0, 4),
    tRFC: between(10, 200),
    // Time for a request between two refreshes.
    refreshBeyond: between(400, 2500),
    addressMapping: fc.constantFrom('rochrababgco', 'rorabgbachco', 'robarachbgco', 'rababgrochco'),
    pagePolicy: fc.constantFrom('open' as const, 'open' as const, 'closed' as const),
    transactionQueueEntries: fc.constantFrom(1, 4, 16, 32),
    commandQueueEntries: fc.constantFrom(1, 3, 8, 32),
    rowHitCap: fc.constantFrom(1, 4, 100),
    writeDrainThreshold: fc.constantFrom(0, 2, 8),
    refresh: fc.constantFrom('staggered' as const, 'staggered' as const, 'none' as const),
  })
  .map((random) => {
    const { channels, ranks, bankGroups, burstLength } = random;
    // A channel has at most 32 banks.
    const banksPerGroup = Math.min(random.banksPerGroup, 32 / (ranks * bankGroups));
    const { CL, CWL, tRCD, tRP, tRRD_S, tFAW, tCCD_S, tWTR_S, tWR, tRTP, tRTRS, tPPD, tRFC } = random;
    const { addressMapping, pagePolicy, transactionQueueEntries, commandQueueEntries } = random;
    const { rowHitCap, writeDrainThreshold, refresh } = random;
    const tRAS = tRCD + random.rasBeyond;
    return sdramSchema.parse({
      kind: 'sdram',
      name: 'random',
      organisation: {
        ...{ channels, ranks, bankGroups, banksPerGroup, burstLength },
        ...{ rows: 64, columns: 64, deviceWidth: 16, busWidth: 32 },
      },
      timing: {
        ...{
          tCK: 1,
          CL,
          CWL,
          tRCD,
          tRP,
          tRAS,
          tRC: tRAS + tRP + random.rcBeyond,
          tFAW,
          tWR,
          tRTP,
          tRTRS,
          tPPD,
        },
        ...{ tRRD_S, tRRD_L: tRRD_S + random.rrdBeyond, tCCD_S, tCCD_L: tCCD_S + random.ccdBeyond },
        ...{ tWTR_S, tWTR_L: tWTR_S + random.wtrBeyond, tRFC, tREFI: tRFC + tRP + random.refreshBeyond },
      },
      controller: {
        ...{ addressMapping, pagePolicy, transactionQueueEntries, commandQueueEntries },
        ...{ rowHitCap, writeDrainThreshold, refresh },
      },
    });
  });

export interface Request {
  readonly write: boolean;
  readonly address: number;
  readonly clock: number;
}

/** Requests in a few lines or in many, some following each other, with pauses or without. */
export const randomRequests: fc.Arbitrary<Request[]> = fc
  .record({
    span: fc.constantFrom(4, 24, 200, 20_000),
    writePercent: fc.constantFrom(0, 20, 50, 90, 100),
    gap: fc.constantFrom(0, 3, 16),
    pauses: fc.boolean(),
    offsets: fc.boolean(),
    draws: fc.array(fc.nat(2 ** 30), { minLength: 20, maxLength: 500 }),
  })
  .map(({ span, writePercent, gap, pauses, offsets, draws }) => {
    let clock = 0;
    let line = 0;
    return draws.map((draw) => {
      line = draw % 3 === 0 ? (line + 1) % span : (draw >> 4) % span;
      clock += gap === 0 ? 0 : (draw >> 7) % (gap + 1);
      if (pauses && draw % 61 === 0) clock += 700;
      const offset = offsets && draw % 5 === 0 ? 32 : 0;
      return { write: (draw >> 11) % 100 < writePercent, address: 64 * line + offset, clock };
    });
  });
