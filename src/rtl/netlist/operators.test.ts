/** The ranges that rules say for their results: a word outside of its range would miss a conversion. */
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../core/random.ts';
import type { Bits, OperatorNode } from './design.ts';
import type { Operands } from './operator.ts';
import { operators } from './operators.ts';
import { rangedWord, rangeOf, type Word } from './words.ts';

const next = randomStream(11);

function within(low: number, high: number): number {
  const kind = next() % 4;
  return kind === 0 ? low : kind === 1 ? high : low + (next() % (high - low + 1));
}

/** Operands of one word each, somewhere in the range that the rule may expect; lines that it writes are kept. */
class OneWordOperands implements Operands {
  readonly extension = 'any';
  readonly lines: string[] = [];
  readonly words: Operands['words'];
  private readonly ranges = new Map<Bits, Word>();

  constructor(widths: ReadonlyMap<Bits, [name: string, width: number]>) {
    this.words = (bits, extension) => {
      // A rule may have brought the operand to another width: which one it was is told by its first bit.
      const [own, [name, width]] = [...widths].find(([key]) => key[0] === bits[0])!;
      const { low, high } = rangeOf(Math.min(width, bits.length), extension);
      // Small ones as well: of two large ranges nothing more than an int32 comes out.
      const small = next() % 32;
      const [one, other] = [within(low, high) >> small, within(low, high) >> small];
      const word = this.ranges.get(own) ?? rangedWord(name, Math.min(one, other), Math.max(one, other));
      this.ranges.set(own, word);
      return [word];
    };
  }

  truth(bits: Bits): string {
    return this.words(bits, 'zero')[0]!.code;
  }

  name(word: Word): Word {
    return { ...word, code: this.nameNumber(word.code) };
  }

  nameNumber(code: string): string {
    this.lines.push(`const t${this.lines.length} = ${code};`);
    return `t${this.lines.length - 1}`;
  }

  table(): number {
    return 0;
  }

  /** A value for each operand that was asked for. */
  values(): Record<string, number> {
    return Object.fromEntries(
      [...this.ranges.values()].map(({ code, low, high }) => [code, within(low, high)]),
    );
  }
}

describe('a word lies in the range said for it', () => {
  // Those that cut their result out of an array say nothing of its range.
  const cut = new Set(['$bmux', '$demux']);

  it.each([...operators.keys()].filter((type) => !cut.has(type)))('%s', (type) => {
    for (let run = 0; run < 300; run++) {
      const [aWidth, bWidth, width] = [1 + (next() % 32), 1 + (next() % 32), 1 + (next() % 32)];
      const vector = (first: number, length: number): Bits => Array.from({ length }, (_, at) => first + at);
      const [a, b, s] = [vector(2, aWidth), vector(100, bWidth), vector(200, width)];
      const signed = next() % 2 === 0;
      const output = { index: 0, name: 'y', width, firstBit: 300, kind: 'value' } as const;
      const node: OperatorNode = {
        kind: 'operator',
        type,
        a,
        b,
        s,
        aSigned: signed,
        bSigned: signed,
        output,
      };
      const operands = new OneWordOperands(
        new Map<Bits, [string, number]>([
          [a, ['a', aWidth]],
          [b, ['b', bWidth]],
          [s, ['s', width]],
        ]),
      );
      const [word] = operators.get(type)!(node, operands);
      const body = `const scratch = new Int32Array(200); ${operands.lines.join(' ')} return ${word!.code};`;
      const evaluate = new Function('a', 'b', 's', body) as (...values: (number | undefined)[]) => number;
      for (let draw = 0; draw < 20; draw++) {
        const { a: x, b: y, s: z } = operands.values();
        const value = evaluate(x, y, z);
        expect(value).toBe(value | 0);
        expect(value).toBeGreaterThanOrEqual(word!.low);
        expect(value).toBeLessThanOrEqual(word!.high);
      }
    }
  });
});
