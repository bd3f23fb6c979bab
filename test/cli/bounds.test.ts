/** Lower bounds and energy in the reports of real networks. */
import { describe, expect, it } from 'vitest';
import { type RunReport, runReportSchema } from '../../src/report/run-report.ts';
import { condensim, edge256, projectFile } from './command-line.ts';

async function report(model: string): Promise<RunReport> {
  const path = projectFile(`models/${model}.yaml`);
  const argv = ['simulate', '--model', path, '--hw', edge256, '--mode', 'timing', '--json'];
  const { code, stdout } = await condensim(...argv);
  expect(code).toBe(0);
  return runReportSchema.parse(JSON.parse(stdout));
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe.each([
  'tiny-yolov2',
  'condensation-net',
  'tiny-face-detector',
  'separable-tiny-yolov2-face',
])('%s', (model) => {
  it('takes no layer less than its least', async () => {
    const { layers, totals } = await report(model);
    for (const { name, cycles, bounds } of layers) {
      expect(cycles, name).toBeGreaterThanOrEqual(Math.max(bounds.computeCycles, bounds.dramCycles));
      expect(bounds.fraction).toBeGreaterThan(0);
    }
    expect(totals.bounds.computeCycles).toBe(sum(layers.map(({ bounds }) => bounds.computeCycles)));
    const { minima, totalBytes } = totals.dram;
    expect(totalBytes).toBeGreaterThanOrEqual(minima.layerByLayerBytes);
    // Halos and records are all that a schedule adds.
    expect(totalBytes).toBeLessThanOrEqual(1.01 * minima.layerByLayerBytes);
    expect(minima.layerByLayerBytes).toBeGreaterThanOrEqual(minima.networkBytes);
  });

  it('has energies that add up over units and layers', async () => {
    const { layers, totals } = await report(model);
    const { picojoules, byUnit } = totals.energy;
    expect(sum(Object.values(byUnit)) / picojoules).toBeCloseTo(1, 9);
    expect(sum(layers.map(({ energy }) => energy.picojoules)) / picojoules).toBeCloseTo(1, 9);
    expect(byUnit.dram! / totals.dram.memory!.energyPicojoules!.total).toBeCloseTo(1, 9);
    // 0.2 for the product, 0.1 for the sum.
    expect(byUnit.peArray! / totals.macUtilization).toBeGreaterThan(0);
    const macs = sum(layers.map((layer) => layer.macs));
    expect(byUnit.peArray! / macs).toBeCloseTo(0.2 + 0.1, 9);
  });
});

it('knows the minima of Tiny-YOLOv2 that shapes alone give', async () => {
  const { minima } = (await report('tiny-yolov2')).totals.dram;
  expect(minima).toEqual({ layerByLayerBytes: 19_827_258, networkBytes: 16_279_610 });
});
