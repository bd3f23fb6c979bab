/** Writes the steps of one generated function. */
import { assert } from '../../core/diagnostics.ts';
import {
  type Bits,
  type ChoiceNode,
  type Control,
  type Design,
  type Node,
  type ResetNode,
  type Variable,
  wordBits,
  wordsOf,
} from './design.ts';
import type { Extensions } from './extensions.ts';
import type { Layout } from './layout.ts';
import type { Operands } from './operator.ts';
import type { Block, Step } from './step.ts';
import { portOf, type RegisterUpdate, type Update, type WriteUpdate } from './update.ts';
import { elementsAt, hull, indexOf, merged, wordsOfNode } from './value.ts';
import {
  anyWord,
  type Extension,
  isConstant,
  normalise,
  Reader,
  rangedWord,
  rangeOf,
  type Word,
  type WordSource,
} from './words.ts';

/** Source that is a name or a number already. */
const atom = /^(?:\w+|\(-\d+\))$/;

type ChooseStep = Extract<Step, { kind: 'choose' }>;

/** Names that can be seen from a place in the generated code, and what stands behind them. */
class Scope {
  private readonly parent: Scope | undefined;
  private readonly words = new Map<string, Word>();

  constructor(parent?: Scope) {
    this.parent = parent;
  }

  find(name: string): Word | undefined {
    return this.words.get(name) ?? this.parent?.find(name);
  }

  set(name: string, word: Word): void {
    this.words.set(name, word);
  }
}

export class FunctionWriter implements Operands, WordSource {
  extension: Extension = 'any';
  private readonly layout: Layout;
  private readonly extensions: Extensions;
  private readonly scratch: number[];
  private readonly reader: Reader;
  private readonly lines: string[] = [];
  private scope = new Scope();
  private temporaries = 0;

  /** @param scratch what the array `scratch` holds at first; tables are added to it. */
  constructor(design: Design, layout: Layout, extensions: Extensions, scratch: number[]) {
    this.layout = layout;
    this.extensions = extensions;
    this.scratch = scratch;
    this.reader = new Reader(design.variables, this);
  }

  text(): string {
    return this.lines.map((line) => `${line}\n`).join('');
  }

  // What rules and the reader ask for.

  words(bits: Bits, extension: Extension): Word[] {
    return this.reader.words(bits, extension);
  }

  truth(bits: Bits): string {
    return this.reader.truth(bits);
  }

  name(word: Word): Word {
    if (atom.test(word.code)) return word;
    return { ...word, code: this.nameNumber(word.code) };
  }

  nameNumber(code: string): string {
    if (atom.test(code)) return code;
    const name = `t${this.temporaries++}`;
    this.lines.push(`const ${name} = ${code};`);
    return name;
  }

  table(words: readonly Word[]): number {
    const base = this.scratch.length;
    words.forEach((word, index) => {
      this.scratch.push(isConstant(word) ? word.low : 0);
      if (!isConstant(word)) this.lines.push(`scratch[${base + index}] = ${word.code};`);
    });
    return base;
  }

  word(variable: Variable, index: number): Word {
    const name = nameOf(variable, index);
    const known = this.scope.find(name);
    if (known !== undefined) return known;
    const slot = this.layout.slotOf(variable);
    assert(slot !== undefined, `${variable.name} is needed in a function that does not compute it`);
    const { low, high } = rangeOf(widthOf(variable, index), this.extensions(variable));
    this.lines.push(`const ${name} = state[${slot + index}];`);
    const word = rangedWord(name, low, high);
    this.scope.set(name, word);
    return word;
  }

  prefer(): void {}

  // Steps.

  steps(steps: readonly Step[]): void {
    for (let at = 0; at < steps.length; at++) {
      const step = steps[at]!;
      switch (step.kind) {
        case 'compute':
          this.compute(step.node);
          break;
        case 'show':
          this.show(step.output);
          break;
        case 'update':
          this.update(step.update);
          break;
        case 'block':
          this.block(step.block, step.steps);
          break;
        case 'choose': {
          const run = [step];
          for (let next = steps[at + 1]; next?.kind === 'choose'; next = steps[at + 1]) {
            if (next.node.select !== step.node.select) break;
            run.push(next);
            at++;
          }
          this.choose(run);
        }
      }
    }
  }

