/** Text of a topology file as rows of cells that know where they stand. */
import { quote } from '../../config/source.ts';
import { InputError, type SourcePosition } from '../../core/diagnostics.ts';

/** Lines with something in them that a file may have. */
const MAXIMUM_ROWS = 1001;
const MAXIMUM_CELLS = 64;

export interface Cell {
  /** Without blanks around it. */
  readonly text: string;
  readonly at: SourcePosition;
}

/**
 * The rows of a comma-separated file. Lines of blanks and commas alone are left out, and so are empty cells at the end of
 * a line. There are no quotes in these files.
 * @throws InputError for more rows or cells than a topology may have
 */
export function parseTable(text: string, file: string): Cell[][] {
  const rows: Cell[][] = [];
  for (const [index, raw] of text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\r|\n/)
    .entries()) {
    const cells: Cell[] = [];
    let column = 1;
    for (const part of raw.split(',', MAXIMUM_CELLS + 1)) {
      const indent = part.length - part.trimStart().length;
      cells.push({ text: part.trim(), at: { file, line: index + 1, column: column + indent } });
      column += part.length + 1;
    }
    const isTooLong = cells.length > MAXIMUM_CELLS;
    while (cells.at(-1)?.text === '') cells.pop();
    const [first] = cells;
    if (first === undefined) continue;
    if (isTooLong) throw new InputError(`the line has more than ${MAXIMUM_CELLS} cells`, first.at);
    if (rows.length === MAXIMUM_ROWS) {
      throw new InputError(`has more than ${MAXIMUM_ROWS - 1} layers`, first.at);
    }
    rows.push(cells);
  }
  return rows;
}

/** A cell's whole number. @throws InputError for any other text and for numbers out of bounds */
export function wholeNumber(what: string, { text, at }: Cell, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 1 && value <= most) return value;
  throw new InputError(`${what}: expected a whole number from 1 to ${most}, got ${quote(text)}`, at);
}
