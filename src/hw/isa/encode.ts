/** Commands to 512-bit words and back, field by field from the tables in `formats.ts`. */
import bitwise from 'bitwise';
import type { Bits, UInt8 } from 'bitwise/types.js';
import { assert } from '../../core/diagnostics.ts';
import { type Command, type CommandName, type Field, formats, opcodeBits, wordBytes } from './formats.ts';

const wordBits = 8 * wordBytes;
const namesByOpcode = new Map(
  (Object.keys(formats) as CommandName[]).map((name) => [formats[name].opcode as number, name]),
);

/** Whether `value` can be written into `field`. */
export function fitsField(field: Field, value: number): boolean {
  const low = field.signed ? -(2 ** (field.bits - 1)) : 0;
  const high = field.signed ? 2 ** (field.bits - 1) - 1 : 2 ** field.bits - 1;
  return Number.isInteger(value) && value >= low && value <= high;
}

/** The largest value of a command's field. */
export function fieldMaximum<N extends CommandName>(
  command: N,
  name: (typeof formats)[N]['fields'][number]['name'],
): number {
  const field = (formats[command].fields as readonly Field[]).find((candidate) => candidate.name === name);
  assert(field !== undefined, `${command} has no field ${name}`);
  return 2 ** (field.signed ? field.bits - 1 : field.bits) - 1;
}

/** The words of a program, `wordBytes` each. A value outside its field is a defect of the compiler. */
export function encodeProgram(commands: readonly Command[]): Uint8Array {
  const words = new Uint8Array(commands.length * wordBytes);
  commands.forEach((command, index) => {
    encodeCommand(command, words.subarray(index * wordBytes, (index + 1) * wordBytes));
  });
  return words;
}

function encodeCommand(command: Command, word: Uint8Array): void {
  const { opcode, fields } = formats[command.op];
  const bits: Bits = [];
  append(bits, opcode, opcodeBits);
  for (const field of fields as readonly Field[]) {
    const value = (command as unknown as Record<string, number>)[field.name]!;
    assert(fitsField(field, value), `${command.op}.${field.name} = ${value} does not fit ${field.bits} bits`);
    append(bits, value, field.bits);
  }
  assert(bits.length <= wordBits, `${command.op} needs ${bits.length} bits`);
  while (bits.length % 8 !== 0) bits.push(0);
  // `bitwise` writes a byte from eight bits, highest first.
  for (let byte = 0; 8 * byte < bits.length; byte++) {
    const eight = bits.slice(8 * byte, 8 * byte + 8).reverse();
    word[byte] = bitwise.byte.write(eight as Parameters<typeof bitwise.byte.write>[0]);
  }
}

function append(bits: Bits, value: number, count: number): void {
  for (let i = 0; i < count; i++) bits.push(bitwise.integer.getBit(value, i));
}

/** The commands of a program. Throws on an opcode that does not exist or a length that is not whole words. */
export function decodeProgram(words: Uint8Array): Command[] {
  assert(words.length % wordBytes === 0, `a program of ${words.length} bytes is not whole words`);
  const commands: Command[] = [];
  for (let at = 0; at < words.length; at += wordBytes) {
    commands.push(decodeCommand(words.subarray(at, at + wordBytes)));
  }
  return commands;
}

function decodeCommand(word: Uint8Array): Command {
  const bits: Bits = [];
  for (const byte of word) bits.push(...bitwise.byte.read(byte as UInt8).reverse());
  let at = 0;
  const take = (count: number): number => {
    let value = 0;
    for (let i = 0; i < count; i++) value += bits[at + i]! * 2 ** i;
    at += count;
    return value;
  };
  const opcode = take(opcodeBits);
  const name = namesByOpcode.get(opcode);
  assert(name !== undefined, `opcode ${opcode} does not exist`);
  const command: Record<string, number | string> = { op: name };
  for (const field of formats[name].fields as readonly Field[]) {
    const value = take(field.bits);
    command[field.name] = field.signed && value >= 2 ** (field.bits - 1) ? value - 2 ** field.bits : value;
  }
  return command as unknown as Command;
}
