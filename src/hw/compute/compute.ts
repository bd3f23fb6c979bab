/**
 * The compute unit: PE array, shift chain and post-processing pipeline, driven by `postProcess` and `compute`
 * commands in order.
 *
 * Cycle rules (see docs/machine.md for the full text):
 * - A `postProcess` command takes one cycle. A `compute` command is accepted when its tokens are there and the array
 *   has handed over the last fold of the command before; its first step follows `startCycles` later.
 * - The array computes batches of folds as its dataflow says (pe-array/dataflows/). Output-stationary, a batch is a fold, and
 *   each element has an accumulator and a shadow: when a fold's last step is done and the shift chain is free, the
 *   two swap, and the chain moves the finished fold out, one column a cycle, while the next fold computes.
 * - Otherwise a batch is a group of the tile, whose sums collect in one half of the accumulator buffer. When they are complete and the
 *   chain is free the halves swap, and the chain takes the sums out in the same order, a vector a cycle. Sums that take
 *   more than a half keep the array waiting until those before, or they, are out.
 * - With partial sums coming in, a fold's start values are shifted in on the chain's other end, `columns` cycles, and one
 *   more behind a fold that leaves; for the first fold of a command this happens before its first step.
 * - A column leaves the chain for post-processing when the stage can take it: every column counts towards the
 *   running maximum of its group, and the last of a group waits until the pooling unit is done with the vector
 *   before. That vector then occupies the pooling unit for its `vectorCycles`. Groups may take turns (`interleave`).
 * - A tree across columns takes the columns of a group in one cycle; with start values coming in behind them, which come one
 *   a cycle, it takes the next group only as many cycles later.
 * - Streaming commands skip the array: a vector is read from the feature buffer each cycle (more if banks
 *   conflict; one after the other for each operand of a sum) and enters post-processing under the same rule.
 * - A depthwise command walks each channel in strips, a read a cycle (see depthwise.ts), and hands its vectors on like a
 *   streaming one.
 */
import { assert } from '../../core/diagnostics.ts';
import { alignUp } from '../../core/integers.ts';
import type { Engine } from '../../sim/engine.ts';
import type { Observer } from '../../sim/trace.ts';
import type { SramStatistics } from '../buffers/buffers.ts';
import { columnsAtOnce } from '../cross-channel-pool/config.ts';
import type { Command, CommandOf } from '../isa/formats.ts';
import type { MachineConfig } from '../machine/config.ts';
import { accumulatorBytes } from '../pe-array/config.ts';
import { type Dataflow, skewCycles } from '../pe-array/dataflows/dataflow.ts';
import { dataflowOf } from '../pe-array/dataflows/index.ts';
import { depthwiseLanes, stripRows, stripsOf } from '../pe-array/depthwise.ts';
import { CommandQueue, type Tokens } from '../sequencer/queue.ts';
import type { CommandConsumer } from '../sequencer/sequencer.ts';
import { countArray, countDepthwise, countPost, countStream } from './accesses.ts';
import type { ArrayCycles } from './statistics.ts';
import { TilePatterns } from './tile-patterns.ts';

/** What the tile does to the bytes; absent in timing mode. */
export interface TileData {
  /** Reads the operands and computes; called when the array starts. */
  begin(tile: CommandOf<'compute'>, post: CommandOf<'postProcess'> | undefined): void;
  /** Puts the oldest tile begun with post-processing into the output buffer; called when its last byte leaves the pipeline. */
  finish(): void;
}

/** Ends of the token channels the unit holds. */
export interface ComputeTokens {
  readonly fromLoad: Tokens;
  readonly toLoad: Tokens;
  readonly fromStore: Tokens;
  readonly toStore: Tokens;
}

export class ComputeUnit implements CommandConsumer {
  /** Where the array's cycles of the current step went; the machine takes and resets it at each barrier. */
  cycles: ArrayCycles;
  sram: SramStatistics;

  private readonly queue: CommandQueue;
  private readonly patterns: TilePatterns;
  private readonly tryHandler: number;
  private readonly arrayDoneHandler: number;
  private readonly postDoneHandler: number;

  private isTrying = false;
  private isBusy = false;
  private post: CommandOf<'postProcess'> | undefined;
  private tilesInPost = 0;
  /** From when the array has been idle, for the account of idle cycles. */
  private idleSince = 0;
  private idleCause: 'dram' | 'dependency' = 'dependency';

