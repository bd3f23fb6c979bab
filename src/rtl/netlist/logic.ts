/** Bitwise and logical operators. */
import { type Bits, extend, type OperatorNode, wordsOf } from './design.ts';
import { type Operands, type Operator, zeroExtended } from './operator.ts';
import { anyWord, bitwise, booleanWord, constantWord, mask, rangedWord, type Word } from './words.ts';

/** An operator of which each word of the result comes from one word of each operand. */
function wordwise(rule: (a: Word, b: Word) => Word): Operator {
  return (node, operands) => {
    const signed = node.aSigned && node.bSigned;
    const words = (bits: Bits): Word[] =>
      operands.words(extend(bits, node.output.width, signed), operands.extension);
    const b = words(node.b);
    return words(node.a).map((word, index) => rule(word, b[index]!));
  };
}

const inverted = (word: Word): Word => rangedWord(`(~${word.code})`, ~word.high, ~word.low);

export const not: Operator = ({ a, aSigned, output }, operands) =>
  operands.words(extend(a, output.width, aSigned), operands.extension).map(inverted);
export const and: Operator = wordwise((a, b) => bitwise('&', a, b));
export const or: Operator = wordwise((a, b) => bitwise('|', a, b));
export const xor: Operator = wordwise((a, b) => bitwise('^', a, b));
export const xnor: Operator = wordwise((a, b) => inverted(bitwise('^', a, b)));

/** Bit for bit `s ? b : a`. */
export const bitwiseChoice: Operator = (node, operands) => {
  const [a, b, s] = [node.a, node.b, node.s].map((bits) => operands.words(bits, operands.extension));
  return a!.map((word, index) => {
    const named = operands.name(word);
    return bitwise('^', named, bitwise('&', bitwise('^', named, b![index]!), s![index]!));
  });
};

/** A result of one bit. */
function oneBit(rule: (node: OperatorNode, operands: Operands) => Word): Operator {
  return (node, operands) => zeroExtended(rule(node, operands), wordsOf(node.output.width));
}

export const reduceAnd: Operator = oneBit(({ a }, operands) => {
  if (a.length === 1) return operands.words(a, 'zero')[0]!;
  if (a.length <= 32) {
    return booleanWord(`${operands.words(a, 'zero')[0]!.code} === ${mask(a.length)}`);
  }
  const all = operands.words(a, 'sign').reduce((left, right) => bitwise('&', left, right));
  return booleanWord(`${all.code} === -1`);
});

export const reduceOr: Operator = oneBit(({ a }, operands) => anyBit(a, operands));
export const reduceXor: Operator = oneBit(({ a }, operands) => parity(a, operands));
export const reduceXnor: Operator = oneBit(({ a }, operands) =>
  bitwise('^', parity(a, operands), constantWord(1)),
);
export const logicNot: Operator = oneBit(({ a }, operands) => {
  if (a.length === 1) return bitwise('^', operands.words(a, 'zero')[0]!, constantWord(1));
  return booleanWord(`${operands.truth(a)} === 0`);
});
export const logicAnd: Operator = oneBit(({ a, b }, operands) =>
  bitwise('&', anyBit(a, operands), anyBit(b, operands)),
);
export const logicOr: Operator = oneBit(({ a, b }, operands) => anyBit([...a, ...b], operands));

function anyBit(bits: Bits, operands: Operands): Word {
  if (bits.length === 1) return operands.words(bits, 'zero')[0]!;
  return booleanWord(`${operands.truth(bits)} !== 0`);
}

/** The number of ones modulo 2. */
function parity(bits: Bits, operands: Operands): Word {
  let word = operands.words(bits, 'zero').reduce((left, right) => bitwise('^', left, right));
  for (let half = 16; half >= 1; half >>= 1) {
    if (half >= bits.length) continue;
    const named = operands.name(word);
    word = anyWord(`(${named.code} ^ ${named.code} >>> ${half})`);
  }
  return bits.length === 1 ? word : rangedWord(`(${word.code} & 1)`, 0, 1);
}
