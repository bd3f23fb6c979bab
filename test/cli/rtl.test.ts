/** `condensim rtl` and `condensim cosim`: the folder, the comparison, and what they refuse. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cosimReportSchema } from '../../src/report/cosim-report.ts';
import { icarus, isInstalled } from '../../src/rtl/cosim/native-engine.ts';
import { condensim, edge256, projectFile, scratch } from './command-line.ts';

const edge64 = projectFile('hw-configs/edge-64.yaml');

/** A folder that does not exist yet. */
const newFolder = (name: string): string => join(dirname(scratch(`${name}-beside`, '')), name);

describe('condensim rtl', () => {
  it('writes a folder whose testbench passes, and fails once a module is changed', async ({ skip }) => {
    const out = newFolder('rtl');
    const { code, stdout, stderr } = await condensim('rtl', '--hw', edge64, '--out', out);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^\S+: \d\d modules/);
    const readme = readFileSync(join(out, 'README.md'), 'utf8');
    for (const name of readdirSync(out).filter((file) => file.endsWith('.v') && !file.endsWith('bench.v'))) {
      expect(readme).toContain(`\`${name.replace('.v', '')}\``);
    }
    skip(!isInstalled(icarus), 'Icarus Verilog is not installed');
    const simulate = (): string => {
      execFileSync('iverilog', ['-g2012', '-o', 'bench.vvp', '-s', 'bench', ...verilogOf(out)], { cwd: out });
      return execFileSync('vvp', ['-n', 'bench.vvp'], { cwd: out, encoding: 'utf8' });
    };
    expect(simulate()).toMatch(/^PASS$/m);
    const element = join(out, 'pe.v');
    writeFileSync(element, readFileSync(element, 'utf8').replace('feature * weight', 'feature + weight'));
    expect(simulate()).toMatch(/^FAIL: 0 tokens in other cycles, \d+ other values$/m);
  });

  it('refuses a folder that is not empty, unless forced', async () => {
    const out = newFolder('taken');
    mkdirSync(out);
    writeFileSync(join(out, 'mine.txt'), 'kept');
    const refused = await condensim('rtl', '--hw', edge64, '--out', out);
    expect(refused).toEqual({
      code: 2,
      stdout: '',
      stderr: `${out}: is not empty, expected an empty folder, or --force\n`,
    });
    expect(readdirSync(out)).toEqual(['mine.txt']);
    expect((await condensim('rtl', '--hw', edge64, '--out', out, '--force')).code).toBe(0);
    expect(existsSync(join(out, 'pe.v'))).toBe(true);
    expect(readFileSync(join(out, 'mine.txt'), 'utf8')).toBe('kept');
    const file = scratch('file', '');
    expect((await condensim('rtl', '--hw', edge64, '--out', file)).stderr).toMatch(
      /file: is a file, expected a folder/,
    );
  });

  it.each([
    ['banks: 8', 'banks: 12', /feature\.banks is 12.*expected a power of two/],
    ['startCycles: 4', 'startCycles: 1', /sequencer\.startCycles is 1, expected at least 2/],
    [/pipelineDepth: 3/, 'pipelineDepth: 1', /peArray\.pipelineDepth is 1, expected at least/],
  ])('refuses what the Verilog cannot express: %s', async (from, to, line) => {
    const text = readFileSync(edge64, 'utf8').replace(from, to);
    const machine = scratch(
      'other.yaml',
      text.replace('path: dram', `path: ${projectFile('hw-configs/dram')}`),
    );
    for (const argv of [
      ['rtl', '--hw', machine, '--out', newFolder('never')],
      ['cosim', '--hw', machine, '--tiles', '1'],
    ]) {
      const { code, stdout, stderr } = await condensim(...argv);
      expect(stdout).toBe('');
      expect(stderr).toMatch(line);
      expect(stderr.trimEnd()).not.toContain('\n');
      expect(code).toBe(2);
    }
    expect(existsSync(newFolder('never'))).toBe(false);
  });
});

describe('condensim cosim', () => {
  it.each([edge64, edge256])('finds no difference in 200 random tiles: %s', async (machine) => {
    const { code, stdout, stderr } = await condensim('cosim', '--hw', machine, '--json');
    expect([code, stderr]).toEqual([0, '']);
    const report = cosimReportSchema.parse(JSON.parse(stdout));
    expect(report.tiles).toBeGreaterThanOrEqual(200);
    expect([report.cycleMismatches, report.byteMismatches, report.firstMismatch]).toEqual([0, 0, null]);
    expect(report.engine).toMatch(/^JavaScript.*Yosys 0\.55\.944/);
    expect(report.machines[0]!.tokens).toBeGreaterThan(200);
  });

  it('prints a table, and takes machines at random', async () => {
    const { code, stdout } = await condensim(
      'cosim',
      '--hw',
      edge64,
      '--tiles',
      '4',
      '--machines',
      '2',
      '--seed',
      '9',
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/^random-9-1 /m);
    expect(stdout).toContain('the same cycles, the same bytes');
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it.each([
    [['--tiles', '0', '--layers', '0'], /--tiles: nothing would be compared/],
    [['--tiles', '-1'], /--tiles.*Expected an integer from 0/],
    [['--engine', 'vcs'], /--engine.*javascript, icarus, verilator/],
    [['--seed', 'x'], /--seed/],
  ])('refuses: %s', async (argv, line) => {
    const { code, stdout, stderr } = await condensim('cosim', '--hw', edge64, ...argv);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(line);
    expect(stderr.trimEnd()).not.toContain('\n');
  });
});

function verilogOf(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.v'));
}
