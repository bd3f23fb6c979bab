/** Encoded commands as 32-bit words, lowest first. */
import { encodeProgram } from '../../hw/isa/encode.ts';
import { type Command, wordBytes } from '../../hw/isa/formats.ts';

export function commandWords(commands: readonly Command[]): Uint32Array[] {
  const bytes = encodeProgram(commands);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return commands.map((_, index) =>
    Uint32Array.from({ length: wordBytes / 4 }, (__, word) =>
      view.getUint32(index * wordBytes + 4 * word, true),
    ),
  );
}
