/** A queue of commands between the sequencer and a unit, and the tokens units pass to each other. */

/**
 * First in, first out, of command indices; bounded as the hardware's queue is. A command leaves with `shift`; its place is
 * free when it is released, which may be later.
 */
export class CommandQueue {
  private readonly ring: Int32Array;
  private head = 0;
  private count = 0;
  /** Places taken: by commands in the queue, and by commands shifted out and not released. */
  private held = 0;
  /** The cycle in which a full queue last got a place. */
  private freedAt = -1;

  constructor(depth: number) {
    this.ring = new Int32Array(depth);
  }

  get isEmpty(): boolean {
    return this.count === 0;
  }

  /** Whether every command that was pushed is released. */
  get isUnused(): boolean {
    return this.held === 0;
  }

  /** Whether the sequencer finds no place in `cycle`: a place that becomes free in a cycle serves the next. */
  isFull(cycle: number): boolean {
    return this.held === this.ring.length || this.freedAt === cycle;
  }

  push(commandIndex: number): void {
    this.held++;
    this.ring[(this.head + this.count++) % this.ring.length] = commandIndex;
  }

  /** The oldest command's index; only when not empty. */
  peek(): number {
    return this.ring[this.head]!;
  }

  shift(): number {
    const commandIndex = this.ring[this.head]!;
    this.head = (this.head + 1) % this.ring.length;
    this.count--;
    return commandIndex;
  }

  /** Gives up the place of a command that was shifted out. */
  release(cycle: number): void {
    if (this.held === this.ring.length) this.freedAt = cycle;
    this.held--;
  }
}

/** A counting semaphore from one unit to another. */
export class Tokens {
  count = 0;
  private listener: (() => void) | undefined;

  /** Whom to wake when a token arrives. */
  onArrival(listener: () => void): void {
    this.listener = listener;
  }

  give(): void {
    this.count++;
    this.listener?.();
  }

  /** Takes a token if there is one. */
  take(): boolean {
    if (this.count === 0) return false;
    this.count--;
    return true;
  }
}
