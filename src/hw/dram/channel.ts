/**
 * One SDRAM channel and its controller: queues, arbitration, refresh. Cycle rules: docs/dram.md.
 *
 * The structure is the one DRAMsim3 publishes, so that command traces agree line by line: a read queue and a write
 * buffer, a queue for each bank, one command a clock by round robin over the banks, staggered all-bank refresh. Clocks
 * in which nothing can happen are skipped exactly. Nothing is allocated per request; clocks are 32-bit integers
 * relative to an epoch that moves along, so that runs may be long.
 */
import { assert } from '../../core/diagnostics.ts';
import type { AddressMapping } from './address.ts';
import { AddressIndex } from './address-index.ts';
import { geometryOf, type SdramConfig } from './config.ts';
import { ACT, PRE, RD, RDA, REF, WR, WRA } from './constraints.ts';
import { LatencyHistogram } from './latency.ts';
import { Timers } from './timers.ts';
import { delaysOf } from './timing.ts';

/** What a channel tells; `command` is for traces and checks and costs time. */
export interface ChannelListener {
  /** A read's last data have arrived, or a write is acknowledged: known at the latest when `clock` has come. */
  completed?(tag: number, clock: number): void;
  /**
   * A command was issued (index into `commandClasses`): bank is rank-major, row only with ACT, column (in bursts) only with
   * RD and WR, else -1; a REF's bank is its rank's first.
   */
  command?(clock: number, command: number, bank: number, row: number, column: number): void;
}

/** Counters from the start; times in clocks of the DRAM. */
export interface ChannelStatistics {
  /** Requests accepted. */
  reads: number;
  writes: number;
  /** Reads of an address already being read, reads of a buffered write, writes to a buffered write. */
  mergedReads: number;
  forwardedReads: number;
  absorbedWrites: number;
  /** Column commands. */
  readBursts: number;
  writeBursts: number;
  /** Column commands that are not the first after their activate. */
  rowHits: number;
  activates: number;
  precharges: number;
  refreshes: number;
  /** Changes of the bus between reading and writing. */
  turnarounds: number;
  /** Clocks the bus stood still although the next burst's request was in its bank's queue, by what it waited for. */
  rowMissClocks: number;
  turnaroundClocks: number;
  refreshClocks: number;
  otherClocks: number;
  /** Clocks in which a rank had a row open, added over ranks. */
  activeClocks: number;
}

export function emptyChannelStatistics(): ChannelStatistics {
  return {
    reads: 0,
    writes: 0,
    mergedReads: 0,
    forwardedReads: 0,
    absorbedWrites: 0,
    readBursts: 0,
    writeBursts: 0,
    rowHits: 0,
    activates: 0,
    precharges: 0,
    refreshes: 0,
    turnarounds: 0,
    rowMissClocks: 0,
    turnaroundClocks: 0,
    refreshClocks: 0,
    otherClocks: 0,
    activeClocks: 0,
  };
}

const none = -1;
/** Later than any clock; small enough to add delays to. */
const never = 0x7000_0000;
/** Where the epoch moves on, and by how much. */
const epochEnd = 0x4000_0000;
const epochStride = 0x3000_0000;

/** The two transaction queues. */
const reading = 0;
const writing = 1;

/** Kinds of command a bank could issue, as bits. */
const mayPrecharge = 1 << PRE;
const mayRead = 1 << RD;
const mayWrite = 1 << WR;

export class Channel {
  readonly statistics = emptyChannelStatistics();
  /** From the clock after acceptance to the last data beat, as DRAMsim3 counts. */
  readonly latencies = new LatencyHistogram();

  /** Clock 0 of all clocks below. */
  private epoch = 0;
  /** The clock that was processed last. */
  private clock = none;

  // What the device and the policies are.
  private readonly banks: number;
  private readonly banksPerRank: number;
  /** A bank's number shifted by this is its rank. */
  private readonly rankShift: number;
  private readonly ranks: number;
  private readonly readDelay: number;
  private readonly writeDelay: number;
  private readonly burstClocks: number;
  private readonly refreshDuration: number;
  private readonly queueEntries: number;
  private readonly bankEntries: number;
  private readonly rowHitCap: number;
  private readonly drainThreshold: number;
  private readonly closesPages: boolean;
  private readonly timers: Timers;

  // Entries: a request from its acceptance to its column command.
  private readonly addresses: Float64Array;
  private readonly entryRow: Int32Array;
  private readonly entryColumn: Int32Array;
  private readonly entryTag: Int32Array;
  private readonly entryClock: Int32Array;
  private readonly entryMoved: Int32Array;
  private readonly entryOrder: Int32Array;
  private readonly entryNext: Int32Array;
  private readonly entryMerged: Int32Array;
  private readonly freeEntries: Int32Array;
  private freeCount: number;
  private nextOrder = 0;
  private readonly pendingReads: AddressIndex;
  private readonly pendingWrites: AddressIndex;

