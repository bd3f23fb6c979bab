/** A text file written piece by piece while something runs: packed if its name ends in `.gz`, named only when complete. */
import { gzipSync } from 'node:zlib';
import { AtomicFile } from '../import/write-file.ts';

const chunkLength = 1 << 20;

export class TextFile {
  private readonly file: AtomicFile;
  private readonly isPacked: boolean;
  private text = '';

  /** Throws an `InputError` if the file cannot be written. */
  constructor(path: string) {
    this.isPacked = path.endsWith('.gz');
    this.file = new AtomicFile(path);
  }

  add(text: string): void {
    this.text += text;
    if (this.text.length >= chunkLength) this.flush();
  }

  commit(): void {
    this.flush();
    this.file.commit();
  }

  /** Leaves no file. Harmless after `commit`. */
  discard(): void {
    this.file.discard();
  }

  /** A gzip file may consist of several, so that each piece can be packed by itself. */
  private flush(): void {
    this.file.write(this.isPacked ? new Uint8Array(gzipSync(this.text)) : this.text);
    this.text = '';
  }
}
