/** Rotation of a vector of bytes in Verilog. */
import { range } from '../verilog.ts';

/**
 * Lines that declare `to`: `kept` bytes of the vector `from` of `total` bytes (a power of two), byte j of them being byte
 * (j + `by`) mod total. `by` is a vector of log2(total) bits. The largest step comes first, so that later ones are narrow.
 */
export function rotated(from: string, total: number, by: string, to: string, kept: number): string[] {
  const steps = Math.log2(total);
  const lines: string[] = [];
  let current = from;
  let width = total;
  for (let bit = steps - 1; bit >= 0; bit--) {
    const step = 2 ** bit;
    // What the steps that are left may still reach.
    const needs = Math.min(total, step - 1 + kept);
    const next = bit === 0 ? to : `${to}_${bit}`;
    const over = step + needs - width;
    const moved =
      over <= 0
        ? `${current}[${8 * (step + needs) - 1}:${8 * step}]`
        : `{${current}${range(8 * over)}, ${current}[${8 * width - 1}:${8 * step}]}`;
    const plain = needs === width ? current : `${current}${range(8 * needs)}`;
    lines.push(`wire ${range(8 * needs)} ${next} = ${by}[${bit}] ? ${moved} : ${plain};`);
    current = next;
    width = needs;
  }
  if (steps === 0) lines.push(`wire ${range(8 * kept)} ${to} = ${from};`);
  return lines;
}
