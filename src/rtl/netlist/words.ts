/**
 * Values as JavaScript source: 32-bit words, each an expression that yields an int32.
 *
 * A value of w bits is kept in ceil(w/32) words, of which the last may have bits to spare. They hold zeros, copies
 * of the sign, or anything, whichever saves most conversions; the range that goes with an expression tells. All
 * arithmetic on words is modulo 2^32, so that only who looks at the spare bits need care.
 */
import { type Bit, type Bits, type Variable, type Variables, wordBits } from './design.ts';

/** What the bits above a value hold. */
export type Extension = 'any' | 'zero' | 'sign';

/** Source of an int32, safe to stand as an operand, and the least and greatest value it can have. */
export interface Word {
  readonly code: string;
  readonly low: number;
  readonly high: number;
}

const lowest = -(2 ** 31);
const highest = 2 ** 31 - 1;

/** Source that yields some int32. */
export const anyWord = (code: string): Word => ({ code, low: lowest, high: highest });

/** Source that yields an int32 of a known range. */
export const rangedWord = (code: string, low: number, high: number): Word => ({ code, low, high });

/** An int32 constant. */
export function constantWord(value: number): Word {
  const int32 = value | 0;
  return { code: int32 < 0 ? `(${int32})` : `${int32}`, low: int32, high: int32 };
}

export const zeroWord: Word = constantWord(0);

/** 0 or 1, from source that yields a boolean. */
export const booleanWord = (condition: string): Word => rangedWord(`(${condition} ? 1 : 0)`, 0, 1);

export const isConstant = ({ low, high }: Word): boolean => low === high;

/** The `length` lowest bits set; `length` 1..32. */
export const mask = (length: number): number => (length === wordBits ? -1 : 2 ** length - 1);

/** The range of a `width`-bit value in a word whose spare bits are as `extension` says. */
export function rangeOf(width: number, extension: Extension): { low: number; high: number } {
  if (width === wordBits || extension === 'any') return { low: lowest, high: highest };
  if (extension === 'zero') return { low: 0, high: 2 ** width - 1 };
  return { low: -(2 ** (width - 1)), high: 2 ** (width - 1) - 1 };
}

/** The same `width` low bits, with the bits above them as `extension` says. */
export function normalise(word: Word, width: number, extension: Extension): Word {
  const { low, high } = rangeOf(width, extension);
  if (word.low >= low && word.high <= high) return word;
  if (isConstant(word)) {
    const bits = word.low << (wordBits - width);
    return constantWord(extension === 'sign' ? bits >> (wordBits - width) : bits >>> (wordBits - width));
  }
  const spare = wordBits - width;
  const code =
    extension === 'zero' ? `(${word.code} & ${mask(width)})` : `(${word.code} << ${spare} >> ${spare})`;
  return { code, low, high };
}

/** Where {@link Reader} finds a variable's words, and whom it tells which spare bits would have suited it. */
export interface WordSource {
  word(variable: Variable, index: number): Word;
  prefer(variable: Variable, extension: 'zero' | 'sign'): void;
}

/** Bits of a vector that come from one place: neighbours in one word of a variable, one bit repeated, or ones. */
interface Segment {
  readonly bit: Bit;
  /** Where in the word it begins. */
  readonly at: number;
  length: number;
  repeated: boolean;
}

/** Puts vectors together from the words of the variables that their bits belong to. */
export class Reader {
  private readonly variables: Variables;
  private readonly source: WordSource;

  constructor(variables: Variables, source: WordSource) {
    this.variables = variables;
    this.source = source;
  }

  /** All words of a vector; the spare bits of the last one are as `extension` says. */
  words(bits: Bits, extension: Extension): Word[] {
    const words: Word[] = [];
    for (let at = 0; at < bits.length; at += wordBits) {
      words.push(this.word(bits.slice(at, at + wordBits), extension));
    }
    return words;
  }

  /** At most 32 bits as one word. */
  word(bits: Bits, extension: Extension): Word {
    const top = bits.at(-1) ?? 0;
    const padded =
      extension === 'sign' && top < 2 ? [...bits, ...new Array<Bit>(wordBits - bits.length).fill(top)] : bits;
    const signAt = this.signPosition(padded, extension);
    const used = signAt < 0 ? padded : padded.slice(0, signAt + 1);
    const upper = signAt >= 0 ? 'sign' : padded.length === wordBits ? 'any' : extension;
    let constant = 0;
    const parts: Word[] = [];
    for (const segment of this.segments(used)) {
      const { bit, at, length } = segment;
      if (bit === 1) constant |= mask(length) << at;
      else parts.push(this.part(segment, at + length === used.length ? upper : 'zero'));
    }
    if (constant !== 0 || parts.length === 0) parts.push(constantWord(constant));
    return parts.reduce(either);
  }

  /** Source that is not 0 exactly when any of the bits is 1. */
  truth(bits: Bits): string {
    const unique = [...new Set(bits)].sort((a, b) => a - b);
    if (unique.includes(1)) return '1';
    const parts = this.segments(unique).map(({ bit, length }) => {
      const { variable, index, offset, width } = this.locate(bit);
      const word = this.source.word(variable, index);
      const full = rangeOf(width, 'zero');
      const sign = rangeOf(width, 'sign');
      if (length < width) return `(${word.code} & ${mask(length) << offset})`;
      const clean =
        width === wordBits ||
        (word.low >= full.low && word.high <= full.high) ||
        (word.low >= sign.low && word.high <= sign.high);
      if (!clean) this.source.prefer(variable, 'zero');
      return clean ? word.code : `(${word.code} & ${mask(length)})`;
    });
    if (parts.length === 0) return '0';
    return parts.length === 1 ? parts[0]! : `(${parts.join(' | ')})`;
  }

