/** Long columns of figures in JSON: decimal integers of one string, parted by spaces. A number a line would be unreadable. */

/** Joins integers of 0 or more. */
export function numberText(values: ArrayLike<number>): string {
  return Array.prototype.join.call(values, ' ');
}

/** How many numbers a text holds; -1 if it is not integers of at most 15 digits parted by single spaces. */
export function countNumbers(text: string): number {
  if (text === '') return 0;
  let count = 1;
  let digits = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 32) {
      if (digits === 0) return -1;
      digits = 0;
      count++;
    } else if (code < 48 || code > 57 || ++digits > 15) {
      return -1;
    }
  }
  return digits === 0 ? -1 : count;
}

/** The numbers of a text that `countNumbers` accepts. */
export function readNumbers(text: string): Float64Array {
  const values = new Float64Array(Math.max(0, countNumbers(text)));
  let value = 0;
  let index = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 32) {
      values[index++] = value;
      value = 0;
    } else {
      value = 10 * value + code - 48;
    }
  }
  if (index < values.length) values[index] = value;
  return values;
}
