/** Tables for other programs: Markdown keeps a report's words, CSV its tables alone. */
import { plainStyle, type Style } from './tables.ts';

/** What a report can be printed as. */
export const reportFormats = ['table', 'markdown', 'csv', 'json'] as const;
export type ReportFormat = (typeof reportFormats)[number];

/** A report as Markdown (GitHub's tables). */
export function markdownReport(write: (style: Style) => string): string {
  const style: Style = {
    heading: (text) => `## ${text}\n`,
    bad: (text) => `**${text}**`,
    table(headings, rows) {
      const line = (cells: readonly string[]) =>
        `| ${cells
          .map((cell) =>
            cell
              .trim()
              .replace(/[\\|]/g, '\\$&')
              .replace(/\s*\n\s*/g, ' '),
          )
          .join(' | ')} |\n`;
      const body = rows.map(line).join('');
      return `\n${line(headings)}|${' --- |'.repeat(headings.length)}\n${body}\n`;
    },
  };
  return write(style)
    .replace(/\n{3,}/g, '\n\n')
    .trimStart();
}

/**
 * The tables of a report as CSV (RFC 4180 but for line feeds alone), an empty line between two; numbers without the commas
 * between groups of digits. Undefined for a report without tables.
 */
export function csvReport(write: (style: Style) => string): string | undefined {
  const tables: string[] = [];
  write({
    ...plainStyle,
    table(headings, rows) {
      tables.push([headings, ...rows].map((cells) => `${cells.map(csvCell).join(',')}\n`).join(''));
      return '';
    },
  });
  return tables.length === 0 ? undefined : tables.join('\n');
}

function csvCell(cell: string): string {
  const text = cell.trim();
  const plain = /^[-+]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(text) ? text.replaceAll(',', '') : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
