/** The source of what a node computes. */
import { assert } from '../../core/diagnostics.ts';
import { type Bits, type Memory, type OperatorNode, type ReadNode, wordsOf } from './design.ts';
import type { Operands } from './operator.ts';
import { operators } from './operators.ts';
import { anyWord, bitwise, rangedWord, rangeOf, type Word, zeroWord } from './words.ts';

/** One word for each 32 bits of the node's output, their spare bits as the operator leaves them. */
export function wordsOfNode(node: OperatorNode | ReadNode, operands: Operands): Word[] {
  if (node.kind === 'read') return readMemory(node, operands);
  const operator = operators.get(node.type);
  assert(operator !== undefined, `no rule for ${node.type}`);
  return operator(node, operands);
}

/** The name of a memory's array in generated code. */
export const arrayOf = ({ index }: Memory): string => `memory${index}`;

/** A word's index from its address, and the condition for there being such a word; undefined if there always is. */
export function indexOf(memory: Memory, address: Bits, operands: Operands) {
  const word = operands.words(address, 'zero')[0] ?? zeroWord;
  const least = word.low >= 0 ? word.low : 0;
  const greatest = word.low >= 0 ? word.high : 2 ** 32 - 1;
  const offset = memory.offset === 0 ? word : anyWord(`(${word.code} - ${memory.offset} | 0)`);
  const index = operands.name(offset);
  const always = least >= memory.offset && greatest < memory.offset + memory.size;
  return { index, within: always ? undefined : `${index.code} >>> 0 < ${memory.size}` };
}

/** Source of the elements of a memory's array that hold the word at an index. */
export function elementsAt(memory: Memory, index: Word, operands: Operands): string[] {
  const length = wordsOf(memory.width);
  if (length === 1) return [`${arrayOf(memory)}[${index.code}]`];
  const base = operands.name(anyWord(`Math.imul(${index.code}, ${length})`));
  return Array.from({ length }, (_, at) => `${arrayOf(memory)}[${base.code} + ${at}]`);
}

/** What a memory holds at an address, 0 where it has no word; data just being written goes before. */
function readMemory({ memory, address, bypass }: ReadNode, operands: Operands): Word[] {
  const { index, within } = indexOf(memory, address, operands);
  let words = elementsAt(memory, index, operands).map((element, at) => {
    const { low, high } = rangeOf(Math.min(32, memory.width - 32 * at), 'zero');
    return rangedWord(within === undefined ? element : `(${within} ? ${element} : 0)`, low, high);
  });
  for (const port of bypass) {
    const here = `${operands.words(address, 'zero')[0]!.code} === ${operands.words(port.address, 'zero')[0]!.code}`;
    const data = operands.words(port.data, 'zero');
    const enable = operands.words(port.enable, 'zero');
    words = words.map((word, at) => {
      const stored = operands.name(word);
      const written = merged(stored, data[at]!, enable[at]!);
      return { ...stored, ...hull(stored, written), code: `(${here} ? ${written.code} : ${stored.code})` };
    });
  }
  return words;
}

/** The bits of `data` where `enable` has ones, elsewhere those of `stored`. */
export function merged(stored: Word, data: Word, enable: Word): Word {
  if (enable.low === -1 && enable.high === -1) return data;
  const kept = bitwise('&', stored, anyWord(`~${enable.code}`));
  return bitwise('|', kept, bitwise('&', data, enable));
}

/** The range that holds those of two words. */
export function hull(a: Word, b: Word): { low: number; high: number } {
  return { low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) };
}