  private readonly dataflow: Dataflow;
  /** Cycles by which sums are late behind their last step; without overlap a fold's skew is part of its cycles. */
  private readonly skew: number;
  // Cycle from which the resource is free; the chain is what hands sums over to post-processing.
  private chainFree = 0;
  private poolFree = 0;
  /** The accumulator buffer, after sums that took more than half of it. */
  private sumsFree = 0;
  /** Post-processing, for what passes by the array. */
  private streamFree = 0;

  constructor(
    private readonly engine: Engine,
    private readonly machine: MachineConfig,
    private readonly program: readonly Command[],
    private readonly tokens: ComputeTokens,
    private readonly data: TileData | undefined,
    private readonly observer: Observer | undefined,
    private readonly wakeSequencer: () => void,
    statistics: { cycles: ArrayCycles; sram: SramStatistics },
  ) {
    this.cycles = statistics.cycles;
    this.sram = statistics.sram;
    this.queue = new CommandQueue(machine.sequencer.queueDepth);
    this.dataflow = dataflowOf(machine.peArray);
    this.skew = machine.peArray.foldOverlap ? skewCycles(machine.peArray) : 0;
    this.patterns = new TilePatterns(machine.peArray, machine.buffers.feature.banks);
    this.tryHandler = engine.register(() => this.tryNext());
    this.arrayDoneHandler = engine.register((index) => this.arrayDone(index));
    this.postDoneHandler = engine.register((index) => this.postDone(index));
    tokens.fromLoad.onArrival(() => this.wake());
    tokens.fromStore.onArrival(() => this.wake());
  }

  get isFull(): boolean {
    return this.queue.isFull(this.engine.now);
  }

  get isIdle(): boolean {
    return this.queue.isEmpty && !this.isBusy && this.tilesInPost === 0;
  }

  push(commandIndex: number): void {
    this.queue.push(commandIndex);
    this.wake();
  }

  /**
   * Closes the account of idle cycles up to now. While the store unit still writes (`isStoring`) the array waits
   * for DRAM, otherwise for commands.
   */
  settleIdle(isStoring: boolean): void {
    if (this.isBusy) return;
    const waited = this.engine.now - this.idleSince;
    this.cycles[isStoring && this.queue.isEmpty ? 'dram' : this.idleCause] += waited;
    this.idleSince = this.engine.now;
  }

  private wake(): void {
    if (this.isTrying || this.isBusy || this.queue.isEmpty) return;
    this.isTrying = true;
    this.engine.schedule(this.engine.now, this.tryHandler);
  }

  private tryNext(): void {
    this.isTrying = false;
    if (this.isBusy || this.queue.isEmpty) return;
    const index = this.queue.peek();
    const command = this.program[index]!;
    if (command.op === 'postProcess') {
      this.queue.shift();
      this.observer?.accepted?.(index, this.engine.now);
      this.queue.release(this.engine.now);
      this.post = command;
      this.wakeSequencer();
      this.isTrying = true;
      this.engine.schedule(this.engine.now + 1, this.tryHandler);
      return;
    }
    assert(command.op === 'compute', `${command.op} in the compute queue`);
    const { fromLoad, fromStore } = this.tokens;
    const lacksLoad = command.waitLoad === 1 && fromLoad.count === 0;
    const lacksStore = command.waitStore === 1 && fromStore.count === 0;
    if (lacksLoad || lacksStore) {
      this.settleIdle(false);
      this.idleCause = 'dram';
      return;
    }
    if (command.waitLoad === 1) fromLoad.take();
    if (command.waitStore === 1) fromStore.take();
    this.settleIdle(false);
    this.queue.shift();
    this.observer?.accepted?.(index, this.engine.now);
    this.queue.release(this.engine.now);
    this.wakeSequencer();
    this.start(index, command);
  }

