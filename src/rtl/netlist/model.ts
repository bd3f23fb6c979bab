/** A compiled design that runs: its ports, its clock, its memories, and its inner signals to look at. */
import { assert } from '../../core/diagnostics.ts';
import { type Design, type Signal, type Variable, wordBits, wordsOf } from './design.ts';
import type { Extensions } from './extensions.ts';
import { type Layout, staleFlag } from './layout.ts';
import { arrayFor, type MemoryArray, MemoryView } from './memory-view.ts';
import { fromWords, toWords, type Value } from './values.ts';
import { constantWord, normalise } from './words.ts';

/** What generated code works on. */
export interface Arrays {
  readonly state: Int32Array;
  readonly scratch: Int32Array;
  readonly memories: readonly MemoryArray[];
}

/** Arrays for a design, filled with zeros. */
export function arraysFor(design: Design, stateWords: number, scratch: readonly number[]): Arrays {
  return {
    state: new Int32Array(stateWords),
    scratch: new Int32Array(scratch.length),
    memories: design.memories.map(arrayFor),
  };
}

/** What generated code returns. */
export interface Program {
  /** Computes the outputs. */
  outputs(): void;
  /** Runs cycles with the inputs as they are. */
  run(cycles: number): void;
}

export interface ModelPort {
  readonly name: string;
  readonly direction: 'input' | 'output';
  /** Width. */
  readonly bits: number;
  readonly signed: boolean;
  /** The clock, which {@link Model.clock} drives. */
  readonly clock: boolean;
}

/** All that a model is made of. */
export interface Compiled {
  readonly design: Design;
  readonly layout: Layout;
  readonly extensions: Extensions;
  readonly arrays: Arrays;
  /** What the scratch array holds at first. */
  readonly scratch: readonly number[];
  readonly program: Program;
  readonly source: string;
  /** Makes a function that computes a signal and leaves it at `probeSlot` of the state. */
  readonly probe: (signal: Signal) => () => void;
  readonly probeSlot: number;
}

/**
 * A synchronous circuit, simulated cycle by cycle. Numbers are exact: a port up to 32 bits wide is a number, a
 * wider one a bigint, negative ones only for ports declared `signed`. Outputs are always those for the present
 * inputs and the present state: they are computed when somebody looks after something has changed.
 */
export class Model {
  readonly name: string;
  readonly ports: readonly ModelPort[];
  /** The generated JavaScript, for looking at. */
  readonly source: string;
  private readonly compiled: Compiled;
  private readonly state: Int32Array;
  private readonly inputs: ReadonlyMap<string, Design['inputs'][number]>;
  private readonly outputs: ReadonlyMap<string, Signal>;
  private readonly memories: ReadonlyMap<string, MemoryView>;
  private readonly probes = new Map<string, () => void>();

  constructor(compiled: Compiled) {
    const { design, arrays } = compiled;
    this.compiled = compiled;
    this.name = design.name;
    this.source = compiled.source;
    this.state = arrays.state;
    this.inputs = new Map(design.inputs.map((input) => [input.name, input]));
    this.outputs = new Map(design.outputs.map((output) => [output.name, output]));
    const port = (direction: ModelPort['direction']) => {
      return ({ name, bits, signed }: Signal): ModelPort => {
        return { name, direction, bits: bits.length, signed, clock: name === design.clock };
      };
    };
    this.ports = [...design.inputs.map(port('input')), ...design.outputs.map(port('output'))];
    const touch = (): void => {
      this.state[staleFlag] = 1;
    };
    this.memories = new Map(
      design.memories.map((memory) => {
        return [memory.name, new MemoryView(memory, arrays.memories[memory.index]!, touch)];
      }),
    );
    this.restart();
  }

  /** Power-on state: registers and memories as their `initial` values say, else 0; all inputs 0. */
  restart(): void {
    const { design, layout, extensions, arrays, scratch } = this.compiled;
    this.state.fill(0);
    arrays.scratch.set(scratch);
    for (const { variable, initial } of design.registers) {
      const slot = layout.slotOf(variable)!;
      const value = BigInt(`0b0${[...initial].reverse().join('')}`);
      toWords(value, variable.width).forEach((word, index) => {
        const width = widthOf(variable.width, index);
        this.state[slot + index] = normalise(constantWord(word), width, extensions(variable)).low;
      });
    }
    for (const memory of this.memories.values()) memory.restart();
    this.state[staleFlag] = 1;
  }

  /** Sets an input. A value that the port can hold neither as an unsigned nor as a signed number is an error. */
  set(name: string, value: Value): void {
    const { variable, bits } = this.inputNamed(name);
    const exact = BigInt(value);
    const limit = 1n << BigInt(bits.length);
    assert(exact < limit && exact >= -limit / 2n, `${value} does not fit the ${bits.length} bits of ${name}`);
    toWords(exact, bits.length).forEach((word, index) => {
      this.inputWord(variable, index)(word);
    });
  }

