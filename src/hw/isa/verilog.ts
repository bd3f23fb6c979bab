/** Command words in Verilog: where each field lies, and wires for the fields a unit looks at. */
import { assert } from '../../core/diagnostics.ts';
import { range } from '../verilog.ts';
import { type CommandName, type Field, formats, opcodeBits } from './formats.ts';

/** Bits of a command's word that mean something. */
export function commandBits(command: CommandName): number {
  return (formats[command].fields as readonly Field[]).reduce((sum, { bits }) => sum + bits, opcodeBits);
}

/** Bits of a `postProcess` word on a machine whose groups take turns, or whose never do: that field is the last. */
export function postProcessBits(takesTurns: boolean): number {
  const { bits, name } = formats.postProcess.fields.at(-1)!;
  assert(name === 'interleave', 'the last field is not the one to leave out');
  return commandBits('postProcess') - (takesTurns ? 0 : bits);
}

type FieldOf<N extends CommandName> = (typeof formats)[N]['fields'][number]['name'];

/** `[high:low]` of a field in its command's word. */
export function fieldSlice<N extends CommandName>(command: N, name: FieldOf<N>): string {
  let low = opcodeBits;
  for (const field of formats[command].fields as readonly Field[]) {
    if (field.name === name) return field.bits === 1 ? `[${low}]` : `[${low + field.bits - 1}:${low}]`;
    low += field.bits;
  }
  assert(false, `${command} has no field ${name}`);
}

/** `out_rows` of `outRows`. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Lines `wire [15:0] out_rows = word[..];` for some fields of the command in the vector `word`. */
export function fieldWires<N extends CommandName>(
  command: N,
  word: string,
  names: readonly FieldOf<N>[],
  prefix = '',
): string[] {
  return names.map((name) => {
    const { bits } = (formats[command].fields as readonly Field[]).find((field) => field.name === name)!;
    const width = bits === 1 ? '' : `${range(bits)} `;
    return `wire ${width}${prefix}${snakeCase(name)} = ${word}${fieldSlice(command, name)};`;
  });
}
