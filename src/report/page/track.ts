/** The slices of a unit, ready to be drawn at any scale: what a million of them did within a pixel is two look-ups. */
import { readNumbers } from '../number-text.ts';
import type { RunDetails } from '../page-data.ts';

type Recorded = RunDetails['timeline'][number];

export class Track {
  readonly unit: string;
  readonly doings: readonly string[];
  readonly resolutionCycles: number;
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  readonly busy: Float64Array;
  readonly kinds: Float64Array;
  readonly commands: Float64Array | undefined;
  /** Busy cycles of each kind in front of slice i. */
  private readonly before: Float64Array[];

  constructor(recorded: Recorded) {
    this.unit = recorded.unit;
    this.doings = recorded.doings;
    this.resolutionCycles = recorded.resolutionCycles;
    const gaps = readNumbers(recorded.gaps);
    const cycles = readNumbers(recorded.cycles);
    const { length } = gaps;
    this.starts = gaps;
    this.ends = new Float64Array(length);
    this.busy = recorded.busy === undefined ? cycles : readNumbers(recorded.busy);
    this.kinds = readNumbers(recorded.kinds);
    this.commands = recorded.commands === undefined ? undefined : readNumbers(recorded.commands);
    this.before = this.doings.map(() => new Float64Array(length + 1));
    let now = 0;
    for (let i = 0; i < length; i++) {
      this.starts[i] = now + gaps[i]!;
      now = this.ends[i] = this.starts[i]! + cycles[i]!;
      for (let kind = 0; kind < this.before.length; kind++) {
        const sums = this.before[kind]!;
        sums[i + 1] = sums[i]! + (this.kinds[i] === kind ? this.busy[i]! : 0);
      }
    }
  }

  get length(): number {
    return this.starts.length;
  }

  /** The first slice that ends after `cycle`. */
  firstAfter(cycle: number): number {
    let [low, high] = [0, this.ends.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.ends[middle]! > cycle) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Busy cycles of a kind in [0, cycle); a slice that was merged counts evenly. */
  busyUntil(cycle: number, kind: number): number {
    const slice = this.firstAfter(cycle);
    const sum = this.before[kind]![slice]!;
    if (slice >= this.length || this.kinds[slice] !== kind) return sum;
    const start = this.starts[slice]!;
    if (cycle <= start) return sum;
    return sum + (this.busy[slice]! * (cycle - start)) / (this.ends[slice]! - start);
  }

  /** Busy cycles of all kinds in [from, to). */
  busyWithin(from: number, to: number): number {
    return this.doings.reduce(
      (sum, _, kind) => sum + this.busyUntil(to, kind) - this.busyUntil(from, kind),
      0,
    );
  }
}
