/**
 * Verilog expressions: their text, and their value by the standard's rules of width and sign (IEEE 1364, expression
 * bit lengths and signed expressions), on integers of any size.
 */

export interface VerilogSignal {
  readonly name: string;
  readonly width: number;
  readonly signed: boolean;
}

export type Expression =
  | { readonly kind: 'signal'; readonly signal: VerilogSignal }
  | { readonly kind: 'literal'; readonly value: bigint; readonly width: number; readonly signed: boolean }
  | { readonly kind: 'unary'; readonly operator: '+' | '-' | '~'; readonly a: Expression }
  | { readonly kind: 'reduction'; readonly operator: string; readonly a: Expression }
  | { readonly kind: 'binary'; readonly operator: string; readonly a: Expression; readonly b: Expression }
  | { readonly kind: 'comparison'; readonly operator: string; readonly a: Expression; readonly b: Expression }
  | {
      readonly kind: 'logical';
      readonly operator: '&&' | '||';
      readonly a: Expression;
      readonly b: Expression;
    }
  | { readonly kind: 'shift'; readonly operator: string; readonly a: Expression; readonly b: Expression }
  | { readonly kind: 'choice'; readonly s: Expression; readonly a: Expression; readonly b: Expression }
  | { readonly kind: 'concatenation'; readonly copies: number; readonly parts: readonly Expression[] }
  | { readonly kind: 'cast'; readonly signed: boolean; readonly a: Expression }
  | { readonly kind: 'part'; readonly signal: VerilogSignal; readonly low: number; readonly width: number }
  | {
      readonly kind: 'indexed';
      readonly signal: VerilogSignal;
      readonly index: Expression;
      readonly width: number;
    };

export type SignalValues = Readonly<Record<string, bigint>>;

export function textOf(expression: Expression): string {
  const e = expression;
  switch (e.kind) {
    case 'signal':
      return e.signal.name;
    case 'literal':
      return `${e.width}'${e.signed ? 's' : ''}h${e.value.toString(16)}`;
    case 'unary':
    case 'reduction':
      return `(${e.operator}${textOf(e.a)})`;
    case 'binary':
    case 'comparison':
    case 'logical':
    case 'shift':
      return `(${textOf(e.a)} ${e.operator} ${textOf(e.b)})`;
    case 'choice':
      return `(${textOf(e.s)} ? ${textOf(e.a)} : ${textOf(e.b)})`;
    case 'concatenation': {
      const inner = `{${e.parts.map(textOf).join(', ')}}`;
      return e.copies === 1 ? inner : `{${e.copies}${inner}}`;
    }
    case 'cast':
      return `${e.signed ? '$signed' : '$unsigned'}(${textOf(e.a)})`;
    case 'part':
      return `${e.signal.name}[${e.low + e.width - 1}:${e.low}]`;
    case 'indexed':
      return `${e.signal.name}[${textOf(e.index)} +: ${e.width}]`;
  }
}

/** The width an expression has by itself. */
export function widthOf(expression: Expression): number {
  const e = expression;
  switch (e.kind) {
    case 'signal':
      return e.signal.width;
    case 'literal':
    case 'part':
    case 'indexed':
      return e.width;
    case 'unary':
    case 'shift':
    case 'cast':
      return widthOf(e.a);
    case 'reduction':
    case 'comparison':
    case 'logical':
      return 1;
    case 'binary':
    case 'choice':
      return Math.max(widthOf(e.a), widthOf(e.b));
    case 'concatenation':
      return e.copies * e.parts.reduce((total, part) => total + widthOf(part), 0);
  }
}

function isSigned(expression: Expression): boolean {
  const e = expression;
  switch (e.kind) {
    case 'signal':
      return e.signal.signed;
    case 'literal':
    case 'cast':
      return e.signed;
    case 'unary':
    case 'shift':
      return isSigned(e.a);
    case 'binary':
    case 'choice':
      return isSigned(e.a) && isSigned(e.b);
    default:
      return false;
  }
}

/** What `assign y = expression` puts into a `y` of some width, as an unsigned integer. */
export function assigned(expression: Expression, width: number, values: SignalValues): bigint {
  const context = Math.max(width, widthOf(expression));
  return BigInt.asUintN(width, evaluate(expression, context, isSigned(expression), values));
}

