/**
 * The controller's rules one by one (docs/dram.md sections 3 to 5), on clocks worked out by hand. DDR4-2400: tRCD 17, CL 17, CWL
 * 12, tRP 17, four clocks a burst; one rank of two groups of four banks, refresh off unless it is the subject.
 */
import { describe, expect, it } from 'vitest';
import { type SdramConfig, sdramSchema } from './config.ts';
import { commandClasses } from './constraints.ts';
import { MemoryController } from './controller.ts';

const timing = {
  ...{ tCK: 0.83, CL: 17, CWL: 12, tRCD: 17, tRP: 17, tRAS: 39, tRRD_S: 7, tRRD_L: 8, tFAW: 36 },
  ...{ tCCD_S: 4, tCCD_L: 6, tWTR_S: 3, tWTR_L: 9, tWR: 18, tRTP: 9, tRTRS: 1, tRFC: 420, tREFI: 9360 },
};

function ddr4(controller: object = {}, organisation: object = {}, other: object = {}): SdramConfig {
  return sdramSchema.parse({
    kind: 'sdram',
    name: 'DDR4',
    organisation: {
      ...{ ranks: 1, bankGroups: 2, banksPerGroup: 4, rows: 65536, columns: 1024 },
      ...{ deviceWidth: 16, busWidth: 64, burstLength: 8, ...organisation },
    },
    timing: { ...timing, ...other },
    controller: { refresh: 'none', ...controller },
  });
}

/** With rochrababgco: column below, then group, bank, row. */
const address = (row: number, bank = 0, group = 0, column = 0): number =>
  64 * (((row * 4 + bank) * 2 + group) * 128 + column);

type Request = ['R' | 'W', address: number, clock: number];

interface Outcome {
  /** `CLOCK NAME`, of RD and WR with the column. */
  readonly commands: string[];
  /** Clock of each request's answer less that after its acceptance: what DRAMsim3 calls latency. */
  readonly latencies: number[];
  readonly accepted: number[];
  readonly statistics: MemoryController['channels'][number]['statistics'];
  readonly undrained: number;
}

function play(config: SdramConfig, requests: readonly Request[]): Outcome {
  const commands: string[] = [];
  const answered: number[] = [];
  const controller = new MemoryController(config, () => ({
    completed(tag, clock) {
      answered[tag] = clock;
    },
    command(clock, command, _bank, _row, column) {
      commands.push(`${clock} ${commandClasses[command]}${column >= 0 ? ` ${column}` : ''}`);
    },
  }));
  const accepted = requests.map(([kind, at, clock], tag) => controller.offer(kind === 'W', at, tag, clock));
  const channel = controller.channels[0]!;
  channel.finishWork();
  return {
    commands,
    accepted,
    latencies: accepted.map((clock, tag) => answered[tag]! - clock - 1),
    statistics: channel.statistics,
    undrained: channel.undrainedWrites,
  };
}

const writes = (count: number, clock = 0, row = 1): Request[] =>
  Array.from({ length: count }, (_, column): Request => ['W', address(row, 0, 0, column), clock]);

describe('latency of a read', () => {
  it('of a closed bank is 1 + tRCD + CL + BL/2', () => {
    const { commands, latencies } = play(ddr4(), [['R', address(0), 0]]);
    expect(commands).toEqual(['2 ACT', '19 RD 0']);
    expect(latencies).toEqual([39]);
  });

  it('of an open row is 1 + CL + BL/2, of another row tRP + tRCD more', () => {
    const { commands, latencies } = play(ddr4(), [
      ['R', address(0), 0],
      ['R', address(0, 0, 0, 5), 200],
      ['R', address(3), 400],
    ]);
    expect(latencies).toEqual([39, 22, 56]);
    expect(commands.slice(2)).toEqual(['202 RD 5', '402 PRE', '419 ACT', '436 RD 0']);
  });
});

