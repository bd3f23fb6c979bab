/** How far something slow is: one line of a terminal that is written over. */

/** Nothing is said about what is over sooner. */
const quietMilliseconds = 2000;
/** Between two lines. */
const pauseMilliseconds = 100;

export class Progress {
  private readonly started: number;
  private last = Number.NEGATIVE_INFINITY;

  /** @param clock in milliseconds */
  constructor(
    private readonly what: string,
    private readonly write: (text: string) => void,
    private readonly clock: () => number,
  ) {
    this.started = clock();
  }

  /** @param rate how fast it goes, in words, from the seconds so far; else things a second */
  show(done: number, total: number, rate?: (seconds: number) => string): void {
    const now = this.clock();
    const elapsed = now - this.started;
    if (elapsed < quietMilliseconds || now - this.last < pauseMilliseconds || done === 0) return;
    this.last = now;
    const seconds = elapsed / 1000;
    const left = Math.ceil((seconds * (total - done)) / done);
    const speed = rate?.(seconds) ?? `${(done / seconds).toFixed(1)}/s`;
    const line = `${this.what}: ${Math.floor((100 * done) / total)} %, ${speed}, ${left} s left`;
    // The line never wraps; the rest of a longer one before is erased.
    this.write(`\r${line.slice(0, 79)}\x1b[K`);
  }

  /** Takes the line away. */
  end(): void {
    if (this.last > Number.NEGATIVE_INFINITY) this.write('\r\x1b[K');
    this.last = Number.NEGATIVE_INFINITY;
  }
}
