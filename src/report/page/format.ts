/** How figures are written. */
import { decimal, grouped, percent } from '../tables.ts';

export { decimal, grouped };

export const percents = (fraction: number, digits = 1): string => `${percent(fraction, digits)}\u00a0%`;

/** A figure in few digits with a unit prefix: 14.1 M. */
export function compact(value: number): string {
  for (const [size, letter] of [
    [1e12, 'T'],
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (Math.abs(value) >= size) return `${short(value / size)} ${letter}`;
  }
  return short(value);
}

function short(value: number): string {
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits);
}

/** Picojoules in the unit that keeps the figure short. */
export function energyText(picojoules: number): readonly [figure: string, unit: string] {
  const units = ['pJ', 'nJ', 'µJ', 'mJ', 'J'];
  let power = 0;
  while (power + 1 < units.length && picojoules >= 1000 ** (power + 1)) power++;
  return [short(picojoules / 1000 ** power), units[power]!];
}

/** A figure as a table shows it: integers with their digits in groups, others with enough digits. */
export function figure(value: number): string {
  if (Number.isInteger(value)) return value < 0 ? `-${grouped(-value)}` : grouped(value);
  if (Math.abs(value) < 1) return value.toPrecision(4);
  const text = decimal(Math.abs(value), 3).replace(/\.?0+$/, '');
  return value < 0 ? `-${text}` : text;
}

/** Ticks at round values, at most `most` of them, from 0 or `from` to `to`. */
export function ticks(from: number, to: number, most: number): number[] {
  const rough = (to - from) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? 10 * power;
  const whole = Math.max(step, 1e-12);
  const values: number[] = [];
  for (let value = Math.ceil(from / whole) * whole; value <= to + whole * 1e-9; value += whole) {
    values.push(value);
  }
  return values;
}