  // Reads merged with a pending one, as lists behind it; grows as need be.
  private mergedTag = new Int32Array(64);
  private mergedClock = new Int32Array(64);
  private mergedNext = new Int32Array(64);
  private mergedFree = none;
  private mergedUsed = 0;

  // Transaction queues: a list for each queue and bank, oldest first; banks with entries as masks.
  private readonly listHead: Int32Array;
  private readonly listTail: Int32Array;
  private readonly waitingCount = new Int32Array(2);
  private readonly waitingBanks = new Int32Array(2);
  /** Writes still to move before reads may again. */
  private draining = 0;

  // Bank queues: rings of entries; masks over a queue's entries have the oldest in bit 0.
  private readonly queue: Int32Array;
  /** The entries' rows, beside them: what an activate compares. */
  private readonly queueRows: Int32Array;
  private readonly ringMask: number;
  private readonly queueHead: Int32Array;
  private readonly queueCount: Int32Array;
  private readonly hits: Int32Array;
  private readonly writes: Int32Array;
  /** Writes behind a read of the same burst: by other addresses within it, or the write would not have been moved. */
  private readonly blocked: Int32Array;
  private readonly openRow: Int32Array;
  private readonly columnCount: Int32Array;
  /** Entries in all bank queues. */
  private queued = 0;
  private readonly openBanks: Int32Array;
  private readonly activeSince: Int32Array;

  // Arbitration: banks with work, banks whose queue is full, banks with several kinds of candidate.
  private busyBanks = 0;
  private fullBanks = 0;
  private manifoldBanks = 0;
  /** Of a bank with one candidate: its own earliest clock, and where the shared one stands. Of others: kinds. */
  private readonly candidateReady: Int32Array;
  private readonly candidateShared: Int32Array;
  private readonly candidateKinds: Int32Array;
  private lastBank: number;
  private isWinnerKnown = false;
  private winner = 0;
  private winnerClock = never;

  // Refresh: the rank whose turn it is, requests not yet carried out, the frozen rank's banks.
  private readonly refreshInterval: number;
  private nextRefresh: number;
  private refreshRank = 0;
  private refreshRequests = 0;
  private frozenBanks = 0;
  private refreshClock = never;
  private readonly frozenFrom: Int32Array;
  private readonly frozenUntil: Int32Array;

  // The data bus.
  private lastDirection = none;
  private busFree = 0;
  /** End of the last burst. */
  private dataEnd = 0;
  /** Commands after `dataEnd`, in case no burst follows any more: clock since the very start, and which. */
  private trailingClocks = new Float64Array(64);
  private trailingCommands = new Uint8Array(64);
  private trailingCount = 0;

  constructor(
    config: SdramConfig,
    private readonly mapping: AddressMapping,
    private readonly listener: ChannelListener,
  ) {
    const { organisation, timing, controller } = config;
    const geometry = geometryOf(config);
    const { banks, ranks } = geometry;
    this.banks = banks;
    this.ranks = ranks;
    this.banksPerRank = geometry.banksPerRank;
    this.rankShift = Math.log2(geometry.banksPerRank);
    this.burstClocks = geometry.burstClocks;
    this.readDelay = timing.AL + timing.CL + geometry.burstClocks;
    this.writeDelay = timing.AL + timing.CWL + geometry.burstClocks;
    this.queueEntries = controller.transactionQueueEntries;
    this.bankEntries = controller.commandQueueEntries;
    this.rowHitCap = controller.rowHitCap;
    this.drainThreshold = controller.writeDrainThreshold;
    this.closesPages = controller.pagePolicy === 'closed';
    this.refreshDuration = timing.tRFC;
    this.timers = new Timers(delaysOf(config), { ...organisation, ranks });

    const entries = 2 * this.queueEntries + banks * this.bankEntries;
    this.addresses = new Float64Array(entries);
    this.entryRow = new Int32Array(entries);
    this.entryColumn = new Int32Array(entries);
    this.entryTag = new Int32Array(entries);
    this.entryClock = new Int32Array(entries);
    this.entryMoved = new Int32Array(entries);
    this.entryOrder = new Int32Array(entries);
    this.entryNext = new Int32Array(entries);
    this.entryMerged = new Int32Array(entries).fill(none);
    this.freeEntries = Int32Array.from({ length: entries }, (_, at) => entries - 1 - at);
    this.freeCount = entries;
    this.pendingReads = new AddressIndex(this.addresses);
    this.pendingWrites = new AddressIndex(this.addresses);

    this.listHead = new Int32Array(2 * banks).fill(none);
    this.listTail = new Int32Array(2 * banks).fill(none);
    const ringEntries = 2 ** Math.ceil(Math.log2(this.bankEntries));
    this.ringMask = ringEntries - 1;
    this.queue = new Int32Array(banks * ringEntries);
    this.queueRows = new Int32Array(banks * ringEntries);
    this.queueHead = new Int32Array(banks);
    this.queueCount = new Int32Array(banks);
    this.hits = new Int32Array(banks);
    this.writes = new Int32Array(banks);
    this.blocked = new Int32Array(banks);
    this.openRow = new Int32Array(banks).fill(none);
    this.columnCount = new Int32Array(banks);
    this.openBanks = new Int32Array(ranks);
    this.activeSince = new Int32Array(ranks);
    this.candidateReady = new Int32Array(banks);
    this.candidateShared = new Int32Array(banks);
    this.candidateKinds = new Int32Array(banks);
    this.lastBank = banks - 1;

    this.refreshInterval =
      controller.refresh === 'none' ? never : Math.max(1, Math.floor(timing.tREFI / ranks));
    this.nextRefresh = this.refreshInterval;
    this.frozenFrom = new Int32Array(ranks);
    this.frozenUntil = new Int32Array(ranks);
  }

