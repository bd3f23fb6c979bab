/** Numbers in and out of 32-bit words. */
import { wordBits, wordsOf } from './design.ts';

/** A number for vectors up to 32 bits, a bigint for wider ones. */
export type Value = number | bigint;

/** The lowest `width` bits of an integer as int32 words, lowest word first; spare bits are 0. */
export function toWords(value: bigint, width: number): number[] {
  const bits = BigInt.asUintN(width, value);
  return Array.from({ length: wordsOf(width) }, (_, index) =>
    Number(BigInt.asIntN(wordBits, bits >> BigInt(wordBits * index))),
  );
}

/** The number in the lowest `width` bits of int32 words. */
export function fromWords(words: ArrayLike<number>, width: number, signed: boolean): Value {
  let value = 0n;
  for (let index = wordsOf(width) - 1; index >= 0; index--) {
    value = (value << BigInt(wordBits)) | BigInt(words[index]! >>> 0);
  }
  const number = signed ? BigInt.asIntN(width, value) : BigInt.asUintN(width, value);
  return width <= wordBits ? Number(number) : number;
}
