/**
 * Shifts by an amount known only at run time, and what comes to the same: indexed part-selects and wide choices.
 *
 * Within 32 bits they are JavaScript's shifts. Beyond, the words are laid side by side in an array, continued by
 * what is shifted in, and each word of the result is cut from two neighbours.
 */
import { type Bits, extend, wordBits, wordsOf } from './design.ts';
import type { Operands, Operator } from './operator.ts';
import { anyWord, constantWord, isConstant, rangedWord, shiftRight, type Word, zeroWord } from './words.ts';

/** What a vector is shifted by, as an int32 of which every `step`-th value is possible. */
interface Amount {
  readonly word: Word;
  readonly step: number;
}

/** A shift amount, kept within `low`..`high`: beyond them everything has been shifted out. */
function amountOf(bits: Bits, signed: boolean, low: number, high: number, operands: Operands): Amount {
  const words = operands.words(bits, signed ? 'sign' : 'zero');
  const first = operands.name(words[0] ?? zeroWord);
  const rest = words.slice(1);
  const { code } = first;
  const step = stepOf(bits);
  if (rest.length === 0 && first.low >= low && first.high <= high) return { word: first, step };
  if (signed) {
    const clamped = `${code} > ${high} ? ${high} : ${code} < ${low} ? ${low} : ${code}`;
    if (rest.length === 0) return { word: rangedWord(`(${clamped})`, low, high), step };
    // Beyond 32 bits there is nothing left either way.
    const others = rest.map((word) => `${word.code} ^ ${code} >> 31`).join(' | ');
    return { word: rangedWord(`((${others}) !== 0 ? ${high} : ${clamped})`, low, high), step };
  }
  const number = first.low >= 0 ? code : `(${code} >>> 0)`;
  const large = rest.length === 0 ? '' : `(${rest.map((word) => word.code).join(' | ')}) !== 0 || `;
  return { word: rangedWord(`(${large}${number} > ${high} ? ${high} : ${code})`, 0, high), step };
}

/** The power of two that all values of a vector are multiples of. */
function stepOf(bits: Bits): number {
  const zeros = bits.findIndex((bit) => bit !== 0);
  return 2 ** Math.min(zeros < 0 ? bits.length : zeros, 16);
}

/** `words`, continued upwards by `fill` and downwards by zeros, from bit `amount` on: `length` words. */
function window(
  operands: Operands,
  words: readonly Word[],
  fill: Word,
  { word: amount, step }: Amount,
  length: number,
  width: number,
): Word[] {
  const first = Math.min(0, amount.low >> 5);
  // The word after the last one, of which an amount that is no multiple of 32 takes some bits.
  const last = Math.max(words.length - 1, (amount.high >> 5) + length);
  const row = Array.from({ length: last - first + 1 }, (_, index) => {
    const position = first + index;
    return position < 0 ? zeroWord : (words[position] ?? fill);
  });
  const base = operands.table(row) - first;
  const named = operands.name(amount);
  const at = operands.name(rangedWord(`((${named.code} >> 5) + ${base} | 0)`, 0, 2 ** 30));
  const aligned = step >= wordBits;
  // No field of the result's width then lies across two words.
  const within = length === 1 && wordBits % step === 0 && width <= step;
  return Array.from({ length }, (_, index) => {
    const lower = `scratch[${at.code} + ${index}]`;
    if (aligned) return anyWord(lower);
    if (within) return anyWord(`(${lower} >>> ${named.code} | 0)`);
    const upper = `scratch[${at.code} + ${index + 1}]`;
    // In two steps, so that an amount of 0 shifts the upper word by 32 places: JavaScript takes 32 for 0.
    return anyWord(`(${lower} >>> ${named.code} | ${upper} << 1 << ~${named.code})`);
  });
}

/** A shift by an amount of which the sign says where to. */
function negated({ word, step }: Amount): Amount {
  return { word: rangedWord(`(-${word.code} | 0)`, -word.high, -word.low), step };
}

export const left: Operator = (node, operands) => {
  const { width } = node.output;
  const bits = extend(node.a, width, node.aSigned);
  const length = wordsOf(width);
  const words = operands.words(bits, 'any');
  const amount = amountOf(node.b, false, 0, wordBits * length, operands);
  if (length > 1) return window(operands, words, zeroWord, negated(amount), length, width);
  return [shiftedOut(operands, amount.word, (by) => `${words[0]!.code} << ${by}`, zeroWord)];
};

