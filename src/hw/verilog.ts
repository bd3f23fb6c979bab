/**
 * Writing Verilog text: what every unit's `verilog.ts` shares.
 *
 * The subset is Verilog-2005 with the `-sv` reader's leave: one clock `clk`, synchronous reset `rst`, no `initial`, no
 * parameters (all widths are literals), `$signed` wherever an operand is signed - one unsigned operand makes a whole
 * expression unsigned and extends it with zeros. Lines end in "\n".
 */
import { assert } from '../core/diagnostics.ts';

/** One Verilog module. Its file is `<name>.v`. */
export interface VerilogModule {
  readonly name: string;
  readonly text: string;
  /**
   * Bits it stores, where the module is nothing but an inferred memory: silicon has an SRAM macro there, so it is
   * counted in bits and never synthesised into gates.
   */
  readonly memoryBits?: number;
}

export interface Port {
  readonly direction: 'input' | 'output';
  readonly name: string;
  /** Bits of a vector; left out for a scalar (a vector of one bit is a vector). */
  readonly width?: number;
  readonly signed?: true;
  /** Outputs only: assigned in an `always` block. */
  readonly reg?: true;
  /** Goes behind the port as a comment. */
  readonly meaning?: string;
}

export const clockPort: Port = { direction: 'input', name: 'clk' };
export const resetPort: Port = { direction: 'input', name: 'rst', meaning: 'synchronous' };

export interface ModuleParts {
  readonly name: string;
  /** Comment above the module, a line each, without slashes. */
  readonly about: readonly string[];
  readonly ports: readonly Port[];
  /** Lines of the body; they get the module's indentation. */
  readonly body: readonly string[];
  readonly memoryBits?: number;
}

/** A module as text, with undeclared names forbidden. */
export function verilogModule({ name, about, ports, body, memoryBits }: ModuleParts): VerilogModule {
  const declarations = ports.map(
    (port, index) =>
      `  ${declaration(port)}${index + 1 < ports.length ? ',' : ''}${port.meaning === undefined ? '' : ` // ${port.meaning}`}`,
  );
  const lines = [
    ...about.map((line) => (line === '' ? '//' : `// ${line}`)),
    '`default_nettype none',
    `module ${name} (`,
    ...declarations,
    ');',
    ...body.map((line) => (line === '' ? '' : `  ${line}`)),
    'endmodule',
    '`default_nettype wire',
    '',
  ];
  return { name, text: lines.join('\n'), ...(memoryBits === undefined ? {} : { memoryBits }) };
}

function declaration({ direction, name, width, signed, reg }: Port): string {
  const parts = [
    direction,
    reg === true ? 'reg' : 'wire',
    ...(signed === true ? ['signed'] : []),
    ...(width === undefined ? [] : [range(width)]),
    name,
  ];
  return parts.join(' ');
}

/** Lines of a template: what stands between the first and the last newline, without the indentation of the first line. */
export function verilogLines(text: string): string[] {
  const lines = text
    .replace(/^\n/, '')
    .replace(/\n[ ]*$/, '')
    .split('\n');
  const indent = /^ */.exec(lines[0]!)![0].length;
  return lines.map((line) => (line.slice(0, indent).trim() === '' ? line.slice(indent) : line));
}

/** `[width-1:0]`: the range of a vector of `width` >= 1 bits. */
export function range(width: number): string {
  assert(Number.isInteger(width) && width >= 1, `a vector of ${width} bits`);
  return `[${width - 1}:0]`;
}

/** `[high:low]`: where lane `lane` of `width` bits lies in a packed vector of lanes, lane 0 lowest. */
export function laneRange(lane: number, width: number): string {
  return `[${(lane + 1) * width - 1}:${lane * width}]`;
}

/** `8'd5`: an unsigned literal; `value` must fit `width` bits. */
export function literal(width: number, value: number | bigint): string {
  const exact = BigInt(value);
  assert(exact >= 0n && exact < 1n << BigInt(width), `${value} does not fit ${width} bits`);
  return `${width}'d${exact}`;
}

/** `8'sh85`: a signed literal of that very width (its bits in hexadecimal, so that the lowest value has one too). */
export function signedLiteral(width: number, value: number | bigint): string {
  const exact = BigInt(value);
  const half = 1n << BigInt(width - 1);
  assert(exact >= -half && exact < half, `${value} does not fit ${width} signed bits`);
  return `${width}'sh${BigInt.asUintN(width, exact).toString(16)}`;
}

/** Bits that hold every integer from 0 to `most`; at least 1. */
export function bitsFor(most: number): number {
  assert(Number.isSafeInteger(most) && most >= 0, `no bits for ${most}`);
  return Math.max(1, most.toString(2).length);
}

/** The signed vector `name` of `from` bits brought to `to` >= `from` bits by repeating its sign; a concatenation. */
export function signExtend(name: string, from: number, to: number): string {
  assert(to >= from, `${name} has ${from} bits, more than ${to}`);
  const sign = `${name}[${from - 1}]`;
  return to === from ? name : `{${to === from + 1 ? sign : `{${to - from}{${sign}}}`}, ${name}}`;
}

/** A module and how many instances of it a machine has. */
export interface CountedModule extends VerilogModule {
  readonly count: number;
}
