/** Integer helpers. All of them expect integers inside the exact range of a double (|x| <= 2^53). */

export function ceilDiv(dividend: number, divisor: number): number {
  return Math.ceil(dividend / divisor);
}

/** The smallest multiple of `step` that is not below `value`. */
export function alignUp(value: number, step: number): number {
  return ceilDiv(value, step) * step;
}

export function greatestCommonDivisor(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

export function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}

export function product(factors: readonly number[]): number {
  return factors.reduce((total, factor) => total * factor, 1);
}

export function sum(terms: readonly number[]): number {
  return terms.reduce((total, term) => total + term, 0);
}