  /**
   * Accepts a request as soon as its queue has room, at `earliest` at the soonest, and returns the clock of that.
   * Everything up to that clock has then happened. `burst` is the address's, as the mapping numbers it; two requests are
   * of the same data if their `address` is the same.
   */
  accept(write: boolean, address: number, burst: number, tag: number, earliest: number): number {
    if (earliest > this.epoch + this.clock) this.advanceTo(earliest);
    const list = write ? writing : reading;
    while (this.waitingCount[list]! >= this.queueEntries) this.processNext();
    const clock = this.clock;
    if (write) this.acceptWrite(address, burst, tag);
    else this.acceptRead(address, burst, tag);
    return this.epoch + clock;
  }

  /** Lets everything up to and including `limit` happen. */
  advanceTo(limit: number): void {
    for (;;) {
      const inEpoch = Math.min(limit - this.epoch, epochEnd + 1);
      let next = this.nextEvent();
      while (next <= inEpoch) {
        this.process(next);
        next = this.nextEvent();
      }
      if (inEpoch > this.clock) this.clock = inEpoch;
      if (this.clock <= epochEnd) return;
      this.moveEpoch();
    }
  }

  /** The next clock in which something happens. */
  get nextClock(): number {
    return this.epoch + this.nextEvent();
  }

  /** Whether accepted reads have yet to bring data. */
  get hasPendingReads(): boolean {
    return this.pendingReads.count > 0;
  }

  /** Whether more than refreshes will happen without another request. */
  get hasWork(): boolean {
    return this.pendingReads.count > 0 || this.queued > 0 || this.wantsToDrain();
  }

  /** Clock after the last beat of the last burst. */
  get finish(): number {
    return this.epoch + this.dataEnd;
  }

  /** Writes accepted that no command has written yet. */
  get undrainedWrites(): number {
    return this.pendingWrites.count;
  }

  /** Lets all data move that will without another request; writes too few to be drained stay. */
  finishWork(): void {
    while (this.hasWork) this.processNext();
    this.advanceTo(this.finish);
  }

  /** The statistics without the commands after a clock that does not lie before `finish`. */
  statisticsUpTo(clock: number): ChannelStatistics {
    this.settleActiveClocks();
    const statistics = { ...this.statistics };
    for (let at = 0; at < this.trailingCount; at++) {
      if (this.trailingClocks[at]! <= clock) continue;
      const command = this.trailingCommands[at]!;
      if (command === ACT) statistics.activates--;
      else if (command === PRE) statistics.precharges--;
      else statistics.refreshes--;
    }
    return statistics;
  }

  /** Adds the ranks' open time up to now; call before reading `statistics.activeClocks`. */
  settleActiveClocks(): void {
    for (let rank = 0; rank < this.ranks; rank++) {
      if (this.openBanks[rank]! === 0) continue;
      this.statistics.activeClocks += this.clock - this.activeSince[rank]!;
      this.activeSince[rank] = this.clock;
    }
  }

  // Acceptance.

