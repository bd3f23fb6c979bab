/** Random traces by formula, so that what DRAMsim3 made of them can be kept as a checksum. */

/** How a trace is drawn; every random number is one step of the generator below. */
export interface TraceRecipe {
  readonly seed: number;
  readonly requests: number;
  /** Lines of 64 bytes the addresses lie in. */
  readonly span: number;
  /** First byte of those. */
  readonly base: number;
  readonly writePercent: number;
  /** Clocks between requests, at most. */
  readonly gap: number;
  /** Pauses of 500 to 1500 clocks, in 1000 requests. */
  readonly pauses: number;
  /** Whether half of the addresses lie 32 bytes into their line. */
  readonly halfLines: boolean;
  /** Of 100 requests, so many follow the one before in the next line. */
  readonly sequentialPercent: number;
}

export interface TraceRequest {
  readonly address: number;
  readonly write: boolean;
  readonly clock: number;
}

/** x = 1664525 x + 1013904223 modulo 2^32; the upper 20 bits count, since the lower ones have short periods. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return (state >>> 12) % below;
  };
}

export function randomTrace(recipe: TraceRecipe): TraceRequest[] {
  const random = generator(recipe.seed);
  let clock = 0;
  let line = 0;
  return Array.from({ length: recipe.requests }, () => {
    line = random(100) < recipe.sequentialPercent ? (line + 1) % recipe.span : random(recipe.span);
    const half = recipe.halfLines && random(2) === 1 ? 32 : 0;
    const write = random(100) < recipe.writePercent;
    clock += recipe.gap === 0 ? 0 : random(recipe.gap + 1);
    if (recipe.pauses > 0 && random(1000) < recipe.pauses) clock += 500 + random(1001);
    return { address: recipe.base + 64 * line + half, write, clock };
  });
}
