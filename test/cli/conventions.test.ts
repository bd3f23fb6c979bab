/** `compare --conventions` on Condensation-Net. */
import { describe, expect, it } from 'vitest';
import { conventionStudySchema } from '../../src/report/convention-report.ts';
import { condensim } from './command-line.ts';

const compare = ['compare', '--conventions', '--mode', 'timing'];

describe('compare --conventions', () => {
  it('has the least savings that the shapes alone give, and simulates what they promise', async () => {
    const { code, stdout } = await condensim(...compare, '--json');
    expect(code).toBe(0);
    const study = conventionStudySchema.parse(JSON.parse(stdout));
    const stored = study.conventions.map(({ name, stored: { leastFeatureMapBytes: maps } }) => [name, maps]);
    // By hand: input and output of every pass, r = 2 on conv2 to conv6.
    expect(stored).toEqual([
      ['a', 7_012_993],
      ['b', 5_542_017],
      ['ii', 14_800_513],
      ['iii', 13_329_537],
      ['e', 20_338_305],
    ]);
    expect(study.conventions.map(({ onChip }) => onChip.leastFeatureMapBytes)).toEqual([
      4_071_041, 4_071_041, 4_071_041, 4_071_041, 14_973_569,
    ]);
    for (const { name, onChip, stored: one, saved, savedAtLeast, outputsEqual } of study.conventions) {
      for (const version of [onChip, one]) {
        expect(version.featureMapBytes).toBeGreaterThanOrEqual(version.leastFeatureMapBytes);
        // Halos of the bands are all that is moved again.
        expect(version.featureMapBytes).toBeLessThan(1.03 * version.leastFeatureMapBytes);
      }
      expect(one.cycles, name).toBeGreaterThan(onChip.cycles);
      expect(saved.featureMaps).toBeCloseTo(savedAtLeast.featureMaps, 1);
      expect(saved.total).toBeCloseTo(savedAtLeast.total, 1);
      expect(outputsEqual).toBeNull();
    }
  });

  it('prints a table, the paper beside it', async () => {
    const { code, stdout } = await condensim(...compare);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^iii +[\d,]+ +[\d,]+ +\d\d\.\d\d % +69\.46 % +\d\d\.\d\d % +30\.20 %$/m);
    expect(stdout).toMatch(/The paper claims 26\.5 %/);
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });
});