  private start(index: number, tile: CommandOf<'compute'>): void {
    this.isBusy = true;
    const post = tile.accumulateOut === 1 ? undefined : this.post;
    this.data?.begin(tile, post);
    const end =
      tile.stream === 1
        ? this.streamTile(tile, post)
        : tile.depthwise === 1
          ? this.depthwiseTile(tile, post)
          : this.arrayTile(tile, post);
    this.observer?.slice?.('array', index, this.engine.now, end);
    this.engine.schedule(end, this.arrayDoneHandler, index);
    if (post !== undefined) {
      this.tilesInPost++;
      const isLate = tile.stream === 0 && tile.depthwise === 0;
      const { peArray, postProcessing } = this.machine;
      const latency = peArray.pipelineDepth + (isLate ? this.skew : 0) + postProcessing.pipelineDepth;
      const done = Math.max(this.chainFree, this.poolFree) + latency;
      this.observer?.slice?.('postProcessing', index, this.engine.now, done);
      this.engine.schedule(done, this.postDoneHandler, index);
    }
  }

  private arrayDone(index: number): void {
    this.isBusy = false;
    this.idleSince = this.engine.now;
    this.idleCause = 'dependency';
    const tile = this.program[index] as CommandOf<'compute'>;
    if (tile.signalLoad === 1) this.tokens.toLoad.give();
    this.wake();
    if (this.isIdle) this.wakeSequencer();
  }

  private postDone(index: number): void {
    this.data?.finish();
    this.tilesInPost--;
    const tile = this.program[index] as CommandOf<'compute'>;
    if (!this.isBusy) {
      this.settleIdle(false);
    }
    if (tile.signalStore === 1) this.tokens.toStore.give();
    if (this.isIdle) this.wakeSequencer();
  }

  /** Runs a tile through the array; returns the cycle in which the array has handed over its last sums. */
  private arrayTile(tile: CommandOf<'compute'>, post: CommandOf<'postProcess'> | undefined): number {
    const { columns } = this.machine.peArray;
    const { cycles } = this;
    const { keepsSums } = this.dataflow;
    const pattern = this.patterns.of(tile, post);
    const { batches } = pattern.plan;
    const preloads = keepsSums && tile.accumulateIn === 1;
    const halves = keepsSums || this.fitsHalf(tile);
    let batchesLeft = tile.groups * batches.length;

    const begin = this.engine.now;
    let now = begin + this.machine.sequencer.startCycles;
    if (preloads) {
      now = Math.max(now, this.chainFree) + columns;
      this.chainFree = batchesLeft > 1 ? now + columns : now;
    }
    cycles.fill += now - begin;

    for (let group = 0; group < tile.groups; group++) {
      let phase = 0;
      for (const batch of batches) {
        // Sums that take more than half of the accumulator buffer need those before them gone, and the other way round.
        const free = keepsSums ? 0 : halves ? this.sumsFree : this.chainFree;
        if (free > now) {
          cycles.postProcessing += free - now;
          now = free;
        }
        const done = now + batch.fill + batch.steps + batch.bank;
        const swap = Math.max(done, this.chainFree);
        cycles.fill += batch.fill;
        cycles.busy += batch.steps;
        cycles.bank += batch.bank;
        cycles.postProcessing += swap - done;
        now = swap;
        batchesLeft--;
        if (post === undefined) {
          if (keepsSums) this.chainFree = swap + batch.filters;
        } else {
          const fills = preloads && batchesLeft > 1;
          this.chainFree = swap;
          for (let fold = batch.firstFold; fold < batch.firstFold + batch.folds; fold++) {
            const vectorCycles = pattern.vectorCycles[fold]!;
            phase = this.drain(this.chainFree, batch.filters, post, phase, vectorCycles, fills);
          }
          if (!halves) this.sumsFree = this.chainFree;
        }
        // Start values follow one element behind the fold that leaves.
        if (preloads && batchesLeft > 1) this.chainFree += columns - batch.filters + 1;
      }
    }
    // Sums are late by the skew, and what passes by the array must not overtake them.
    if (post !== undefined && this.skew > 0) {
      this.streamFree = Math.max(this.chainFree, this.poolFree) + this.skew;
    }
    countArray(this.sram, this.machine, tile, pattern, post !== undefined);
    if (post !== undefined) countPost(this.sram, this.machine, tile, post);
    return now;
  }

  /** Whether the sums of a group fit half of the accumulator buffer, so that others may leave it meanwhile. */
  private fitsHalf(tile: CommandOf<'compute'>): boolean {
    const { peArray, buffers } = this.machine;
    const pixels = alignUp(tile.outRows * tile.outColumns, peArray.rows);
    return 2 * pixels * tile.filters * accumulatorBytes(peArray.accumulatorBits) <= buffers.accumulator.bytes;
  }