  private acceptRead(address: number, burst: number, tag: number): void {
    const added = this.clock + 1;
    this.statistics.reads++;
    if (this.pendingWrites.find(address) !== none) {
      this.statistics.forwardedReads++;
      this.latencies.add(1);
      this.listener.completed?.(tag, this.epoch + added + 1);
      return;
    }
    const pending = this.pendingReads.find(address);
    if (pending !== none) {
      this.statistics.mergedReads++;
      this.merge(pending, tag, added);
      return;
    }
    this.pendingReads.insert(this.enter(reading, address, burst, tag, added));
  }

  private acceptWrite(address: number, burst: number, tag: number): void {
    const added = this.clock + 1;
    this.statistics.writes++;
    if (this.pendingWrites.find(address) !== none) this.statistics.absorbedWrites++;
    else this.pendingWrites.insert(this.enter(writing, address, burst, tag, added));
    this.listener.completed?.(tag, this.epoch + added + 1);
  }

  /** Puts a request at the end of its transaction queue. */
  private enter(list: number, address: number, burst: number, tag: number, added: number): number {
    const entry = this.freeEntries[--this.freeCount]!;
    const bank = this.mapping.bankOf(burst);
    this.addresses[entry] = address;
    this.entryRow[entry] = this.mapping.rowOf(burst);
    this.entryColumn[entry] = this.mapping.columnOf(burst);
    this.entryTag[entry] = tag;
    this.entryClock[entry] = added;
    this.entryOrder[entry] = this.nextOrder;
    this.nextOrder = (this.nextOrder + 1) | 0;
    this.entryNext[entry] = none;
    const at = list * this.banks + bank;
    const tail = this.listTail[at]!;
    if (tail === none) this.listHead[at] = entry;
    else this.entryNext[tail] = entry;
    this.listTail[at] = entry;
    this.waitingBanks[list] = this.waitingBanks[list]! | (1 << bank);
    this.waitingCount[list]!++;
    return entry;
  }

  private merge(entry: number, tag: number, added: number): void {
    let at = this.mergedFree;
    if (at === none) {
      at = this.mergedUsed++;
      if (at === this.mergedTag.length) this.growMerged();
    } else {
      this.mergedFree = this.mergedNext[at]!;
    }
    this.mergedTag[at] = tag;
    this.mergedClock[at] = added;
    this.mergedNext[at] = this.entryMerged[entry]!;
    this.entryMerged[entry] = at;
  }

  private growMerged(): void {
    const grown = (old: Int32Array): Int32Array<ArrayBuffer> => {
      const larger = new Int32Array(2 * old.length);
      larger.set(old);
      return larger;
    };
    this.mergedTag = grown(this.mergedTag);
    this.mergedClock = grown(this.mergedClock);
    this.mergedNext = grown(this.mergedNext);
  }

  // Time.

  private processNext(): void {
    const next = this.nextEvent();
    assert(next < never, 'the memory controller waits for nothing');
    this.process(next);
    if (this.clock > epochEnd) this.moveEpoch();
  }

  /** The next clock in which a command, a move or a refresh request happens. */
  private nextEvent(): number {
    if (!this.isWinnerKnown) this.findWinner(this.clock + 1);
    let next = this.winnerClock;
    if (this.refreshClock < next) next = this.refreshClock;
    if (this.nextRefresh < next) next = this.nextRefresh;
    const following = this.clock + 1;
    if (next > following && this.movableBanks() !== 0) next = following;
    return next;
  }

  /** One clock: refresh request, at most one command, at most one move. */
  private process(clock: number): void {
    this.clock = clock;
    if (clock === this.nextRefresh) this.requestRefresh();
    if (!this.isWinnerKnown) this.findWinner(clock);
    // Commands of a waiting refresh go before those of other ranks.
    if (this.refreshClock === clock) this.issueForRefresh();
    else if (this.winnerClock === clock) this.issueFromQueue(this.winner);
    this.moveTransaction();
  }

  private moveEpoch(): void {
    this.epoch += epochStride;
    this.clock -= epochStride;
    const shift = (clock: number) => (clock >= never ? clock : Math.max(clock - epochStride, -epochStride));
    for (const clocks of [
      this.entryClock,
      this.entryMoved,
      this.mergedClock,
      this.candidateReady,
      this.activeSince,
      this.frozenFrom,
      this.frozenUntil,
    ]) {
      for (let at = 0; at < clocks.length; at++) clocks[at] = shift(clocks[at]!);
    }
    this.timers.moveEpoch(epochStride);
    this.nextRefresh = shift(this.nextRefresh);
    this.refreshClock = shift(this.refreshClock);
    this.busFree = shift(this.busFree);
    this.dataEnd -= epochStride;
    this.isWinnerKnown = false;
  }

  // From the transaction queues to the bank queues.

