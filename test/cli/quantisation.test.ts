/** Number formats and calibration through the command line. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { seededPicture } from '../../src/detect/picture.ts';
import { writePng } from '../../src/import/picture.ts';
import { condensim, edge256, edge256Text, example, projectFile, scratch } from './command-line.ts';

const base = ['--model', example, '--hw', edge256];
const json = async (...argv: string[]) => {
  const { code, stdout, stderr } = await condensim(...argv, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
};

function pictureFolder(name: string, count: number): string {
  const folder = dirname(scratch(`${name}/x`));
  mkdirSync(folder, { recursive: true });
  for (let seed = 0; seed < count; seed++) {
    writePng(join(folder, `${seed}.png`), seededPicture(24, 20, seed));
  }
  return folder;
}

describe('number formats', () => {
  it.each([
    ['4 bits', ['--activation-bits', '4', '--weight-bits', '4']],
    ['unsigned', ['--activations', 'unsigned']],
    ['signed', ['--activations', 'signed', '--weight-scales', 'tensor']],
    ['binary weights', ['--weight-bits', '1']],
    ['bias correction after mean-squared-error', ['--calibration', 'mean-squared-error', '--correct-bias']],
    ['equalisation and entropy', ['--equalise', '--calibration', 'entropy']],
  ])('%s: the accelerator equals the integer executor', async (_what, options) => {
    const report = await json('validate', ...base, ...options);
    expect(report).toMatchObject({ acceleratorEqualsInteger: true, bytesEqualClosedForm: true });
  });

  it('16 bits are nearer to float than 8, on a machine that takes them', async () => {
    const wide = projectFile('hw-configs/edge-256-int16.yaml');
    const argv = ['validate', '--model', example, '--hw', wide];
    const at8 = await json(...argv);
    const at16 = await json(...argv, '--activation-bits', '16', '--weight-bits', '16');
    expect(at16.acceleratorEqualsInteger).toBe(true);
    expect(at16.layers.at(-1).sqnrDb).toBeGreaterThan(at8.layers.at(-1).sqnrDb + 30);
  });

  it('sweeps the bits', async () => {
    const { bitSweep } = await json('validate', ...base, '--sweep-bits');
    expect(bitSweep.map(({ bits }: { bits: number }) => bits)).toEqual([8, 6, 5, 4, 3, 2]);
    const decibels = bitSweep.map(({ outputSqnrDb }: { outputSqnrDb: number }) => outputSqnrDb);
    expect(decibels[0]).toBeGreaterThan(decibels[3] + 10);
    const { stdout } = await condensim('validate', ...base, '--sweep-bits');
    expect(stdout).toMatch(/^ +8 +[\d.]+ +[\d.]+ +[\d.]+$/m);
  });
});

describe('calibration', () => {
  it('reads a folder, saves the result and loads it again to the same outputs', async () => {
    const file = scratch('saved.quantised');
    const folder = pictureFolder('pictures', 3);
    const saved = await json('simulate', ...base, '--calibrate', folder, '--save-quantised', file);
    const loaded = await json('simulate', ...base, '--quantised', file);
    const own = await json('simulate', ...base);
    expect(loaded.outputs).toEqual(saved.outputs);
    expect(own.outputs).not.toEqual(saved.outputs);
  });

  it('validates a saved network, and saves the one it validates', async () => {
    const file = scratch('validated.quantised');
    const made = await json('validate', ...base, '--activation-bits', '6', '--save-quantised', file);
    const again = await json('validate', ...base, '--quantised', file);
    expect(again).toEqual(made);
  });

  it('counts sums that leave a narrow accumulator', async () => {
    const text = edge256Text;
    const narrow = scratch('narrow.yaml', text.replace('accumulatorBits: 32', 'accumulatorBits: 14'));
    const argv = ['--model', example, '--hw', narrow];
    const run = await json('simulate', ...argv);
    expect(run.totals.accumulatorOverflows).toBeGreaterThan(0);
    const report = await json('validate', ...argv);
    expect(report).toMatchObject({
      acceleratorEqualsInteger: true,
      accumulatorOverflows: run.totals.accumulatorOverflows,
    });
  });
});

describe('bad input', () => {
  const broken = () => {
    const folder = pictureFolder('broken', 1);
    writeFileSync(join(folder, 'z.png'), 'no picture');
    return folder;
  };
  it.each<[string, () => string[], RegExp]>([
    ['an activation of 1 bit', () => ['--activation-bits', '1'], /activations.*bits.*2/],
    ['a weight of 9 bits', () => ['--weight-bits', '9'], /weightBits.*1 to 8, or 16/],
    ['bits that are no number', () => ['--weight-bits', 'x'], /--weight-bits.*Expected an integer/],
    ['more bits than the machine takes', () => ['--activation-bits', '12'], /activations of up to 8 bits/],
    [
      'saving what a timing run does not make',
      () => ['--mode', 'timing', '--save-quantised', scratch('never')],
      /--save-quantised: .*expected --mode full/,
    ],
    ['an empty folder', () => ['--calibrate', pictureFolder('empty', 0)], /empty: has no picture, expected/],
    ['a broken picture in a folder', () => ['--calibrate', broken()], /z\.png: .*expected/],
    ['a quantised network that is none', () => ['--quantised', example], /example\.yaml: .*expected/],
  ])('%s', async (_what, options, line) => {
    const { code, stdout, stderr } = await condensim('simulate', ...base, ...options());
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(line);
  });
});
