/**
 * Walks a channel's commands and says what no device would allow. It knows the config's named parameters and nothing of the
 * controller: every rule is written out again, over the list of all commands so far.
 */
import type { SdramConfig } from './config.ts';

export interface IssuedCommand {
  readonly clock: number;
  /** ACT PRE RD WR RDA WRA REF. */
  readonly name: string;
  readonly rank: number;
  readonly bankGroup: number;
  readonly bank: number;
  readonly row: number;
  readonly column: number;
}

interface Bank {
  openRow: number;
  activated: number;
  /** From when the bank may be activated again, as far as its own precharge decides. */
  precharged: number;
  lastRead: number;
  lastWrite: number;
}

/** Commands to look back over: longer than any window. */
const memory = 200;

/** Every violation in words; none for a legal trace. */
export function violations(config: SdramConfig, commands: readonly IssuedCommand[]): string[] {
  const found: string[] = [];
  const { bankGroups, banksPerGroup, burstLength } = config.organisation;
  const t = config.timing;
  const burst = burstLength / 2;
  const readLatency = t.AL + t.CL;
  const writeLatency = t.AL + t.CWL;
  const banks = new Map<string, Bank>();
  const bankOf = (rank: number, group: number, bank: number): Bank => {
    const key = `${rank} ${group} ${bank}`;
    let state = banks.get(key);
    if (state === undefined) {
      state = { openRow: -1, activated: -1e9, precharged: -1e9, lastRead: -1e9, lastWrite: -1e9 };
      banks.set(key, state);
    }
    return state;
  };
  const isRead = ({ name }: IssuedCommand): boolean => name === 'RD' || name === 'RDA';
  const isWrite = ({ name }: IssuedCommand): boolean => name === 'WR' || name === 'WRA';

  commands.forEach((command, index) => {
    const { clock, name, rank, bankGroup, bank, row } = command;
    const fail = (what: string): void => {
      found.push(`${name} at ${clock}: ${what}`);
    };
    const need = (earliest: number, what: string): void => {
      if (clock < earliest) fail(`${what}, ${earliest - clock} clocks early`);
    };
    const before = commands.slice(Math.max(0, index - memory), index);
    const previous = before.at(-1);
    if (previous !== undefined && previous.clock >= clock) fail('a second command in its clock');

    // What is shared, pair by pair.
    for (const other of before) {
      const sameRank = other.rank === rank;
      const sameGroup = sameRank && other.bankGroup === bankGroup;
      const long = sameGroup && bankGroups > 1;
      if (name === 'ACT' && other.name === 'ACT' && sameRank) {
        need(other.clock + (long ? t.tRRD_L : t.tRRD_S), 'tRRD');
      }
      if (name === 'ACT' && other.name === 'REF' && sameRank) need(other.clock + t.tRFC, 'tRFC');
      if (name === 'PRE' && other.name === 'PRE' && sameRank) need(other.clock + t.tPPD, 'tPPD');
      const columnDelay = Math.max(burst, long ? t.tCCD_L : t.tCCD_S);
      if (isRead(command) && isRead(other)) {
        need(other.clock + (sameRank ? columnDelay : burst + t.tRTRS), 'read to read');
      }
      if (isWrite(command) && isWrite(other)) {
        need(other.clock + (sameRank ? columnDelay : burst), 'write to write');
      }
      if (isWrite(command) && isRead(other)) {
        need(other.clock + readLatency + burst - writeLatency + t.tRTRS, 'read to write');
      }
      if (isRead(command) && isWrite(other)) {
        const turn = sameRank
          ? writeLatency + burst + (long ? t.tWTR_L : t.tWTR_S)
          : writeLatency + burst + t.tRTRS - readLatency;
        need(other.clock + turn, 'write to read');
      }
      // Two bursts cannot be on the bus at once, whatever the pairs above say.
      if ((isRead(command) || isWrite(command)) && (isRead(other) || isWrite(other))) {
        const start = clock + (isRead(command) ? readLatency : writeLatency);
        const otherStart = other.clock + (isRead(other) ? readLatency : writeLatency);
        if (Math.abs(start - otherStart) < burst) fail('its data meet other data on the bus');
      }
    }
    if (name === 'ACT') {
      const activates = before.filter((other) => other.name === 'ACT' && other.rank === rank);
      const fourth = activates.at(-4);
      if (fourth !== undefined) need(fourth.clock + t.tFAW, 'tFAW');
    }

    // The bank's own state.
    if (name === 'REF') {
      for (let group = 0; group < bankGroups; group++) {
        for (let inGroup = 0; inGroup < banksPerGroup; inGroup++) {
          const state = bankOf(rank, group, inGroup);
          if (state.openRow >= 0) fail('a bank is open');
          // With auto-precharge DRAMsim3 lets a refresh come a burst sooner than an activate.
          need(state.precharged - (config.controller.pagePolicy === 'closed' ? burst : 0), 'tRP');
        }
      }
      return;
    }
    const state = bankOf(rank, bankGroup, bank);
    if (name === 'ACT') {
      if (state.openRow >= 0) fail('the bank is open');
      need(state.precharged, 'tRP');
      need(state.activated + (t.tRC ?? t.tRAS + t.tRP), 'tRC');
      state.openRow = row;
      state.activated = clock;
      return;
    }
    if (state.openRow < 0) fail('the bank is closed');
    if (name === 'PRE') {
      need(state.activated + t.tRAS, 'tRAS');
      need(state.lastRead + t.AL + t.tRTP, 'tRTP');
      need(state.lastWrite + writeLatency + burst + t.tWR, 'tWR');
      state.precharged = clock + t.tRP;
      state.openRow = -1;
      return;
    }
    need(state.activated + t.tRCD - t.AL, 'tRCD');
    if (isRead(command)) state.lastRead = clock;
    else state.lastWrite = clock;
    if (name === 'RDA' || name === 'WRA') {
      const recovery = name === 'RDA' ? t.AL + burst + t.tRTP : writeLatency + burst + t.tWR;
      state.precharged = clock + recovery + t.tRP;
      state.openRow = -1;
    }
  });
  return found;
}

/** The row that was open in its bank when each column command was issued. */
export function rowsOfColumns(commands: readonly IssuedCommand[]): number[] {
  const open = new Map<string, number>();
  return commands.flatMap(({ name, rank, bankGroup, bank, row }) => {
    const key = `${rank} ${bankGroup} ${bank}`;
    if (name === 'ACT') open.set(key, row);
    return name.startsWith('RD') || name.startsWith('WR') ? [open.get(key) ?? -1] : [];
  });
}