  private wantsToDrain(): boolean {
    const buffered = this.waitingCount[writing]!;
    return (
      this.draining > 0 ||
      buffered >= this.queueEntries ||
      (buffered > this.drainThreshold && this.queued === 0)
    );
  }

  /** Banks with room that the active transaction queue has an entry for. */
  private movableBanks(): number {
    return this.waitingBanks[this.wantsToDrain() ? writing : reading]! & ~this.fullBanks;
  }

  private moveTransaction(): void {
    const isDraining = this.wantsToDrain();
    const list = isDraining ? writing : reading;
    const movable = this.waitingBanks[list]! & ~this.fullBanks;
    // What makes draining start stays as it is until a write moves.
    if (movable === 0) return;
    if (isDraining && this.draining === 0) this.draining = this.waitingCount[writing]!;
    const bank = this.oldestOf(list, movable);
    if (isDraining) {
      const entry = this.listHead[writing * this.banks + bank]!;
      const read = this.pendingReads.find(this.addresses[entry]!);
      if (read !== none) {
        // The write must not overtake the read: draining ends, and nothing moves in this clock ...
        this.draining = 0;
        if (this.isStuckBehind(entry, read)) this.moveOldestRead();
        return;
      }
      this.draining--;
    }
    this.move(list, bank);
  }

  /**
   * ... which would be for ever, if draining starts again at once, no older write could move instead, and the read
   * is itself still waiting to be moved: reads do not move while draining. DRAMsim3 hangs there; here a read moves.
   */
  private isStuckBehind(write: number, read: number): boolean {
    if (!this.wantsToDrain()) return false;
    const oldest = this.oldestOf(writing, this.waitingBanks[writing]!);
    return this.listHead[writing * this.banks + oldest] === write && this.isWaiting(read);
  }

  /** Whether an entry is still in its transaction queue. */
  private isWaiting(read: number): boolean {
    const bank = this.mapping.bankOf(this.mapping.burstOf(this.addresses[read]!));
    let entry = this.listHead[reading * this.banks + bank]!;
    while (entry !== none && entry !== read) entry = this.entryNext[entry]!;
    return entry === read;
  }

  private moveOldestRead(): void {
    const movable = this.waitingBanks[reading]! & ~this.fullBanks;
    if (movable !== 0) this.move(reading, this.oldestOf(reading, movable));
  }

  /** Of some banks, the one whose first entry in a list is the oldest. */
  private oldestOf(list: number, banks: number): number {
    const base = list * this.banks;
    let best = none;
    let bestOrder = 0;
    for (let left = banks; left !== 0; ) {
      const bank = 31 - Math.clz32(left);
      left ^= 1 << bank;
      const order = this.entryOrder[this.listHead[base + bank]!]!;
      if (best === none || ((order - bestOrder) | 0) < 0) {
        best = bank;
        bestOrder = order;
      }
    }
    return best;
  }

  /** Moves the first entry of a list to its bank's queue. */
  private move(list: number, bank: number): void {
    const at = list * this.banks + bank;
    const entry = this.listHead[at]!;
    const following = this.entryNext[entry]!;
    this.listHead[at] = following;
    if (following === none) {
      this.listTail[at] = none;
      this.waitingBanks[list] = this.waitingBanks[list]! & ~(1 << bank);
    }
    this.waitingCount[list]!--;

    this.entryMoved[entry] = this.clock;
    const count = this.queueCount[bank]!;
    const row = this.entryRow[entry]!;
    const slot = bank * (this.ringMask + 1) + ((this.queueHead[bank]! + count) & this.ringMask);
    this.queue[slot] = entry;
    this.queueRows[slot] = row;
    this.queueCount[bank] = count + 1;
    if (count + 1 === this.bankEntries) this.fullBanks |= 1 << bank;
    this.queued++;
    if (this.openRow[bank] === row) this.hits[bank] = this.hits[bank]! | (1 << count);
    if (list === writing) {
      this.writes[bank] = this.writes[bank]! | (1 << count);
      if (this.isBehindRead(bank, count)) this.blocked[bank] = this.blocked[bank]! | (1 << count);
    }
    this.findCandidate(bank);
  }

  /** Whether an older entry of a bank's queue reads the burst that the entry at a place writes. */
  private isBehindRead(bank: number, place: number): boolean {
    const ring = bank * (this.ringMask + 1);
    const head = this.queueHead[bank]!;
    const entry = this.queue[ring + ((head + place) & this.ringMask)]!;
    const writes = this.writes[bank]!;
    for (let at = place - 1; at >= 0; at--) {
      if (((writes >>> at) & 1) === 1) continue;
      const other = this.queue[ring + ((head + at) & this.ringMask)]!;
      if (
        this.entryColumn[other] === this.entryColumn[entry] &&
        this.entryRow[other] === this.entryRow[entry]
      ) {
        return true;
      }
    }
    return false;
  }

