/**
 * The feature buffer's write port, where both DMA engines meet: the read engine goes first, and a move waits in the cycles in
 * which a read's beats enter.
 */
import { assert } from '../../core/diagnostics.ts';

export class BufferPort {
  private total = 0;
  // The last stretch of cycles the read engine has taken; all before it is past.
  private first = 0;
  private last = -1;

  /** The read engine writes in the cycles [first, last]; stretches come in order. */
  occupy(first: number, last: number): void {
    assert(first > this.last, 'the read engine writes two beats at once');
    this.total += last - first + 1;
    this.first = first;
    this.last = last;
  }

  /** Cycles before `cycle` in which the read engine has written; no earlier than the last stretch but one ends. */
  takenBefore(cycle: number): number {
    if (cycle > this.last) return this.total;
    return this.total - (this.last - Math.max(cycle, this.first) + 1);
  }
}
