/** A binary heap of events, the earliest first; of one cycle's, the one added first. */

const initialCapacity = 64;

export class LaterEvents {
  count = 0;
  /** The first event's; infinity without one. */
  cycle = Number.POSITIVE_INFINITY;

  private nextSequence = 0;
  private cycles = new Float64Array(initialCapacity);
  private sequences = new Float64Array(initialCapacity);
  private targets = new Int32Array(initialCapacity);
  private payloads = new Int32Array(initialCapacity);

  /** The first event's handler and payload. */
  get target(): number {
    return this.targets[0]!;
  }

  get payload(): number {
    return this.payloads[0]!;
  }

  add(cycle: number, target: number, payload: number): void {
    if (this.count === this.cycles.length) this.grow();
    const sequence = this.nextSequence++;
    let at = this.count++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.isBefore(cycle, sequence, parent)) break;
      this.move(parent, at);
      at = parent;
    }
    this.put(at, cycle, sequence, target, payload);
    this.cycle = this.cycles[0]!;
  }

  /** Drops the first event. */
  remove(): void {
    const last = --this.count;
    if (last === 0) {
      this.cycle = Number.POSITIVE_INFINITY;
      return;
    }
    const cycle = this.cycles[last]!;
    const sequence = this.sequences[last]!;
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
    this.put(at, cycle, sequence, this.targets[last]!, this.payloads[last]!);
    this.cycle = this.cycles[0]!;
  }

  private isBefore(cycle: number, sequence: number, other: number): boolean {
    const otherCycle = this.cycles[other]!;
    return cycle < otherCycle || (cycle === otherCycle && sequence < this.sequences[other]!);
  }

  private put(at: number, cycle: number, sequence: number, target: number, payload: number): void {
    this.cycles[at] = cycle;
    this.sequences[at] = sequence;
    this.targets[at] = target;
    this.payloads[at] = payload;
  }

  private move(from: number, to: number): void {
    this.put(to, this.cycles[from]!, this.sequences[from]!, this.targets[from]!, this.payloads[from]!);
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