  private findBlocked(bank: number): void {
    let blocked = 0;
    for (let left = this.writes[bank]!; left !== 0; ) {
      const place = 31 - Math.clz32(left);
      left ^= 1 << place;
      if (this.isBehindRead(bank, place)) blocked |= 1 << place;
    }
    this.blocked[bank] = blocked;
  }

  // Arbitration.

  /** What a bank could issue next, and its own earliest clock for it. */
  private findCandidate(bank: number): void {
    this.isWinnerKnown = false;
    const bit = 1 << bank;
    if (this.queueCount[bank] === 0) {
      this.busyBanks &= ~bit;
      return;
    }
    this.busyBanks |= bit;
    let kind = ACT;
    if (this.openRow[bank] !== none) {
      const hits = this.hits[bank]!;
      let kinds = (hits & ~this.writes[bank]!) !== 0 ? mayRead : 0;
      if ((hits & this.writes[bank]! & ~this.blocked[bank]!) !== 0) kinds |= mayWrite;
      // Only the oldest entry may close the row: if nobody hits it any more, or it has served enough.
      const mayClose = (hits & 1) === 0 && (hits === 0 || this.columnCount[bank]! >= this.rowHitCap);
      if (mayClose) kinds |= mayPrecharge;
      if ((kinds & (kinds - 1)) !== 0) {
        this.manifoldBanks |= bit;
        this.candidateKinds[bank] = kinds;
        return;
      }
      kind = 31 - Math.clz32(kinds);
    }
    this.manifoldBanks &= ~bit;
    const { timers } = this;
    this.candidateReady[bank] = timers.bankReady[kind * this.banks + bank]!;
    this.candidateShared[bank] = kind * timers.groups + timers.groupOfBank[bank]!;
  }

  /** The bank that issues next, and when: the earliest, then the next in turn after the one served last. */
  private findWinner(from: number): void {
    this.isWinnerKnown = true;
    this.winnerClock = never;
    const active = this.busyBanks & ~this.frozenBanks;
    if (active === 0) return;
    const first = this.lastBank + 1;
    const lastIndex = this.banks - 1;
    const { candidateReady, candidateShared } = this;
    const { sharedReady } = this.timers;
    // Clocks ahead above, turn below: one comparison decides both. No branches: what is later is random, and a wrong
    // guess of the processor costs more than the whole round. (d & ~(d >> 31) is max(d, 0), d & (d >> 31) is min(d, 0).)
    let best = 0x7fff_ffff;
    for (let left = active & ~this.manifoldBanks; left !== 0; ) {
      const bank = 31 - Math.clz32(left);
      left ^= 1 << bank;
      const shared = sharedReady[candidateShared[bank]!]!;
      const wait = candidateReady[bank]! - shared;
      const ahead = shared + (wait & ~(wait >> 31)) - from;
      const key = ((ahead & ~(ahead >> 31)) << 5) | ((bank - first) & lastIndex);
      const difference = key - best;
      best += difference & (difference >> 31);
    }
    for (let left = active & this.manifoldBanks; left !== 0; ) {
      const bank = 31 - Math.clz32(left);
      left ^= 1 << bank;
      const ahead = Math.max(this.earliestOf(bank, this.candidateKinds[bank]!) - from, 0);
      const key = (ahead << 5) | ((bank - first) & lastIndex);
      if (key < best) best = key;
    }
    this.winner = (first + (best & 31)) & lastIndex;
    this.winnerClock = from + (best >>> 5);
  }

  private earliestOf(bank: number, kinds: number): number {
    let earliest = never;
    for (let left = kinds; left !== 0; ) {
      const kind = 31 - Math.clz32(left);
      left ^= 1 << kind;
      const ready = this.timers.readyClock(kind, bank);
      if (ready < earliest) earliest = ready;
    }
    return earliest;
  }

  // Commands.

  private issueFromQueue(bank: number): void {
    this.lastBank = bank;
    const clock = this.clock;
    if (this.openRow[bank] === none) {
      this.activate(bank);
      return;
    }
    const hits = this.hits[bank]!;
    const mayClose = (hits & 1) === 0 && (hits === 0 || this.columnCount[bank]! >= this.rowHitCap);
    if (mayClose && this.timers.readyClock(PRE, bank) <= clock) {
      this.precharge(bank);
      return;
    }
    const writes = this.writes[bank]!;
    let ready = hits & ~writes;
    if (ready !== 0 && this.timers.readyClock(RD, bank) > clock) ready = 0;
    const writable = hits & writes & ~this.blocked[bank]!;
    if (writable !== 0 && this.timers.readyClock(WR, bank) <= clock) ready |= writable;
    this.issueColumn(bank, 31 - Math.clz32(ready & -ready));
  }

