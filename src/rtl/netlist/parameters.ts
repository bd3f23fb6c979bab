/** Parameters of Yosys' cells: strings of binary digits, most significant first; undefined ones are 0. */
import { InputError } from '../../core/diagnostics.ts';
import type { Bit, Bits } from './design.ts';
import type { NetlistCell } from './netlist.ts';

/** The digit of weight 2^index; beyond the last one 0. */
export function digit(digits: string, index: number): Bit {
  return digits[digits.length - 1 - index] === '1' ? 1 : 0;
}

/** A parameter as a 32-bit two's complement integer; absent is 0. */
export function integer(cell: NetlistCell, name: string): number {
  const digits = cell.parameters[name] ?? '0';
  if (!/^[01xz]+$/.test(digits)) {
    throw new InputError(`netlist: the parameter ${name} of a ${cell.type} is ${digits}`, cell.position);
  }
  let value = 0;
  for (let index = 0; index < Math.min(32, digits.length); index++) value |= digit(digits, index) << index;
  return value;
}

/** A parameter of one bit. */
export function flag(cell: NetlistCell, name: string): boolean {
  return digit(cell.parameters[name] ?? '', 0) === 1;
}

/** A parameter as constant bits. */
export function constantBits(cell: NetlistCell, name: string): Bits {
  const digits = cell.parameters[name] ?? '';
  return Array.from({ length: digits.length }, (_, index) => digit(digits, index));
}
