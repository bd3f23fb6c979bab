/** What an operator's rule gets and gives. */
import type { Bits, OperatorNode } from './design.ts';
import { type Extension, type Word, zeroWord } from './words.ts';

/** A rule's way to its operands, and to room for what it can't say in one expression. */
export interface Operands {
  /** What would be welcome in the spare bits of the result; the caller makes it so if the rule does not. */
  readonly extension: Extension;
  /** The words of a vector. */
  words(bits: Bits, extension: Extension): Word[];
  /** Source that is not 0 exactly when any of the bits is 1. */
  truth(bits: Bits): string;
  /** The same value under a name, for a rule that needs it more than once. */
  name(word: Word): Word;
  /** The same for a number of up to 53 bits that is no int32: source of it, under a name. */
  nameNumber(code: string): string;
  /** Puts words side by side in the array `scratch`; the index of the first. */
  table(words: readonly Word[]): number;
}

/**
 * Source of an operator's result: one word for each 32 bits of the output. Bits above the output's width may be
 * anything, as long as the range said for the word holds.
 */
export type Operator = (node: OperatorNode, operands: Operands) => Word[];

/** A result of one word, continued by zeros. */
export function zeroExtended(word: Word, words: number): Word[] {
  return [word, ...new Array<Word>(words - 1).fill(zeroWord)];
}