  private activate(bank: number): void {
    const clock = this.clock;
    const rank = bank >> this.rankShift;
    const ring = bank * (this.ringMask + 1);
    const head = this.queueHead[bank]!;
    const { queueRows, ringMask } = this;
    const row = queueRows[ring + head]!;
    this.openRow[bank] = row;
    this.columnCount[bank] = 0;
    let hits = 0;
    for (let at = this.queueCount[bank]! - 1; at >= 0; at--) {
      hits = (hits << 1) | (queueRows[ring + ((head + at) & ringMask)] === row ? 1 : 0);
    }
    this.hits[bank] = hits;
    if (this.openBanks[rank]!++ === 0) this.activeSince[rank] = clock;
    this.issue(ACT, bank);
    this.statistics.activates++;
    this.noteTrailing(ACT);
    this.listener.command?.(this.epoch + clock, ACT, bank, row, -1);
    this.findCandidate(bank);
  }

  private precharge(bank: number): void {
    this.close(bank);
    this.issue(PRE, bank);
    this.statistics.precharges++;
    this.noteTrailing(PRE);
    this.listener.command?.(this.epoch + this.clock, PRE, bank, -1, -1);
    this.findCandidate(bank);
  }

  private close(bank: number): void {
    this.openRow[bank] = none;
    this.hits[bank] = 0;
    const rank = bank >> this.rankShift;
    if (--this.openBanks[rank]! === 0) this.statistics.activeClocks += this.clock - this.activeSince[rank]!;
  }

  /** Reads or writes a burst for the entry at a place of a bank's queue. */
  private issueColumn(bank: number, place: number): void {
    const clock = this.clock;
    const isWrite = ((this.writes[bank]! >>> place) & 1) === 1;
    const entry = this.dequeue(bank, place);
    const isFirst = this.columnCount[bank] === 0;
    this.columnCount[bank]!++;
    if (!isFirst) this.statistics.rowHits++;
    this.accountForBus(bank, entry, isWrite, isFirst);
    const command = isWrite ? (this.closesPages ? WRA : WR) : this.closesPages ? RDA : RD;
    this.issue(command, bank);
    this.listener.command?.(this.epoch + clock, command, bank, -1, this.entryColumn[entry]!);
    if (isWrite) {
      this.statistics.writeBursts++;
      this.pendingWrites.remove(entry);
    } else {
      this.statistics.readBursts++;
      this.pendingReads.remove(entry);
      this.completeReads(entry, clock + this.readDelay);
    }
    this.freeEntries[this.freeCount++] = entry;
    if (this.closesPages) this.close(bank);
    this.findCandidate(bank);
  }

  /** Takes an entry out of a bank's queue; the older ones, mostly none, move up. */
  private dequeue(bank: number, place: number): number {
    const ring = bank * (this.ringMask + 1);
    const head = this.queueHead[bank]!;
    const entry = this.queue[ring + ((head + place) & this.ringMask)]!;
    for (let at = place; at > 0; at--) {
      const to = ring + ((head + at) & this.ringMask);
      const from = ring + ((head + at - 1) & this.ringMask);
      this.queue[to] = this.queue[from]!;
      this.queueRows[to] = this.queueRows[from]!;
    }
    this.queueHead[bank] = (head + 1) & this.ringMask;
    this.queueCount[bank]!--;
    this.queued--;
    this.fullBanks &= ~(1 << bank);
    const older = (1 << place) - 1;
    this.hits[bank] = (this.hits[bank]! & older) | ((this.hits[bank]! >>> 1) & ~older);
    this.writes[bank] = (this.writes[bank]! & older) | ((this.writes[bank]! >>> 1) & ~older);
    if (this.blocked[bank] !== 0) this.findBlocked(bank);
    return entry;
  }

  private completeReads(entry: number, done: number): void {
    this.latencies.add(done - this.entryClock[entry]!);
    this.listener.completed?.(this.entryTag[entry]!, this.epoch + done);
    let at = this.entryMerged[entry]!;
    if (at === none) return;
    this.entryMerged[entry] = none;
    while (at !== none) {
      this.latencies.add(done - this.mergedClock[at]!);
      this.listener.completed?.(this.mergedTag[at]!, this.epoch + done);
      const following = this.mergedNext[at]!;
      this.mergedNext[at] = this.mergedFree;
      this.mergedFree = at;
      at = following;
    }
  }