  /** Puts in place what a postponed update has put aside. */
  putInPlace(update: Update): void {
    const aside = this.layout.asideSlot(update);
    if (update.kind === 'register') {
      const { variable } = update.register;
      const slot = this.layout.slotOf(variable)!;
      for (let index = 0; index < wordsOf(variable.width); index++) {
        this.lines.push(`state[${slot + index}] = state[${aside + index}];`);
      }
      return;
    }
    const index = this.name(anyWord(`state[${aside}]`));
    const length = wordsOf(update.memory.width);
    elementsAt(update.memory, index, this).forEach((element, at) => {
      const enable = this.name(anyWord(`state[${aside + 1 + length + at}]`));
      const data = anyWord(`state[${aside + 1 + at}]`);
      this.lines.push(
        `if (${enable.code} !== 0) ${element} = ${merged(anyWord(element), data, enable).code};`,
      );
    });
  }

  private compute(node: Node): void {
    if (node.kind === 'reset') {
      this.resetNow(node);
      return;
    }
    assert(node.kind !== 'choice', 'a choice is a step of its own');
    this.extension = this.extensions(node.output);
    this.define(node.output, wordsOfNode(node, this));
  }

  /** Gives the words of a variable their names. */
  private define(variable: Variable, words: readonly Word[]): void {
    words.forEach((word, index) => {
      const value = this.normalised(variable, index, word);
      const name = nameOf(variable, index);
      // A value that has a name already keeps it.
      if (atom.test(value.code)) this.scope.set(name, value);
      else {
        this.lines.push(`const ${name} = ${value.code};`);
        this.scope.set(name, { ...value, code: name });
      }
      this.keep(variable, index, this.scope.find(name)!.code);
    });
  }

  /** Leaves a word for other functions, if they need it. */
  private keep(variable: Variable, index: number, code: string): void {
    const slot = this.layout.slotOf(variable);
    if (slot !== undefined) this.lines.push(`state[${slot + index}] = ${code};`);
  }

  private normalised(variable: Variable, index: number, word: Word): Word {
    return normalise(word, widthOf(variable, index), this.extensions(variable));
  }

  /** Choices by the same bit. Where nothing but wiring hangs on it, an expression does. */
  private choose(run: readonly ChooseStep[]): void {
    const [first] = run;
    if (run.length === 1 && first!.whenZero.length === 0 && first!.whenOne.length === 0) {
      this.chooseInline(first!.node);
      return;
    }
    const condition = this.truth([first!.node.select]);
    for (const { node } of run) {
      for (let index = 0; index < wordsOf(node.output.width); index++) {
        this.lines.push(`let ${nameOf(node.output, index)} = 0;`);
      }
    }
    const ranges = new Map<string, { low: number; high: number }>();
    const assign = (node: ChoiceNode, bits: Bits): void => {
      const extension = this.extensions(node.output);
      this.words(bits, extension).forEach((word, index) => {
        const name = nameOf(node.output, index);
        const value = this.normalised(node.output, index, word);
        this.lines.push(`${name} = ${value.code};`);
        this.scope.set(name, { ...value, code: name });
        const other = ranges.get(name);
        ranges.set(name, other === undefined ? value : hull(value, { ...other, code: '' }));
      });
    };
    this.lines.push(`if (${condition}) {`);
    this.within(() => {
      for (const { node, whenOne } of run) {
        this.steps(whenOne);
        assign(node, node.whenOne);
      }
    });
    this.lines.push('} else {');
    this.within(() => {
      for (const { node, whenZero } of run) {
        this.steps(whenZero);
        assign(node, node.whenZero);
      }
    });
    this.lines.push('}');
    for (const { node } of run) {
      for (let index = 0; index < wordsOf(node.output.width); index++) {
        const name = nameOf(node.output, index);
        const { low, high } = ranges.get(name)!;
        this.scope.set(name, rangedWord(name, low, high));
        this.keep(node.output, index, name);
      }
    }
  }

  private chooseInline(node: ChoiceNode): void {
    const extension = this.extensions(node.output);
    const condition = this.truth([node.select]);
    const whenZero = this.words(node.whenZero, extension);
    const words = this.words(node.whenOne, extension).map((word, index): Word => {
      const one = this.normalised(node.output, index, word);
      const zero = this.normalised(node.output, index, whenZero[index]!);
      return { ...hull(one, zero), code: `(${condition} ? ${one.code} : ${zero.code})` };
    });
    this.define(node.output, words);
  }

  private within(write: () => void): void {
    const outer = this.scope;
    this.scope = new Scope(outer);
    write();
    this.scope = outer;
  }

  private show({ name, bits }: Design['outputs'][number]): void {
    if (this.layout.isInPlace(name)) return;
    const slot = this.layout.outputSlot(name);
    this.words(bits, 'any').forEach((word, index) => {
      this.lines.push(`state[${slot + index}] = ${word.code};`);
    });
  }

  private condition({ bits, activeLow }: Control): string {
    const truth = this.truth(bits);
    return activeLow ? `${truth} === 0` : `${truth} !== 0`;
  }

