/**
 * What a unit did over time in a bounded number of slices. As long as they fit, every command has its own; then neighbours
 * that lie within `resolutionCycles` are one slice, and the resolution doubles as often as it must.
 */

/** Slices in the order of time, none overlapping. */
export interface RecordedTrack {
  /** Neighbours within so many cycles are one slice; 1: each slice is one command. */
  readonly resolutionCycles: number;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  /** Cycles of a slice in which the unit was busy: all of them, unless slices were merged. */
  readonly busy: readonly number[];
  /** What the slice did, an index; of merged ones what took longest. */
  readonly kinds: readonly number[];
  /** Command, of merged ones the first; -1: none. */
  readonly commands: readonly number[];
}

export class TrackRecorder {
  private resolution = 1;
  private starts: number[] = [];
  private ends: number[] = [];
  private busy: number[] = [];
  private kinds: number[] = [];
  private commands: number[] = [];
  /** Busy cycles of the longest piece of the newest slice, which gives it its kind. */
  private longest: number[] = [];

  /** @param limit slices to keep at most, 2 or more */
  constructor(private readonly limit: number) {}

  /** The unit did something during [start, end); what another slice already covers is cut off. */
  add(start: number, end: number, kind: number, command = -1): void {
    const from = Math.max(start, this.ends.at(-1) ?? 0);
    if (end <= from) return;
    this.push(from, end, end - from, kind, command, end - from);
    while (this.starts.length > this.limit) this.coarsen();
  }

  track(): RecordedTrack {
    const { resolution, starts, ends, busy, kinds, commands } = this;
    return { resolutionCycles: resolution, starts, ends, busy, kinds, commands };
  }

  private push(
    start: number,
    end: number,
    busy: number,
    kind: number,
    command: number,
    longest: number,
  ): void {
    const last = this.starts.length - 1;
    if (this.resolution > 1 && last >= 0 && end - this.starts[last]! <= this.resolution) {
      this.ends[last] = end;
      this.busy[last]! += busy;
      if (longest > this.longest[last]!) {
        this.longest[last] = longest;
        this.kinds[last] = kind;
      }
      return;
    }
    this.starts.push(start);
    this.ends.push(end);
    this.busy.push(busy);
    this.kinds.push(kind);
    this.commands.push(command);
    this.longest.push(longest);
  }

  private coarsen(): void {
    const { starts, ends, busy, kinds, commands, longest } = this;
    this.resolution *= 2;
    this.starts = [];
    this.ends = [];
    this.busy = [];
    this.kinds = [];
    this.commands = [];
    this.longest = [];
    for (let i = 0; i < starts.length; i++) {
      this.push(starts[i]!, ends[i]!, busy[i]!, kinds[i]!, commands[i]!, longest[i]!);
    }
  }
}