  /** Says what the bus waited for since its last burst, as far as this one's request was already in its bank's queue. */
  private accountForBus(bank: number, entry: number, isWrite: boolean, isFirst: boolean): void {
    const { statistics } = this;
    const direction = isWrite ? writing : reading;
    const isTurn = direction !== this.lastDirection && this.lastDirection !== none;
    this.lastDirection = direction;
    if (isTurn) statistics.turnarounds++;
    const delay = isWrite ? this.writeDelay : this.readDelay;
    const end = this.clock + delay;
    const start = end - this.burstClocks;
    // Without any wait the burst would have followed the one before, or its request the clock after its move.
    const unhindered = Math.max(this.busFree, this.entryMoved[entry]! + 1 + delay - this.burstClocks);
    let lost = start - unhindered;
    if (lost > 0) {
      const rank = bank >> this.rankShift;
      const waitedFrom = this.clock - lost;
      const frozen =
        Math.min(this.frozenUntil[rank]!, this.clock) - Math.max(this.frozenFrom[rank]!, waitedFrom);
      if (frozen > 0) {
        statistics.refreshClocks += frozen;
        lost -= frozen;
      }
      if (isFirst) statistics.rowMissClocks += lost;
      else if (isTurn) statistics.turnaroundClocks += lost;
      else statistics.otherClocks += lost;
    }
    if (end > this.busFree) this.busFree = end;
    if (end > this.dataEnd) this.dataEnd = end;
    this.trailingCount = 0;
  }

  /** Notes a command without data that comes after all data so far. */
  private noteTrailing(command: number): void {
    if (this.clock <= this.dataEnd) return;
    if (this.trailingCount === this.trailingClocks.length) this.growTrailing();
    this.trailingClocks[this.trailingCount] = this.epoch + this.clock;
    this.trailingCommands[this.trailingCount++] = command;
  }

  private growTrailing(): void {
    const clocks = new Float64Array(2 * this.trailingClocks.length);
    const commands = new Uint8Array(clocks.length);
    clocks.set(this.trailingClocks);
    commands.set(this.trailingCommands);
    this.trailingClocks = clocks;
    this.trailingCommands = commands;
  }

  private issue(command: number, bank: number): void {
    this.timers.issue(command, bank, this.clock);
    this.isWinnerKnown = false;
  }

  // Refresh.

  private requestRefresh(): void {
    this.nextRefresh += this.refreshInterval;
    this.refreshRequests++;
    if (this.refreshRequests === 1) this.freeze(this.clock);
  }

  /** Stops the queues of the rank whose turn it is, and finds its first command. */
  private freeze(from: number): void {
    const first = this.refreshRank * this.banksPerRank;
    this.frozenBanks = (this.banksPerRank === 32 ? -1 : (1 << this.banksPerRank) - 1) << first;
    this.frozenFrom[this.refreshRank] = from;
    this.frozenUntil[this.refreshRank] = never;
    this.isWinnerKnown = false;
    this.findRefreshCommand(from);
  }

  /** When the frozen rank's next precharge or its refresh can be issued. */
  private findRefreshCommand(from: number): void {
    const first = this.refreshRank * this.banksPerRank;
    const last = first + this.banksPerRank;
    let clock = never;
    if (this.openBanks[this.refreshRank] === 0) clock = this.timers.refreshClock(first, this.banksPerRank);
    for (let bank = first; bank < last; bank++) {
      if (this.openRow[bank] !== none) clock = Math.min(clock, this.timers.readyClock(PRE, bank));
    }
    this.refreshClock = Math.max(clock, from);
  }

  private issueForRefresh(): void {
    const clock = this.clock;
    const rank = this.refreshRank;
    const first = rank * this.banksPerRank;
    if (this.openBanks[rank]! > 0) {
      for (let bank = first; bank < first + this.banksPerRank; bank++) {
        if (this.openRow[bank] === none || this.timers.readyClock(PRE, bank) > clock) continue;
        this.precharge(bank);
        break;
      }
      this.findRefreshCommand(clock + 1);
      return;
    }
    this.issue(REF, first);
    this.statistics.refreshes++;
    this.noteTrailing(REF);
    this.listener.command?.(this.epoch + clock, REF, first, -1, -1);
    this.frozenUntil[rank] = clock + this.refreshDuration;
    this.refreshRank = (rank + 1) % this.ranks;
    this.refreshRequests--;
    this.frozenBanks = 0;
    this.refreshClock = never;
    if (this.refreshRequests > 0) this.freeze(clock + 1);
  }
}
