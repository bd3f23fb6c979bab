/**
 * When each command may be issued next: the earliest clocks of a channel's banks, bank groups and ranks.
 *
 * A command's delays are added where they hold: at its bank, and at every bank group (of its own rank and of others), so
 * that a command is ready when two clocks have passed: its bank's and its group's. Clocks are 32-bit integers.
 */
import {
  ACT,
  commandClasses,
  type Delays,
  delayTableSize,
  otherRank,
  REF,
  sameGroup,
  sameRank,
  waitingClasses,
} from './constraints.ts';

/** Banks of a channel; a bank's number is rank-major, then bank group. */
export interface TimerShape {
  readonly ranks: number;
  readonly bankGroups: number;
  readonly banksPerGroup: number;
}

export class Timers {
  readonly banks: number;
  /** Bank groups of all ranks. */
  readonly groups: number;
  readonly groupOfBank: Int32Array;
  /** Earliest clock by waiting class and bank, `[kind * banks + bank]`. */
  readonly bankReady: Int32Array;
  /** Earliest clock by waiting class and bank group, `[kind * groups + group]`. */
  readonly sharedReady: Int32Array;

  private readonly groupsPerRank: number;
  private readonly fourActivates: number;
  /** The last four activates of every rank, a ring. */
  private readonly activates: Int32Array;
  private readonly activateAt: Uint8Array;
  /** For each command: index into `bankReady` (less the bank) and delay, in pairs. */
  private readonly bankDelays: readonly Int32Array[];
  /** For each command and bank group it is issued to: index into `sharedReady` and delay, in pairs. */
  private readonly sharedDelays: readonly Int32Array[];

  constructor(delays: Delays, { ranks, bankGroups, banksPerGroup }: TimerShape) {
    this.banks = ranks * bankGroups * banksPerGroup;
    this.groups = ranks * bankGroups;
    this.groupsPerRank = bankGroups;
    this.groupOfBank = Int32Array.from({ length: this.banks }, (_, bank) => Math.floor(bank / banksPerGroup));
    this.bankReady = new Int32Array(waitingClasses * this.banks);
    this.sharedReady = new Int32Array(waitingClasses * this.groups);
    this.fourActivates = delays.fourActivates;
    this.activates = new Int32Array(4 * ranks).fill(-delays.fourActivates);
    this.activateAt = new Uint8Array(ranks);
    this.bankDelays = commandClasses.map((_, command) => {
      const pairs: number[] = [];
      addPairs(pairs, delays.bank, command * waitingClasses, this.banks, 0);
      return Int32Array.from(pairs);
    });
    this.sharedDelays = commandClasses.flatMap((_, command) =>
      Array.from({ length: this.groups }, (_, from) => {
        const pairs: number[] = [];
        for (let to = 0; to < this.groups; to++) {
          const table = this.relationOf(from, to) * delayTableSize;
          addPairs(pairs, delays.shared, table + command * waitingClasses, this.groups, to);
        }
        return Int32Array.from(pairs);
      }),
    );
  }

  /** Earliest clock at which a bank may be given a command of a waiting class, ACT to WR. */
  readyClock(kind: number, bank: number): number {
    const own = this.bankReady[kind * this.banks + bank]!;
    const shared = this.sharedReady[kind * this.groups + this.groupOfBank[bank]!]!;
    return own > shared ? own : shared;
  }

  /** Earliest clock of a refresh of the rank that starts at bank `first` and has `count` banks, all of them closed. */
  refreshClock(first: number, count: number): number {
    let clock = 0;
    for (let at = REF * this.banks + first; at < REF * this.banks + first + count; at++) {
      if (this.bankReady[at]! > clock) clock = this.bankReady[at]!;
    }
    return clock;
  }

  /** Makes later commands wait for this one; a REF is given its rank's first bank. */
  issue(command: number, bank: number, clock: number): void {
    const { bankReady, sharedReady } = this;
    const own = this.bankDelays[command]!;
    for (let at = 0; at < own.length; at += 2) {
      const index = own[at]! + bank;
      const ready = clock + own[at + 1]!;
      if (ready > bankReady[index]!) bankReady[index] = ready;
    }
    const group = this.groupOfBank[bank]!;
    const shared = this.sharedDelays[command * this.groups + group]!;
    for (let at = 0; at < shared.length; at += 2) {
      const index = shared[at]!;
      const ready = clock + shared[at + 1]!;
      if (ready > sharedReady[index]!) sharedReady[index] = ready;
    }
    if (command === ACT) this.noteActivate(group, clock);
  }

  /** Moves clock 0 forward by `clocks`. */
  moveEpoch(clocks: number): void {
    for (const times of [this.bankReady, this.sharedReady, this.activates]) {
      for (let at = 0; at < times.length; at++) times[at] = Math.max(times[at]! - clocks, -clocks);
    }
  }

  /** The fourth activate from now waits until this one has left the window. */
  private noteActivate(group: number, clock: number): void {
    const rank = Math.floor(group / this.groupsPerRank);
    const at = this.activateAt[rank]!;
    this.activates[4 * rank + at] = clock;
    this.activateAt[rank] = (at + 1) & 3;
    const windowEnd = this.activates[4 * rank + ((at + 1) & 3)]! + this.fourActivates;
    for (let other = rank * this.groupsPerRank; other < (rank + 1) * this.groupsPerRank; other++) {
      const index = ACT * this.groups + other;
      if (windowEnd > this.sharedReady[index]!) this.sharedReady[index] = windowEnd;
    }
  }

  private relationOf(from: number, to: number): number {
    if (from === to) return sameGroup;
    return Math.floor(from / this.groupsPerRank) === Math.floor(to / this.groupsPerRank)
      ? sameRank
      : otherRank;
  }
}

/** Adds one row of a table of delays as (place, delay) pairs, without the zeros. */
function addPairs(pairs: number[], table: Int32Array, row: number, stride: number, offset: number): void {
  for (let waiting = 0; waiting < waitingClasses; waiting++) {
    const delay = table[row + waiting]!;
    if (delay > 0) pairs.push(waiting * stride + offset, delay);
  }
}
