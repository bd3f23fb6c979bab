import { beforeAll, describe, expect, it } from 'vitest';
import { compileNetlist } from './compile.ts';
import type { Model } from './model.ts';
import { elaborate } from './yosys.ts';

const verilog = `
module store(input clk, input we, input [3:0] address, input [39:0] in, output [39:0] out);
  reg [39:0] words [2:12];
  integer i;
  initial for (i = 2; i < 13; i = i + 1) words[i] = 40'h01_0000_0001 * i;
  assign out = words[address];
  always @(posedge clk) if (we) words[address] <= in;
endmodule
module top(input clk, input rst, input signed [7:0] step, input we, input [3:0] address, input [39:0] in,
    input [31:0] word, output signed [11:0] level, output [39:0] out, output [31:0] next, output signed [39:0] minus);
  reg signed [11:0] count = -5;
  wire signed [12:0] doubled = count * 2;
  always @(posedge clk) if (rst) count <= 0; else count <= count + step;
  assign level = count;
  assign next = word + 1;
  assign minus = -$signed({28'b0, count});
  store store(.clk(clk), .we(we), .address(address), .in(in), .out(out));
  wire unused = ^doubled;
endmodule`;

describe('a model', () => {
  let model: Model;
  beforeAll(async () => {
    const passes = 'proc; opt; memory_collect; flatten -noscopeinfo; opt; opt_clean';
    model = compileNetlist(await elaborate({ 'top.v': verilog }, 'top', passes), 'top');
  });

  it('lists its ports', () => {
    expect(model.ports).toContainEqual({
      name: 'clk',
      direction: 'input',
      bits: 1,
      signed: false,
      clock: true,
    });
    expect(model.ports).toContainEqual({
      name: 'level',
      direction: 'output',
      bits: 12,
      signed: true,
      clock: false,
    });
    expect(model.ports.map(({ name }) => name)).toEqual([
      ...['clk', 'rst', 'step', 'we', 'address', 'in', 'word', 'level', 'out', 'next', 'minus'],
    ]);
  });

  it('starts from the initial values, again after a restart', () => {
    for (let round = 0; round < 2; round++) {
      model.restart();
      expect(model.get('level')).toBe(-5);
      model.set('step', -7);
      model.clock(3);
      expect(model.get('level')).toBe(-26);
    }
  });

  it('computes outputs when inputs have changed', () => {
    model.restart();
    model.set('word', 0xffffffff);
    expect(model.get('next')).toBe(0);
    model.set('word', 0x7fffffff);
    expect(model.get('next')).toBe(0x80000000);
    model.set('word', -2);
    expect(model.get('next')).toBe(0xffffffff);
    expect(model.get('word')).toBe(0xfffffffe);
  });

  it('has numbers up to 32 bits and bigints above', () => {
    model.restart();
    model.set('address', 3);
    expect(model.get('out')).toBe(0x0300000003n);
    model.set('in', 0xff_ffff_ffffn);
    expect(model.get('in')).toBe(0xff_ffff_ffffn);
    model.set('step', -1);
    model.clock();
    expect(model.get('minus')).toBe(BigInt(-(-6 & 0xfff)));
  });

  it('has quick ways to its ports', () => {
    model.restart();
    const [step, level, address] = [model.input('step'), model.output('level'), model.input('address')];
    const [low, high] = [model.output('out'), model.output('out', 1)];
    step(300);
    model.clock();
    expect(level()).toBe(-5 + (300 - 256));
    address(12);
    expect([low(), high()]).toEqual([12, 12]);
    model.input('in', 0)(-1);
    model.input('in', 1)(0x1ff);
    expect(model.get('in')).toBe(0xff_ffff_ffffn);
  });

  it('shows and takes what memories hold, by hierarchical name and by address', () => {
    model.restart();
    expect(model.memoryNames).toEqual(['store.words']);
    const words = model.memory('store.words');
    expect([words.width, words.size, words.elementsPerWord]).toEqual([40, 11, 2]);
    expect(words.read(2)).toBe(0x0200000002n);
    model.set('address', 5);
    expect(model.get('out')).toBe(0x0500000005n);
    words.write(5, 0x12_3456_789an);
    expect(model.get('out')).toBe(0x12_3456_789an);
    model.set('we', 1);
    model.set('in', 77n);
    model.clock();
    expect(words.read(5)).toBe(77n);
    // Beyond the memory nothing is written, and 0 is read.
    const before = [...words.data];
    model.set('address', 15);
    model.clock();
    expect([...words.data]).toEqual(before);
    expect(model.get('out')).toBe(0n);
    expect(() => words.read(1)).toThrow('store.words has no word 1');
  });

  it('shows registers and wires by name', () => {
    model.restart();
    model.set('step', 2);
    model.clock(10);
    expect(model.signalNames).toContain('store.address');
    expect(model.signal('count')).toBe(15);
    expect(model.signal('next')).toBe(1);
    model.set('address', 9);
    expect(model.signal('store.out')).toBe(0x0900000009n);
    expect(() => model.signal('nothing')).toThrow('top has no signal nothing');
  });

  it('refuses ports that are not there and values that do not fit', () => {
    expect(() => model.set('rst', 2)).toThrow('2 does not fit the 1 bits of rst');
    expect(() => model.set('step', -129)).toThrow('does not fit');
    expect(() => model.set('clk', 1)).toThrow('clk is the clock');
    expect(() => model.set('level', 1)).toThrow('no input level');
    expect(() => model.get('nothing')).toThrow('no output nothing');
    expect(() => model.output('next', 1)).toThrow('next has no word 1');
    expect(() => model.memory('words')).toThrow('no memory words, only store.words');
  });
});
