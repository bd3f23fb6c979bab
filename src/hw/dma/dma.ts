/**
 * A DMA engine: turns transfer commands into DRAM transactions. The machine has two, one reads and one writes.
 *
 * Cycle rule: a command whose token is there is accepted when the engine has issued everything of the one before;
 * its first transaction follows `descriptorCycles` later, then one a cycle while fewer than the outstanding limit
 * are under way. A transaction never crosses a burst boundary nor the end of a contiguous stretch. Between transaction
 * and buffer bytes move in beats, one a cycle: a beat lies in one run and one word of the buffer. A write is issued
 * with its last beat; a read is answered with its last beat. Answers are taken in the order of the transactions, one at a
 * time. A command is complete when its last transaction is answered; its place in the queue is free then.
 *
 * The write engine may also move finished maps from the output buffer into the feature buffer, in order with its stores: a
 * beat a cycle, which lies in one piece and one word of either buffer, in cycles in which the read engine does not write the
 * feature buffer. A move is one thing under way, like a transaction.
 *
 * Bytes move when they really would: read data enters the buffer as each transaction is answered, write data
 * leaves it as each is issued. A schedule that forgets a token therefore computes wrong results.
 */
import type { Engine } from '../../sim/engine.ts';
import type { Observer } from '../../sim/trace.ts';
import type { Dram } from '../dram/port.ts';
import { bufferNames, type Command, type CommandOf, type TransferCommand } from '../isa/formats.ts';
import { CommandQueue, type Tokens } from '../sequencer/queue.ts';
import type { CommandConsumer } from '../sequencer/sequencer.ts';
import type { BufferPort } from './buffer-port.ts';
import { type DmaConfig, moveLatency } from './config.ts';

type MoveCommand = CommandOf<'move'>;

const feature = bufferNames.indexOf('feature');

/** What happens to the bytes and the counters; the machine connects it. */
export interface TransferSink {
  /** A move, as a whole. `beats` words were read and written. */
  countMove(command: MoveCommand, beats: number): void;
  /** All bytes of a move enter the feature buffer; absent in timing mode. */
  moveOnChip?: ((command: MoveCommand) => void) | undefined;
  /** A transfer, as a whole, when its last transaction is issued: `beats` accesses of the buffer. */
  count(command: TransferCommand, bytes: number, beats: number, transactions: number): void;
  /** Move contiguous bytes between DRAM and the command's buffer; absent in timing mode. */
  move?:
    | ((command: TransferCommand, dramAddress: number, bufferAddress: number, bytes: number) => void)
    | undefined;
}

export class DmaEngine implements CommandConsumer {
  private readonly queue: CommandQueue;
  private readonly port: number;
  private readonly isWrite: boolean;
  private readonly limit: number;
  private readonly acceptHandler: number;
  private readonly issueHandler: number;
  private readonly takeHandler: number;
  private readonly movedHandler: number;
  private readonly moveEndHandler: number;

  /** Index of the command being issued; -1 = none. */
  private active = -1;
  private isAccepting = false;
  /** The next transaction: where it begins, its bytes, and the beats they are moved in. */
  private segment = 0;
  private offset = 0;
  private bytes = 0;
  private beats = 0;
  /** What the command being issued has moved so far. */
  private issuedBytes = 0;
  private issuedBeats = 0;
  private issuedTransactions = 0;
  private isIssuePending = false;
  /** While the beats of a move are read: which, how many, and from when on. */
  private isMoving = false;
  private moveTag = 0;
  private moveBeats = 0;
  private moveStart = 0;
  private takenAtStart = 0;

  private readonly acceptedAt: Float64Array;
  // Transactions under way, a ring in the order of issue; a place in it is the transaction's tag.
  private oldest = 0;
  private underWay = 0;
  private readonly tagCommand: Int32Array;
  private readonly tagSegment: Int32Array;
  private readonly tagOffset: Int32Array;
  private readonly tagBytes: Int32Array;
  private readonly tagBeats: Int32Array;
  /** Nonzero for the last of its command. */
  private readonly tagIsLast: Uint8Array;
  private readonly tagIsAnswered: Uint8Array;
  private isTaking = false;
  /** The first cycle in which an answer can be taken. */
  private takesFrom = 0;

