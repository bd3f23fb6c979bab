import { describe, expect, it } from 'vitest';
import { explanationSchema } from '../../src/report/explain-table.ts';
import { runReportSchema } from '../../src/report/run-report.ts';
import { condensim, edge256, projectFile } from './command-line.ts';

const model = projectFile('models/tiny-yolov2.yaml');
const explain = ['inspect', model, '--hw', edge256, '--explain'];

describe('inspect --explain', () => {
  it('names the tiling that runs, and runners-up that are thought no better', async () => {
    const { code, stdout } = await condensim(...explain, 'conv5', '--json');
    expect(code).toBe(0);
    const { layer, tilings, candidates, bounds } = explanationSchema.parse(JSON.parse(stdout));
    expect(layer).toBe('conv5');
    expect(candidates).toBeGreaterThan(100);
    expect(tilings.length).toBe(4);
    const objectives = tilings.map(({ estimate }) => estimate.objective);
    expect([...objectives].sort((a, b) => a - b)).toEqual(objectives);

    const run = await condensim('simulate', '--model', model, '--hw', edge256, '--mode', 'timing', '--json');
    const conv5 = runReportSchema.parse(JSON.parse(run.stdout)).layers.find(({ name }) => name === 'conv5')!;
    expect(tilings[0]).toMatchObject({ cycles: conv5.cycles, dramBytes: conv5.dram.totalBytes });
    for (const { cycles, dramBytes, estimate, estimateError } of tilings) {
      expect(cycles).toBeGreaterThanOrEqual(Math.max(bounds.computeCycles, bounds.dramCycles));
      expect(estimate.inputBytes + estimate.weightBytes + estimate.outputBytes).toBeGreaterThanOrEqual(
        dramBytes,
      );
      expect(Math.abs(estimateError)).toBeLessThan(0.1);
    }
    expect(Math.abs(tilings[0]!.estimateError)).toBeLessThan(0.03);
  });

  it('finds a step by any of its layers, and prints a table', async () => {
    const { code, stdout } = await condensim(...explain, 'pool1');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^conv1: the best of/);
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it('refuses layers there are not, and a missing machine', async () => {
    const unknown = await condensim(...explain, 'conv99');
    expect(unknown).toMatchObject({ code: 2, stdout: '' });
    expect(unknown.stderr).toMatch(/no layer 'conv99', expected one of conv1, conv2/);
    const { code, stderr } = await condensim('inspect', model, '--explain', 'conv1');
    expect(code).toBe(2);
    expect(stderr).toMatch(/--explain: no machine/);
  });
});
