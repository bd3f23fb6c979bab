/** Commands to 512-bit words and back, field by field from the tables in `formats.ts`. */
import { assert } from '../../core/diagnostics.ts';
import { type Command, type CommandName, type Field, formats, opcodeBits, wordBytes } from './formats.ts';

const namesByOpcode = new Map(
  (Object.keys(formats) as CommandName[]).map((name) => [formats[name].opcode as number, name]),
);

/** Every command with zeros in its fields, in the order of the tables. */
const blankCommands = Object.fromEntries(
  (Object.keys(formats) as CommandName[]).map((op) => [
    op,
    Object.fromEntries([['op', op], ...formats[op].fields.map(({ name }) => [name, 0])]),
  ]),
) as Record<CommandName, Record<string, number | string>>;

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
    const { opcode, fields } = formats[command.op];
    const first = 8 * wordBytes * index;
    writeBits(words, first, opcodeBits, opcode);
    let at = opcodeBits;
    for (const field of fields as readonly Field[]) {
      const { name, bits } = field;
      const value = (command as unknown as Record<string, number>)[name]!;
      // Written out: the message would cost more than all the rest.
      if (!fitsField(field, value)) {
        assert(false, `${command.op}.${name} = ${value} does not fit ${bits} bits`);
      }
      writeBits(words, first + at, bits, value);
      at += bits;
    }
    assert(at <= 8 * wordBytes, `${command.op} needs ${at} bits`);
  });
  return words;
}

/** The commands of a program. Throws on an opcode that does not exist or a length that is not whole words. */
export function decodeProgram(words: Uint8Array): Command[] {
  assert(words.length % wordBytes === 0, `a program of ${words.length} bytes is not whole words`);
  return Array.from({ length: words.length / wordBytes }, (_, index) =>
    decodeCommand(words, 8 * wordBytes * index),
  );
}

function decodeCommand(words: Uint8Array, first: number): Command {
  const opcode = readBits(words, first, opcodeBits);
  const name = namesByOpcode.get(opcode);
  assert(name !== undefined, `opcode ${opcode} does not exist`);
  // Properties exist before they are set: V8 would keep an object that is given so many as a slow table.
  const command: Record<string, number | string> = { ...blankCommands[name] };
  let at = first + opcodeBits;
  for (const { name: field, bits, signed } of formats[name].fields as readonly Field[]) {
    const value = readBits(words, at, bits);
    command[field] = signed && value >= 2 ** (bits - 1) ? value - 2 ** bits : value;
    at += bits;
  }
  return command as unknown as Command;
}

/** Writes the lowest `count` bits (at most 32) of a value over zeros; bit `at` of the words is bit `at % 8` of a byte. */
function writeBits(words: Uint8Array, at: number, count: number, value: number): void {
  for (let done = 0; done < count; ) {
    const within = (at + done) & 7;
    const bits = Math.min(8 - within, count - done);
    const part = (value >>> done) & ((1 << bits) - 1);
    words[(at + done) >>> 3]! |= part << within;
    done += bits;
  }
}

function readBits(words: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let done = 0; done < count; ) {
    const within = (at + done) & 7;
    const bits = Math.min(8 - within, count - done);
    const part = (words[(at + done) >>> 3]! >>> within) & ((1 << bits) - 1);
    value += part * 2 ** done;
    done += bits;
  }
  return value;
}