  /** The value of a port. */
  get(name: string): Value {
    const input = this.inputs.get(name);
    if (input !== undefined) return this.read(this.slotOf(input.variable), input);
    const output = this.outputNamed(name);
    if (this.state[staleFlag] !== 0) this.evaluate();
    return this.read(this.compiled.layout.outputSlot(name), output);
  }

  /**
   * A function that sets an input up to 32 bits wide, or 32 bits of a wider one, counted from the lowest. Quick: it
   * takes the bits it needs of any int32 or uint32.
   */
  input(name: string, word = 0): (value: number) => void {
    return this.inputWord(this.inputNamed(name).variable, word);
  }

  /**
   * A function that yields an output up to 32 bits wide, or 32 bits of a wider one, counted from the lowest. Bits are
   * taken as an unsigned number, those with the sign of a signed port as a signed one.
   */
  output(name: string, word = 0): () => number {
    const { bits, signed } = this.outputNamed(name);
    assert(word >= 0 && word < wordsOf(bits.length), `${name} has no word ${word}`);
    const { state } = this;
    const { program, layout } = this.compiled;
    const slot = layout.outputSlot(name) + word;
    const spare = wordBits - widthOf(bits.length, word);
    if (signed && word === wordsOf(bits.length) - 1) {
      return () => {
        if (state[staleFlag] !== 0) program.outputs();
        return (state[slot]! << spare) >> spare;
      };
    }
    return () => {
      if (state[staleFlag] !== 0) program.outputs();
      return (state[slot]! << spare) >>> spare;
    };
  }

  /** Computes the outputs for the present inputs; asynchronous resets act. */
  evaluate(): void {
    this.compiled.program.outputs();
  }

  /** Runs clock edges with the inputs as they are. */
  clock(edges = 1): void {
    this.compiled.program.run(edges);
  }

  /** A memory by its hierarchical name. */
  memory(name: string): MemoryView {
    const memory = this.memories.get(name);
    const known = [...this.memories.keys()].join(', ');
    assert(memory !== undefined, `${this.name} has no memory ${name}, only ${known}`);
    return memory;
  }

  /** Names of all memories. */
  get memoryNames(): string[] {
    return [...this.memories.keys()];
  }

  /**
   * The present value of any named signal, by its hierarchical name (`unit.signal`): slow, and only as long as Yosys
   * has not optimised the name away.
   */
  signal(name: string): Value {
    const signal = this.compiled.design.signals.get(name);
    assert(signal !== undefined, `${this.name} has no signal ${name}`);
    if (this.state[staleFlag] !== 0) this.evaluate();
    const probe = this.probes.get(name) ?? this.compiled.probe(signal);
    this.probes.set(name, probe);
    probe();
    return this.read(this.compiled.probeSlot, signal);
  }

  /** Names of all signals that {@link signal} knows. */
  get signalNames(): string[] {
    return [...this.compiled.design.signals.keys()];
  }

  private inputNamed(name: string) {
    const input = this.inputs.get(name);
    assert(input !== undefined, `${this.name} has no input ${name}`);
    assert(name !== this.compiled.design.clock, `${name} is the clock: clock() drives it`);
    return input;
  }

  private outputNamed(name: string): Signal {
    const output = this.outputs.get(name);
    assert(output !== undefined, `${this.name} has no output ${name}`);
    return output;
  }

  private slotOf(variable: Variable): number {
    const slot = this.compiled.layout.slotOf(variable);
    assert(slot !== undefined, `${variable.name} has no place in the state`);
    return slot;
  }

  private inputWord(variable: Variable, word: number): (value: number) => void {
    assert(word >= 0 && word < wordsOf(variable.width), `${variable.name} has no word ${word}`);
    const { state } = this;
    const slot = this.slotOf(variable) + word;
    const spare = wordBits - widthOf(variable.width, word);
    const put = (value: number): void => {
      if (state[slot] === value) return;
      state[slot] = value;
      state[staleFlag] = 1;
    };
    if (this.compiled.extensions(variable) === 'sign') return (value) => put((value << spare) >> spare);
    return spare === 0 ? (value) => put(value | 0) : (value) => put((value << spare) >>> spare);
  }

  private read(slot: number, { bits, signed }: Signal): Value {
    return fromWords(this.state.subarray(slot, slot + wordsOf(bits.length)), bits.length, signed);
  }
}

/** Bits that a word of a `width`-bit vector has. */
const widthOf = (width: number, index: number): number => Math.min(wordBits, width - wordBits * index);
