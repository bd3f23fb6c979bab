/** A level over time (bytes in a buffer) in a bounded number of bins of equal length: largest and mean value of each. */
export class LevelRecorder {
  private level = 0;
  private since = 0;
  private maxima: number[] = [];
  /** Value times cycles. */
  private sums: number[] = [];
  private cycles = 1;

  /** @param limit bins to keep at most, 2 or more */
  constructor(private readonly limit: number) {}

  /** The level is `value` from `cycle` on; cycles never go back. */
  set(cycle: number, value: number): void {
    this.advance(cycle);
    this.level = value;
  }

  /** The bins up to `end`, all of `binCycles` but perhaps the last. */
  bins(end: number, binCycles: number): { maxima: number[]; means: number[] } {
    this.advance(end);
    while (this.cycles < binCycles) this.coarsen();
    const count = Math.ceil(end / this.cycles);
    const maxima = this.maxima.slice(0, count);
    const means = this.sums
      .slice(0, count)
      .map((sum, bin) => Math.round(sum / (Math.min(end, (bin + 1) * this.cycles) - bin * this.cycles)));
    return { maxima, means };
  }

  get binCycles(): number {
    return this.cycles;
  }

  private advance(cycle: number): void {
    while (cycle > this.limit * this.cycles) this.coarsen();
    for (let at = this.since; at < cycle; ) {
      const bin = Math.floor(at / this.cycles);
      const to = Math.min(cycle, (bin + 1) * this.cycles);
      while (this.maxima.length <= bin) {
        this.maxima.push(0);
        this.sums.push(0);
      }
      if (this.level > this.maxima[bin]!) this.maxima[bin] = this.level;
      this.sums[bin]! += this.level * (to - at);
      at = to;
    }
    this.since = Math.max(this.since, cycle);
  }

  private coarsen(): void {
    const { maxima, sums } = this;
    this.cycles *= 2;
    this.maxima = [];
    this.sums = [];
    for (let bin = 0; bin < maxima.length; bin += 2) {
      this.maxima.push(Math.max(maxima[bin]!, maxima[bin + 1] ?? 0));
      this.sums.push(sums[bin]! + (sums[bin + 1] ?? 0));
    }
  }
}
