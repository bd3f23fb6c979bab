/** The table writer. */
import { expect, it } from 'vitest';
import { decimal, formatTable, grouped, percent, plainStyle, wrapText } from '../../src/report/tables.ts';

it('aligns columns and cuts the widest one that may shrink', () => {
  const columns = [
    { heading: 'Name', align: 'left', shrinks: true },
    { heading: 'bytes', align: 'right' },
  ] as const;
  const rows = [
    ['a', '1'],
    ['b'.repeat(100), '1,000'],
  ];
  const lines = formatTable(columns, rows, plainStyle).split('\n');
  expect(lines).toEqual([
    `Name${' '.repeat(71)}bytes`,
    `a${' '.repeat(78)}1`,
    `${'b'.repeat(72)}…  1,000`,
    '',
  ]);
});

it('writes numbers with their digits in groups', () => {
  expect([0, 999, 1000, 1234567].map(grouped)).toEqual(['0', '999', '1,000', '1,234,567']);
  expect([1234.567, 0.5, 1e6].map((value) => decimal(value, 2))).toEqual([
    '1,234.57',
    '0.50',
    '1,000,000.00',
  ]);
  expect(decimal(1234.5, 0)).toBe('1,235');
  expect(percent(0.26543)).toBe('26.5');
});

it('wraps text at 80 columns', () => {
  const lines = wrapText(`- ${'word '.repeat(30).trim()}`, '  ')
    .trimEnd()
    .split('\n');
  expect(lines.map((line) => line.length)).toEqual([76, 76]);
  expect(lines[1]!.startsWith('  word')).toBe(true);
});
