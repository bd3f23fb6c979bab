import bitwise from 'bitwise';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { disassemble } from './disassemble.ts';
import { decodeProgram, encodeProgram, fitsField } from './encode.ts';
import { type Command, type CommandName, type Field, formats, opcodeBits, wordBytes } from './formats.ts';

const names = Object.keys(formats) as CommandName[];
const fieldsOf = (name: CommandName): readonly Field[] => formats[name].fields;
const rangeOf = ({ bits, signed }: Field) =>
  signed ? { min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 } : { min: 0, max: 2 ** bits - 1 };

/** Any command with any values its fields can hold; the ends of the ranges often. */
const anyCommand: fc.Arbitrary<Command> = fc.constantFrom(...names).chain((op) => {
  const fields = fieldsOf(op).map((field) => {
    const { min, max } = rangeOf(field);
    return [field.name, fc.oneof(fc.constantFrom(min, max), fc.maxSafeInteger().map(within(min, max)))];
  });
  return fc.record({
    op: fc.constant(op),
    ...Object.fromEntries(fields),
  }) as unknown as fc.Arbitrary<Command>;
});

const within = (min: number, max: number) => (value: number) => min + (Math.abs(value) % (max - min + 1));

/** A command of zeros with some fields set. */
function command(op: CommandName, values: Record<string, number> = {}): Command {
  const zeros = Object.fromEntries(fieldsOf(op).map(({ name }) => [name, 0]));
  return { op, ...zeros, ...values } as unknown as Command;
}

describe('formats', () => {
  it.each(names)('%s: every field is named once, means something, and the word holds all', (name) => {
    const fields = fieldsOf(name);
    expect(new Set(fields.map((field) => field.name)).size).toBe(fields.length);
    for (const field of fields) {
      expect(field.meaning).not.toBe('');
      expect(field.bits).toBeGreaterThan(0);
      expect(field.bits).toBeLessThanOrEqual(32);
    }
    const bits = fields.reduce((total, field) => total + field.bits, opcodeBits);
    expect(bits).toBeLessThanOrEqual(8 * wordBytes);
  });

  it('gives every command an opcode of its own that fits', () => {
    const opcodes = names.map((name) => formats[name].opcode);
    expect(new Set(opcodes).size).toBe(opcodes.length);
    for (const opcode of opcodes) expect(opcode < 2 ** opcodeBits && opcode > 0).toBe(true);
  });
});

describe('encoding', () => {
  it('comes back as it went in', () => {
    fc.assert(
      fc.property(fc.array(anyCommand, { maxLength: 6 }), (commands) => {
        const words = encodeProgram(commands);
        expect(words.length).toBe(commands.length * wordBytes);
        expect(decodeProgram(words)).toEqual(commands);
      }),
      { seed: 11, numRuns: 300 },
    );
  });

  it('packs the bits that another packer does', () => {
    fc.assert(
      fc.property(anyCommand, (one) => {
        const values = fieldsOf(one.op).map(({ name, bits }) => ({
          value: (one as unknown as Record<string, number>)[name]!,
          bits,
        }));
        const fields = [{ value: formats[one.op].opcode as number, bits: opcodeBits }, ...values];
        const bits = fields.flatMap(({ value, bits: count }) =>
          Array.from({ length: count }, (_, i) => bitwise.integer.getBit(value, i)),
        );
        const word = encodeProgram([one]);
        const packed = [...word].flatMap((byte) => bitwise.byte.read(byte as 0).reverse());
        expect(packed.slice(0, bits.length)).toEqual(bits);
        expect(packed.slice(bits.length).every((bit) => bit === 0)).toBe(true);
      }),
      { seed: 12, numRuns: 200 },
    );
  });

  it('packs from bit 0: opcode, then the fields in the order of the table', () => {
    const [word] = [
      encodeProgram([command('load', { waitCompute: 1, kind: 2, buffer: 5, dramAddress: 0xdeadbeef })]),
    ];
    // opcode 1, waitCompute 1, signalCompute 0, kind 2, buffer 5 in 3 bits, then the address.
    const low = 1 | (1 << 4) | (0 << 5) | (2 << 6) | (5 << 8);
    expect(word[0]! | (word[1]! << 8)).toBe((low | ((0xdeadbeef & 0x1f) << 11)) & 0xffff);
    expect(word.subarray(6).every((byte) => byte === 0)).toBe(true);
  });

  it('refuses what does not fit a field', () => {
    for (const name of names) {
      for (const field of fieldsOf(name)) {
        const { min, max } = rangeOf(field);
        for (const value of [min - 1, max + 1, 0.5, Number.NaN]) {
          expect(fitsField(field, value)).toBe(false);
          expect(() => encodeProgram([command(name, { [field.name]: value })])).toThrow(
            `internal: ${name}.${field.name} = ${value} does not fit`,
          );
        }
        expect(fitsField(field, min) && fitsField(field, max)).toBe(true);
      }
    }
  });

  it('refuses words that are no program', () => {
    expect(() => decodeProgram(new Uint8Array(wordBytes))).toThrow('opcode 0 does not exist');
    expect(() => decodeProgram(new Uint8Array(wordBytes - 1))).toThrow('not whole words');
  });
});

describe('disassembly', () => {
  it('names what is set, a command a line', () => {
    const text = disassemble([
      command('load', {
        waitCompute: 1,
        signalCompute: 1,
        kind: 1,
        buffer: 0,
        dramAddress: 0x1234,
        segments: 3,
        dramPitch: 48,
        stretchBytes: 32,
        runBytes: 16,
        bufferSegmentPitch: 16,
        bufferRunPitch: 48,
      }),
      command('postProcess', { requantise: 1, low: -128, high: 127, ratio: 2, poolKind: 1, windowRows: 2 }),
      command('compute', { waitLoad: 1, signalStore: 1, rows: 3, columns: 16, padTop: -2 }),
      command('store', { kind: 3, buffer: 5, waitCompute: 1, segments: 1, stretchBytes: 64, runBytes: 64 }),
      command('barrier'),
    ]);
    expect(text).toMatchInlineSnapshot(`
      "0  load waitCompute signalCompute kind=inputFeatureMaps buffer=feature dramAddress=0x1234 segments=3 dramPitch=48 stretchBytes=32 runBytes=16 bufferSegmentPitch=16 bufferRunPitch=48
      1  postProcess requantise low=-128 high=127 ratio=2 poolKind=maximum windowRows=2
      2  compute waitLoad signalStore rows=3 columns=16 padTop=-2
      3  store waitCompute kind=virtualFeatureMaps buffer=output segments=1 stretchBytes=64 runBytes=64
      4  barrier
      "
    `);
  });
});
