/** The real memory from the command line: what a run reports of it, the study beside an ideal one, and the replay of its trace. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type RunReport, runReportSchema } from '../../src/report/run-report.ts';
import { condensim, edge256, projectFile, scratch } from './command-line.ts';

const model = projectFile('models/tiny-face-detector.yaml');
const run = ['simulate', '--model', model, '--hw', edge256, '--mode', 'timing'];

async function report(...options: string[]): Promise<RunReport> {
  const { code, stdout, stderr } = await condensim(...run, ...options, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return runReportSchema.parse(JSON.parse(stdout));
}

describe('a run on LPDDR4', () => {
  it('counts rows, turns and refreshes by layer, and they add up', async () => {
    const { totals, layers, memoryStudy } = await report();
    expect(memoryStudy).toBeNull();
    for (const name of ['rowHits', 'activates', 'refreshes'] as const) {
      expect(totals.dram[name]).toBeGreaterThan(0);
      expect(layers.reduce((total, { dram }) => total + dram[name], 0)).toBe(totals.dram[name]);
    }
    const memory = totals.dram.memory!;
    // A refresh every 4,685 clocks, three clocks a cycle.
    expect(Math.abs(totals.dram.refreshes - (3 * totals.cycles) / 4685)).toBeLessThanOrEqual(1);
    // Every burst is a row hit or the first after an activate; some activates serve none.
    const bursts = memory.busBytes / 64;
    expect(bursts - totals.dram.rowHits).toBeLessThanOrEqual(totals.dram.activates);
    expect(memory.busBytes).toBeGreaterThan(0.95 * totals.dram.totalBytes);
    expect(memory.busUtilization).toBeCloseTo((8 * bursts) / (3 * totals.cycles), 6);
    const { average, p50, p95, p99 } = memory.readLatencyCycles;
    // 2 + tRCD + RL + BL/2 clocks from a closed bank; a row hit needs no activate.
    expect(average).toBeGreaterThan((2 + 27 + 8) / 3);
    expect(p50).toBeLessThanOrEqual(p95);
    expect(p95).toBeLessThanOrEqual(p99);
    const { total, ...parts } = memory.energyPicojoules!;
    expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBeCloseTo(total, 0);
  });

  it('is the same program on an ideal memory and in other layouts', async () => {
    const { totals, layers, memoryStudy } = await report('--memory-study');
    const study = memoryStudy!;
    expect(study.layers.map(({ name, cycles }) => ({ name, cycles }))).toEqual(
      layers.map(({ name, cycles }) => ({ name, cycles })),
    );
    expect(study.layers.reduce((total, { idealCycles }) => total + idealCycles, 0)).toBe(study.ideal.cycles);
    expect(study.ideal.bandwidthMBps).toBe(9600);
    const [chosen, packed, oneBank] = study.layouts;
    expect(chosen).toMatchObject({
      layout: 'interleaved',
      cycles: totals.cycles,
      activates: totals.dram.activates,
    });
    expect(packed!.layout).toBe('packed');
    // All rows in one bank: nothing overlaps any more.
    expect(oneBank!.waitCycles.rowMisses).toBeGreaterThan(2 * chosen!.waitCycles.rowMisses);
    expect(oneBank!.cycles).toBeGreaterThan(chosen!.cycles);
  });

  it('prints the study where it was asked for', async () => {
    const { stdout } = await condensim(...run, '--memory-study');
    expect(stdout).toMatch(/ideal memory/);
    expect(stdout).toMatch(/interleaved \(chosen\)/);
    expect((await condensim(...run)).stdout).not.toMatch(/ideal memory/);
  });

  it('writes a trace whose replay moves the same data', async () => {
    const trace = scratch('face.trc');
    const { totals } = await report('--dram-trace', trace);
    const lines = readFileSync(trace, 'utf8').trim().split('\n');
    const config = projectFile('hw-configs/dram/lpddr4-2400-x32.yaml');
    const { code, stdout } = await condensim('dram', '--config', config, '--trace', trace, '--json');
    expect(code).toBe(0);
    const replayed = JSON.parse(stdout) as Record<string, number>;
    expect(replayed.reads! + replayed.writes!).toBe(lines.length);
    // The run ends when the last write is acknowledged; the replay goes on until it is in a row.
    expect(replayed.rowHits! - totals.dram.rowHits).toBeGreaterThanOrEqual(0);
    expect(replayed.rowHits! - totals.dram.rowHits).toBeLessThanOrEqual(96);
    expect(Math.abs(replayed.activates! - totals.dram.activates)).toBeLessThanOrEqual(8);
    expect(Math.abs(replayed.refreshes! - totals.dram.refreshes)).toBeLessThanOrEqual(1);
  });
});