  /**
   * From which bit on all are copies of it, up to the end of the word; -1 if the upper bits are no copies or are
   * to be zero.
   */
  private signPosition(bits: Bits, extension: Extension): number {
    const top = bits.at(-1) ?? 0;
    if (top < 2 || (bits.length < wordBits && extension === 'zero')) return -1;
    let position = bits.length - 1;
    while (position > 0 && bits[position - 1] === top) position--;
    const copies = bits.length - position;
    return copies > 1 || (extension === 'sign' && bits.length < wordBits) ? position : -1;
  }

  private segments(bits: Bits): Segment[] {
    const segments: Segment[] = [];
    let last: Segment | undefined;
    bits.forEach((bit, at) => {
      if (bit !== 0 && last !== undefined && last.at + last.length === at && this.continues(last, bit)) {
        last.repeated = bit === last.bit && bit !== 1;
        last.length++;
      } else if (bit !== 0) {
        last = { bit, at, length: 1, repeated: false };
        segments.push(last);
      }
    });
    return segments;
  }

  private continues({ bit, length, repeated }: Segment, next: Bit): boolean {
    if (bit === 1 || next === 1) return bit === next;
    if (next === bit) return repeated || length === 1;
    if (repeated || next !== bit + length) return false;
    const variable = this.variables.of(bit);
    return variable === this.variables.of(next) && (next - variable.firstBit) % wordBits !== 0;
  }

  private locate(bit: Bit) {
    const variable = this.variables.of(bit);
    const position = bit - variable.firstBit;
    const index = Math.floor(position / wordBits);
    const offset = position % wordBits;
    return { variable, index, offset, width: Math.min(wordBits, variable.width - index * wordBits) };
  }

  /** One segment at its place, the bits above it as `upper` says. */
  private part({ bit, at, length, repeated }: Segment, upper: Extension): Word {
    const { variable, index, offset, width } = this.locate(bit);
    const word = this.source.word(variable, index);
    if (repeated) {
      if (width === 1) this.source.prefer(variable, 'sign');
      const copies = normalise(shiftRight(word, offset), 1, 'sign');
      return masked(copies, mask(length) << at);
    }
    if (upper !== 'any' && width < wordBits && offset + length === width) {
      this.source.prefer(variable, upper);
    }
    if (upper === 'any') return shiftLeft(shiftRight(word, offset), at);
    if (upper === 'sign') return shiftLeft(signField(word, offset, length), at);
    // A field that stays where it is takes one mask only.
    if (at === offset && at > 0 && at + length < wordBits) return masked(word, mask(length) << at);
    return shiftLeft(zeroField(word, offset, length), at);
  }
}

function zeroField(word: Word, offset: number, length: number): Word {
  if (offset + length === wordBits && offset > 0) {
    return rangedWord(`(${word.code} >>> ${offset})`, 0, 2 ** length - 1);
  }
  return normalise(shiftRight(word, offset), length, 'zero');
}

function signField(word: Word, offset: number, length: number): Word {
  const shifted = shiftRight(word, offset);
  const { low, high } = rangeOf(length, 'sign');
  if (shifted.low >= low && shifted.high <= high) return shifted;
  return rangedWord(`(${word.code} << ${wordBits - offset - length} >> ${wordBits - length})`, low, high);
}

export function shiftRight(word: Word, places: number): Word {
  if (places === 0) return word;
  return rangedWord(`(${word.code} >> ${places})`, word.low >> places, word.high >> places);
}

function shiftLeft(word: Word, places: number): Word {
  if (places === 0) return word;
  const code = `(${word.code} << ${places})`;
  const [low, high] = [word.low * 2 ** places, word.high * 2 ** places];
  return low >= lowest && high <= highest ? rangedWord(code, low, high) : anyWord(code);
}

function masked(word: Word, bits: number): Word {
  if (bits === -1) return word;
  return bits > 0 ? rangedWord(`(${word.code} & ${bits})`, 0, bits) : anyWord(`(${word.code} & ${bits})`);
}

const either = (a: Word, b: Word): Word => bitwise('|', a, b);

/** `a & b`, `a | b` or `a ^ b`. */
export function bitwise(operator: '&' | '|' | '^', a: Word, b: Word): Word {
  const code = `(${a.code} ${operator} ${b.code})`;
  const nonNegative = a.low >= 0 && b.low >= 0;
  if (operator === '&' && (a.low >= 0 || b.low >= 0)) {
    const high = nonNegative ? Math.min(a.high, b.high) : a.low >= 0 ? a.high : b.high;
    return rangedWord(code, 0, high);
  }
  const width = Math.max(signedWidth(a), signedWidth(b));
  const { low, high } = rangeOf(width, 'sign');
  return rangedWord(code, nonNegative ? 0 : low, high);
}

/** Bits that a two's complement number of the word's range needs. */
function signedWidth({ low, high }: Word): number {
  const largest = Math.max(high, -1 - low);
  return wordBits - Math.clz32(largest) + 1;
}
