/** Seeded pseudo-random numbers: the same seed gives the same network and picture on every machine. */

/** FNV-1a, 32 bit: turns a name and a seed into a start value. */
export function hashSeed(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  }
  return hash;
}

/** A stream of uniform 32-bit unsigned integers (mulberry32; period 2^32). */
export function randomStream(seed: number): () => number {
  // Signed: V8 keeps 32 signed bits in a word, but allocates for a larger number at every call.
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return (x ^ (x >>> 14)) >>> 0;
  };
}