describe('the write buffer', () => {
  it('answers writes at once and keeps up to the threshold of them', () => {
    const { commands, latencies, undrained } = play(ddr4(), writes(8));
    expect(commands).toEqual([]);
    expect(latencies).toEqual(Array(8).fill(1));
    expect(undrained).toBe(8);
  });

  it('is drained above the threshold while no bank has work', () => {
    const { commands, undrained } = play(ddr4(), writes(9));
    // The ninth is accepted in clock 8; the first moves in 9 and opens the row in 10.
    expect(commands.slice(0, 3)).toEqual(['10 ACT', '27 WR 0', '33 WR 1']);
    expect(commands.length).toBe(10);
    expect(undrained).toBe(0);
  });

  it('moves as many as it held when draining began; later ones stay', () => {
    const late: Request[] = [0, 1, 2].map((column) => ['W', address(9, 1, 1, column), 11]);
    const { statistics, undrained } = play(ddr4(), [...writes(9), ...late]);
    expect(statistics.writeBursts).toBe(9);
    expect(undrained).toBe(3);
  });

  it('is drained when full, and reads wait meanwhile', () => {
    const config = ddr4({ transactionQueueEntries: 4 });
    // A read keeps a bank busy, so that nothing is drained before the buffer is full.
    const { commands } = play(config, [
      ['R', address(0), 0],
      ...writes(4, 1),
      ['R', address(0, 0, 0, 7), 5],
      ['R', address(0, 0, 0, 8), 6],
    ]);
    const order = commands
      .filter((command) => /RD|WR/.test(command))
      .map((command) => command.split(' ').slice(1).join(' '));
    expect(order.indexOf('RD 7')).toBeGreaterThan(order.indexOf('RD 0'));
    // All four writes had moved before the later reads could.
    expect(order.slice(0, 1)).toEqual(['RD 0']);
    expect(order.filter((name) => name.startsWith('WR')).length).toBe(4);
  });

  it('absorbs a write to an address it holds', () => {
    const { statistics, undrained, latencies } = play(ddr4(), [
      ['W', address(1), 0],
      ['W', address(1), 1],
    ]);
    expect(statistics).toMatchObject({ writes: 2, absorbedWrites: 1 });
    expect(latencies).toEqual([1, 1]);
    expect(undrained).toBe(1);
  });

  it('answers reads of what it holds, by the exact address', () => {
    const { statistics, latencies, commands } = play(ddr4(), [
      ['W', address(1), 0],
      ['R', address(1), 5],
      ['R', address(1) + 32, 6],
    ]);
    expect(latencies.slice(0, 2)).toEqual([1, 1]);
    expect(statistics).toMatchObject({ forwardedReads: 1, readBursts: 1 });
    expect(commands).toEqual(['8 ACT', '25 RD 0']);
  });
});

describe('reads of one address', () => {
  it('are answered together', () => {
    const { commands, latencies, statistics } = play(ddr4(), [
      ['R', address(0), 0],
      ['R', address(0), 10],
    ]);
    expect(commands).toEqual(['2 ACT', '19 RD 0']);
    expect(latencies).toEqual([39, 29]);
    expect(statistics.mergedReads).toBe(1);
  });

  it('are two where the addresses differ, though the burst is one', () => {
    const wide = ddr4({}, { burstLength: 16 });
    const { commands } = play(wide, [
      ['R', 0, 0],
      ['R', 64, 0],
    ]);
    expect(commands.filter((command) => command.includes('RD'))).toHaveLength(2);
  });
});

describe('a write behind a read of its address', () => {
  it('ends draining, and moves once the read is on its way', () => {
    // The read is in its bank's queue; the drained write of the same address waits until its RD is issued.
    const requests: Request[] = [['R', address(1, 0, 0, 0), 0], ...writes(9, 1)];
    const { commands, undrained } = play(ddr4({ writeDrainThreshold: 0 }), requests);
    const names = commands.map((command) => command.split(' ').slice(1).join(' '));
    expect(names[1]).toBe('RD 0');
    expect(names.indexOf('WR 0')).toBeGreaterThan(names.indexOf('RD 0'));
    expect(undrained).toBe(0);
  });

  it('does not hang where DRAMsim3 does: a read moves, and both are served', () => {
    // One place a queue: the buffer is full of a write whose read still waits behind a bank that is busy.
    const config = ddr4({ transactionQueueEntries: 1, commandQueueEntries: 1 });
    const requests: Request[] = [
      ['R', address(0), 0],
      ['R', address(5), 1],
      ['W', address(5), 2],
      ['W', address(6, 1), 3],
      ['W', address(7, 1), 4],
    ];
    const { commands, latencies, undrained } = play(config, requests);
    expect(latencies.every((latency) => latency > 0)).toBe(true);
    const names = commands.map((command) => command.split(' ')[1]);
    expect(names.filter((name) => name === 'RD')).toHaveLength(2);
    expect(undrained).toBe(0);
  });

  it('waits in the bank queue for a read of its burst by another address', () => {
    const config = ddr4({ writeDrainThreshold: 0 });
    const { commands } = play(config, [
      ['R', address(2) + 32, 0],
      ['W', address(2), 1],
    ]);
    const names = commands.map((command) => command.split(' ')[1]);
    expect(names).toEqual(['ACT', 'RD', 'WR']);
  });
});

