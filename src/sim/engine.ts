/**
 * The event engine: integer cycles, nothing allocated per event.
 *
 * It knows nothing of neural networks. A unit registers a handler once and schedules (cycle, handler, payload);
 * events of the same cycle run in the order in which they were scheduled, so a run is the same every time.
 *
 * Events of the next `span` cycles, nearly all of them, wait in a list for each cycle; later ones in a heap until their cycle
 * comes. Those were scheduled before any of the same cycle's list, so they run first.
 */
import { assert } from '../core/diagnostics.ts';
import { LaterEvents } from './later-events.ts';

export type Handler = (payload: number) => void;

/** A power of two. */
const span = 1024;
const none = -1;

export class Engine {
  /** The current cycle. Cycles are exact integers up to 2^53. */
  now = 0;
  /** Events handled so far. */
  handled = 0;

  private readonly handlers: Handler[] = [];
  private readonly later = new LaterEvents();

  // The lists, by cycle modulo `span`, and a bit for each that is not empty.
  private readonly first = new Int32Array(span).fill(none);
  private readonly last = new Int32Array(span);
  private readonly used = new Int32Array(span / 32);
  private nearCount = 0;
  // Their elements, free ones in a list too.
  private targets = new Int32Array(span);
  private payloads = new Int32Array(span);
  private following = new Int32Array(span);
  private free = none;
  private allocated = 0;

  /** Registers a handler; the number returned names it in `schedule`. */
  register(handler: Handler): number {
    return this.handlers.push(handler) - 1;
  }

  /** Runs `handler` with `payload` (int32) at `cycle`, which must not lie in the past. */
  schedule(cycle: number, handler: number, payload = 0): void {
    const ahead = cycle - this.now;
    if (!(ahead >= 0)) assert(false, `event scheduled at cycle ${cycle}, which is before ${this.now}`);
    if (ahead >= span) {
      this.later.add(cycle, handler, payload);
      return;
    }
    let event = this.free;
    if (event === none) event = this.allocate();
    else this.free = this.following[event]!;
    this.targets[event] = handler;
    this.payloads[event] = payload;
    this.following[event] = none;
    const list = cycle & (span - 1);
    if (this.first[list] === none) {
      this.first[list] = event;
      this.used[list >> 5] = this.used[list >> 5]! | (1 << (list & 31));
    } else {
      this.following[this.last[list]!] = event;
    }
    this.last[list] = event;
    this.nearCount++;
  }

  /** Handles events until none is left; returns the last cycle. `poll` is called every 65536 events. */
  run(poll?: () => void): number {
    const { later, first } = this;
    while (this.nearCount > 0 || later.count > 0) {
      const cycle = this.nearCount > 0 ? this.nextNear() : Number.POSITIVE_INFINITY;
      this.now = later.cycle < cycle ? later.cycle : cycle;
      while (later.cycle === this.now) {
        const { target, payload } = later;
        later.remove();
        this.handle(target, payload, poll);
      }
      const list = this.now & (span - 1);
      for (let event = first[list]!; event !== none; event = first[list]!) {
        const following = this.following[event]!;
        first[list] = following;
        if (following === none) this.used[list >> 5] = this.used[list >> 5]! & ~(1 << (list & 31));
        this.following[event] = this.free;
        this.free = event;
        this.nearCount--;
        this.handle(this.targets[event]!, this.payloads[event]!, poll);
      }
    }
    return this.now;
  }

  private handle(target: number, payload: number, poll: (() => void) | undefined): void {
    this.handled++;
    if ((this.handled & 0xffff) === 0) poll?.();
    this.handlers[target]!(payload);
  }

  /** The first cycle from now on whose list is not empty; only if there is one. */
  private nextNear(): number {
    const list = this.now & (span - 1);
    const begin = list >> 5;
    const words = span / 32;
    // The lists from now's on, and, last, those of its word that lie before it: they are a round later.
    let word = this.used[begin]! & (-1 << (list & 31));
    let at = begin;
    while (word === 0) {
      at = at + 1 === words ? 0 : at + 1;
      word = this.used[at]!;
    }
    const found = 32 * at + (31 - Math.clz32(word & -word));
    return this.now + ((found - list) & (span - 1));
  }

  private allocate(): number {
    if (this.allocated === this.targets.length) {
      const grown = () => new Int32Array(2 * this.allocated);
      const [targets, payloads, following] = [grown(), grown(), grown()];
      targets.set(this.targets);
      payloads.set(this.payloads);
      following.set(this.following);
      this.targets = targets;
      this.payloads = payloads;
      this.following = following;
    }
    return this.allocated++;
  }
}
