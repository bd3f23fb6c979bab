/** A memory of a running model, to be filled before a run and looked at after it. */
import { assert } from '../../core/diagnostics.ts';
import { type Memory, wordBits, wordsOf } from './design.ts';
import { digit } from './parameters.ts';
import { fromWords, toWords, type Value } from './values.ts';

/** Elements of 8 or 16 bits for narrow memories: less to move through the host's caches. */
export type MemoryArray = Uint8Array | Uint16Array | Int32Array;

/** The array for a memory of a design, filled with zeros. */
export function arrayFor({ width, size }: Memory): MemoryArray {
  if (width <= 8) return new Uint8Array(size);
  if (width <= 16) return new Uint16Array(size);
  return new Int32Array(size * wordsOf(width));
}

export class MemoryView {
  readonly name: string;
  /** Bits of a word. */
  readonly width: number;
  /** Words. */
  readonly size: number;
  /** Address of the first word, as the Verilog counts. */
  readonly firstAddress: number;
  /** Elements of {@link data} that hold one word, lowest first. */
  readonly elementsPerWord: number;
  /**
   * The words themselves, first word first; spare bits of an element must be 0. Who changes them here calls the
   * model's `evaluate()` before looking at outputs.
   */
  readonly data: MemoryArray;
  private readonly memory: Memory;
  private readonly changed: () => void;

  constructor(memory: Memory, data: MemoryArray, changed: () => void) {
    this.memory = memory;
    this.name = memory.name;
    this.width = memory.width;
    this.size = memory.size;
    this.firstAddress = memory.offset;
    this.elementsPerWord = wordsOf(memory.width);
    this.data = data;
    this.changed = changed;
  }

  /** The word at an address as the Verilog counts it, as an unsigned number. */
  read(address: number): Value {
    const at = this.elementOf(address);
    return fromWords(this.data.subarray(at, at + this.elementsPerWord), this.width, false);
  }

  /** Sets the word at an address to the lowest bits of an integer. */
  write(address: number, value: Value): void {
    this.data.set(toWords(BigInt(value), this.width), this.elementOf(address));
    this.changed();
  }

  /** Power-on contents. */
  restart(): void {
    const { initial } = this.memory;
    this.data.fill(0);
    for (let position = 0; position < initial.length; position++) {
      if (digit(initial, position) === 0) continue;
      const bit = position % this.width;
      const element = Math.floor(position / this.width) * this.elementsPerWord + Math.floor(bit / wordBits);
      this.data[element]! |= 1 << (bit % wordBits);
    }
    this.changed();
  }

  private elementOf(address: number): number {
    const index = address - this.firstAddress;
    assert(Number.isInteger(index) && index >= 0 && index < this.size, `${this.name} has no word ${address}`);
    return index * this.elementsPerWord;
  }
}
