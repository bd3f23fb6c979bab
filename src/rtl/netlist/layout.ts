/**
 * Where everything lies while a design runs: one Int32Array `state` for inputs, registers and what one generated
 * function leaves for another, one `scratch` for shifts over several words, and an array for each memory.
 */
import { type Bits, type Design, inputsOf, type Variable, wordsOf } from './design.ts';
import type { Plan } from './plan.ts';
import type { Step } from './step.ts';
import { dataOf, type Update } from './update.ts';

/** Place in `state` of the flag that says whether the outputs are yet to be computed. */
export const staleFlag = 0;

export interface Layout {
  /** Words of `state`. */
  readonly size: number;
  /** First word of a variable in `state`; undefined if it lives inside of one generated function only. */
  slotOf(variable: Variable): number | undefined;
  /** First word of an output in `state`. */
  outputSlot(output: string): number;
  /** Whether an output lies where a variable does, and needs no copying. */
  isInPlace(output: string): boolean;
  /** First word of what a postponed update puts aside. */
  asideSlot(update: Update): number;
}

/** Words that a postponed update puts aside: a register's value; a memory's index, data and mask. */
function asideWords(update: Update): number {
  if (update.kind === 'register') return wordsOf(update.register.variable.width);
  return 1 + 2 * wordsOf(update.memory.width);
}

export function layOut(design: Design, plan: Plan): Layout {
  let size = staleFlag + 1;
  const take = (words: number): number => {
    size += words;
    return size - words;
  };
  const slots = new Map<Variable, number>();
  const store = (variable: Variable): number => {
    const slot = slots.get(variable) ?? take(wordsOf(variable.width));
    slots.set(variable, slot);
    return slot;
  };
  for (const { variable } of design.inputs) store(variable);
  for (const { variable } of design.registers) store(variable);
  for (const variable of crossing(design, plan)) store(variable);
  const outputs = new Map<string, { slot: number; inPlace: boolean }>();
  for (const { name, bits } of design.outputs) {
    const whole = wholeVariable(design, bits);
    const slot = whole === undefined ? take(wordsOf(bits.length)) : store(whole);
    outputs.set(name, { slot, inPlace: whole !== undefined });
  }
  const aside = new Map(plan.postponed.map((update) => [update, take(asideWords(update))]));
  return {
    size,
    slotOf: (variable) => slots.get(variable),
    outputSlot: (output) => outputs.get(output)!.slot,
    isInPlace: (output) => outputs.get(output)!.inPlace,
    asideSlot: (update) => aside.get(update)!,
  };
}

/** The variable that a vector is, all of it and nothing else. */
function wholeVariable({ variables }: Design, bits: Bits): Variable | undefined {
  if (bits[0] === undefined || bits[0] < 2) return undefined;
  const variable = variables.of(bits[0]);
  const whole = variable.width === bits.length && bits.every((bit, at) => bit === variable.firstBit + at);
  return whole ? variable : undefined;
}

/** Values that one function computes and another one needs. */
function crossing(design: Design, plan: Plan): Set<Variable> {
  const functions = [...plan.outputs, ...plan.edge];
  const home = new Map<Variable, number>();
  functions.forEach((steps, index) => {
    for (const step of flat(steps)) {
      if (step.kind === 'compute' || step.kind === 'choose') home.set(step.node.output, index);
    }
  });
  const crossing = new Set<Variable>();
  functions.forEach((steps, index) => {
    for (const step of flat(steps)) {
      for (const bits of neededFor(step)) {
        for (const variable of design.variables.in(bits)) {
          if (variable.kind === 'value' && home.get(variable) !== index) crossing.add(variable);
        }
      }
    }
  });
  return crossing;
}

/** Steps and the steps within them. */
function* flat(steps: readonly Step[]): Generator<Step> {
  for (const step of steps) {
    yield step;
    if (step.kind === 'block') yield* flat(step.steps);
    if (step.kind === 'choose') {
      yield* flat(step.whenZero);
      yield* flat(step.whenOne);
    }
  }
}

function neededFor(step: Step): readonly Bits[] {
  switch (step.kind) {
    case 'compute':
      return inputsOf(step.node);
    case 'choose':
      return [...inputsOf(step.node), step.node.whenZero, step.node.whenOne];
    case 'show':
      return [step.output.bits];
    case 'update':
      return dataOf(step.update);
    case 'block':
      return [step.block.enable?.bits ?? [], step.block.reset?.bits ?? []];
  }
}