/** One word shifted by an amount that may be 32 or more; `beyond` is the result then. */
function shiftedOut(operands: Operands, amount: Word, shift: (by: string) => string, beyond: Word): Word {
  if (amount.high < wordBits) return anyWord(`(${shift(amount.code)} | 0)`);
  const { code } = operands.name(amount);
  return anyWord(`(${code} > 31 ? ${beyond.code} : ${shift(code)} | 0)`);
}

/** Zeros come in from above; the operand is brought to the result's width first, if it is narrower. */
export const right: Operator = (node, operands) => {
  const bits = extend(node.a, Math.max(node.a.length, node.output.width), node.aSigned);
  return rightward(bits, node.b, node.output.width, operands, false);
};

export const rightArithmetic: Operator = (node, operands) => {
  if (!node.aSigned) return right(node, operands);
  const bits = extend(node.a, Math.max(node.a.length, node.output.width), true);
  return rightward(bits, node.b, node.output.width, operands, true);
};

function rightward(a: Bits, b: Bits, width: number, operands: Operands, signed: boolean): Word[] {
  const length = wordsOf(width);
  const words = operands.words(a, signed ? 'sign' : 'zero');
  const amount = amountOf(b, false, 0, wordBits * words.length, operands);
  if (words.length > 1 || length > 1) {
    const fill = signed ? operands.name(shiftRight(words.at(-1)!, 31)) : zeroWord;
    return window(operands, words, fill, amount, length, width);
  }
  const word = operands.name(words[0] ?? zeroWord);
  const shifted = signed
    ? shiftedOut(operands, amount.word, (by) => `${word.code} >> ${by}`, shiftRight(word, 31))
    : shiftedOut(operands, amount.word, (by) => `${word.code} >>> ${by}`, zeroWord);
  // Shifting right only brings a value nearer to 0 or -1.
  if (!signed && word.low < 0) return [shifted];
  return [rangedWord(shifted.code, Math.min(word.low, 0), Math.max(word.high, word.low < 0 ? -1 : 0))];
}

/** Yosys' `$shift`: to the right, or to the left by a negative amount. */
export const either: Operator = (node, operands) => {
  const bits = extend(node.a, Math.max(node.a.length, node.output.width), node.aSigned);
  return eitherWay(bits, node.b, node.bSigned, node.output.width, operands);
};

/** Yosys' `$shiftx`, an indexed part-select: what lies outside of the vector is 0 here. */
export const select: Operator = (node, operands) =>
  eitherWay(node.a, node.b, node.bSigned, node.output.width, operands);

function eitherWay(a: Bits, b: Bits, bSigned: boolean, width: number, operands: Operands): Word[] {
  if (!bSigned) return rightward(a, b, width, operands, false);
  const length = wordsOf(width);
  const words = operands.words(a, 'zero');
  const amount = amountOf(b, true, -wordBits * length, wordBits * words.length, operands);
  if (words.length === 1 && length === 1) {
    const [{ code: by }, { code }] = [operands.name(amount.word), operands.name(words[0]!)];
    const shifted = `${by} < 0 ? ${code} << -${by} : ${code} >>> ${by}`;
    return [anyWord(`((${by} > 31 || ${by} < -31 ? 0 : ${shifted}) | 0)`)];
  }
  return window(operands, words, zeroWord, amount, length, width);
}

/** Yosys' `$bmux`: one of the parts of `a`. */
export const choose: Operator = (node, operands) => {
  const { width } = node.output;
  return window(
    operands,
    operands.words(node.a, 'zero'),
    zeroWord,
    part(node.s, width, operands),
    wordsOf(width),
    width,
  );
};

/** Yosys' `$demux`: `a` in one of the parts of the result, zeros in the others. */
export const distribute: Operator = (node, operands) => {
  const { width } = node.output;
  const words = operands.words(node.a, 'zero');
  return window(
    operands,
    words,
    zeroWord,
    negated(part(node.s, node.a.length, operands)),
    wordsOf(width),
    width,
  );
};

/** Where the part of a vector begins that `index` says, all of them being of one width. */
function part(index: Bits, width: number, operands: Operands): Amount {
  const word = operands.words(index, 'zero')[0] ?? zeroWord;
  const step = width & -width;
  if (isConstant(word)) return { word: constantWord(word.low * width), step };
  return { word: rangedWord(`Math.imul(${word.code}, ${width})`, 0, word.high * width), step };
}
