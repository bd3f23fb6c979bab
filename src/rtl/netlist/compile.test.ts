import { describe, expect, it } from 'vitest';
import { compileNetlist } from './compile.ts';
import type { Model } from './model.ts';
import type { NetlistCell, NetlistModule, NetlistPort } from './netlist.ts';
import { combinationalTypes, RandomNetlist } from './random-netlist.test-helper.ts';
import { ReferenceModel } from './reference.test-helper.ts';

/** Runs a module and its definition side by side on random inputs. */
function compare(
  random: RandomNetlist,
  module: NetlistModule,
  steps: number,
  stepsPerFunction: number,
): void {
  const model = compileNetlist(new Map([[module.name, module]]), module.name, { stepsPerFunction });
  const reference = new ReferenceModel(module);
  const ports = [...module.ports].filter(([name]) => name !== 'clk');
  const outputs = ports.filter(([, { direction }]) => direction === 'output');
  for (let step = 0; step < steps; step++) {
    for (const [name, { direction, bits }] of ports) {
      if (direction !== 'input') continue;
      const value = random.value(bits.length);
      model.set(name, value);
      reference.set(name, value);
    }
    const seen = new Map(outputs.map(([name, { bits }]) => [name, asUnsigned(model.get(name), bits.length)]));
    expect(seen).toEqual(new Map(outputs.map(([name]) => [name, reference.get(name)])));
    const edges = step % 3;
    model.clock(edges);
    for (let edge = 0; edge < edges; edge++) reference.clock();
  }
  const held = model.memoryNames.map((name) => [name, contents(model, name)] as const);
  expect(new Map(held)).toEqual(new Map(held.map(([name]) => [name, reference.words(name)])));
  const named = [...module.names].map(([name, { bits }]) => {
    return [name, asUnsigned(model.signal(name), bits.length)] as const;
  });
  expect(new Map(named)).toEqual(new Map(named.map(([name]) => [name, reference.signal(name)])));
}

const asUnsigned = (value: number | bigint, bits: number): bigint => BigInt.asUintN(bits, BigInt(value));

function contents(model: Model, name: string): bigint[] {
  const memory = model.memory(name);
  return Array.from({ length: memory.size }, (_, index) => BigInt(memory.read(memory.firstAddress + index)));
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

describe('products', () => {
  // Around the widths where a product leaves 32 bits, what a double holds, and 64 bits.
  const widths = [1, 8, 15, 16, 17, 20, 21, 22, 31, 32, 33, 48, 64, 65];

  it.each([false, true])('are exact at every width (signed: %s)', (signed) => {
    const random = new RandomNetlist(3);
    const ports = new Map<string, NetlistPort>();
    const cells = new Map<string, NetlistCell>();
    let nets = 2;
    const port = (name: string, direction: 'input' | 'output', width: number): number[] => {
      const bits = Array.from({ length: width }, () => nets++);
      ports.set(name, { direction, bits, signed });
      return bits;
    };
    for (const a of widths) port(`a${a}`, 'input', a);
    for (const b of widths) port(`b${b}`, 'input', b);
    const flag = signed ? '1' : '0';
    for (const a of widths) {
      for (const b of widths) {
        const [A, B] = [ports.get(`a${a}`)!.bits, ports.get(`b${b}`)!.bits];
        const connections = { A, B, Y: port(`y${a}x${b}`, 'output', a + b) };
        const parameters = { A_SIGNED: flag, B_SIGNED: flag };
        cells.set(`${a}x${b}`, { type: '$mul', parameters, connections, position: undefined });
      }
    }
    compare(random, { name: 'products', ports, cells, names: new Map() }, 40, 400);
  });

  it('are exact where a double would round up to the next 2^32', () => {
    const vector = (first: number, length: number) => Array.from({ length }, (_, at) => first + at);
    const [A, B, Y] = [vector(2, 32), vector(34, 22), vector(56, 54)];
    const ports = new Map<string, NetlistPort>([
      ['a', { direction: 'input', bits: A, signed: false }],
      ['b', { direction: 'input', bits: B, signed: false }],
      ['y', { direction: 'output', bits: Y, signed: false }],
    ]);
    const cell = { type: '$mul', parameters: {}, connections: { A, B, Y }, position: undefined };
    const module = { name: 'product', ports, cells: new Map([['p', cell]]), names: new Map() };
    const model = compileNetlist(new Map([['product', module]]), 'product');
    for (let b = 2 ** 22 - 1; b > 2 ** 22 - 2000; b -= 2) {
      // The factor that makes the lower half of the product all ones, by Newton's iteration.
      let inverse = b;
      for (let round = 0; round < 5; round++) inverse = Math.imul(inverse, 2 - Math.imul(b, inverse));
      const a = -inverse >>> 0;
      model.set('a', a);
      model.set('b', b);
      expect(model.get('y')).toBe(BigInt(a) * BigInt(b));
    }
  });
});

describe('many cells', () => {
  it.each([5, 40, 1000])('with registers and memories, in functions of %i steps', (steps) => {
    for (let seed = 0; seed < 120; seed++) {
      const random = new RandomNetlist(seed * 7919 + steps);
      const types = combinationalTypes;
      const size = { inputs: 5, cells: 40, registers: 12, memories: 2, outputs: 6, types };
      compare(random, random.module(size), 12, steps);
    }
  });
});
