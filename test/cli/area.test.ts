/** `condensim area`: what it prints, that its figures agree with each other, and what it refuses. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type AreaReport, areaReportSchema } from '../../src/report/area-report.ts';
import { gateLibrary } from '../../src/rtl/area/library.ts';
import { condensim, edge256, projectFile, scratch } from './command-line.ts';

beforeAll(() => {
  // Not the cache of whoever runs the tests.
  process.env.XDG_CACHE_HOME = dirname(scratch('cache/none', ''));
});

async function report(...argv: string[]): Promise<AreaReport> {
  const { code, stdout, stderr } = await condensim('area', ...argv, '--json');
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return areaReportSchema.parse(JSON.parse(stdout));
}

describe('condensim area', () => {
  it('gives gates, bits, and what CCP costs', async () => {
    const found = await report('--hw', edge256);
    const { units, buffers, ccp } = found;
    for (const { count, gatesEach, gates } of units) expect(gates).toBe(count * gatesEach);
    expect(found.totalGates).toBe(units.reduce((sum, { gates }) => sum + gates, 0));
    expect(8 * found.totalBufferBytes).toBe(buffers.reduce((sum, { bits }) => sum + bits, 0));
    expect(found.totalBufferBytes).toBe(262_144);
    expect(ccp.extraBufferBytes).toBe(16);
    expect(ccp.extraBufferFraction).toBe(16 / 262_144);
    expect(ccp.extraGateFraction).toBe(ccp.extraGates / found.totalGates);
    expect(found.method).toMatch(/Yosys 0\.55\.944.*-booth.*ge\.lib/);
    expect(found).not.toHaveProperty('sramEstimate');

    const without = await report('--hw', projectFile('hw-configs/edge-256-no-ccp.yaml'));
    expect(without.ccp.extraGates).toBe(0);
    expect(without.ccp.extraBufferBytes).toBe(0);
    expect(found.totalGates - without.totalGates).toBe(ccp.extraGates);
  });

  it('prints tables of at most 80 columns, with the variants and the memories where asked', async () => {
    const { code, stdout } = await condensim(
      'area',
      '--hw',
      edge256,
      '--variants',
      '--sram-ge-per-bit',
      '1.27',
    );
    expect(code).toBe(0);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    for (const words of [
      /^pe +256 /m,
      /^gates +[\d,]+ +\d\.\d\d +1\.0$/m,
      /^buffer bytes +16 +0\.0061 +0\.2$/m,
      /^running +before +1 +16 +[\d,]+ +[\d.]+ +64 +18,\d{3},\d{3}$/m,
      /^tree +after +2 +[\d,]+ +[\d.]+ +0 +18,\d{3},\d{3}$/m,
      /^tree +before +8 +128 +32 +1 +96$/m,
      /^estimated gates +2,663,\d{3} +at 1\.27 a bit/m,
      /arXiv 2104\.14124/,
    ]) {
      expect(stdout).toMatch(words);
    }
  });

  it("counts in a user's library's units, and keeps what it found", async () => {
    const cells = scratch('mine.lib', gateLibrary().replaceAll('library(ge)', 'library(mine)'));
    const small = scratch(
      'small.yaml',
      readFileSync(edge256, 'utf8')
        .replace('rows: 16', 'rows: 2')
        .replace('columns: 16', 'columns: 2')
        .replace(/^ *depthwise: .*\n/m, '')
        .replace('form: multiplier', 'form: shift')
        .replace('path: dram', `path: ${projectFile('hw-configs/dram')}`),
    );
    const found = await report('--hw', small, '--liberty', cells);
    expect(found.gateUnit).toBe(`area units of ${cells}`);
    const folder = dirname(scratch('cache/condensim/area/none', ''));
    const kept = readdirSync(folder).length;
    expect(kept).toBeGreaterThan(found.units.length);
    expect(await report('--hw', small, '--liberty', cells)).toEqual(found);
    // The text differs, the cells do not: another key, equal figures.
    const again = await report('--hw', small);
    expect(again.units).toEqual(found.units);
    expect(readdirSync(folder).length).toBeGreaterThan(kept);
  });

  it.each<[what: string, argv: () => string[], line: RegExp]>([
    ['no machine', () => [], /--hw/],
    ['missing library', () => ['--liberty', '/nowhere/a.lib'], /^\/nowhere\/a\.lib: cannot be read/],
    ['no library', () => ['--liberty', edge256], /edge-256\.yaml: is no Liberty file, expected/],
    ['folder', () => ['--liberty', dirname(edge256)], /is a folder, expected a Liberty file/],
    ['estimate of nothing', () => ['--sram-ge-per-bit', '0'], /--sram-ge-per-bit.*above 0/],
    [
      'two units',
      () => ['--sram-ge-per-bit', '1', '--liberty', scratch('a.lib', gateLibrary())],
      /--sram-ge-per-bit.*expected one of the two/,
    ],
  ])('refuses: %s', async (what, argv, line) => {
    const machine = what === 'no machine' ? [] : ['--hw', edge256];
    const { code, stdout, stderr } = await condensim('area', ...machine, ...argv());
    expect(stdout).toBe('');
    expect(stderr).toMatch(line);
    expect(stderr.trimEnd()).not.toContain('\n');
    expect(code).toBe(2);
  });
});
