/** Machines drawn at random, each with random tiles: the same cycles and bytes in Verilog and simulator; and clean Verilog. */
import { describe, expect, it } from 'vitest';
import { computeModules } from '../../src/hw/compute/core-verilog.ts';
import { hasVerilator, lint } from '../../src/hw/engines.test-helper.ts';
import { coSimulate } from '../../src/rtl/cosim/co-simulate.ts';
import { buildCompiled, topModule } from '../../src/rtl/cosim/compiled-run.ts';
import { buildNative, icarus, isInstalled, verilator } from '../../src/rtl/cosim/native-engine.ts';
import { randomMachine } from '../../src/rtl/cosim/random-machine.ts';
import { smallMachine } from './machine.test-helper.ts';

const seed = 2019;
const machines = 24;

describe('random machines', () => {
  it(`are co-simulated without a difference, ${machines} of them`, async () => {
    for (let number = 0; number < machines; number++) {
      const machine = randomMachine(seed, number);
      const totals = await coSimulate(machine, { seed, tiles: 16, size: 200, build: buildCompiled });
      expect(
        [totals.cycleMismatches, totals.byteMismatches, totals.firstMismatch],
        `condensim cosim, machine ${number} of seed ${seed}`,
      ).toEqual([0, 0, undefined]);
      expect(totals.tiles).toBeGreaterThanOrEqual(16);
      expect(totals.tokens).toBeGreaterThan(0);
    }
  });

  it('are drawn from the whole of what a machine can be', () => {
    const drawn = Array.from({ length: machines }, (_, number) => randomMachine(seed, number));
    const values = (of: (machine: (typeof drawn)[number]) => unknown): Set<unknown> => new Set(drawn.map(of));
    for (const side of ['rows', 'columns'] as const) {
      expect(
        values(({ peArray }) => peArray[side]),
        side,
      ).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 8]));
    }
    expect(values(({ peArray }) => peArray.accumulatorOverflow).size).toBe(2);
    expect(values(({ peArray }) => peArray.activationBits).size).toBeGreaterThan(10);
    expect(values(({ peArray }) => peArray.weightBits).size).toBeGreaterThan(10);
    expect(values(({ postProcessing }) => postProcessing.requantise.form).size).toBe(2);
    expect(values(({ postProcessing }) => postProcessing.requantise.rounding).size).toBe(4);
    expect(values(({ postProcessing }) => postProcessing.requantise.lookupTable === null).size).toBe(2);
    expect(values(({ postProcessing }) => postProcessing.crossChannelPool === null).size).toBe(2);
    expect(values(({ postProcessing }) => postProcessing.spatialPool === null).size).toBe(2);
    const units = drawn.flatMap(({ postProcessing }) => postProcessing.crossChannelPool ?? []);
    expect(new Set(units.map(({ form, position, depth }) => `${form} ${position} ${depth > 1}`))).toEqual(
      new Set([
        'running after false',
        'running after true',
        'running before false',
        'running before true',
        'tree after false',
        'tree before false',
      ]),
    );
  });

  it('leave a linter nothing to say', ({ skip }) => {
    skip(!hasVerilator, 'Verilator is not installed');
    for (let number = 0; number < 10; number++) {
      expect(lint(computeModules(randomMachine(seed, number)), topModule), `machine ${number}`).toBe('');
    }
  });
});

describe('engines', () => {
  const run = async (build: Parameters<typeof coSimulate>[1]['build']) => {
    const { engine: _, ...counts } = await coSimulate(smallMachine, { seed: 3, tiles: 24, build });
    return counts;
  };

  for (const tool of [icarus, verilator]) {
    it(`agree: JavaScript and ${tool.name}`, async ({ skip }) => {
      skip(!isInstalled(tool), `${tool.name} is not installed`);
      expect(await run(buildCompiled)).toEqual(
        await run(async (machine, modules) => buildNative(tool, machine, modules)),
      );
    });
  }

  it('that are not installed are refused in one line', () => {
    const missing = { ...icarus, name: 'Nowhere', version: ['no-such-tool', '-V'] as const };
    expect(isInstalled(missing)).toBe(false);
    expect(() => buildNative(missing, smallMachine, [])).toThrow(/Nowhere is not installed, expected/);
  });
});
