import { describe, expect, it } from 'vitest';
import { compileNetlist } from './compile.ts';
import type { NetlistModule } from './netlist.ts';
import { combinationalTypes, RandomNetlist } from './random-netlist.test-helper.ts';
import { ReferenceModel } from './reference.test-helper.ts';

/** Runs a module and its definition side by side on random inputs. */
function compare(
  random: RandomNetlist,
  module: NetlistModule,
  cycles: number,
  stepsPerFunction: number,
): void {
  const model = compileNetlist(new Map([[module.name, module]]), module.name, { stepsPerFunction });
  const reference = new ReferenceModel(module);
  const ports = [...module.ports].filter(([name]) => name !== 'clk');
  for (let cycle = 0; cycle < cycles; cycle++) {
    for (const [name, { direction, bits }] of ports) {
      if (direction !== 'input') continue;
      const value = random.value(bits.length);
      model.set(name, value);
      reference.set(name, value);
    }
    const actual: Record<string, bigint> = {};
    const expected: Record<string, bigint> = {};
    for (const [name, { direction, bits }] of ports) {
      if (direction !== 'output') continue;
      actual[name] = BigInt.asUintN(bits.length, BigInt(model.get(name)));
      expected[name] = reference.get(name);
    }
    expect(actual).toEqual(expected);
    model.clock();
    reference.clock();
  }
}

describe('one cell', () => {
  it.each([...new Set(combinationalTypes)])('%s is what the cell library says', (type) => {
    for (let seed = 0; seed < 60; seed++) {
      const random = new RandomNetlist(seed * 1000 + type.length);
      const size = { inputs: 4, cells: 1, registers: 0, memories: 0, outputs: 0, types: [type] };
      const module = random.module(size);
      const bits = module.cells.get('c0')!.connections.Y!;
      const ports = new Map(module.ports).set('out', { direction: 'output', bits, signed: false });
      compare(random, { ...module, ports }, 6, 400);
    }
  });
});

describe('many cells', () => {
  it.each([5, 40, 1000])('with registers and memories, in functions of %i steps', (steps) => {
    for (let seed = 0; seed < 60; seed++) {
      const random = new RandomNetlist(seed * 7919 + steps);
      const types = combinationalTypes;
      const size = { inputs: 5, cells: 40, registers: 12, memories: 2, outputs: 6, types };
      compare(random, random.module(size), 12, steps);
    }
  });
});
