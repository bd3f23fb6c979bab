/**
 * A DMA engine: turns transfer commands into DRAM transactions. The machine has two, one reads and one writes.
 *
 * Cycle rule: a command whose token is there is accepted when the engine has issued everything of the one before;
 * its first transaction follows `descriptorCycles` later, then one a cycle while fewer than the outstanding limit
 * are under way. A transaction never crosses a burst boundary nor the end of a contiguous stretch. A command is
 * complete when its last transaction is answered and all commands before it are complete.
 *
 * The write engine also moves finished maps from the output buffer into the feature buffer, in order with its stores:
 * `moveBytes` a cycle of one piece at a time.
 *
 * Bytes move when they really would: read data enters the buffer as each transaction is answered, write data
 * leaves it as each is issued. A schedule that forgets a token therefore computes wrong results.
 */
import type { Engine } from '../../sim/engine.ts';
import type { Observer } from '../../sim/trace.ts';
import type { Dram } from '../dram/port.ts';
import type { Command, CommandOf, TransferCommand } from '../isa/formats.ts';
import { CommandQueue, type Tokens } from '../sequencer/queue.ts';
import type { CommandConsumer } from '../sequencer/sequencer.ts';
import { type DmaConfig, moveLatency } from './config.ts';

type MoveCommand = CommandOf<'move'>;

/** What happens to the bytes and the counters; the machine connects it. */
export interface TransferSink {
  /** A move, as a whole. `beats` words were read and written. */
  countMove(command: MoveCommand, beats: number): void;
  /** All bytes of a move enter the feature buffer; absent in timing mode. */
  moveOnChip?: ((command: MoveCommand) => void) | undefined;
  /** `bytes` of `command` moved, `pieces` separate places in the buffer touched. */
  count(command: TransferCommand, bytes: number, pieces: number): void;
  /** Move contiguous bytes between DRAM and the command's buffer; absent in timing mode. */
  move?:
    | ((command: TransferCommand, dramAddress: number, bufferAddress: number, bytes: number) => void)
    | undefined;
}

export class DmaEngine implements CommandConsumer {
  private readonly queue: CommandQueue;
  private readonly port: number;
  private readonly acceptHandler: number;
  private readonly issueHandler: number;
  private readonly movedHandler: number;

  /** Index of the command being issued; -1 = none. */
  private active = -1;
  private isAccepting = false;
  private segment = 0;
  private offset = 0;
  private isIssuePending = false;

  /** Unanswered transactions of each command, and whether all were issued. */
  private readonly unanswered: Int32Array;
  private readonly isFullyIssued: Uint8Array;
  private readonly acceptedAt: Float64Array;
  /** Commands accepted and not complete, oldest first. */
  private readonly incomplete: number[] = [];
  // In flight, by tag.
  private readonly freeTags: number[] = [];
  private readonly tagCommand: Int32Array;
  private readonly tagSegment: Int32Array;
  private readonly tagOffset: Int32Array;
  private readonly tagBytes: Int32Array;

  constructor(
    private readonly name: 'load' | 'store',
    private readonly engine: Engine,
    private readonly dram: Dram,
    private readonly config: DmaConfig,
    queueDepth: number,
    private readonly program: readonly Command[],
    private readonly fromCompute: Tokens,
    private readonly toCompute: Tokens,
    private readonly sink: TransferSink,
    private readonly observer: Observer | undefined,
    private readonly wakeSequencer: () => void,
  ) {
    const limit = name === 'load' ? config.outstandingReads : config.outstandingWrites;
    this.queue = new CommandQueue(queueDepth);
    this.port = dram.connect((tag) => this.answered(tag));
    this.acceptHandler = engine.register(() => this.accept());
    this.issueHandler = engine.register(() => this.issue());
    this.movedHandler = engine.register((index) => this.moved(index));
    this.unanswered = new Int32Array(program.length);
    this.isFullyIssued = new Uint8Array(program.length);
    this.acceptedAt = new Float64Array(program.length);
    this.tagCommand = new Int32Array(limit);
    this.tagSegment = new Int32Array(limit);
    this.tagOffset = new Int32Array(limit);
    this.tagBytes = new Int32Array(limit);
    for (let tag = limit - 1; tag >= 0; tag--) this.freeTags.push(tag);
    fromCompute.onArrival(() => this.wake());
  }

  get isFull(): boolean {
    return this.queue.isFull;
  }

