/**
 * Averages in Verilog: sums of windows divided by their taps, rounded once, as `divideRound` in core/fixed-point.ts has it.
 *
 * Values are counted from the lowest one up, so that sums are unsigned; the quotient then has as many bits as a value, and
 * a restoring division needs a subtraction for each.
 */
import type { Rounding } from '../../core/fixed-point.ts';
import {
  bitsFor,
  literal,
  type Port,
  range,
  type VerilogModule,
  verilogLines,
  verilogModule,
} from '../verilog.ts';

export interface AverageShape {
  /** Bits of an activation. */
  readonly bits: number;
  /** Bits of a sum. */
  readonly sum: number;
  /** Most rows and columns of a window. */
  readonly window: number;
  readonly rounding: Rounding;
}

/** Bits of a number of rows or columns. */
export const sideBits = 6;

/** One window. Combinational. */
export function averageVerilog({ bits, sum, window, rounding }: AverageShape): VerilogModule {
  const tap = bitsFor(window * window);
  const wide = sum + 2;
  const divisor = tap + 1;
  const rest = divisor + 1;
  const input = (name: string, width?: number, meaning?: string): Port => ({
    direction: 'input',
    name,
    ...(width !== undefined && { width }),
    ...(meaning !== undefined && { meaning }),
  });
  const top = bits - 1;
  const isHalf = rounding !== 'truncate';
  const stages: string[] = [];
  for (let bit = top; bit >= 0; bit--) {
    const before = bit === top ? 'rest_start' : `rest_${bit + 1}${range(divisor)}`;
    stages.push(
      `wire ${range(rest)} part_${bit} = {${before}, dividend[${bit}]};`,
      `wire fits_${bit} = part_${bit} >= {1'b0, divisor};`,
      `wire ${range(rest)} rest_${bit} = fits_${bit} ? part_${bit} - {1'b0, divisor} : part_${bit};`,
    );
  }
  const bitsDown = Array.from({ length: bits }, (_, index) => top - index);
  const down: Record<Rounding, string> = {
    'half-even': `(rest_0 == ${literal(rest, 0)}) & quotient[0]`,
    'half-up': "1'b0",
    // Half way between two negative numbers: the lower one is further from zero.
    'half-away': `(rest_0 == ${literal(rest, 0)}) & (quotient <= offset)`,
    truncate: "1'b0",
  };
  const high = wide - bits;
  return verilogModule({
    name: 'window_average',
    about: [
      `Average of a window: its sum, of values counted from the lowest one, over its taps; rounding: ${rounding}.`,
      'With `count_padding` taps outside of the map count as `padding`. A division a bit at a time, combinational.',
    ],
    ports: [
      input('total', sum, 'sum of the taps inside the map'),
      input('rows', sideBits, 'of the window inside the map'),
      input('columns', sideBits),
      input('all', tap, 'taps of a window'),
      input('count_padding'),
      input('padding', bits, 'counted from the lowest value'),
      input('unsigned_values'),
      { direction: 'output', name: 'average', width: bits + 1, meaning: 'signed' },
    ],
    body: [
      ...verilogLines(`
      wire ${range(2 * sideBits)} area = {${sideBits}'d0, rows} * {${sideBits}'d0, columns};
      wire ${range(tap)} present = ${tap <= 2 * sideBits ? `area${range(tap)}` : `{${tap - 2 * sideBits}'d0, area}`};
      wire ${range(tap)} missing = all - present;
      wire ${range(tap + bits)} added = {${bits}'d0, missing} * {${tap}'d0, padding};
      wire ${range(tap)} taps = count_padding ? all : present;
      wire ${range(sum)} sum = total + (count_padding ? ${tap + bits >= sum ? `added${range(sum)}` : `{${sum - tap - bits}'d0, added}`} : ${literal(sum, 0)});
      // The nearest integer is the floor of (2 sum + taps) / (2 taps).
      wire ${range(divisor)} divisor = {taps, 1'b0};
      wire ${range(wide)} dividend = {1'b0, sum, 1'b0}${isHalf ? ` + {${literal(wide - tap, 0)}, taps}` : ''};
      wire ${range(divisor)} rest_start = ${high >= divisor ? `dividend[${bits + divisor - 1}:${bits}]` : `{${literal(divisor - high, 0)}, dividend[${wide - 1}:${bits}]}`};
      `),
      ...stages,
      ...verilogLines(`
      wire ${range(bits)} quotient = {${bitsDown.map((bit) => `fits_${bit}`).join(', ')}};
      wire ${range(bits)} offset = unsigned_values ? ${literal(bits, 0)} : ${literal(bits, 2 ** (bits - 1))};
      wire down = ${down[rounding]};
      assign average = {1'b0, quotient} - {1'b0, offset} - {${bits}'d0, down};
      wire unused = &{area, added, dividend, offset, ${bitsDown.map((bit) => `rest_${bit}`).join(', ')}};
      `),
    ],
  });
}
