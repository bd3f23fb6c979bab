/**
 * The feature buffer's write port, where both DMA engines meet: the read engine goes first, and a move waits in the cycles in
 * which a read's beats enter.
 */
import { assert } from '../../core/diagnostics.ts';

export class BufferPort {
  private total = 0;
  // The last two stretches of cycles that the read engine has taken: one may end now, the other begin in the next cycle.
  private olderFirst = 0;
  private olderLast = -1;
  private first = 0;
  private last = -1;

  /** The read engine writes in the cycles [first, last]; stretches come in order, each no earlier than the one before ends. */
  occupy(first: number, last: number): void {
    assert(first > this.last, 'the read engine writes two beats at once');
    this.total += last - first + 1;
    this.olderFirst = this.first;
    this.olderLast = this.last;
    this.first = first;
    this.last = last;
  }

  /** Cycles before `cycle`, the present one, in which the read engine has written. */
  takenBefore(cycle: number): number {
    const later = (first: number, last: number): number => Math.max(0, last - Math.max(cycle, first) + 1);
    return this.total - later(this.first, this.last) - later(this.olderFirst, this.olderLast);
  }
}
