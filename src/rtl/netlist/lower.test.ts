/** What the simulation refuses, by name and place. */
import { describe, expect, it } from 'vitest';
import { InputError } from '../../core/diagnostics.ts';
import { compileNetlist } from './compile.ts';
import type { NetlistModule } from './netlist.ts';
import { elaborate } from './yosys.ts';

async function refusalOf(verilog: string): Promise<InputError> {
  const netlist = await elaborate({ 'design.v': verilog }, 'design');
  try {
    compileNetlist(netlist, 'design');
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('refused', () => {
  it.each([
    [
      'a latch',
      'module design(input en, input d, output reg q);\nalways @* if (en) q = d;\nendmodule',
      /^design\.v:2:1: netlist: .* is the cell type \$dlatch, which the simulation does not know$/,
    ],
    [
      'a second clock',
      'module design(input a, b, input d, output reg q, p);\nalways @(posedge a) q <= d;\nalways @(posedge b) p <= d;\nendmodule',
      /^design\.v:\d+:\d+: netlist: .* has another clock or edge, expected one for all$/,
    ],
    [
      'both edges of a clock',
      'module design(input a, input d, output reg q, p);\nalways @(posedge a) q <= d;\nalways @(negedge a) p <= d;\nendmodule',
      /has another clock or edge/,
    ],
    [
      'a gated clock',
      'module design(input clk, en, d, output reg q);\nwire gated = clk & en;\nalways @(posedge gated) q <= d;\nendmodule',
      /^design\.v:3:1: netlist: .* has a gated or missing clock, expected an input$/,
    ],
    [
      'the clock as data',
      'module design(input clk, d, output reg q, output y);\nassign y = clk ^ q;\nalways @(posedge clk) q <= d;\nendmodule',
      /^netlist: the clock clk is used as data, expected a clock and nothing else$/,
    ],
    [
      'a loop without a register',
      'module design(input [3:0] a, output [3:0] y);\nwire [3:0] x = y + a;\nassign y = x ^ a;\nendmodule',
      /^netlist: a combinational loop through \S+ and \S+, expected a register in every loop$/,
    ],
    [
      'a division of more than 32 bits',
      'module design(input [39:0] a, b, output [39:0] y);\nassign y = a / b;\nendmodule',
      /divides more than 32 bits$/,
    ],
    [
      'an inout port',
      'module design(input a, inout b);\nassign b = a;\nendmodule',
      /^netlist: design has an inout port, expected inputs and outputs$/,
    ],
  ])('%s', async (_, verilog, message) => {
    expect((await refusalOf(verilog)).message).toMatch(message);
  });

  const module = (cells: NetlistModule['cells']): NetlistModule => ({
    name: 'design',
    ports: new Map([['y', { direction: 'output', bits: [5], signed: false }]]),
    cells,
    names: new Map(),
  });
  const compile = (cells: NetlistModule['cells']) => () =>
    compileNetlist(new Map([['design', module(cells)]]), 'design');

  it('a module that was not flattened', () => {
    const cell = { type: 'pe', parameters: {}, connections: { Y: [5] }, position: undefined };
    expect(compile(new Map([['u0', cell]]))).toThrow('u0 is an instance of pe, expected a flat netlist');
  });

  it('two drivers of a bit', () => {
    const cell = {
      type: '$not',
      parameters: {},
      connections: { A: ['1'], Y: [5] },
      position: undefined,
    } as const;
    const cells = new Map([
      ['one', cell],
      ['two', cell],
    ]);
    expect(compile(cells)).toThrow('two drives what something else drives');
  });

  it('a module that is not there', () => {
    expect(() => compileNetlist(new Map([['design', module(new Map())]]), 'other')).toThrow(
      'no module other, expected one of design',
    );
  });
});
