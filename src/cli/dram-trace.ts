/** DRAM transactions as text, a line each: `0xADDRESS READ|WRITE CYCLE`, in the order of issue. */
import type { Observer } from '../sim/trace.ts';

const chunkLength = 1 << 20;

export class DramTrace implements Observer {
  private readonly encoder = new TextEncoder();
  private readonly chunks: Uint8Array[] = [];
  private text = '';

  transaction(write: boolean, address: number, _bytes: number, cycle: number): void {
    this.text += `0x${address.toString(16)} ${write ? 'WRITE' : 'READ'} ${cycle}\n`;
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