/** The value in a context of some width and sign, as an unsigned integer of that width. */
function evaluate(expression: Expression, width: number, signed: boolean, values: SignalValues): bigint {
  const e = expression;
  const inContext = (inner: Expression): bigint => evaluate(inner, width, signed, values);
  const own = (inner: Expression): bigint => evaluate(inner, widthOf(inner), isSigned(inner), values);
  const number = (bits: bigint): bigint => (signed ? BigInt.asIntN(width, bits) : bits);
  /** A value that has its width by itself, brought to that of the context. */
  const extended = (bits: bigint, from: number): bigint =>
    BigInt.asUintN(width, signed ? BigInt.asIntN(from, bits) : bits);
  switch (e.kind) {
    case 'signal':
      return extended(values[e.signal.name]!, e.signal.width);
    case 'literal':
      return extended(e.value, e.width);
    case 'unary': {
      const a = inContext(e.a);
      return BigInt.asUintN(width, e.operator === '-' ? -a : e.operator === '~' ? ~a : a);
    }
    case 'reduction':
      return reduced(e.operator, own(e.a), widthOf(e.a));
    case 'binary':
      return BigInt.asUintN(width, arithmetic(e.operator, number(inContext(e.a)), number(inContext(e.b))));
    case 'comparison': {
      const common = Math.max(widthOf(e.a), widthOf(e.b));
      const both = isSigned(e.a) && isSigned(e.b);
      const [a, b] = [e.a, e.b].map((operand) => {
        const bits = evaluate(operand, common, both, values);
        return both ? BigInt.asIntN(common, bits) : bits;
      });
      return BigInt(compared(e.operator, a!, b!));
    }
    case 'logical': {
      const [a, b] = [own(e.a) !== 0n, own(e.b) !== 0n];
      return BigInt(e.operator === '&&' ? a && b : a || b);
    }
    case 'shift': {
      const a = inContext(e.a);
      const by = own(e.b);
      const limited = by > BigInt(width) ? BigInt(width) : by;
      if (e.operator.startsWith('<')) return BigInt.asUintN(width, a << limited);
      return BigInt.asUintN(width, (e.operator === '>>>' ? number(a) : a) >> limited);
    }
    case 'choice':
      return own(e.s) !== 0n ? inContext(e.a) : inContext(e.b);
    case 'concatenation': {
      let once = 0n;
      for (const part of e.parts) once = (once << BigInt(widthOf(part))) | own(part);
      let all = 0n;
      for (let copy = 0; copy < e.copies; copy++) all = (all << BigInt(widthOf(e) / e.copies)) | once;
      return all;
    }
    case 'cast':
      return extended(own(e.a), widthOf(e.a));
    case 'part':
      return BigInt.asUintN(e.width, values[e.signal.name]! >> BigInt(e.low));
    case 'indexed':
      return BigInt.asUintN(e.width, values[e.signal.name]! >> own(e.index));
  }
}

function reduced(operator: string, bits: bigint, width: number): bigint {
  const ones = bits.toString(2).replaceAll('0', '').length;
  const rules: Record<string, boolean> = {
    '&': ones === width,
    '~&': ones !== width,
    '|': ones > 0,
    '~|': ones === 0,
    '!': ones === 0,
    '^': ones % 2 === 1,
    '~^': ones % 2 === 0,
  };
  return BigInt(rules[operator]!);
}

function arithmetic(operator: string, a: bigint, b: bigint): bigint {
  const rules: Record<string, () => bigint> = {
    '+': () => a + b,
    '-': () => a - b,
    '*': () => a * b,
    '/': () => a / b,
    '%': () => a % b,
    '&': () => a & b,
    '|': () => a | b,
    '^': () => a ^ b,
    '~^': () => ~(a ^ b),
  };
  return rules[operator]!();
}

function compared(operator: string, a: bigint, b: bigint): boolean {
  const rules: Record<string, boolean> = {
    '<': a < b,
    '<=': a <= b,
    '>': a > b,
    '>=': a >= b,
    '==': a === b,
    '!=': a !== b,
  };
  return rules[operator]!;
}
