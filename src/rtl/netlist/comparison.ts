/** Comparisons: both operands brought to the wider one's width, the result one bit. */
import { extend, type OperatorNode, wordsOf } from './design.ts';
import { type Operands, type Operator, zeroExtended } from './operator.ts';
import { booleanWord, type Word } from './words.ts';

interface Compared {
  readonly a: Word[];
  readonly b: Word[];
  readonly signed: boolean;
}

function compared(node: OperatorNode, operands: Operands): Compared {
  const signed = node.aSigned && node.bSigned;
  const width = Math.max(node.a.length, node.b.length, 1);
  const words = (bits: OperatorNode['a']): Word[] =>
    operands.words(extend(bits, width, signed), signed ? 'sign' : 'zero');
  return { a: words(node.a), b: words(node.b), signed };
}

const comparison =
  (condition: (words: Compared) => string): Operator =>
  (node, operands) =>
    zeroExtended(booleanWord(condition(compared(node, operands))), wordsOf(node.output.width));

/** Source that is 0 exactly when all words are equal. */
function difference({ a, b }: Compared): string {
  return a.map((word, index) => `${word.code} ^ ${b[index]!.code}`).join(' | ');
}

export const equal: Operator = comparison((words) =>
  words.a.length === 1 ? `${words.a[0]!.code} === ${words.b[0]!.code}` : `(${difference(words)}) === 0`,
);
export const unequal: Operator = comparison((words) =>
  words.a.length === 1 ? `${words.a[0]!.code} !== ${words.b[0]!.code}` : `(${difference(words)}) !== 0`,
);

/** `a < b`, or `a <= b` with `ifEqual`: the highest word that differs decides. */
function order({ a, b, signed }: Compared, ifEqual: boolean): string {
  let lower = '';
  a.forEach((left, index) => {
    const right = b[index]!;
    const top = index === a.length - 1;
    // Words that are not negative as int32 compare the same either way.
    const plain = (top && signed) || (left.low >= 0 && right.low >= 0);
    const [x, y] = plain ? [left.code, right.code] : [`(${left.code} >>> 0)`, `(${right.code} >>> 0)`];
    lower =
      index === 0
        ? `${x} ${ifEqual ? '<=' : '<'} ${y}`
        : `(${left.code} === ${right.code} ? ${lower} : ${x} < ${y})`;
  });
  return lower;
}

const swapped = ({ a, b, signed }: Compared): Compared => ({ a: b, b: a, signed });

export const less: Operator = comparison((words) => order(words, false));
export const lessOrEqual: Operator = comparison((words) => order(words, true));
export const greater: Operator = comparison((words) => order(swapped(words), false));
export const greaterOrEqual: Operator = comparison((words) => order(swapped(words), true));
