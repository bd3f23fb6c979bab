import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../core/random.ts';
import { engines, hasVerilator, lint, type PortValues, pack, unpack } from '../engines.test-helper.ts';
import { crossChannelVerilog } from './verilog.ts';

const between = (min: number, max: number) => fc.integer({ min, max });

describe('cross-channel pooling in Verilog', () => {
  it.for(engines)('$name: keeps the maxima of groups', async ({ run, share, absent }, { skip }) => {
    skip(absent, 'Icarus is not installed');
    await fc.assert(
      fc.asyncProperty(
        between(1, 5),
        between(2, 48),
        between(1, 4),
        between(1, 5),
        fc.nat(),
        async (lanes, bits, depth, ratio, seed) => {
          const next = randomStream(seed);
          const signed = (): number => Number(BigInt.asIntN(bits, (BigInt(next()) << 32n) | BigInt(next())));
          const groups = Array.from({ length: depth }, () => ({ done: 0, held: [] as number[] }));
          const cycles: PortValues[] = [];
          const wanted: (number[] | undefined)[] = [];
          for (let cycle = 0; cycle < 150; cycle++) {
            const slot = next() % depth;
            const group = groups[slot]!;
            const valid = next() % 4 > 0;
            const values = Array.from({ length: lanes }, signed);
            const first = group.done === 0;
            const last = group.done === ratio - 1;
            cycles.push({
              valid: BigInt(valid),
              first: BigInt(first),
              last: BigInt(last),
              slot: BigInt(slot),
              values: pack(values, bits),
            });
            if (valid) {
              group.held = first ? values : group.held.map((held, lane) => Math.max(held, values[lane]!));
              group.done = last ? 0 : group.done + 1;
            }
            wanted.push(valid && last ? group.held : undefined);
          }
          const module = crossChannelVerilog({ kind: 'running', lanes, bits, depth });
          (await run([module], module.name, cycles)).forEach(({ out_valid, out }, index) => {
            const maxima = wanted[index];
            expect(out_valid).toBe(BigInt(maxima !== undefined));
            if (maxima !== undefined) expect(unpack(out!, bits, lanes)).toEqual(maxima);
          });
        },
      ),
      { seed: 54, numRuns: Math.ceil(32 * share) },
    );
  });

  it.for(engines)('$name: finds the maxima of columns that come at once', async ({ run, share, absent }, {
    skip,
  }) => {
    skip(absent, 'Icarus is not installed');
    await fc.assert(
      fc.asyncProperty(
        between(1, 4),
        between(1, 4),
        between(2, 40),
        fc.nat(),
        async (lanes, levels, bits, seed) => {
          const next = randomStream(seed);
          const columns = 2 ** levels;
          const cases = Array.from({ length: 40 }, () => {
            const level = next() % (levels + 1);
            return {
              level,
              at: (next() % 2 ** (levels - level)) * 2 ** level,
              values: Array.from({ length: columns * lanes }, () =>
                Number(BigInt.asIntN(bits, (BigInt(next()) << 32n) | BigInt(next()))),
              ),
            };
          });
          const module = crossChannelVerilog({ kind: 'tree', lanes, bits, columns });
          const cycles = cases.map(({ level, at, values }) => ({
            level: BigInt(level),
            at: BigInt(at),
            values: pack(values, bits),
          }));
          (await run([module], module.name, cycles)).forEach(({ out }, index) => {
            const { level, at, values } = cases[index]!;
            const wanted = Array.from({ length: lanes }, (_, lane) =>
              Math.max(
                ...Array.from({ length: 2 ** level }, (__, column) => values[(at + column) * lanes + lane]!),
              ),
            );
            expect(unpack(out!, bits, lanes)).toEqual(wanted);
          });
        },
      ),
      { seed: 55, numRuns: Math.ceil(24 * share) },
    );
  });

  it('leaves a linter nothing to say', ({ skip }) => {
    skip(!hasVerilator, 'Verilator is not installed');
    for (const form of [
      { kind: 'running', lanes: 3, bits: 9, depth: 1 },
      { kind: 'running', lanes: 1, bits: 17, depth: 5 },
      { kind: 'tree', lanes: 3, bits: 32, columns: 4 },
      { kind: 'tree', lanes: 1, bits: 9, columns: 2 },
    ] as const) {
      const module = crossChannelVerilog(form);
      expect(lint([module], module.name)).toBe('');
    }
  });
});
