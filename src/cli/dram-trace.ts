/**
 * DRAM requests as text, a line each, in the order of issue: `0xADDRESS READ|WRITE CLOCK`, as `condensim dram` replays.
 *
 * Of a memory with banks: its bursts, with the clock of the memory from which on they are offered, so that a replay issues
 * the very commands of the run. Of an ideal one: the transactions, with the accelerator's cycle.
 */
import type { DramConfig } from '../hw/dram/config.ts';
import type { Observer } from '../sim/trace.ts';

const chunkLength = 1 << 20;

export class DramTrace implements Observer {
  private readonly encoder = new TextEncoder();
  private readonly chunks: Uint8Array[] = [];
  private text = '';

  constructor(private readonly dram: DramConfig) {}

  request(write: boolean, address: number, clock: number): void {
    this.add(write, address, clock);
  }

  transaction(write: boolean, address: number, _bytes: number, cycle: number): void {
    if (this.dram.kind === 'ideal') this.add(write, address, cycle);
  }

  private add(write: boolean, address: number, clock: number): void {
    this.text += `0x${address.toString(16)} ${write ? 'WRITE' : 'READ'} ${clock}\n`;
    if (this.text.length >= chunkLength) this.flush();
  }

  /** The lines so far. */
  bytes(): Uint8Array {
    this.flush();
    const all = new Uint8Array(this.chunks.reduce((length, chunk) => length + chunk.length, 0));
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  /** A byte a character takes less memory than strings do. */
  private flush(): void {
    this.chunks.push(this.encoder.encode(this.text));
    this.text = '';
  }
}
