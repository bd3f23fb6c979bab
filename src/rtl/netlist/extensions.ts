/**
 * Chooses for each variable what the spare bits of its last word hold: zeros, copies of its sign, or anything.
 *
 * Everyone who reads a value says which would spare a conversion; the majority gets it. Users are asked before the
 * one who computes the value, so that an operator that passes spare bits on passes the wish on as well.
 */
import type { Design, Node, Variable } from './design.ts';
import type { Operands } from './operator.ts';
import type { Plan } from './plan.ts';
import { controlsOf, dataOf, updatesOf } from './update.ts';
import { wordsOfNode } from './value.ts';
import { anyWord, type Extension, Reader } from './words.ts';

export type Extensions = (variable: Variable) => Extension;

export function chooseExtensions(design: Design, plan: Plan): Extensions {
  // A register's users are known only after the node that computes its next value has been asked: so twice.
  const first = ask(design, plan, () => 'any');
  return ask(design, plan, first);
}

function ask(design: Design, plan: Plan, registers: Extensions): Extensions {
  const votes = new Int32Array(design.variables.list.length);
  const asked = new Uint8Array(votes.length);
  const reader = new Reader(design.variables, {
    word: () => anyWord('0'),
    prefer: ({ index }, extension) => {
      votes[index]! += extension === 'sign' ? 1 : -1;
      asked[index] = 1;
    },
  });
  const chosen: Extensions = ({ index }) =>
    asked[index] === 0 ? 'any' : votes[index]! > 0 ? 'sign' : 'zero';
  const operandsFor = (extension: Extension): Operands => ({
    extension,
    words: (bits, wanted) => reader.words(bits, wanted),
    truth: (bits) => reader.truth(bits),
    name: (word) => word,
    nameNumber: (code) => code,
    table: () => 0,
  });
  const askNode = (node: Node): void => {
    const operands = operandsFor(chosen(node.output));
    if (node.kind === 'reset') operands.truth(node.reset.control.bits);
    else if (node.kind === 'choice') {
      operands.truth([node.select]);
      operands.words(node.whenZero, operands.extension);
      operands.words(node.whenOne, operands.extension);
    } else wordsOfNode(node, operands);
  };

  for (const update of updatesOf(design)) {
    const { enable, reset } = controlsOf(update);
    for (const control of [enable, reset]) if (control !== undefined) reader.truth(control.bits);
    if (update.kind === 'register') reader.words(update.register.data, registers(update.register.variable));
    else for (const bits of dataOf(update)) reader.words(bits, 'zero');
  }
  for (let index = plan.order.length - 1; index >= 0; index--) askNode(plan.order[index]!);
  return chosen;
}
