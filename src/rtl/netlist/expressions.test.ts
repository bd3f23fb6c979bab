/** Verilog's rules of width and sign, through Yosys and the compiler, against their definition and against Icarus. */
import { beforeAll, describe, expect, it } from 'vitest';
import { randomStream } from '../../core/random.ts';
import { compileNetlist } from './compile.ts';
import { hasIcarus, runIcarus } from './icarus.test-helper.ts';
import type { Model } from './model.ts';
import { assigned, type Expression, textOf, type VerilogSignal } from './verilog-expression.test-helper.ts';
import { elaborate } from './yosys.ts';

const binary = ['+', '-', '*', '&', '|', '^', '~^'];
const comparisons = ['<', '<=', '>', '>=', '==', '!='];
const reductions = ['&', '~&', '|', '~|', '^', '~^', '!'];
const shifts = ['<<', '>>', '<<<', '>>>'];

class ExpressionGenerator {
  readonly signals: readonly VerilogSignal[];
  readonly next: () => number;

  constructor(seed: number) {
    this.next = randomStream(seed);
    const widths = [1, 2, 5, 8, 16, 31, 32, 33, 48, 64, 70];
    this.signals = widths.flatMap((width) => [
      { name: `u${width}`, width, signed: false },
      { name: `s${width}`, width, signed: true },
    ]);
  }

  expression(depth: number): Expression {
    if (depth === 0 || this.chance(8)) return this.leaf();
    const inner = (): Expression => this.expression(depth - 1);
    switch (this.next() % 12) {
      case 0:
        return { kind: 'unary', operator: this.pick(['+', '-', '~'] as const), a: inner() };
      case 1:
        return { kind: 'reduction', operator: this.pick(reductions), a: inner() };
      case 2:
      case 3:
      case 4:
        return { kind: 'binary', operator: this.pick(binary), a: inner(), b: inner() };
      case 5:
        return { kind: 'comparison', operator: this.pick(comparisons), a: inner(), b: inner() };
      case 6:
        return { kind: 'logical', operator: this.pick(['&&', '||'] as const), a: inner(), b: inner() };
      case 7:
        return { kind: 'shift', operator: this.pick(shifts), a: inner(), b: this.amount() };
      case 8:
        return { kind: 'choice', s: inner(), a: inner(), b: inner() };
      case 9:
        return {
          kind: 'concatenation',
          copies: 1 + (this.next() % 3),
          parts: Array.from({ length: 1 + (this.next() % 3) }, () => this.leaf()),
        };
      case 10:
        return { kind: 'cast', signed: this.chance(2), a: inner() };
      default:
        return this.quotient();
    }
  }

  value(width: number): bigint {
    const extremes = [0n, 1n, (1n << BigInt(width)) - 1n, 1n << BigInt(width - 1)];
    if (this.chance(5)) return this.pick(extremes);
    let value = 0n;
    for (let at = 0; at < width; at += 32) value = (value << 32n) | BigInt(this.next());
    return BigInt.asUintN(this.chance(4) ? Math.ceil(width / 2) : width, value);
  }

  width(): number {
    return 1 + (this.next() % 70);
  }

  private leaf(): Expression {
    const signal = this.pick(this.signals);
    const { width } = signal;
    switch (this.next() % 8) {
      case 0: {
        const own = this.width();
        return { kind: 'literal', width: own, value: this.value(own), signed: this.chance(2) };
      }
      case 1: {
        const low = this.next() % width;
        return { kind: 'part', signal, low, width: 1 + (this.next() % (width - low)) };
      }
      case 2: {
        // Every index lies within the vector: beyond it Verilog has x.
        const indices = this.signals.filter((index) => index.width <= 5 && 2 ** index.width <= width);
        if (indices.length === 0) return { kind: 'signal', signal };
        const index = this.pick(indices.filter(({ signed }) => !signed));
        const room = width - 2 ** index.width + 1;
        const part = 1 + (this.next() % room);
        return { kind: 'indexed', signal, index: { kind: 'signal', signal: index }, width: part };
      }
      default:
        return { kind: 'signal', signal };
    }
  }

  /** Mostly small, at times any value. */
  private amount(): Expression {
    if (this.chance(4)) return this.leaf();
    return { kind: 'signal', signal: this.pick(this.signals.filter(({ width }) => width <= 8)) };
  }

  /** Of no more than 32 bits, and never by 0. */
  private quotient(): Expression {
    const narrow = this.signals.filter(({ width }) => width <= 32);
    const [a, b] = [this.pick(narrow), this.pick(narrow)];
    const one: Expression = { kind: 'literal', width: 2, value: 1n, signed: true };
    const divisor: Expression = {
      kind: 'binary',
      operator: '|',
      a: { kind: 'signal', signal: b },
      b: one,
    };
    const quotient: Expression = {
      kind: 'binary',
      operator: this.pick(['/', '%']),
      a: { kind: 'signal', signal: a },
      b: divisor,
    };
    return { kind: 'concatenation', copies: 1, parts: [quotient] };
  }

  private chance(of: number): boolean {
    return this.next() % of === 0;
  }

  private pick<Item>(items: readonly Item[]): Item {
    return items[this.next() % items.length]!;
  }
}

describe('random Verilog expressions', () => {
  const generator = new ExpressionGenerator(1);
  const outputs = Array.from({ length: 400 }, (_, index) => {
    return { name: `y${index}`, width: generator.width(), expression: generator.expression(1 + (index % 4)) };
  });
  const declared = [
    ...generator.signals.map(
      ({ name, width, signed }) => `input ${signed ? 'signed ' : ''}[${width - 1}:0] ${name}`,
    ),
    ...outputs.map(({ name, width }) => `output [${width - 1}:0] ${name}`),
  ];
  const verilog = [
    `module expressions(${declared.join(', ')});`,
    ...outputs.map(({ name, expression }) => `assign ${name} = ${textOf(expression)};`),
    'endmodule\n',
  ].join('\n');
  const stimuli = Array.from({ length: 40 }, () =>
    Object.fromEntries(generator.signals.map(({ name, width }) => [name, generator.value(width)])),
  );
  const expected = stimuli.map((values) =>
    Object.fromEntries(
      outputs.map(({ name, width, expression }) => [name, assigned(expression, width, values)]),
    ),
  );
  let model: Model;
  beforeAll(async () => {
    model = compileNetlist(await elaborate({ 'expressions.v': verilog }, 'expressions'), 'expressions');
  });

  it('have the values that the standard says', () => {
    stimuli.forEach((values, index) => {
      for (const [name, value] of Object.entries(values)) model.set(name, value);
      const actual = outputs.map(({ name }) => [name, BigInt(model.get(name))]);
      expect(Object.fromEntries(actual)).toEqual(expected[index]);
    });
  });

  it.skipIf(!hasIcarus)('have the values that Icarus computes (needs iverilog)', () => {
    expect(runIcarus(verilog, 'expressions', model.ports, stimuli)).toEqual(expected);
  });
});
