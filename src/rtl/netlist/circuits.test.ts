/** Circuits with state, through Yosys and the compiler, against their netlist by the book and against Icarus. */
import { beforeAll, describe, expect, it } from 'vitest';
import { randomStream } from '../../core/random.ts';
import { circuits } from './circuits.test-helper.ts';
import { compileNetlist } from './compile.ts';
import { hasIcarus, runIcarus, type Values } from './icarus.test-helper.ts';
import type { Model } from './model.ts';
import type { Netlist } from './netlist.ts';
import { ReferenceModel } from './reference.test-helper.ts';
import { elaborate } from './yosys.ts';

/** Random inputs, with a reset in the first cycles and now and then. */
function stimuliFor(model: Model, cycles: number): Values[] {
  const next = randomStream(cycles);
  return Array.from({ length: cycles }, (_, cycle) => {
    const values: Record<string, bigint> = {};
    for (const { name, direction, bits, clock } of model.ports) {
      if (direction !== 'input' || clock) continue;
      let value = 0n;
      for (let at = 0; at < bits; at += 32) value = (value << 32n) | BigInt(next());
      if (name === 'rst') value = cycle < 3 || next() % 32 === 0 ? 1n : 0n;
      if (name === 'rst_n') value = cycle < 3 || next() % 16 === 0 ? 0n : 1n;
      values[name] = BigInt.asUintN(bits, value);
    }
    return values;
  });
}

function run(model: Model, stimuli: readonly Values[]): Record<string, bigint>[] {
  const outputs = model.ports.filter(({ direction }) => direction === 'output');
  return stimuli.map((values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    const shown = outputs.map(
      ({ name, bits }) => [name, BigInt.asUintN(bits, BigInt(model.get(name)))] as const,
    );
    model.clock();
    return Object.fromEntries(shown);
  });
}

describe.each(circuits)('$top ($passes)', ({ top, verilog, passes }) => {
  let netlist: Netlist;
  let model: Model;
  let stimuli: Values[];
  beforeAll(async () => {
    netlist = await elaborate({ 'design.v': verilog }, top, passes);
    model = compileNetlist(netlist, top);
    stimuli = stimuliFor(model, 400);
  });

  it('does what its netlist says', () => {
    const reference = new ReferenceModel(netlist.get(top)!);
    const expected = stimuli.map((values) => {
      for (const [name, value] of Object.entries(values)) reference.set(name, value);
      const outputs = model.ports.filter(({ direction }) => direction === 'output');
      const shown = outputs.map(({ name }) => [name, reference.get(name)] as const);
      reference.clock();
      return Object.fromEntries(shown);
    });
    model.restart();
    expect(run(model, stimuli)).toEqual(expected);
  });

  it.skipIf(!hasIcarus)('does what Icarus does (needs iverilog)', () => {
    const expected = runIcarus(verilog, top, model.ports, stimuli);
    model.restart();
    const actual = run(model, stimuli);
    // Before the first reset and before the first write Icarus has undefined values, which are 0 here.
    const outputs = model.ports.filter(({ direction }) => direction === 'output').length;
    const defined = expected.reduce((total, row) => total + Object.keys(row).length, 0);
    expect(defined).toBeGreaterThan(0.95 * outputs * stimuli.length);
    expect(actual.map((row, cycle) => pick(row, Object.keys(expected[cycle]!)))).toEqual(expected);
  });
});

function pick(row: Readonly<Record<string, bigint>>, names: readonly string[]): Record<string, bigint> {
  return Object.fromEntries(names.map((name) => [name, row[name]!]));
}
