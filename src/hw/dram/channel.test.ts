/** Channels on random traffic: nothing a device forbids, nothing lost, and counters that say what happened. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../core/diagnostics.ts';
import type { AddressMapping } from './address.ts';
import type { Channel, ChannelStatistics } from './channel.ts';
import { type IssuedCommand, rowsOfColumns, violations } from './checker.test-helper.ts';
import { geometryOf, type SdramConfig, sdramSchema } from './config.ts';
import { commandClasses } from './constraints.ts';
import { MemoryController } from './controller.ts';
import { type Request, randomRequests, randomSdram } from './random-sdram.test-helper.ts';

interface Run {
  readonly commands: IssuedCommand[][];
  readonly completed: Map<number, number>;
  readonly accepted: number[];
  readonly channels: readonly Channel[];
  readonly mapping: AddressMapping;
}

function run(config: SdramConfig, requests: readonly Request[]): Run {
  const { banksPerRank } = geometryOf(config);
  const { banksPerGroup, channels } = config.organisation;
  const commands: IssuedCommand[][] = Array.from({ length: channels }, () => []);
  const completed = new Map<number, number>();
  const controller = new MemoryController(config, (channel) => ({
    completed(tag, clock) {
      expect(completed.has(tag), `request ${tag} answered twice`).toBe(false);
      completed.set(tag, clock);
    },
    command(clock, command, bank, row, column) {
      commands[channel]!.push({
        clock,
        name: commandClasses[command]!,
        rank: Math.floor(bank / banksPerRank),
        bankGroup: Math.floor((bank % banksPerRank) / banksPerGroup),
        bank: bank % banksPerGroup,
        row,
        column,
      });
    },
  }));
  const accepted = requests.map(({ write, address, clock }, tag) =>
    controller.offer(write, address, tag, clock),
  );
  for (const channel of controller.channels) channel.finishWork();
  return { commands, completed, accepted, channels: controller.channels, mapping: controller.mapping };
}

const count = (commands: readonly IssuedCommand[], ...names: string[]): number =>
  commands.filter(({ name }) => names.includes(name)).length;

describe('any channel on any traffic', () => {
  it('breaks no rule of the device', () => {
    fc.assert(
      fc.property(randomSdram, randomRequests, (config, requests) => {
        for (const commands of run(config, requests).commands) {
          expect(violations(config, commands).slice(0, 3)).toEqual([]);
        }
      }),
      { seed: 61, numRuns: 250 },
    );
  });

  it('answers every request once, in order of acceptance, never sooner than data can be there', () => {
    fc.assert(
      fc.property(randomSdram, randomRequests, (config, requests) => {
        const { completed, accepted } = run(config, requests);
        const { CL, AL } = config.timing;
        const readDelay = AL + CL + geometryOf(config).burstClocks;
        expect(completed.size).toBe(requests.length);
        requests.forEach(({ write, clock }, tag) => {
          expect(accepted[tag]).toBeGreaterThanOrEqual(clock);
          if (tag > 0) expect(accepted[tag]).toBeGreaterThan(accepted[tag - 1]!);
          const latency = completed.get(tag)! - accepted[tag]!;
          if (write) expect(latency).toBe(2);
          else if (latency !== 2) {
            // From a row that is open, or from another read of the address on its way.
            expect(latency).toBeGreaterThan(0);
            const isMerged = requests.some(
              (other, at) => at < tag && !other.write && other.address === requests[tag]!.address,
            );
            if (!isMerged) expect(latency).toBeGreaterThanOrEqual(2 + readDelay);
          }
        });
      }),
      { seed: 62, numRuns: 250 },
    );
  });

  it('moves every burst it was asked for, in the right rows, and counts what it does', () => {
    fc.assert(
      fc.property(randomSdram, randomRequests, (config, requests) => {
        const { commands, channels, mapping } = run(config, requests);
        channels.forEach((channel, index) => {
          const issued = commands[index]!;
          const { statistics } = channel;
          const reads = count(issued, 'RD', 'RDA');
          const writes = count(issued, 'WR', 'WRA');
          expect(statistics).toMatchObject({
            activates: count(issued, 'ACT'),
            precharges: count(issued, 'PRE'),
            refreshes: count(issued, 'REF'),
            readBursts: reads,
            writeBursts: writes,
          } satisfies Partial<ChannelStatistics>);
          const mine = requests.filter(
            ({ address }) => mapping.channelOf(mapping.burstOf(address)) === index,
          );
          expect(statistics.reads + statistics.writes).toBe(mine.length);
          expect(reads).toBe(statistics.reads - statistics.mergedReads - statistics.forwardedReads);
          expect(writes).toBe(statistics.writes - statistics.absorbedWrites - channel.undrainedWrites);
          expect(channel.undrainedWrites).toBeLessThanOrEqual(config.controller.writeDrainThreshold);

          // Every burst belongs to a request: its row and column.
          const wanted = new Set(
            mine.map(({ address }) => {
              const burst = mapping.burstOf(address);
              return `${mapping.bankOf(burst)} ${mapping.rowOf(burst)} ${mapping.columnOf(burst)}`;
            }),
          );
          const columns = issued.filter(({ column }) => column >= 0);
          const rows = rowsOfColumns(issued);
          const { banksPerRank } = geometryOf(config);
          columns.forEach(({ rank, bankGroup, bank, column }, at) => {
            const number = rank * banksPerRank + bankGroup * config.organisation.banksPerGroup + bank;
            expect(wanted).toContain(`${number} ${rows[at]} ${column}`);
          });
          const turns = columns.filter(
            ({ name }, at) => at > 0 && name.startsWith('W') !== columns[at - 1]!.name.startsWith('W'),
          );
          expect(statistics.turnarounds).toBe(turns.length);

          // The bus: data and waiting fit in the time there was.
          const { rowMissClocks, turnaroundClocks, refreshClocks, otherClocks } = statistics;
          for (const waited of [rowMissClocks, turnaroundClocks, refreshClocks, otherClocks]) {
            expect(waited).toBeGreaterThanOrEqual(0);
          }
          const waiting = rowMissClocks + turnaroundClocks + refreshClocks + otherClocks;
          expect((reads + writes) * geometryOf(config).burstClocks + waiting).toBeLessThanOrEqual(
            channel.finish,
          );
        });
      }),
      { seed: 63, numRuns: 250 },
    );
  });

  it('refreshes every rank in time', () => {
    fc.assert(
      fc.property(randomSdram, randomRequests, (config, requests) => {
        const { ranks } = geometryOf(config);
        const { tREFI, tRFC } = config.timing;
        const { commands, channels } = run(config, requests);
        channels.forEach((channel, index) => {
          const refreshes = commands[index]!.filter(({ name }) => name === 'REF');
          const interval = Math.floor(tREFI / ranks);
          if (config.controller.refresh === 'none') expect(refreshes).toEqual([]);
          else
            expect(refreshes.length).toBeGreaterThanOrEqual(
              Math.floor(channel.finish / interval) - ranks - 1,
            );
          refreshes.forEach(({ clock, rank }, nth) => {
            expect(rank).toBe(nth % ranks);
            expect(clock).toBeGreaterThanOrEqual((nth + 1) * interval);
            // Closing the banks takes a while, and so do the ranks before.
            expect(clock).toBeLessThan((nth + 1) * interval + ranks * (tRFC + 600));
          });
        });
      }),
      { seed: 64, numRuns: 150 },
    );
  });
});

describe('a device whose refreshes leave no time for a request', () => {
  it('is refused instead of waited for', () => {
    const config = sdramSchema.parse({
      kind: 'sdram',
      name: 'hopeless',
      organisation: {
        ...{ ranks: 1, bankGroups: 1, banksPerGroup: 2, rows: 64, columns: 64 },
        ...{ deviceWidth: 16, busWidth: 32, burstLength: 8 },
      },
      timing: {
        ...{ tCK: 1, CL: 10, CWL: 8, tRCD: 40, tRP: 10, tRAS: 40, tRRD_S: 4, tRRD_L: 4, tFAW: 16 },
        ...{ tCCD_S: 4, tCCD_L: 4, tWTR_S: 4, tWTR_L: 4, tWR: 8, tRTP: 4, tRFC: 100, tREFI: 120 },
      },
    });
    const read: Request = { write: false, address: 0, clock: 0 };
    expect(() =>
      run(
        config,
        Array.from({ length: 40 }, (_, at) => ({ ...read, address: 4096 * at })),
      ),
    ).toThrow(InputError);
  });
});

describe('the checker', () => {
  const config = {
    organisation: { bankGroups: 2, banksPerGroup: 2, burstLength: 8 },
    timing: {
      ...{ AL: 0, CL: 17, CWL: 12, tRCD: 17, tRP: 17, tRAS: 39, tRRD_S: 7, tRRD_L: 8, tFAW: 36 },
      ...{ tCCD_S: 4, tCCD_L: 6, tWTR_S: 3, tWTR_L: 9, tWR: 18, tRTP: 9, tRTRS: 1, tPPD: 0, tRFC: 420 },
    },
    controller: { pagePolicy: 'open' },
  } as unknown as SdramConfig;
  const at = (clock: number, name: string, rank = 0, bankGroup = 0, bank = 0, row = 5): IssuedCommand => ({
    ...{ clock, name, rank, bankGroup, bank },
    row: name === 'ACT' ? row : -1,
    column: name.startsWith('R') && name !== 'REF' ? 0 : -1,
  });
  const legal = [at(0, 'ACT'), at(17, 'RD'), at(23, 'RD'), at(39, 'PRE'), at(56, 'REF'), at(476, 'ACT')];

  it('passes what is legal', () => {
    expect(violations(config, legal)).toEqual([]);
  });

  it.each<[string, IssuedCommand[]]>([
    ['tRCD', [at(0, 'ACT'), at(16, 'RD')]],
    ['read to read', [at(0, 'ACT'), at(17, 'RD'), at(22, 'RD')]],
    ['tRAS', [at(0, 'ACT'), at(17, 'RD'), at(38, 'PRE')]],
    ['tRTP', [at(0, 'ACT'), at(31, 'RD'), at(39, 'PRE')]],
    ['tWR', [at(0, 'ACT'), at(17, 'WR'), at(50, 'PRE')]],
    ['tRP', [at(0, 'ACT'), at(39, 'PRE'), at(55, 'REF')]],
    ['tRC', [at(0, 'ACT'), at(17, 'RD'), at(39, 'PRE'), at(55, 'ACT')]],
    ['tRFC', [at(0, 'REF'), at(419, 'ACT')]],
    ['tRRD', [at(0, 'ACT'), at(7, 'ACT', 0, 0, 1)]],
    [
      'tFAW',
      [0, 8, 16, 24]
        .map((clock, nth) => at(clock, 'ACT', 0, nth % 2, nth >> 1))
        .concat(at(35, 'ACT', 0, 0, 0)),
    ],
    ['write to read', [at(0, 'ACT'), at(17, 'WR'), at(41, 'RD')]],
    ['read to write', [at(0, 'ACT'), at(17, 'RD'), at(26, 'WR')]],
    ['a bank is open', [at(0, 'ACT'), at(100, 'REF')]],
    ['the bank is closed', [at(0, 'RD')]],
    ['the bank is open', [at(0, 'ACT'), at(100, 'ACT')]],
    ['a second command', [at(0, 'ACT'), at(0, 'ACT', 1)]],
  ])('reports a breach of %s', (what, commands) => {
    expect(violations(config, commands).join('\n')).toContain(what);
  });
});
