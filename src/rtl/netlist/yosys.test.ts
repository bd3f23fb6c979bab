import { describe, expect, it } from 'vitest';
import { InputError } from '../../core/diagnostics.ts';
import { parseNetlist } from './netlist.ts';
import { elaborate, runYosys, yosysVersion } from './yosys.ts';

describe('runYosys', () => {
  it('returns the files that a script writes', async () => {
    const written = await runYosys('read_verilog a.v; write_verilog -noattr b.v', {
      'a.v': 'module m(input x, output y); assign y = !x; endmodule',
    });
    expect(Object.keys(written)).toEqual(['b.v']);
    expect(written['b.v']).toContain('module m(x, y);');
  });

  it('says where Verilog is wrong', async () => {
    const files = { 'a.v': 'module m(input x);\n\nassign = x;\nendmodule' };
    const refused = runYosys('read_verilog a.v', files);
    await expect(refused).rejects.toBeInstanceOf(InputError);
    await expect(refused).rejects.toThrow(/^a\.v:3: Yosys: syntax error, unexpected/);
    await expect(runYosys('no_such_command', {})).rejects.toThrow(/^Yosys: No such command: no_such_command/);
    // And it is as good as new afterwards.
    expect(
      await runYosys('read_verilog a.v; write_json b.json', { 'a.v': 'module m; endmodule' }),
    ).toHaveProperty(['b.json']);
  });

  it('is the version that results were recorded with', async () => {
    expect(await yosysVersion()).toBe('0.55.944');
  });
});

describe('elaborate', () => {
  it('makes a flat netlist of several files', async () => {
    const netlist = await elaborate(
      {
        'top.v':
          'module top(input clk, input [7:0] a, output [7:0] y); inner u(.clk(clk), .a(a), .y(y)); endmodule',
        'inner.v':
          'module inner(input clk, input [7:0] a, output reg [7:0] y);\nalways @(posedge clk) y <= y + a;\nendmodule',
      },
      'top',
    );
    const top = netlist.get('top')!;
    expect([...top.cells.values()].map(({ type }) => type).sort()).toEqual(['$add', '$dff', '$scopeinfo']);
    expect([...top.names.keys()]).toContain('u.y');
    const [cell] = [...top.cells.values()].filter(({ type }) => type === '$add');
    expect(cell!.position).toMatchObject({ file: 'inner.v', line: 2 });
  });

  it('refuses a top module that is not there', async () => {
    await expect(elaborate({ 'a.v': 'module m; endmodule' }, 'top')).rejects.toThrow(/^Yosys: .*top/);
  });
});

describe('parseNetlist', () => {
  it.each([
    ['{', /^netlist: not JSON/],
    ['{}', /^netlist: netlist has no modules$/],
    ['{"modules": {"m": {"ports": {"p": {"direction": "up", "bits": []}}}}}', /m\.p has the direction up/],
    [
      '{"modules": {"m": {"ports": {"p": {"direction": "input", "bits": ["q"]}}, "cells": {}}}}',
      /m\.p has the bit "q"/,
    ],
    ['{"modules": {"m": {"ports": {}, "cells": {"c": {"type": 1}}}}}', /the type of m\.c is no string/],
    ['{"modules": {"m": {"ports": {}, "cells": {}, "netnames": []}}}', /m\.netnames is no table/],
  ])('refuses %s', (text, message) => {
    expect(() => parseNetlist(text)).toThrow(message);
  });
});
