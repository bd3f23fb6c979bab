/**
 * A synchronous design as the compiler sees it: variables, the nodes that compute them, and the state that a clock
 * edge changes. Made from a netlist by `lower.ts`; every peculiarity of Yosys' cells ends there.
 */
import { assert } from '../../core/diagnostics.ts';

/**
 * One bit of a value: 0 and 1 are the constants; from 2 up it is a bit of a variable, numbered through all of them,
 * so that neighbouring bits of one variable have neighbouring numbers.
 */
export type Bit = number;
/** Least significant first. */
export type Bits = readonly Bit[];

/** Bits per machine word: values are kept as int32. */
export const wordBits = 32;

/** A vector with one driver. */
export interface Variable {
  readonly index: number;
  readonly name: string;
  readonly width: number;
  readonly firstBit: Bit;
  readonly kind: 'input' | 'state' | 'value';
}

/** Words that hold `width` bits. */
export const wordsOf = (width: number): number => Math.ceil(width / wordBits);

/** All variables of a design, and which of them a bit belongs to. */
export class Variables {
  readonly list: Variable[] = [];
  private readonly owners: Variable[] = [];

  add(name: string, width: number, kind: Variable['kind']): Variable {
    const variable = { index: this.list.length, name, width, firstBit: this.owners.length + 2, kind };
    this.list.push(variable);
    for (let bit = 0; bit < width; bit++) this.owners.push(variable);
    return variable;
  }

  /** The variable of a bit that is no constant. */
  of(bit: Bit): Variable {
    const variable = this.owners[bit - 2];
    assert(variable !== undefined, `bit ${bit} belongs to no variable`);
    return variable;
  }

  /** The different variables in a vector. */
  in(bits: Bits): Variable[] {
    const found = new Set<Variable>();
    for (const bit of bits) if (bit >= 2) found.add(this.of(bit));
    return [...found];
  }
}

/** All bits of a variable. */
export function bitsOf(variable: Variable): Bit[] {
  return Array.from({ length: variable.width }, (_, offset) => variable.firstBit + offset);
}

/** A vector brought to `width` bits: cut off, or continued by its sign or by zeros. */
export function extend(bits: Bits, width: number, signed: boolean): Bits {
  if (bits.length >= width) return bits.slice(0, width);
  const fill = signed ? (bits.at(-1) ?? 0) : 0;
  return [...bits, ...new Array<Bit>(width - bits.length).fill(fill)];
}

/** A word-level operator: its output is a function of its operands. */
export interface OperatorNode {
  readonly kind: 'operator';
  /** Yosys' name of the cell type, `$add` and the like. */
  readonly type: string;
  readonly a: Bits;
  readonly b: Bits;
  readonly s: Bits;
  readonly aSigned: boolean;
  readonly bSigned: boolean;
  readonly output: Variable;
}

/** A choice between two vectors. Apart from the operators since only the chosen side need be computed. */
export interface ChoiceNode {
  readonly kind: 'choice';
  readonly select: Bit;
  readonly whenZero: Bits;
  readonly whenOne: Bits;
  readonly output: Variable;
}

/** What a memory holds at an address now, or what the write ports in `bypass` are about to put there. */
export interface ReadNode {
  readonly kind: 'read';
  readonly memory: Memory;
  readonly address: Bits;
  readonly bypass: readonly WritePort[];
  readonly output: Variable;
}

/** Sets a register while its asynchronous reset is active; whoever reads the register comes after it. */
export interface ResetNode {
  readonly kind: 'reset';
  readonly register: Register;
  readonly reset: Reset;
  readonly output: Variable;
}

export type Node = OperatorNode | ChoiceNode | ReadNode | ResetNode;

/** A control input: active while any of its bits is 1, or with `activeLow`, while its one bit is 0. */
export interface Control {
  readonly bits: Bits;
  readonly activeLow: boolean;
}

export interface Reset {
  readonly control: Control;
  /** Constant bits. */
  readonly value: Bits;
}

export interface Register {
  readonly variable: Variable;
  readonly data: Bits;
  readonly enable: Control | undefined;
  readonly reset: Reset | undefined;
  /** The reset acts only while the enable does. */
  readonly resetNeedsEnable: boolean;
  /** Power-on value: constant bits. */
  readonly initial: Bits;
}

export interface WritePort {
  readonly address: Bits;
  readonly data: Bits;
  /** One bit for each bit of the word. */
  readonly enable: Bits;
}

export interface Memory {
  readonly index: number;
  readonly name: string;
  /** Bits of a word. */
  readonly width: number;
  /** Words. */
  readonly size: number;
  /** Address of the first word. */
  readonly offset: number;
  /** Of ports that write the same word on the same edge, the later one wins. */
  readonly writePorts: readonly WritePort[];
  /** Power-on bits of all words as binary digits, the last word first, most significant bit first. */
  readonly initial: string;
}

/** A named vector: port, wire or register. */
export interface Signal {
  readonly name: string;
  readonly bits: Bits;
  readonly signed: boolean;
}

export interface InputSignal extends Signal {
  readonly variable: Variable;
}

export interface Design {
  readonly name: string;
  readonly variables: Variables;
  readonly inputs: readonly InputSignal[];
  readonly outputs: readonly Signal[];
  /** The input that clocks all registers and memories; none if there are none. */
  readonly clock: string | undefined;
  readonly nodes: readonly Node[];
  readonly registers: readonly Register[];
  readonly memories: readonly Memory[];
  /** All named nets, for looking into a run. */
  readonly signals: ReadonlyMap<string, Signal>;
}

/** Bits a node needs whatever their values are; the two sides of a choice are not among them. */
export function inputsOf(node: Node): readonly Bits[] {
  switch (node.kind) {
    case 'operator':
      return [node.a, node.b, node.s];
    case 'choice':
      return [[node.select]];
    case 'read':
      return [node.address, ...node.bypass.flatMap(({ address, data, enable }) => [address, data, enable])];
    case 'reset':
      return [node.reset.control.bits];
  }
}

/** Bits a node may need: the two sides of a choice. */
export function sidesOf(node: Node): readonly Bits[] {
  return node.kind === 'choice' ? [node.whenZero, node.whenOne] : [];
}
