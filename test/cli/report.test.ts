/** `condensim report`, --report and --details through the real command line. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { readNumbers } from '../../src/report/number-text.ts';
import type { RunReport } from '../../src/report/run-report.ts';
import { condensim, edge256, example, scratch } from './command-line.ts';

const run = scratch('run.json');
let report: RunReport;

beforeAll(async () => {
  const outcome = await condensim(
    ...['simulate', '--model', example, '--hw', edge256, '--mode', 'timing', '--details', '--json', run],
  );
  expect(outcome).toMatchObject({ code: 0, stderr: '' });
  report = JSON.parse(readFileSync(run, 'utf8'));
});

describe('details of a run', () => {
  it('hold no level above the capacity, and some in the buffers that transfers reach', () => {
    const { levels } = report.details!.buffers;
    for (const { name, capacityBytes, maximumBytes, meanBytes } of levels) {
      const [maxima, means] = [readNumbers(maximumBytes), readNumbers(meanBytes)];
      expect([name, Math.max(...maxima) <= capacityBytes]).toEqual([name, true]);
      expect(means.every((mean, bin) => mean <= maxima[bin]!)).toBe(true);
    }
    const filled = levels.filter(({ maximumBytes }) => Math.max(...readNumbers(maximumBytes)) > 0);
    expect(filled.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['feature', 'weight', 'parameter', 'output']),
    );
  });

  it('hold the cycles of the account: the array is busy in what is neither DRAM nor dependency', () => {
    const array = report.details!.timeline.find(({ unit }) => unit === 'PE array')!;
    const busy = readNumbers(array.cycles).reduce((a, b) => a + b, 0);
    const { cycles, stalls } = report.totals;
    expect(busy).toBe(cycles - stalls.dram - stalls.dependency);
  });

  it('are left out unless they are asked for, and change no figure', async () => {
    const { stdout } = await condensim(
      ...['simulate', '--model', example, '--hw', edge256, '--mode', 'timing', '--json'],
    );
    const { details: _, ...rest } = report;
    expect(JSON.parse(stdout)).toEqual(rest);
  });
});

describe('pages', () => {
  it('are the same from the run itself and from its JSON, but for the gates that the JSON lacks', async () => {
    const [direct, later] = [scratch('direct.html'), scratch('later.html')];
    await condensim('simulate', '--model', example, '--hw', edge256, '--mode', 'timing', '--report', direct);
    expect(await condensim('report', run, '--out', later)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(dataOf(later).runs).toEqual([report]);
    expect(dataOf(direct).runs).toEqual([report]);
    expect(readFileSync(later, 'utf8')).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
  });

  it('cannot be broken out of by a name', async () => {
    const evil = '</script><script>alert(1)</script>';
    const file = scratch('evil.json', JSON.stringify({ ...report, model: { ...report.model, name: evil } }));
    const page = scratch('evil.html');
    expect((await condensim('report', file, '--out', page)).code).toBe(0);
    expect(readFileSync(page, 'utf8')).not.toContain('<script>alert');
    expect(dataOf(page).runs[0]!.model.name).toBe(evil);
  });
});

describe('bad input', () => {
  const without = (key: string) => {
    const { [key]: _, ...rest } = report as unknown as Record<string, unknown>;
    return JSON.stringify(rest);
  };
  const cases: [name: string, text: () => string, complaint: RegExp][] = [
    [
      'another version',
      () => JSON.stringify({ ...report, schemaVersion: 2 }),
      /schemaVersion is 2, expected 1/,
    ],
    ['no version', () => without('schemaVersion'), /missing key 'schemaVersion'/],
    ['no totals', () => without('totals'), /missing key 'totals'/],
    ['no layers', () => without('layers'), /missing key 'layers'/],
    ['no report', () => '{"schemaVersion": 1, "a": 1}', /none of the reports/],
    ['a list', () => '[]', /missing key 'schemaVersion'/],
    ['half a file', () => JSON.stringify(report).slice(0, 500), /not valid JSON/],
    ['nothing', () => '', /not valid JSON/],
    [
      'columns of different lengths',
      () =>
        JSON.stringify({
          ...report,
          details: {
            ...report.details,
            timeline: report.details!.timeline.map((track) => ({ ...track, gaps: '1 2 3' })),
          },
        }),
      /as many figures in each column/,
    ],
    [
      'figures that are none',
      () =>
        JSON.stringify({
          ...report,
          details: {
            ...report.details,
            buffers: {
              binCycles: 1,
              levels: [{ name: 'a', capacityBytes: 1, maximumBytes: 'x', meanBytes: '' }],
            },
          },
        }),
      /integers parted by spaces/,
    ],
  ];
  it.each(cases)('%s: one line and exit code 2', async (name, text, complaint) => {
    const file = scratch(`${name}.json`, text());
    const page = scratch(`${name}.html`);
    const { code, stdout, stderr } = await condensim('report', file, '--out', page);
    expect(stderr).toMatch(complaint);
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect([code, stdout]).toEqual([2, '']);
    expect(() => readFileSync(page)).toThrow();
  });

  it('says that a run is missing', async () => {
    expect(await condensim('report', '--out', scratch('none.html'))).toMatchObject({ code: 2 });
  });
});

function dataOf(page: string): { runs: RunReport[] } {
  const [, json] = /<script type="application\/json" id="data">(.*)<\/script>/.exec(
    readFileSync(page, 'utf8'),
  )!;
  return JSON.parse(json!);
}
