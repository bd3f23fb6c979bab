/**
 * Traces of memory requests, a line each, plain or gzip, read in pieces.
 *
 * One pass over the bytes, no string a line: a replay takes well under a microsecond a request, and reading must not take
 * longer.
 */
import { quote } from '../config/source.ts';
import { InputError } from '../core/diagnostics.ts';
import type { RequestBatch } from '../hw/dram/replay.ts';
import { readChunks } from './read-chunks.ts';

/**
 * `condensim`: `ADDRESS READ|WRITE CLOCK`, as DRAMsim3 reads and `simulate --dram-trace` writes. `ramulator`:
 * `LD|ST ADDRESS`, every request as soon as it is taken. Addresses are decimal, or hexadecimal with 0x in front.
 */
export const traceFormats = ['condensim', 'ramulator'] as const;
export type TraceFormat = (typeof traceFormats)[number];

const lineForms: Record<TraceFormat, string> = {
  condensim: '0xADDRESS READ|WRITE CLOCK',
  ramulator: 'LD|ST ADDRESS',
};

/** The latest clock of a request: beyond, refreshes alone would keep the replay busy for minutes. */
export const maximumTraceClock = 10 ** 10;
/** Characters of a line. */
export const maximumLineLength = 256;

const bufferBytes = 256 * 1024;
/** The shortest line with a request: `LD 0` and its end. */
const shortestLine = 5;

const newline = 0x0a;
const zero = 0x30;
const lowerX = 0x78;
const upperX = 0x58;

/** What a byte can be in a number: a digit's value, or one of these. */
const blank = 16;
const lineEnd = 17;
const other = 18;
const kinds = new Uint8Array(256).fill(other);
for (let digit = 0; digit < 16; digit++) {
  for (const text of [digit.toString(16), digit.toString(16).toUpperCase()]) {
    kinds[text.charCodeAt(0)] = digit;
  }
}
// A carriage return too: lines may end as they do on Windows.
for (const character of ' \t\r') kinds[character.charCodeAt(0)] = blank;
kinds[newline] = lineEnd;

const addressForm = '0x and hexadecimal digits, or decimal digits';

/**
 * A trace's requests, to be read once. Every batch is in the same arrays, which hold until the next one is asked for.
 *
 * Iteration throws an `InputError` with line and column at the first line that is malformed, and one for a file that
 * cannot be read, is damaged, or holds no request.
 */
export class DramTraceReader implements AsyncIterable<RequestBatch> {
  /** The first line whose address is `capacityBytes` or above; 0 as long as there is none. */
  firstLineBeyond = 0;

  private readonly bytes = new Uint8Array(bufferBytes);
  private readonly addresses = new Float64Array(Math.ceil(bufferBytes / shortestLine));
  private readonly writes = new Uint8Array(this.addresses.length);
  private readonly clocks = new Float64Array(this.addresses.length);
  private count = 0;

  /** Number of the line that is parsed, from 1, and where it starts in `bytes`. */
  private line = 1;
  private lineStart = 0;
  /** Where the parser stands in `bytes`. */
  private at = 0;

  constructor(
    private readonly path: string,
    private readonly format: TraceFormat,
    private readonly capacityBytes = Number.POSITIVE_INFINITY,
  ) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<RequestBatch, void> {
    const { bytes } = this;
    let filled = 0;
    let isEmpty = true;
    for await (const chunk of readChunks(this.path, 'a trace')) {
      for (let taken = 0; taken < chunk.length; ) {
        const part = chunk.subarray(taken, taken + bytes.length - filled);
        bytes.set(part, filled);
        taken += part.length;
        const end = filled + part.length;
        this.parseLines(bytes.lastIndexOf(newline, end - 1) + 1);
        // The beginning of a line waits for the rest of it.
        filled = end - this.at;
        if (filled > maximumLineLength) this.refuseLongLine();
        bytes.copyWithin(0, this.at, end);
        this.at = 0;
        if (this.count === 0) continue;
        isEmpty = false;
        yield this.batch();
      }
    }
    if (filled > 0) {
      bytes[filled] = newline;
      this.parseLines(filled + 1);
      if (this.count > 0) {
        isEmpty = false;
        yield this.batch();
      }
    }
    if (isEmpty) {
      throw new InputError(`holds no requests, expected lines like ${lineForms[this.format]}`, {
        file: this.path,
      });
    }
  }