  constructor(
    private readonly name: 'load' | 'store',
    private readonly engine: Engine,
    private readonly dram: Dram,
    private readonly config: DmaConfig,
    queueDepth: number,
    /** Bytes of a beat by the buffer's code. */
    private readonly beatBytes: readonly number[],
    private readonly program: readonly Command[],
    private readonly fromCompute: Tokens,
    private readonly toCompute: Tokens,
    private readonly sink: TransferSink,
    private readonly observer: Observer | undefined,
    private readonly wakeSequencer: () => void,
    /** Where moves meet loads; absent in a machine without moves. */
    private readonly featurePort?: BufferPort | undefined,
  ) {
    this.isWrite = name === 'store';
    this.limit = this.isWrite ? config.outstandingWrites : config.outstandingReads;
    this.queue = new CommandQueue(queueDepth);
    this.port = dram.connect((tag) => this.answered(tag));
    this.acceptHandler = engine.register(() => this.accept());
    this.issueHandler = engine.register(() => this.issue());
    this.takeHandler = engine.register(() => this.take());
    this.movedHandler = engine.register((tag) => this.moved(tag));
    this.moveEndHandler = engine.register(() => this.checkMove());
    this.acceptedAt = new Float64Array(program.length);
    this.tagCommand = new Int32Array(this.limit);
    this.tagSegment = new Int32Array(this.limit);
    this.tagOffset = new Int32Array(this.limit);
    this.tagBytes = new Int32Array(this.limit);
    this.tagBeats = new Int32Array(this.limit);
    this.tagIsLast = new Uint8Array(this.limit);
    this.tagIsAnswered = new Uint8Array(this.limit);
    fromCompute.onArrival(() => this.wake());
  }

  get isFull(): boolean {
    return this.queue.isFull(this.engine.now);
  }

  get isIdle(): boolean {
    return this.queue.isUnused;
  }

  push(commandIndex: number): void {
    this.queue.push(commandIndex);
    this.wake();
  }

  private command(commandIndex: number): TransferCommand | MoveCommand {
    return this.program[commandIndex] as TransferCommand | MoveCommand;
  }

  /** A command that transactions belong to. */
  private transfer(commandIndex: number): TransferCommand {
    return this.program[commandIndex] as TransferCommand;
  }

  private wake(): void {
    if (this.active >= 0 || this.isAccepting || this.queue.isEmpty) return;
    this.isAccepting = true;
    this.engine.schedule(this.engine.now, this.acceptHandler);
  }

  private accept(): void {
    this.isAccepting = false;
    if (this.active >= 0 || this.queue.isEmpty) return;
    const command = this.command(this.queue.peek());
    if (command.waitCompute === 1 && !this.fromCompute.take()) return;
    this.active = this.queue.shift();
    this.segment = 0;
    this.offset = 0;
    this.acceptedAt[this.active] = this.engine.now;
    this.observer?.accepted?.(this.active, this.engine.now);
    const begin = this.engine.now + this.config.descriptorCycles;
    if (command.op === 'move') {
      this.scheduleIssue(begin);
      return;
    }
    this.prepare(command);
    // The first beat of a write is gathered in the cycle in which a read would be issued.
    this.scheduleIssue(begin + (this.isWrite ? this.beats - 1 : 0));
  }

  /** Works out the next transaction. */
  private prepare(command: TransferCommand): void {
    const { burstBytes } = this.config;
    const address = command.dramAddress + this.segment * command.dramPitch + this.offset;
    this.bytes = Math.min(command.stretchBytes - this.offset, burstBytes - (address % burstBytes));
    this.beats = beatsOfTransaction(
      command,
      this.segment,
      this.offset,
      this.bytes,
      this.beatBytes[command.buffer]!,
    );
  }

  private scheduleIssue(cycle: number): void {
    this.isIssuePending = true;
    this.engine.schedule(cycle, this.issueHandler);
  }

