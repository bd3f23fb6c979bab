/** What differs between two runs of a case. */
import type { CosimCase, CosimResult } from './case.ts';

export interface Difference {
  /** Tokens given in another cycle, or not at all. */
  readonly cycles: number;
  /** Bytes of the output buffer. */
  readonly bytes: number;
  /** The first difference in words; undefined if there is none. */
  readonly first: string | undefined;
}

export function differenceOf(cosimCase: CosimCase, simulator: CosimResult, rtl: CosimResult): Difference {
  let first: string | undefined;
  let cycles = 0;
  for (const [name, expected, seen] of [
    ['operands released', simulator.toLoad, rtl.toLoad],
    ['tile complete', simulator.toStore, rtl.toStore],
  ] as const) {
    const count = Math.max(expected.length, seen.length);
    for (let index = 0; index < count; index++) {
      if (expected[index] === seen[index]) continue;
      cycles++;
      first ??= `${cosimCase.name}: ${name} ${index}: simulator in cycle ${expected[index] ?? 'never'}, RTL in ${seen[index] ?? 'never'}`;
    }
  }
  let bytes = 0;
  for (let index = 0; index < simulator.output.length; index++) {
    if (simulator.output[index] === rtl.output[index]) continue;
    bytes++;
    first ??= `${cosimCase.name}: output byte ${index}: simulator ${simulator.output[index]}, RTL ${rtl.output[index]}`;
  }
  return { cycles, bytes, first };
}
