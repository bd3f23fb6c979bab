/** A queue of commands between the sequencer and a unit, and the tokens units pass to each other. */

/** First in, first out, of command indices; bounded as the hardware's queue is. */
export class CommandQueue {
  private readonly ring: Int32Array;
  private head = 0;
  private count = 0;

  constructor(depth: number) {
    this.ring = new Int32Array(depth);
  }

  get isEmpty(): boolean {
    return this.count === 0;
  }

  get isFull(): boolean {
    return this.count === this.ring.length;
  }

  push(commandIndex: number): void {
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
