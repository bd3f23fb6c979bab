/** Tables for people: plain text of at most 80 columns. What stands in them is the business of the `*-table.ts` files. */

/** How words stand out (identity where the output is no terminal), and what tables look like. */
export interface Style {
  heading(text: string): string;
  bad(text: string): string;
  /** Writes a table another way than in aligned columns; the cells are whole. */
  readonly table?: (headings: readonly string[], rows: readonly (readonly string[])[]) => string;
}

export const plainStyle: Style = { heading: (text) => text, bad: (text) => text };

export const tableWidth = 80;

export interface Column {
  readonly heading: string;
  readonly align: 'left' | 'right';
  /** Cut short, the widest first, where the table would be wider than `tableWidth`. */
  readonly shrinks?: true;
}

const gap = 2;

/** A heading and rows of cells, one a column; the columns are as wide as they need to be. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: Style,
): string {
  const names = columns.map(({ heading }) => heading);
  if (style.table !== undefined) return style.table(names, rows);
  const widths = columns.map(({ heading }, index) =>
    Math.max(heading.length, ...rows.map((row) => row[index]!.length)),
  );
  shrink(columns, widths);
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => {
        const width = widths[index]!;
        const text = shorten(cell, width);
        return columns[index]!.align === 'left' ? text.padEnd(width) : text.padStart(width);
      })
      .join(' '.repeat(gap))
      .trimEnd();
  return [style.heading(line(names)), ...rows.map(line)].map((text) => `${text}\n`).join('');
}

function shrink(columns: readonly Column[], widths: number[]): void {
  const narrowest = 8;
  for (;;) {
    const total = widths.reduce((sum, width) => sum + width, gap * (widths.length - 1));
    if (total <= tableWidth) return;
    let widest = -1;
    columns.forEach(({ shrinks }, index) => {
      if (shrinks !== true || widths[index]! <= narrowest) return;
      if (widest < 0 || widths[index]! > widths[widest]!) widest = index;
    });
    if (widest < 0) return;
    widths[widest]!--;
  }
}

/** The text, or its beginning and an ellipsis. */
export function shorten(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** Breaks a text at spaces into lines of `tableWidth`; lines after the first begin with `indent`. */
export function wrapText(text: string, indent = ''): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line.trim() !== '' && line.length + 1 + word.length > tableWidth) {
      lines.push(line);
      line = indent + word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((one) => `${one}\n`).join('');
}

/** The conventions under a table, each once. */
export function conventionLines(conventions: Iterable<string>): string {
  return [...new Set(conventions)].map((convention) => wrapText(`- ${convention}`, '  ')).join('');
}

/** An integer with its digits in groups of three. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A number with `digits` decimals, its whole part in groups. */
export function decimal(value: number, digits: number): string {
  const [whole, fraction] = value.toFixed(digits).split('.');
  return fraction === undefined
    ? grouped(Number(whole))
    : `${whole!.replace(/\B(?=(\d{3})+$)/g, ',')}.${fraction}`;
}

/** A fraction in percent, without the sign. */
export function percent(fraction: number, digits = 1): string {
  return decimal(100 * fraction, digits);
}
