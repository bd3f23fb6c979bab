/** Rounding of real numbers on their way into the integer network. */

/** 1.5 * 2^52: adding it leaves a double no bits behind the point, so that the addition itself rounds. */
const MAGIC = 6755399441055744;

/** The nearest integer, ties to even; |x| < 2^51. */
export function roundHalfEven(x: number): number {
  return x + MAGIC - MAGIC;
}

/** The smallest power of two that is not below `x` (x > 0, finite). */
export function powerOfTwoAbove(x: number): number {
  let power = 2 ** Math.ceil(Math.log2(x));
  // log2 may be off in its last digit next to a power of two.
  while (power < x) power *= 2;
  while (power / 2 >= x) power /= 2;
  return power;
}
