/** Sums, products and quotients modulo 2^width of the output. */
import { InputError } from '../../core/diagnostics.ts';
import { type Bits, extend, type OperatorNode, wordBits, wordsOf } from './design.ts';
import type { Operands, Operator } from './operator.ts';
import { anyWord, constantWord, isConstant, rangedWord, shiftRight, type Word, zeroWord } from './words.ts';

/** `code` yields a number between `low` and `high`, which may lie beyond int32: the word of its lowest 32 bits. */
function wrapped(code: string, low: number, high: number): Word {
  const text = `(${code} | 0)`;
  return low >= -(2 ** 31) && high < 2 ** 31 ? rangedWord(text, low, high) : anyWord(text);
}

function extended(node: OperatorNode, operands: Operands): { a: Word[]; b: Word[] } {
  const signed = node.aSigned && node.bSigned;
  const words = (bits: Bits): Word[] => operands.words(extend(bits, node.output.width, signed), 'any');
  return { a: words(node.a), b: words(node.b) };
}

/** `a + b + carry` over several words. */
function sum(operands: Operands, a: readonly Word[], b: readonly Word[], carry: Word): Word[] {
  let into = carry;
  return a.map((left, index) => {
    const [x, y] = [operands.name(left), operands.name(b[index]!)];
    const total = operands.name(anyWord(`(${x.code} + ${y.code} + ${into.code} | 0)`));
    if (index < a.length - 1) {
      // A carry leaves where both have their top bit, or one has it and the sum has lost it.
      const leaves = `((${x.code} & ${y.code} | (${x.code} | ${y.code}) & ~${total.code}) >>> 31)`;
      into = operands.name(rangedWord(leaves, 0, 1));
    }
    return total;
  });
}

const inverted = (word: Word): Word => anyWord(`(~${word.code})`);

function difference(operands: Operands, a: readonly Word[], b: readonly Word[]): Word[] {
  if (a.length > 1) return sum(operands, a, b.map(inverted), constantWord(1));
  const [left, right] = [a[0]!, b[0]!];
  return [wrapped(`${left.code} - ${right.code}`, left.low - right.high, left.high - right.low)];
}

export const add: Operator = (node, operands) => {
  const { a, b } = extended(node, operands);
  if (a.length > 1) return sum(operands, a, b, zeroWord);
  const [left, right] = [a[0]!, b[0]!];
  return [wrapped(`${left.code} + ${right.code}`, left.low + right.low, left.high + right.high)];
};

export const subtract: Operator = (node, operands) => {
  const { a, b } = extended(node, operands);
  return difference(operands, a, b);
};

export const negate: Operator = (node, operands) => {
  const a = operands.words(extend(node.a, node.output.width, node.aSigned), 'any');
  return difference(
    operands,
    a.map(() => zeroWord),
    a,
  );
};

export const multiply: Operator = (node, operands) => {
  const words = wordsOf(node.output.width);
  if (words === 1) {
    const { a, b } = extended(node, operands);
    return [lowProduct(a[0]!, b[0]!)];
  }
  return doubleProduct(node, operands, words) ?? limbProduct(node, operands);
};

function lowProduct(a: Word, b: Word): Word {
  const code = `Math.imul(${a.code}, ${b.code})`;
  const { low, high } = productRange(a, b);
  return low >= -(2 ** 31) && high < 2 ** 31 ? rangedWord(code, low, high) : anyWord(code);
}

function productRange(a: Range, b: Range): Range {
  const corners = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high];
  return { low: Math.min(...corners), high: Math.max(...corners) };
}

interface Range {
  readonly low: number;
  readonly high: number;
}

