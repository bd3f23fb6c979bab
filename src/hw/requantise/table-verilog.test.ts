import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { containerBytes, formatRange } from '../../core/fixed-point.ts';
import { randomStream } from '../../core/random.ts';
import { engines, hasVerilator, lint, type PortValues, pack, unpack } from '../engines.test-helper.ts';
import { machineWith } from '../machines.test-helper.ts';
import { lookupTableLatency, lookupTableModules } from './table-verilog.ts';
import { valueBits } from './verilog.ts';

const shape = fc.record({
  rows: fc.integer({ min: 1, max: 4 }),
  activationBits: fc.integer({ min: 4, max: 10 }),
  beat: fc.constantFrom(0, 1, 2),
  signed: fc.boolean(),
  seed: fc.nat(),
});

describe('lookup table in Verilog', () => {
  it.for(engines)('$name: gives the entries that were written', async ({ run, share, absent }, { skip }) => {
    skip(absent, 'Icarus is not installed');
    await fc.assert(
      fc.asyncProperty(shape, async ({ rows, activationBits, beat, signed, seed }) => {
        const entryBytes = containerBytes(activationBits);
        const wordBytes = entryBytes * 2 ** beat;
        const config = machineWith({
          peArray: { rows, activationBits },
          requantise: { lookupTable: { bytes: 2 ** activationBits * entryBytes } },
        });
        const next = randomStream(seed);
        const { low, high } = formatRange({ bits: activationBits, signed });
        const number = (): number => low + (next() % (high - low + 1));
        const table = Array.from({ length: high - low + 1 }, number);

        const entryBits = 8 * entryBytes;
        const perWord = wordBytes / entryBytes;
        const writes: PortValues[] = [];
        for (let word = 0; word * perWord < table.length; word++) {
          const data = pack(table.slice(word * perWord, (word + 1) * perWord), entryBits);
          // Byte for byte, with rubbish in the others.
          for (let byte = 0; byte < wordBytes; byte++) {
            const mask = 0xffn << BigInt(8 * byte);
            writes.push({
              write_enable: 1n << BigInt(byte),
              write_address: BigInt(word),
              write_data: (data & mask) | (BigInt(next()) & ~mask),
            });
          }
        }
        const vectors = Array.from({ length: 100 }, () => ({
          lookup: next() % 4 > 0,
          values: Array.from({ length: rows }, number),
        }));
        const reads: PortValues[] = vectors.map(({ lookup, values }) => ({
          lookup: BigInt(lookup),
          unsigned_entries: BigInt(!signed),
          low: BigInt(low),
          values: pack(values, valueBits),
        }));
        const drain = new Array<PortValues>(lookupTableLatency).fill({});
        const outputs = await run(lookupTableModules(config, wordBytes), 'lookup_table', [
          ...writes,
          ...reads,
          ...drain,
        ]);
        vectors.forEach(({ lookup, values }, index) => {
          const word = outputs[writes.length + index + lookupTableLatency]!.out!;
          const wanted = lookup ? values.map((value) => table[value - low]!) : values;
          expect(unpack(word, valueBits, rows)).toEqual(wanted);
        });
      }),
      { seed: 53, numRuns: Math.ceil(24 * share) },
    );
  });

  it('is not there on a machine without one', () => {
    expect(lookupTableModules(machineWith({}))).toEqual([]);
  });

  it('leaves a linter nothing to say', ({ skip }) => {
    skip(!hasVerilator, 'Verilator is not installed');
    for (const activationBits of [4, 8, 12]) {
      const config = machineWith({
        peArray: { activationBits },
        requantise: { lookupTable: { bytes: 8192 } },
      });
      for (const wordBytes of [2, 8]) {
        expect(lint(lookupTableModules(config, wordBytes), 'lookup_table')).toBe('');
      }
    }
  });
});
