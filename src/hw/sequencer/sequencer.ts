/**
 * The sequencer hands the program's commands, in order, to the queues of the load, compute and store units.
 *
 * Cycle rule: one command a cycle. A full queue holds everything behind it up; the command follows one cycle after
 * a place is free. A barrier is passed when all queues are empty and all units idle; the command behind it follows
 * one cycle later.
 */
import type { Engine } from '../../sim/engine.ts';
import { type Command, formats } from '../isa/formats.ts';

/** What the sequencer needs of a unit. */
export interface CommandConsumer {
  readonly isFull: boolean;
  /** No command queued or under way, nothing in flight. */
  readonly isIdle: boolean;
  push(commandIndex: number): void;
}

export class Sequencer {
  private next = 0;
  private isWaiting = false;
  private readonly dispatchHandler: number;

  constructor(
    private readonly engine: Engine,
    private readonly program: readonly Command[],
    private readonly units: Record<'load' | 'compute' | 'store', CommandConsumer>,
    private readonly onBarrier: () => void,
  ) {
    this.dispatchHandler = engine.register(() => this.dispatch());
  }

  get isFinished(): boolean {
    return this.next === this.program.length;
  }

  start(): void {
    this.engine.schedule(this.engine.now, this.dispatchHandler);
  }

  /** A unit took a command or fell idle; whether it is what the next command waits for shows here, not a cycle later. */
  wake(): void {
    if (!this.isWaiting || !this.canDispatch()) return;
    this.isWaiting = false;
    this.engine.schedule(this.engine.now + 1, this.dispatchHandler);
  }

  private dispatch(): void {
    if (this.isFinished) return;
    if (!this.canDispatch()) {
      this.isWaiting = true;
      return;
    }
    const { queue } = formats[this.program[this.next]!.op];
    if (queue === 'sequencer') this.onBarrier();
    else this.units[queue].push(this.next);
    this.next++;
    if (!this.isFinished) this.engine.schedule(this.engine.now + 1, this.dispatchHandler);
  }

  private canDispatch(): boolean {
    const { queue } = formats[this.program[this.next]!.op];
    if (queue !== 'sequencer') return !this.units[queue].isFull;
    return Object.values(this.units).every((unit) => unit.isIdle);
  }
}
