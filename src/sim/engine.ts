/**
 * The event engine: integer cycles, a binary heap of pending events, nothing allocated per event.
 *
 * It knows nothing of neural networks. A unit registers a handler once and schedules (cycle, handler, payload);
 * events of the same cycle run in the order in which they were scheduled, so a run is the same every time.
 */
import { assert } from '../core/diagnostics.ts';

export type Handler = (payload: number) => void;

const initialCapacity = 1024;

export class Engine {
  /** The current cycle. Cycles are exact integers up to 2^53. */
  now = 0;
  /** Events handled so far. */
  handled = 0;

  private readonly handlers: Handler[] = [];
  private size = 0;
  private nextSequence = 0;
  private cycles = new Float64Array(initialCapacity);
  private sequences = new Float64Array(initialCapacity);
  private targets = new Int32Array(initialCapacity);
  private payloads = new Int32Array(initialCapacity);

  /** Registers a handler; the number returned names it in `schedule`. */
  register(handler: Handler): number {
    return this.handlers.push(handler) - 1;
  }

  /** Runs `handler` with `payload` (int32) at `cycle`, which must not lie in the past. */
  schedule(cycle: number, handler: number, payload = 0): void {
    assert(cycle >= this.now, `event scheduled at cycle ${cycle}, which is before ${this.now}`);
    if (this.size === this.cycles.length) this.grow();
    const sequence = this.nextSequence++;
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.isBefore(cycle, sequence, parent)) break;
      this.move(parent, at);
      at = parent;
    }
    this.cycles[at] = cycle;
    this.sequences[at] = sequence;
    this.targets[at] = handler;
    this.payloads[at] = payload;
  }

  /** Handles events until none is left; returns the last cycle. `poll` is called every 65536 events. */
  run(poll?: () => void): number {
    while (this.size > 0) {
      const target = this.targets[0]!;
      const payload = this.payloads[0]!;
      this.now = this.cycles[0]!;
      this.removeFirst();
      this.handled++;
      if ((this.handled & 0xffff) === 0) poll?.();
      this.handlers[target]!(payload);
    }
    return this.now;
  }

  private isBefore(cycle: number, sequence: number, other: number): boolean {
    const otherCycle = this.cycles[other]!;
    return cycle < otherCycle || (cycle === otherCycle && sequence < this.sequences[other]!);
  }

  private move(from: number, to: number): void {
    this.cycles[to] = this.cycles[from]!;
    this.sequences[to] = this.sequences[from]!;
    this.targets[to] = this.targets[from]!;
    this.payloads[to] = this.payloads[from]!;
  }

  private removeFirst(): void {
    const last = --this.size;
    if (last === 0) return;
    const cycle = this.cycles[last]!;
    const sequence = this.sequences[last]!;
    const target = this.targets[last]!;
    const payload = this.payloads[last]!;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= last) break;
      const right = child + 1;
      if (right < last && this.isBefore(this.cycles[right]!, this.sequences[right]!, child)) child = right;
      if (this.isBefore(cycle, sequence, child)) break;
      this.move(child, at);
      at = child;
    }
    this.cycles[at] = cycle;
    this.sequences[at] = sequence;
    this.targets[at] = target;
    this.payloads[at] = payload;
  }

  private grow(): void {
    const capacity = 2 * this.cycles.length;
    const cycles = new Float64Array(capacity);
    const sequences = new Float64Array(capacity);
    const targets = new Int32Array(capacity);
    const payloads = new Int32Array(capacity);
    cycles.set(this.cycles);
    sequences.set(this.sequences);
    targets.set(this.targets);
    payloads.set(this.payloads);
    this.cycles = cycles;
    this.sequences = sequences;
    this.targets = targets;
    this.payloads = payloads;
  }
}