/** A product of more than 32 bits by way of a double, where that is exact: up to 53 bits. */
function doubleProduct(node: OperatorNode, operands: Operands, words: number): Word[] | undefined {
  if (node.a.length > wordBits || node.b.length > wordBits) return undefined;
  const signed = node.aSigned && node.bSigned;
  const factor = (bits: Bits): Word => {
    const word = operands.words(bits, signed ? 'sign' : 'zero')[0]!;
    return signed || word.low >= 0 ? word : { code: `(${word.code} >>> 0)`, low: 0, high: 2 ** 32 - 1 };
  };
  const [a, b] = [operands.name(factor(node.a)), operands.name(factor(node.b))];
  const { low, high } = productRange(a, b);
  if (low < -Number.MAX_SAFE_INTEGER || high > Number.MAX_SAFE_INTEGER) return undefined;
  const upper = `Math.floor(${a.code} * ${b.code} / 4294967296)`;
  const second = operands.name(wrapped(upper, Math.floor(low / 2 ** 32), Math.floor(high / 2 ** 32)));
  const sign = shiftRight(second, 31);
  return [lowProduct(a, b), second, ...new Array<Word>(words - 2).fill(sign)];
}

/**
 * A product of any width by the school's method on digits of 16 bits. The digit products of one column are added as
 * doubles, exactly: n of them stay below n * 2^32.
 */
function limbProduct(node: OperatorNode, operands: Operands): Word[] {
  const { a, b } = extended(node, operands);
  const [left, right] = [limbs(operands, a), limbs(operands, b)];
  const digits: string[] = [];
  let carry = '0';
  for (let column = 0; column < 2 * a.length; column++) {
    const terms = carry === '0' ? [] : [carry];
    for (let index = 0; index <= column; index++) {
      const [x, y] = [left[index], right[column - index]];
      if (x !== undefined && y !== undefined && x !== '0' && y !== '0') terms.push(`${x} * ${y}`);
    }
    if (terms.length === 0) terms.push('0');
    const total = operands.nameNumber(terms.join(' + '));
    digits.push(total);
    carry = operands.nameNumber(`Math.floor(${total} / 65536)`);
  }
  return a.map((_, index) => anyWord(`(${digits[2 * index]} & 65535 | ${digits[2 * index + 1]} << 16)`));
}

function limbs(operands: Operands, words: readonly Word[]): string[] {
  return words.flatMap((word) => {
    if (isConstant(word)) return [`${word.low & 65535}`, `${word.low >>> 16}`];
    const named = operands.name(word);
    const upper = word.low >= 0 && word.high < 65536 ? '0' : operands.nameNumber(`${named.code} >>> 16`);
    return [operands.nameNumber(`${named.code} & 65535`), upper];
  });
}

/** Quotients and remainders: up to 32 bits, where a double's quotient truncates as the exact one does. By 0 it is 0. */
function division(rule: (a: Word, b: Word, signed: boolean) => Word): Operator {
  return (node, operands) => {
    if (Math.max(node.a.length, node.b.length, node.output.width) > wordBits) {
      throw new InputError(`netlist: ${node.output.name} divides more than 32 bits`);
    }
    const signed = node.aSigned && node.bSigned;
    const [a, b] = [node.a, node.b].map((bits) => {
      const word = operands.name(operands.words(bits, signed ? 'sign' : 'zero')[0]!);
      return signed || word.low >= 0 ? word : anyWord(`(${word.code} >>> 0)`);
    });
    return [rule(a!, b!, signed)];
  };
}

export const divide: Operator = division((a, b) => anyWord(`(${a.code} / ${b.code} | 0)`));
export const remainder: Operator = division((a, b) => anyWord(`(${a.code} % ${b.code} | 0)`));
export const divideFloor: Operator = division((a, b) => anyWord(`(Math.floor(${a.code} / ${b.code}) | 0)`));
export const remainderFloor: Operator = division((a, b, signed) => {
  const rest = `(${a.code} % ${b.code} | 0)`;
  if (!signed) return anyWord(rest);
  return anyWord(`(${rest} !== 0 && (${rest} ^ ${b.code}) < 0 ? ${rest} + ${b.code} | 0 : ${rest})`);
});