  private resetNow({ register, reset }: ResetNode): void {
    this.lines.push(`if (${this.condition(reset.control)}) {`);
    this.setConstant(register.variable, reset.value, this.layout.slotOf(register.variable)!);
    this.lines.push('}');
  }

  private setConstant(variable: Variable, value: Bits, slot: number): void {
    this.words(value, 'zero').forEach((word, index) => {
      this.lines.push(`state[${slot + index}] = ${this.normalised(variable, index, word).code};`);
    });
  }

  private block({ enable, reset, resetNeedsEnable, updates }: Block, steps: readonly Step[]): void {
    for (const update of updates) if (update.postponed) this.putAsideUnchanged(update);
    const whenReset = reset === undefined ? undefined : this.condition(reset);
    const whenEnabled = enable === undefined ? undefined : this.condition(enable);
    const outer = resetNeedsEnable ? whenEnabled : undefined;
    if (outer !== undefined) this.lines.push(`if (${outer}) {`);
    if (whenReset !== undefined) {
      this.lines.push(`if (${whenReset}) {`);
      for (const update of updates) {
        if (update.kind !== 'register' || update.register.reset === undefined) continue;
        const { variable } = update.register;
        this.setConstant(variable, update.register.reset.value, this.targetOf(update));
      }
      this.lines.push('} else');
    }
    this.lines.push(outer === undefined && whenEnabled !== undefined ? `if (${whenEnabled}) {` : '{');
    this.within(() => this.steps(steps));
    this.lines.push('}');
    if (outer !== undefined) this.lines.push('}');
  }

  /** Where the new value of a register goes. */
  private targetOf(update: RegisterUpdate): number {
    return update.postponed ? this.layout.asideSlot(update) : this.layout.slotOf(update.register.variable)!;
  }

  /** What is put in place at the end if the controls of a postponed update do not let it act. */
  private putAsideUnchanged(update: Update): void {
    const aside = this.layout.asideSlot(update);
    if (update.kind === 'register') {
      const slot = this.layout.slotOf(update.register.variable)!;
      for (let index = 0; index < wordsOf(update.register.variable.width); index++) {
        this.lines.push(`state[${aside + index}] = state[${slot + index}];`);
      }
      return;
    }
    const length = wordsOf(update.memory.width);
    for (let index = 0; index < length; index++) this.lines.push(`state[${aside + 1 + length + index}] = 0;`);
  }

  private update(update: Update): void {
    if (update.kind === 'write') {
      this.write(update);
      return;
    }
    const { variable, data } = update.register;
    const target = this.targetOf(update);
    // All words first: the value may be a part of the register itself.
    const words = this.words(data, this.extensions(variable)).map((word, index) =>
      this.name(this.normalised(variable, index, word)),
    );
    words.forEach((word, index) => {
      this.lines.push(`state[${target + index}] = ${word.code};`);
    });
  }

  private write(update: WriteUpdate): void {
    const { memory } = update;
    const port = portOf(update);
    if (update.postponed) this.putAsideUnchanged(update);
    const { index, within } = indexOf(memory, port.address, this);
    const data = this.words(port.data, 'zero');
    const enable = this.words(port.enable, 'zero');
    if (within !== undefined) this.lines.push(`if (${within}) {`);
    this.within(() => {
      if (update.postponed) {
        const aside = this.layout.asideSlot(update);
        const values = [index, ...data, ...enable];
        values.forEach((word, at) => {
          this.lines.push(`state[${aside + at}] = ${word.code};`);
        });
        return;
      }
      const distinct = new Set(port.enable.filter((bit) => bit !== 0));
      elementsAt(memory, index, this).forEach((element, at) => {
        const bits = new Set(port.enable.slice(wordBits * at, wordBits * (at + 1)));
        const [only] = bits;
        // The block's condition has decided already if one bit enables the whole word.
        if (bits.size === 1 && only !== 0) {
          const guard = distinct.size === 1 ? '' : `if (${this.truth([only!])} !== 0) `;
          this.lines.push(`${guard}${element} = ${data[at]!.code};`);
        } else {
          const mask = this.name(enable[at]!);
          const value = merged(anyWord(element), data[at]!, mask).code;
          this.lines.push(`if (${mask.code} !== 0) ${element} = ${value};`);
        }
      });
    });
    if (within !== undefined) this.lines.push('}');
  }
}

const nameOf = (variable: Variable, index: number): string => `v${variable.index}_${index}`;

/** Bits that a word of a variable has. */
const widthOf = (variable: Variable, index: number): number =>
  Math.min(wordBits, variable.width - wordBits * index);
