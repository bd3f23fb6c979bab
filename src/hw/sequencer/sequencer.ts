/**
 * The sequencer hands the program's commands, in order, to the queues of the load, compute and store units.
 *
 * Cycle rule: one command a cycle. A full queue holds everything behind it up; the command follows one cycle after
 * a place is free. A barrier is passed one cycle after the last unit has fallen idle, its queue included; the command behind
 * it follows one cycle later. What happens in a cycle shows in the next, whatever the order of events.
 */
import type { Engine } from '../../sim/engine.ts';
import type { Observer } from '../../sim/trace.ts';
import { type Command, formats } from '../isa/formats.ts';

/** What the sequencer needs of a unit. */
export interface CommandConsumer {
  /** No place for a command in the present cycle. */
  readonly isFull: boolean;
  /** No command queued or under way, nothing in flight. */
  readonly isIdle: boolean;
  push(commandIndex: number): void;
}

export class Sequencer {
  private next = 0;
  private isWaiting = false;
  /** The cycle in which a unit last took a command or fell idle. */
  private wokenAt = -1;
  private readonly dispatchHandler: number;

  constructor(
    private readonly engine: Engine,
    private readonly program: readonly Command[],
    private readonly units: Record<'load' | 'compute' | 'store', CommandConsumer>,
    private readonly onBarrier: () => void,
    private readonly observer?: Observer | undefined,
  ) {
    this.dispatchHandler = engine.register(() => this.dispatch());
  }

  /** Commands handed out so far. */
  get dispatched(): number {
    return this.next;
  }

  get isFinished(): boolean {
    return this.next === this.program.length;
  }

  start(): void {
    this.engine.schedule(this.engine.now, this.dispatchHandler);
  }

  /** A unit gave up a command's place or fell idle; whether it is what the next command waits for shows a cycle later. */
  wake(): void {
    this.wokenAt = this.engine.now;
    if (!this.isWaiting) return;
    this.isWaiting = false;
    this.engine.schedule(this.engine.now + 1, this.dispatchHandler);
  }

  private dispatch(): void {
    if (this.isFinished) return;
    if (!this.canDispatch()) {
      if (this.wokenAt === this.engine.now) this.engine.schedule(this.engine.now + 1, this.dispatchHandler);
      else this.isWaiting = true;
      return;
    }
    const { queue } = formats[this.program[this.next]!.op];
    this.observer?.dispatched?.(this.next, this.engine.now);
    if (queue === 'sequencer') this.onBarrier();
    else this.units[queue].push(this.next);
    this.next++;
    if (!this.isFinished) this.engine.schedule(this.engine.now + 1, this.dispatchHandler);
  }

  private canDispatch(): boolean {
    const { queue } = formats[this.program[this.next]!.op];
    if (queue !== 'sequencer') return !this.units[queue].isFull;
    if (this.wokenAt === this.engine.now) return false;
    return Object.values(this.units).every((unit) => unit.isIdle);
  }
}
