/** Seeded random choices. */
import { assert } from '../../core/diagnostics.ts';
import { randomStream } from '../../core/random.ts';

export class Dice {
  private readonly draw: () => number;

  constructor(seed: number) {
    this.draw = randomStream(seed);
  }

  /** An integer from `low` to `high`, both included, less than 2^32 apart. */
  between(low: number, high: number): number {
    assert(high >= low, `nothing between ${low} and ${high}`);
    return low + Math.floor((this.draw() / 2 ** 32) * (high - low + 1));
  }

  bit(): 0 | 1 {
    return (this.draw() & 1) as 0 | 1;
  }

  /** True in a share `probability` of all throws. */
  chance(probability: number): boolean {
    return this.draw() < probability * 2 ** 32;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.between(0, choices.length - 1)]!;
  }
}