  private issue(): void {
    this.isIssuePending = false;
    // At the limit: the next answer brings the engine back here.
    if (this.underWay === this.limit) return;
    const commandIndex = this.active;
    const tag = this.nextTag(commandIndex);
    const command = this.command(commandIndex);
    if (command.op === 'move') {
      this.issueMove(tag, command);
      return;
    }
    const { segment, offset, bytes, beats, isWrite } = this;
    const { now } = this.engine;
    const address = command.dramAddress + segment * command.dramPitch + offset;
    this.tagSegment[tag] = segment;
    this.tagOffset[tag] = offset;
    this.tagBytes[tag] = bytes;
    this.tagBeats[tag] = beats;

    this.issuedBytes += bytes;
    this.issuedBeats += beats;
    this.issuedTransactions++;
    this.observer?.transaction?.(isWrite, address, bytes, now);
    if (isWrite) this.moveData(command, segment, offset, bytes);

    this.offset += bytes;
    if (this.offset === command.stretchBytes) {
      this.offset = 0;
      this.segment++;
    }
    const isLast = this.segment === command.segments;
    this.tagIsLast[tag] = isLast ? 1 : 0;
    if (isLast) this.countTransfer(command);
    this.dram.submit(this.port, isWrite, address, bytes, tag);
    if (isLast) {
      this.active = -1;
      this.isAccepting = true;
      this.engine.schedule(now + 1, this.acceptHandler);
    } else {
      this.prepare(command);
      this.scheduleIssue(now + (isWrite ? this.beats : 1));
    }
  }

  private countTransfer(command: TransferCommand): void {
    this.sink.count(command, this.issuedBytes, this.issuedBeats, this.issuedTransactions);
    this.issuedBytes = 0;
    this.issuedBeats = 0;
    this.issuedTransactions = 0;
  }

  /** A place among what is under way, for something of this command. */
  private nextTag(commandIndex: number): number {
    let tag = this.oldest + this.underWay++;
    if (tag >= this.limit) tag -= this.limit;
    this.tagCommand[tag] = commandIndex;
    this.tagIsAnswered[tag] = 0;
    return tag;
  }

  /** A move is one thing under way, answered when its bytes are in; the next command's turn comes behind its last beat. */
  private issueMove(tag: number, command: MoveCommand): void {
    const { now } = this.engine;
    const beats = beatsOfMove(command, this.beatBytes);
    this.tagIsLast[tag] = 1;
    this.sink.countMove(command, beats);
    this.isMoving = true;
    this.moveTag = tag;
    this.moveBeats = beats;
    this.moveStart = now;
    this.takenAtStart = this.featurePort?.takenBefore(now) ?? 0;
    this.engine.schedule(now + beats, this.moveEndHandler);
  }

  /** The cycle behind a move's last beat, unless the read engine was in its way. */
  private checkMove(): void {
    const { now } = this.engine;
    const taken = (this.featurePort?.takenBefore(now) ?? 0) - this.takenAtStart;
    const left = this.moveBeats - (now - this.moveStart - taken);
    if (left > 0) {
      this.engine.schedule(now + left, this.moveEndHandler);
      return;
    }
    this.isMoving = false;
    this.active = -1;
    this.engine.schedule(now - 1 + moveLatency, this.movedHandler, this.moveTag);
    this.accept();
  }

  private moved(tag: number): void {
    this.sink.moveOnChip?.(this.program[this.tagCommand[tag]!] as MoveCommand);
    this.answered(tag);
  }

  /** The memory has an answer, in any order. */
  private answered(tag: number): void {
    this.tagIsAnswered[tag] = 1;
    if (tag === this.oldest && !this.isTaking) this.beginTaking();
  }

  /** Takes the oldest transaction's answer: read data beat by beat, an acknowledgement at once. */
  private beginTaking(): void {
    const { now } = this.engine;
    const cycles = this.isWrite ? 1 : this.tagBeats[this.oldest]!;
    const begin = Math.max(now, this.takesFrom);
    const taken = begin + cycles - 1;
    this.isTaking = true;
    if (!this.isWrite && this.featurePort !== undefined) {
      const { buffer } = this.transfer(this.tagCommand[this.oldest]!);
      if (buffer === feature) this.featurePort.occupy(begin, taken);
    }
    if (taken === now) this.take();
    else this.engine.schedule(taken, this.takeHandler);
  }

