import { describe, expect, it } from 'vitest';
import { explanationSchema } from '../../src/report/explain-table.ts';
import { runReportSchema } from '../../src/report/run-report.ts';
import { condensim, edge256, edge256Text, projectFile, scratch } from './command-line.ts';

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
      expect(Math.abs(estimateError)).toBeLessThan(0.2);
    }
    expect(Math.abs(tilings[0]!.estimateError)).toBeLessThan(0.03);
  });

  it('finds a step by any of its layers, and prints a table', async () => {
    const { code, stdout } = await condensim(...explain, 'pool1');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^conv1: the best of/);
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it.each([
    ['pool2', 'conv1..conv3', true],
    ['conv7', 'conv7', false],
  ])('says what keeps maps of %s on chip, what that saves, and what else was near', async (layer, pass, isFused) => {
    const { code, stdout } = await condensim(...explain, layer, '--fusion', 'on', '--json');
    expect(code).toBe(0);
    const { fusion, tilings } = explanationSchema.parse(JSON.parse(stdout));
    const run = async (fusionMode: string) => {
      const argv = ['--model', model, '--hw', edge256, '--mode', 'timing', '--fusion', fusionMode, '--json'];
      return runReportSchema.parse(JSON.parse((await condensim('simulate', ...argv)).stdout));
    };
    const [on, off] = [await run('on'), await run('off')];
    expect(fusion).toMatchObject({ pass });
    const inRun = on.layers.find(({ name }) => name === pass)!;
    expect(fusion).toMatchObject({ cycles: inRun.cycles, dramBytes: inRun.dram.totalBytes });
    const { chosen, runnerUp, layerByLayer } = fusion!.network;
    expect(chosen).toMatchObject({ cycles: on.totals.cycles, dramBytes: on.totals.dram.totalBytes });
    expect(layerByLayer).toMatchObject({ cycles: off.totals.cycles, dramBytes: off.totals.dram.totalBytes });
    expect(runnerUp.objective).toBeGreaterThanOrEqual(chosen.objective);
    expect(layerByLayer.objective).toBeGreaterThanOrEqual(runnerUp.objective);
    expect(tilings[0]!.cycles).toBe(off.layers.find(({ fused }) => fused.includes(layer))!.cycles);

    const { layers, buffers, inputKept, outputKept } = {
      ...fusion!,
      inputKept: fusion!.layers[0]!.inputKept,
    };
    const total = (part: 'ringBytes' | 'weightBytes' | 'recordBytes') =>
      layers.reduce((sum, one) => sum + (part === 'weightBytes' && !one.weightsStay ? 0 : one[part]), 0);
    expect(layers.length > 1).toBe(isFused);
    if (isFused) {
      // All of it is in the buffers at once.
      expect(total('ringBytes')).toBeLessThanOrEqual(buffers.feature);
      expect(total('weightBytes')).toBeLessThanOrEqual(buffers.weight);
      expect(total('recordBytes')).toBeLessThanOrEqual(buffers.parameter);
      for (const { ringRows } of layers) expect(ringRows).toBeGreaterThan(0);
    } else {
      expect(inputKept + outputKept).toBeGreaterThan(0);
    }

    const table = await condensim(...explain, layer, '--fusion', 'on');
    for (const line of table.stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
    expect(table.stdout).toMatch(/^layer by layer +[\d,]+ +[\d,]+ +14,\d{3},\d{3} /m);
  });

  it('has nothing to say of fusion where it is off, or where no map stays', async () => {
    const off = await condensim(...explain, 'conv2', '--json');
    expect(explanationSchema.parse(JSON.parse(off.stdout)).fusion).toBeNull();
    const moves = scratch('no-moves.yaml', edge256Text.replace('moves: true', 'moves: false'));
    const argv = ['inspect', model, '--hw', moves, '--fusion', 'on', '--explain', 'conv2', '--json'];
    const { code, stdout } = await condensim(...argv);
    expect(code).toBe(0);
    expect(explanationSchema.parse(JSON.parse(stdout)).fusion).toBeNull();
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