  get isIdle(): boolean {
    return this.queue.isEmpty && this.active < 0 && this.incomplete.length === 0;
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
    if (this.active >= 0 && this.command(this.active).op === 'move') this.endIssue();
    if (this.active >= 0 || this.queue.isEmpty) return;
    const command = this.command(this.queue.peek());
    if (command.waitCompute === 1 && !this.fromCompute.take()) return;
    this.active = this.queue.shift();
    this.wakeSequencer();
    this.segment = 0;
    this.offset = 0;
    this.incomplete.push(this.active);
    this.acceptedAt[this.active] = this.engine.now;
    const begin = this.engine.now + this.config.descriptorCycles;
    if (command.op === 'move') this.beginMove(this.active, command, begin);
    else this.scheduleIssue(begin);
  }

  private beginMove(index: number, command: MoveCommand, begin: number): void {
    const beats = command.segments * command.runs * Math.ceil(command.runBytes / this.config.moveBytes);
    this.unanswered[index] = 1;
    this.sink.countMove(command, beats);
    this.engine.schedule(begin + beats - 1 + moveLatency, this.movedHandler, index);
    // The next command's turn, one cycle after the last beat; `active` holds it off until then.
    this.isAccepting = true;
    this.engine.schedule(begin + beats, this.acceptHandler);
  }

  private moved(index: number): void {
    this.sink.moveOnChip?.(this.program[index] as MoveCommand);
    this.unanswered[index] = 0;
    this.completeInOrder();
  }

  private scheduleIssue(cycle: number): void {
    this.isIssuePending = true;
    this.engine.schedule(cycle, this.issueHandler);
  }

  private issue(): void {
    this.isIssuePending = false;
    const tag = this.freeTags.pop();
    // At the limit: the next answer brings the engine back here.
    if (tag === undefined) return;
    const commandIndex = this.active;
    const command = this.transfer(commandIndex);
    const { burstBytes } = this.config;
    const stretch = command.runs * command.runBytes;
    const address = command.dramAddress + this.segment * command.dramPitch + this.offset;
    const bytes = Math.min(stretch - this.offset, burstBytes - (address % burstBytes));

    this.tagCommand[tag] = commandIndex;
    this.tagSegment[tag] = this.segment;
    this.tagOffset[tag] = this.offset;
    this.tagBytes[tag] = bytes;
    this.unanswered[commandIndex]!++;

    const isWrite = this.name === 'store';
    const firstRun = Math.floor(this.offset / command.runBytes);
    const lastRun = Math.floor((this.offset + bytes - 1) / command.runBytes);
    this.sink.count(command, bytes, lastRun - firstRun + 1);
    this.observer?.transaction?.(isWrite, address, bytes, this.engine.now);
    if (isWrite) this.moveData(command, this.segment, this.offset, bytes);
    this.dram.submit(this.port, isWrite, address, bytes, tag);

    this.offset += bytes;
    if (this.offset === stretch) {
      this.offset = 0;
      this.segment++;
    }
    if (this.segment < command.segments) {
      this.scheduleIssue(this.engine.now + 1);
    } else {
      this.endIssue();
      this.isAccepting = true;
      this.engine.schedule(this.engine.now + 1, this.acceptHandler);
    }
  }

  private answered(tag: number): void {
    const commandIndex = this.tagCommand[tag]!;
    if (this.name === 'load') {
      const command = this.transfer(commandIndex);
      this.moveData(command, this.tagSegment[tag]!, this.tagOffset[tag]!, this.tagBytes[tag]!);
    }
    this.freeTags.push(tag);
    this.unanswered[commandIndex]!--;
    this.completeInOrder();
    // (A move issues no transactions; the answer belongs to a store before it.)
    const isIssuing = this.active >= 0 && this.command(this.active).op !== 'move';
    if (isIssuing && !this.isIssuePending) this.scheduleIssue(this.engine.now);
  }

  private endIssue(): void {
    this.isFullyIssued[this.active] = 1;
    this.active = -1;
  }

  private completeInOrder(): void {
    let completed = 0;
    for (const commandIndex of this.incomplete) {
      if (this.isFullyIssued[commandIndex] === 0 || this.unanswered[commandIndex] !== 0) break;
      completed++;
      this.observer?.slice?.(this.name, commandIndex, this.acceptedAt[commandIndex]!, this.engine.now);
      if (this.command(commandIndex).signalCompute === 1) this.toCompute.give();
    }
    if (completed === 0) return;
    this.incomplete.splice(0, completed);
    if (this.isIdle) this.wakeSequencer();
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
