/** `--format` on every command that prints figures; widths, colours, progress and silence of a terminal. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { run } from '../../src/cli/main.ts';
import { Progress } from '../../src/cli/progress.ts';
import { csvReport, markdownReport } from '../../src/report/table-forms.ts';
import { formatTable, type Style } from '../../src/report/tables.ts';
import { condensim, edge256, example, projectFile, scratch } from './command-line.ts';

const trace = scratch('few.trc', '0x0 READ 0\n0x40 WRITE 5\n');
const memory = projectFile('hw-configs/dram/lpddr4-2400-x32.yaml');
const on = ['--model', example, '--hw', edge256];
// `area` prints through the same writer, but synthesises for minutes where its cache is out of date.
const commands: [name: string, argv: string[]][] = [
  ['compare', ['compare', '--mode', 'timing', example]],
  ['simulate', ['simulate', ...on, '--mode', 'timing']],
  ['validate', ['validate', ...on]],
  ['inspect', ['inspect', example]],
  ['inspect --hw', ['inspect', projectFile('models/condensation-net.yaml'), '--hw', edge256]],
  ['inspect --explain', ['inspect', example, '--hw', edge256, '--explain', 'conv1']],
  ['dram', ['dram', '--config', memory, '--trace', trace]],
];

/** RFC 4180. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  const pattern = /("(?:[^"]|"")*"|[^,"\n]*)(,|\n)/gy;
  for (const [, cell, end] of text.matchAll(pattern)) {
    rows.at(-1)!.push(cell!.startsWith('"') ? cell!.slice(1, -1).replaceAll('""', '"') : cell!);
    if (end === '\n') rows.push([]);
  }
  expect(rows.pop()).toEqual([]);
  return rows;
}

describe.each(commands)('%s', (_name, argv) => {
  it('prints tables of 80 columns, Markdown, CSV and JSON', async () => {
    const table = await condensim(...argv);
    expect([table.code, table.stderr]).toEqual([0, '']);
    for (const line of table.stdout.split('\n')) expect([...line].length, line).toBeLessThanOrEqual(80);
    expect((await condensim(...argv, '--format', 'table')).stdout).toBe(table.stdout);

    const json = await condensim(...argv, '--format', 'json');
    expect(json.stdout).toBe((await condensim(...argv, '--json')).stdout);
    expect(Object.keys(JSON.parse(json.stdout)).length).toBeGreaterThan(1);

    const markdown = (await condensim(...argv, '--format', 'markdown')).stdout.split('\n');
    const rules = markdown.flatMap((line, index) => (/^\|( --- \|)+$/.test(line) ? [index] : []));
    expect(rules.length).toBeGreaterThan(0);
    for (const at of rules) {
      expect(markdown[at - 2] ?? '').toBe('');
      const cells = (line: string) => line.replaceAll('\\|', '').split('|').length;
      for (let row = at - 1; markdown[row] !== ''; row++)
        expect(cells(markdown[row]!)).toBe(cells(markdown[at]!));
    }

    const csv = (await condensim(...argv, '--format', 'csv')).stdout;
    const tables = csv.split(/\n(?=\n)/).map((text) => parseCsv(`${text.trim()}\n`));
    expect(tables).toHaveLength(rules.length);
    for (const rows of tables) for (const row of rows) expect(row).toHaveLength(rows[0]!.length);
    expect(csv).not.toMatch(/\d,\d{3}"/);
  });
});

it('quotes what the forms would take for their own', () => {
  const write = (style: Style) =>
    formatTable(
      [
        { heading: 'a|b', align: 'left' },
        { heading: 'n', align: 'right' },
      ],
      [['x "y", z', '-1,234,567.5']],
      style,
    );
  expect(csvReport(write)).toBe('a|b,n\n"x ""y"", z",-1234567.5\n');
  expect(markdownReport(write)).toBe('| a\\|b | n |\n| --- | --- |\n| x "y", z | -1,234,567.5 |\n\n');
});

it.each([
  [['--format', 'xml'], /Allowed choices are table, markdown, csv, json/],
  [['--format', 'csv', '--json'], /^--json: prints JSON, expected no --format csv/],
  [['--quiet', '--verbose'], /cannot be used with/],
  [['--hw', edge256, '--program', '--format', 'csv', '--json', scratch('none.json')], /csv holds tables/],
])('refuses %j in one line', async (flags, message) => {
  const { code, stdout, stderr } = await condensim('inspect', example, ...flags);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toMatch(message);
  expect(existsSync(scratch('none.json'))).toBe(false);
});

async function onTerminal(argv: string[], env: Record<string, string>, isTTY = true) {
  const text = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof text) => ({
    isTTY,
    write(more: string) {
      text[name] += more;
    },
  });
  const code = await run(argv, { stdout: stream('stdout'), stderr: stream('stderr'), env });
  return { code, ...text };
}

it('colours on a terminal, unless told otherwise', async () => {
  const introducer = '\x1b[';
  const coloured = async (env: Record<string, string>, isTTY?: boolean) =>
    (await onTerminal(['inspect', example], env, isTTY)).stdout.includes(introducer);
  expect(await coloured({})).toBe(true);
  expect(await coloured({}, false)).toBe(false);
  expect(await coloured({ NO_COLOR: '1' })).toBe(false);
  expect(await coloured({ NO_COLOR: '' })).toBe(true);
  expect(await coloured({ TERM: 'dumb' })).toBe(false);
  expect(await coloured({ FORCE_COLOR: '1' }, false)).toBe(true);
  expect(await coloured({ FORCE_COLOR: '0' })).toBe(false);
  expect(await coloured({ FORCE_COLOR: '1', NO_COLOR: '1' }, false)).toBe(false);
});

it('says nothing with --quiet, and no note where stderr is no terminal', async () => {
  const argv = ['simulate', ...on, '--mode', 'timing'];
  expect((await onTerminal(argv, {})).stderr).toContain('running');
  expect((await onTerminal([...argv, '--quiet'], {})).stderr).toBe('');
  expect((await onTerminal(argv, {}, false)).stderr).toBe('');
});

it('shows percent, rate and time left, from two seconds on', () => {
  let now = 0;
  let text = '';
  const progress = new Progress(
    'running',
    (more) => {
      text += more;
    },
    () => now,
  );
  now = 1999;
  progress.show(10, 100);
  progress.end();
  expect(text).toBe('');
  now = 4000;
  progress.show(20, 100);
  expect(text).toBe('\rrunning: 20 %, 5.0/s, 16 s left\x1b[K');
  now = 4050;
  progress.show(21, 100);
  expect(text).not.toContain('21 %');
  progress.end();
  expect(text.endsWith('\r\x1b[K')).toBe(true);
});
