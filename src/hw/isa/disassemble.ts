/** A program as text: one command a line, fields that are zero left out. */
import { bufferNames, type Command, type Field, formats, poolKinds, trafficKinds } from './formats.ts';

/** Fields whose numbers stand for names. */
const symbols: Record<string, readonly string[]> = {
  kind: trafficKinds,
  buffer: bufferNames,
  poolKind: poolKinds,
};

export function disassemble(commands: readonly Command[]): string {
  const width = String(Math.max(commands.length - 1, 0)).length;
  return commands
    .map((command, index) => `${String(index).padStart(width)}  ${disassembleCommand(command)}\n`)
    .join('');
}

export function disassembleCommand(command: Command): string {
  const parts: string[] = [command.op];
  for (const field of formats[command.op].fields as readonly Field[]) {
    const value = (command as unknown as Record<string, number>)[field.name]!;
    if (value === 0 && (field.name === 'poolKind' || !(field.name in symbols))) continue;
    if (field.bits === 1) parts.push(field.name);
    else if (field.name === 'dramAddress') parts.push(`dramAddress=0x${value.toString(16)}`);
    else parts.push(`${field.name}=${symbols[field.name]?.[value] ?? value}`);
  }
  return parts.join(' ');
}