  private batch(): RequestBatch {
    const { count, addresses, writes, clocks } = this;
    this.count = 0;
    return { count, addresses, writes, clocks };
  }

  /** Parses whole lines, the last of which ends before `end`. */
  private parseLines(end: number): void {
    const { bytes } = this;
    const isCondensim = this.format === 'condensim';
    let { count } = this;
    while (this.at < end) {
      this.lineStart = this.at;
      this.skipBlanks();
      if (bytes[this.at] !== newline) {
        let address: number;
        let clock = 0;
        let write: boolean;
        if (isCondensim) {
          address = this.parseAddress();
          this.skipBlanks();
          write = this.parseWord('READ', 'WRITE');
          this.skipBlanks();
          clock = this.parseClock();
        } else {
          write = this.parseWord('LD', 'ST');
          this.skipBlanks();
          address = this.parseAddress();
        }
        this.skipBlanks();
        if (bytes[this.at] !== newline) this.refuse(this.at, 'the end of the line');
        this.addresses[count] = address;
        this.writes[count] = write ? 1 : 0;
        this.clocks[count] = clock;
        count++;
        if (address >= this.capacityBytes && this.firstLineBeyond === 0) this.firstLineBeyond = this.line;
      }
      if (this.at - this.lineStart > maximumLineLength) this.refuseLongLine();
      this.at++;
      this.line++;
    }
    this.count = count;
  }

  private skipBlanks(): void {
    let { at } = this;
    while (kinds[this.bytes[at]!] === blank) at++;
    this.at = at;
  }

  private parseAddress(): number {
    const { bytes } = this;
    const start = this.at;
    let at = start;
    let base = 10;
    if (bytes[at] === zero && (bytes[at + 1] === lowerX || bytes[at + 1] === upperX)) {
      at += 2;
      base = 16;
    }
    const value = this.parseDigits(at, base);
    if (value < 0) this.refuse(start, addressForm);
    // Sums above 2^53 may be rounded, but never to below.
    if (value > Number.MAX_SAFE_INTEGER) this.refuse(start, `an address of at most 2^53 - 1`);
    return value;
  }

  private parseClock(): number {
    const start = this.at;
    const value = this.parseDigits(start, 10);
    if (value < 0) this.refuse(start, 'the clock, decimal digits');
    if (value > maximumTraceClock) this.refuse(start, `a clock of at most ${maximumTraceClock}`);
    return value;
  }

  /** The number whose digits start at a place, up to a blank or the end of the line; -1 if it is none. */
  private parseDigits(start: number, base: number): number {
    const { bytes } = this;
    let at = start;
    let value = 0;
    let kind = kinds[bytes[at]!]!;
    while (kind < base) {
      value = value * base + kind;
      kind = kinds[bytes[++at]!]!;
    }
    this.at = at;
    return at > start && (kind === blank || kind === lineEnd) ? value : -1;
  }

  /** Whether the second of two words stands here, and not the first. */
  private parseWord(first: string, second: string): boolean {
    const start = this.at;
    const isSecond = this.bytes[start] === second.charCodeAt(0);
    const word = isSecond ? second : first;
    for (let at = 0; at < word.length; at++) {
      if (this.bytes[start + at] !== word.charCodeAt(at)) this.refuse(start, `${first} or ${second}`);
    }
    const kind = kinds[this.bytes[start + word.length]!]!;
    if (kind !== blank && kind !== lineEnd) this.refuse(start, `${first} or ${second}`);
    this.at = start + word.length;
    return isSecond;
  }

  // Complaints.

  /** The word that starts at a place is not what was expected there. */
  private refuse(start: number, expected: string): never {
    const { bytes, lineStart } = this;
    if (bytes.indexOf(newline, lineStart) - lineStart > maximumLineLength) this.refuseLongLine();
    let end = start;
    while (kinds[bytes[end]!]! !== blank && bytes[end] !== newline) end++;
    const word = quote(new TextDecoder().decode(bytes.subarray(start, end)));
    throw new InputError(
      `${end === start ? 'the line ends' : `${word} stands`} here, expected ${expected}`,
      this.position(start - lineStart + 1),
    );
  }

  private refuseLongLine(): never {
    throw new InputError(
      `the line goes on here, expected at most ${maximumLineLength} characters, like ${lineForms[this.format]}`,
      this.position(maximumLineLength + 1),
    );
  }

  private position(column: number) {
    return { file: this.path, line: this.line, column };
  }
}
