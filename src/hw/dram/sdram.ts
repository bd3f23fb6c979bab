/**
 * SDRAM behind the DMA engines: bursts to requests, the accelerator's clock to the DRAM's and back.
 *
 * A transaction is cut into whole bursts of the memory; they are offered one a clock in the order of submission, and the
 * transaction is answered when all of them are. A cycle's requests are offered from the first clock of the DRAM
 * that does not begin before the cycle; an answer is heard in the first cycle that does not begin before it. Both clocks
 * start together, and their ratio is an exact fraction.
 *
 * The channels run no further than the present, but they are looked at only when an answer may be due: data follow
 * their command by the read latency at least, so commands may wait so long to be worked out.
 */
import { greatestCommonDivisor } from '../../core/integers.ts';
import type { Engine } from '../../sim/engine.ts';
import type { Observer } from '../../sim/trace.ts';
import { type Channel, emptyChannelStatistics } from './channel.ts';
import { clockPeriod, geometryOf, type SdramConfig } from './config.ts';
import { MemoryController } from './controller.ts';
import { LatencyHistogram } from './latency.ts';
import type { CompletionListener, Dram, SdramStatistics } from './port.ts';

export class Sdram implements Dram {
  private readonly controller: MemoryController;
  private readonly burstBytes: number;
  private readonly burstClocks: number;
  private readonly readDelay: number;
  /** DRAM clocks per accelerator cycle, a reduced fraction. */
  private readonly clocks: number;
  private readonly cycles: number;
  private readonly wakeHandler: number;
  /** The cycle in which a channel is looked at next. */
  private readonly wakeAt: number[];
  private readonly answerHandlers: number[] = [];

  // Transactions under way.
  private readonly port: number[] = [];
  private readonly tag: number[] = [];
  private readonly unanswered: number[] = [];
  private readonly answeredAt: number[] = [];
  private readonly submittedAt: number[] = [];
  private readonly free: number[] = [];

  // What was counted up to the last call of takeStatistics.
  private taken = emptyChannelStatistics();
  private takenClock = 0;
  private readLatency = new LatencyHistogram();

  constructor(
    private readonly engine: Engine,
    config: SdramConfig,
    clockMHz: number,
    private readonly observer?: Observer | undefined,
  ) {
    this.controller = new MemoryController(config, (channel) => ({
      completed: (transaction, clock) => this.burstCompleted(transaction, clock),
      ...(observer?.dramCommand && {
        command: (...command) => observer.dramCommand?.(channel, ...command),
      }),
    }));
    const geometry = geometryOf(config);
    this.burstBytes = geometry.burstBytes;
    this.burstClocks = geometry.burstClocks;
    this.readDelay = config.timing.AL + config.timing.CL + geometry.burstClocks;
    const [periodNumerator, periodDenominator] = clockPeriod(config.timing);
    const clocks = 1000 * periodDenominator;
    const cycles = clockMHz * periodNumerator;
    const divisor = greatestCommonDivisor(clocks, cycles);
    this.clocks = clocks / divisor;
    this.cycles = cycles / divisor;
    this.wakeHandler = engine.register((channel) => this.wake(channel));
    this.wakeAt = this.controller.channels.map(() => Number.POSITIVE_INFINITY);
  }

  connect(listener: CompletionListener): number {
    return this.answerHandlers.push(this.engine.register(listener)) - 1;
  }

  submit(port: number, write: boolean, address: number, bytes: number, tag: number): void {
    const { now } = this.engine;
    const transaction = this.free.pop() ?? this.port.length;
    const firstByte = address - (address % this.burstBytes);
    const bursts = Math.ceil((address + bytes - firstByte) / this.burstBytes);
    this.port[transaction] = port;
    this.tag[transaction] = tag;
    this.unanswered[transaction] = bursts;
    this.answeredAt[transaction] = 0;
    this.submittedAt[transaction] = write ? -1 : now;
    const arrival = this.clockOf(now);
    for (let burst = 0; burst < bursts; burst++) {
      const first = firstByte + burst * this.burstBytes;
      this.observer?.request?.(write, first, arrival);
      this.controller.offer(write, first, transaction, arrival);
    }
    for (let channel = 0; channel < this.wakeAt.length; channel++) this.scheduleWake(channel);
  }

  takeStatistics(): SdramStatistics {
    const { channels } = this.controller;
    const clock = this.clockOf(this.engine.now);
    const total = emptyChannelStatistics();
    for (const channel of channels) {
      channel.advanceTo(clock - 1);
      channel.settleActiveClocks();
      for (const name of counters) total[name] += channel.statistics[name];
    }
    const since = emptyChannelStatistics();
    for (const name of counters) since[name] = total[name] - this.taken[name];
    const { readLatency } = this;
    const clocks = clock - this.takenClock;
    this.taken = total;
    this.takenClock = clock;
    this.readLatency = new LatencyHistogram();
    const bursts = since.readBursts + since.writeBursts;
    return {
      ...since,
      clocks,
      busClocks: bursts * this.burstClocks,
      busBytes: bursts * this.burstBytes,
      readLatency,
    };
  }

  /** The first DRAM clock that does not begin before a cycle. */
  private clockOf(cycle: number): number {
    return Math.ceil((cycle * this.clocks) / this.cycles);
  }

  /** The first cycle that does not begin before a DRAM clock. */
  private cycleOf(clock: number): number {
    return Math.ceil((clock * this.cycles) / this.clocks);
  }

  private burstCompleted(transaction: number, clock: number): void {
    if (clock > this.answeredAt[transaction]!) this.answeredAt[transaction] = clock;
    if (--this.unanswered[transaction]! > 0) return;
    const cycle = this.cycleOf(this.answeredAt[transaction]!);
    if (this.submittedAt[transaction]! >= 0) this.readLatency.add(cycle - this.submittedAt[transaction]!);
    this.engine.schedule(cycle, this.answerHandlers[this.port[transaction]!]!, this.tag[transaction]!);
    this.free.push(transaction);
  }

  /** Looks at a channel in the cycle in which its next command's data could be heard, if any are expected. */
  private scheduleWake(index: number): void {
    const channel = this.controller.channels[index]!;
    if (!channel.hasPendingReads) return;
    const cycle = Math.max(this.cycleOf(channel.nextClock + this.readDelay), this.engine.now);
    if (cycle >= this.wakeAt[index]!) return;
    this.wakeAt[index] = cycle;
    this.engine.schedule(cycle, this.wakeHandler, index);
  }

  private wake(index: number): void {
    const { now } = this.engine;
    // A wake that an earlier one has made needless.
    if (now !== this.wakeAt[index]) return;
    this.wakeAt[index] = Number.POSITIVE_INFINITY;
    const channel: Channel = this.controller.channels[index]!;
    channel.advanceTo(this.clockOf(now) - 1);
    this.scheduleWake(index);
  }
}

const counters = Object.keys(emptyChannelStatistics()) as (keyof SdramStatistics &
  keyof ReturnType<typeof emptyChannelStatistics>)[];
