/**
 * Diagnostics: what a user did wrong, said in one line.
 *
 * Whatever a user hands in (YAML, weights, picture, flags) is refused by throwing an `InputError`; the command
 * line prints its one line and exits with 2. Anything else that is thrown is a defect of ours.
 */

/** Where in a file something stands; line and column count from 1. */
export interface SourcePosition {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

/** Bad input: one line `file:line:column: what is wrong, what was expected`. */
export class InputError extends Error {
  override readonly name = 'InputError';
  readonly position: SourcePosition | undefined;

  constructor(message: string, position?: SourcePosition) {
    super(printable(position === undefined ? message : `${formatPosition(position)}: ${message}`));
    this.position = position;
  }
}

/** Names and words of a user's file may hold anything; a message is one line. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is meant.
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (found) => JSON.stringify(found).slice(1, -1));
}

/** `file:line:column`, leaving out what is not known. */
export function formatPosition(position: SourcePosition): string {
  return [position.file, position.line, position.column].filter((part) => part !== undefined).join(':');
}

/** Throws an `Error` naming a defect of ours when a condition that our own code must ensure does not hold. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`internal: ${message}`);
}