  private take(): void {
    const { now } = this.engine;
    const tag = this.oldest;
    const commandIndex = this.tagCommand[tag]!;
    if (!this.isWrite) {
      const command = this.transfer(commandIndex);
      this.moveData(command, this.tagSegment[tag]!, this.tagOffset[tag]!, this.tagBytes[tag]!);
    }
    this.isTaking = false;
    this.takesFrom = now + 1;
    this.tagIsAnswered[tag] = 0;
    this.oldest = tag + 1 === this.limit ? 0 : tag + 1;
    this.underWay--;
    if (this.tagIsLast[tag] !== 0) this.complete(commandIndex);
    if (this.active >= 0 && !this.isIssuePending && !this.isMoving) this.scheduleIssue(now);
    if (this.tagIsAnswered[this.oldest] !== 0) this.beginTaking();
  }

  private complete(commandIndex: number): void {
    const { now } = this.engine;
    this.observer?.slice?.(this.name, commandIndex, this.acceptedAt[commandIndex]!, now);
    this.queue.release(now);
    if (this.command(commandIndex).signalCompute === 1) this.toCompute.give();
    this.wakeSequencer();
  }

  /** Moves the bytes [offset, offset + bytes) of a stretch, cut at the ends of runs. */
  private moveData(command: TransferCommand, segment: number, offset: number, bytes: number): void {
    const move = this.sink.move;
    if (move === undefined) return;
    const dramBase = command.dramAddress + segment * command.dramPitch;
    const bufferBase = command.bufferAddress + segment * command.bufferSegmentPitch;
    const end = offset + bytes;
    for (let at = offset; at < end; ) {
      const run = Math.floor(at / command.runBytes);
      const within = at - run * command.runBytes;
      const piece = Math.min(command.runBytes - within, end - at);
      move(command, dramBase + at, bufferBase + run * command.bufferRunPitch + within, piece);
      at += piece;
    }
  }
}

/** Beats of the bytes [offset, offset + bytes) of a stretch: every run is cut at multiples of a beat in the buffer. */
export function beatsOfTransaction(
  command: TransferCommand,
  segment: number,
  offset: number,
  bytes: number,
  beatBytes: number,
): number {
  const { runBytes, bufferRunPitch } = command;
  const end = offset + bytes;
  let run = Math.floor(offset / runBytes);
  let within = offset - run * runBytes;
  let address = command.bufferAddress + segment * command.bufferSegmentPitch + run * bufferRunPitch + within;
  let beats = 0;
  for (let at = offset; at < end; ) {
    const piece = Math.min(runBytes - within, end - at);
    beats += Math.floor((address + piece - 1) / beatBytes) - Math.floor(address / beatBytes) + 1;
    at += piece;
    run++;
    address += bufferRunPitch - within;
    within = 0;
  }
  return beats;
}

/** Beats of a move: every piece is cut at multiples of a beat in the output buffer, and in the feature buffer. */
export function beatsOfMove(command: MoveCommand, beatBytes: readonly number[]): number {
  const sourceBeat = beatBytes[bufferNames.indexOf('output')]!;
  const targetBeat = beatBytes[feature]!;
  let beats = 0;
  for (let segment = 0; segment < command.segments; segment++) {
    for (let run = 0; run < command.runs; run++) {
      const source =
        command.sourceAddress + segment * command.sourceSegmentPitch + run * command.sourceRunPitch;
      const target =
        command.targetAddress + segment * command.targetSegmentPitch + run * command.targetRunPitch;
      for (let at = 0; at < command.runBytes; beats++) {
        at += Math.min(sourceBeat - ((source + at) % sourceBeat), targetBeat - ((target + at) % targetBeat));
      }
    }
  }
  return beats;
}