  /**
   * Moves the columns of a finished fold into post-processing. `phase`: vectors of the open groups so far; `fills`: whether
   * start values come in behind. Returns the phase behind the fold.
   */
  private drain(
    from: number,
    columns: number,
    { ratio, interleave }: CommandOf<'postProcess'>,
    phase: number,
    vectorCycles: number,
    fills: boolean,
  ): number {
    const atOnce = columnsAtOnce(this.machine.postProcessing.crossChannelPool, ratio);
    const absorbed = atOnce > 1 ? 0 : (ratio - 1) * Math.max(1, interleave);
    const vectors = atOnce > 1 ? 1 : ratio * Math.max(1, interleave);
    const pace = fills ? atOnce : 1;
    assert(columns % atOnce === 0, 'a tree takes whole groups of columns');
    let now = from;
    let done = phase;
    for (let column = 0; column < columns; column += atOnce) {
      if (done >= absorbed) {
        if (now < this.poolFree) now = this.poolFree;
        this.poolFree = now + vectorCycles;
      }
      if (++done === vectors) done = 0;
      now += pace;
    }
    this.chainFree = now;
    return done;
  }

  /** Streams a tile past the array; returns the cycle after its last vector was taken. */
  private streamTile(tile: CommandOf<'compute'>, post: CommandOf<'postProcess'> | undefined): number {
    assert(post !== undefined, 'a streaming tile needs post-processing');
    assert(post.interleave === 0, 'streamed maps come one group after the other');
    const { cycles } = this;
    const pattern = this.patterns.of(tile, post);
    const begin = this.engine.now;
    let now = Math.max(begin + this.machine.sequencer.startCycles, this.chainFree, this.streamFree);
    // A sum fetches its operands' records first.
    if (tile.operands > 0) now += tile.operands + 1;
    cycles.fill += now - begin;
    for (let fold = 0; fold < pattern.pixelFolds; fold++) {
      // The maps of a sum are read one after the other.
      const operands = Math.max(1, tile.operands);
      const readCycles = operands * pattern.readCycles[fold]!;
      let member = 0;
      for (let map = 0; map < tile.filters; map++) {
        let accepted = now + readCycles - 1;
        if (++member === post.ratio) {
          member = 0;
          const wait = Math.max(0, this.poolFree - accepted);
          cycles.postProcessing += wait;
          accepted += wait;
          this.poolFree = accepted + pattern.vectorCycles[fold]!;
        }
        cycles.busy += operands;
        cycles.bank += readCycles - operands;
        now = accepted + 1;
      }
    }
    this.chainFree = now;
    countStream(this.sram, this.machine, tile, pattern);
    countPost(this.sram, this.machine, tile, post);
    return now;
  }

  /** Passes a tile through the array in depthwise mode; returns the cycle after its last read. */
  private depthwiseTile(tile: CommandOf<'compute'>, post: CommandOf<'postProcess'> | undefined): number {
    assert(
      post !== undefined && post.ratio === 1 && post.poolKind === 0,
      'depthwise sums leave row by row, unpooled',
    );
    const { peArray, buffers, sequencer } = this.machine;
    const { cycles } = this;
    const { kernelRows, kernelColumns, strideRows } = tile;
    const lanes = depthwiseLanes(peArray, kernelRows, kernelColumns, tile.strideColumns);
    assert(lanes > 0, 'the array has no mode for this depthwise kernel');
    const strips = stripsOf(tile, lanes, buffers.feature.banks);
    const { reads } = stripRows(tile);
    const begin = this.engine.now;
    let now = Math.max(begin + sequencer.startCycles, this.chainFree);
    cycles.fill += now - begin;
    for (let group = 0; group < tile.groups; group++) {
      for (const strip of strips) {
        let row = 0;
        for (let read = 0; read < reads; read++) {
          let accepted = now + strip.readCycles - 1;
          if (read === row * strideRows + kernelRows - 1) {
            const wait = Math.max(0, this.poolFree - accepted);
            cycles.postProcessing += wait;
            accepted += wait;
            this.poolFree = accepted + 1;
            row++;
          }
          now = accepted + 1;
        }
        cycles.busy += reads;
        cycles.bank += reads * (strip.readCycles - 1);
      }
    }
    this.chainFree = now;
    countDepthwise(this.sram, this.machine, tile);
    countPost(this.sram, this.machine, tile, post);
    return now;
  }
}