describe('an open row', () => {
  const hits = (count: number): Request[] =>
    Array.from({ length: count }, (_, column): Request => ['R', address(0, 0, 0, column), 0]);

  it('stays open for entries that hit, up to the cap', () => {
    const others: Request[] = [['R', address(1), 0]];
    // A short tRTP: otherwise every further hit puts the precharge off again.
    const prompt = { tRTP: 1 };
    const { commands } = play(ddr4({ rowHitCap: 4 }, {}, prompt), [
      ...hits(2),
      ...others,
      ...hits(12).slice(2),
    ]);
    const names = commands.map((command) => command.split(' ').slice(1).join(' '));
    // Four column commands of row 0 (two before the other row's entry is the oldest), then its turn.
    expect(names.slice(0, 6)).toEqual(['ACT', 'RD 0', 'RD 1', 'RD 2', 'RD 3', 'PRE']);
    const patient = play(ddr4({ rowHitCap: 100 }, {}, prompt), [
      ...hits(2),
      ...others,
      ...hits(12).slice(2),
    ]).commands;
    expect(patient.findIndex((command) => command.endsWith('PRE'))).toBe(13);
  });
});

describe('a closed page', () => {
  it('precharges by itself after every column command', () => {
    const { commands } = play(ddr4({ pagePolicy: 'closed' }), [
      ['R', address(0, 0, 0, 0), 0],
      ['R', address(0, 0, 0, 1), 0],
    ]);
    // ACT to ACT: tRC = 56; RDA to ACT: 4 + 9 + 17 = 30.
    expect(commands).toEqual(['2 ACT', '19 RDA 0', '58 ACT', '75 RDA 1']);
  });
});

describe('refresh', () => {
  it('freezes its rank, closes its banks in order and goes before other ranks', () => {
    const config = ddr4({ refresh: 'staggered' }, { ranks: 2 });
    // Rank 0 is due in clock 4,680. Both of its banks have been open for long.
    const { commands } = play(config, [
      ['R', address(0, 0, 0), 4000],
      ['R', address(0, 0, 1), 4000],
      ['R', address(0, 0, 0, 9), 4679],
    ]);
    const after = commands.filter((command) => Number(command.split(' ')[0]) >= 4680);
    expect(after.slice(0, 4)).toEqual(['4680 PRE', '4681 PRE', '4698 REF', '5118 ACT']);
  });
});

describe('acceptance', () => {
  it('is in order, one a clock, and waits for room', () => {
    const config = ddr4({ transactionQueueEntries: 2, commandQueueEntries: 1 });
    const { accepted } = play(
      config,
      [0, 1, 2, 3, 4, 5].map((row): Request => ['R', address(row), 0]),
    );
    // One moves in clock 1; two wait behind it; the next is accepted when the first has been read in clock 19.
    expect(accepted.slice(0, 4)).toEqual([0, 1, 2, 19]);
  });
});

describe('clocks beyond 32 bits', () => {
  it('are only a matter of where one begins to count', () => {
    const requests: Request[] = [
      ...writes(20),
      ['R', address(3), 30],
      ['R', address(4), 31],
      ...writes(20, 60, 2),
    ];
    const early = play(ddr4(), requests);
    const shift = 3 * 2 ** 31;
    const late = play(
      ddr4(),
      requests.map(([kind, at, clock]): Request => [kind, at, clock + shift]),
    );
    expect(late.commands).toEqual(
      early.commands.map((command) => command.replace(/^\d+/, (clock) => String(Number(clock) + shift))),
    );
    expect(late.latencies).toEqual(early.latencies);
  });
});
