/** The mapping search on the shipped machine and models: its estimates, and that more of a resource never hurts. */
import { describe, expect, it } from 'vitest';
import { sum } from '../../src/core/integers.ts';
import type { MachineConfig } from '../../src/hw/machine/config.ts';
import { readMachineFile } from '../../src/import/machine-yaml.ts';
import { loadNetwork, numbersOn, type Simulation, simulate } from '../../src/pipeline.ts';
import { networkMinimumBytes } from '../../src/schedule/minima.ts';
import { compileProgram } from '../../src/schedule/program.ts';
import { trafficWeight } from '../../src/schedule/tiling.ts';
import { expectTraffic } from './check-run.test-helper.ts';

const edge = readMachineFile('hw-configs/edge-256.yaml');
const models = ['tiny-yolov2', 'condensation-net', 'tiny-face-detector', 'separable-tiny-yolov2-face'];

function run(model: string, fusion: boolean, machine: MachineConfig = edge): Promise<Simulation> {
  const { network } = loadNetwork(`models/${model}.yaml`);
  return simulate({ network, machine, virtualFeatureMaps: true, fusion });
}

describe.each(models)('%s', (model) => {
  it.each([false, true])('is estimated well, and takes at least the minimum; fusion %s', async (fusion) => {
    const { program, result, network } = await run(model, fusion);
    expectTraffic(result, program);
    const passes = program.passes.map(({ first }, pass) => {
      const { startCycle, endCycle, dram } = result.steps[pass]!;
      const { estimate } = program.steps[first]!;
      const { inputBytes, weightBytes, outputBytes, cycles } = estimate!;
      return {
        estimated: cycles,
        measured: endCycle - startCycle,
        bytes: dram.readBytes + dram.writeBytes,
        estimatedBytes: inputBytes + weightBytes + outputBytes,
      };
    });
    for (const { estimated, measured, bytes, estimatedBytes } of passes) {
      expect(Math.abs(estimated / measured - 1)).toBeLessThan(0.2);
      expect(Math.abs(estimatedBytes / bytes - 1)).toBeLessThan(0.01);
    }
    expect(Math.abs(sum(passes.map(({ estimated }) => estimated)) / result.cycles - 1)).toBeLessThan(0.03);
    const steps = program.steps.map(({ step }) => step);
    expect(sum(passes.map(({ bytes }) => bytes))).toBeGreaterThanOrEqual(
      networkMinimumBytes(network, steps, program.values),
    );
  });

  it('keeps more on chip with fusion, and is planned the same way every time', async () => {
    const { network } = loadNetwork(`models/${model}.yaml`);
    const plan = () =>
      compileProgram(network, edge, { virtualFeatureMaps: true, fusion: true, numbers: numbersOn(edge) });
    const once = plan();
    expect(plan().commands).toEqual(once.commands);
    expect(once.commands.some(({ op }) => op === 'move')).toBe(true);
    const bytes = ({ result }: Simulation): number =>
      sum(result.steps.map(({ dram }) => dram.readBytes + dram.writeBytes));
    expect(bytes(await run(model, true))).toBeLessThan(bytes(await run(model, false)));
  });

  const { feature } = edge.buffers;
  const halves: [string, MachineConfig][] = [
    [
      'feature buffer',
      { ...edge, buffers: { ...edge.buffers, feature: { ...feature, bytes: feature.bytes / 2 } } },
    ],
    ['columns', { ...edge, peArray: { ...edge.peArray, columns: edge.peArray.columns / 2 } }],
    ['move path: none', { ...edge, dma: { ...edge.dma, moves: false } }],
  ];
  it.each(halves)('is never better with half of the %s and fusion', async (_name, machine) => {
    const [whole, half] = [await run(model, true), await run(model, true, machine)];
    // What the search weighs: cycles, and the bus's cycles too; 24 bytes a cycle at the peak.
    const cost = ({ result }: Simulation): number =>
      result.cycles +
      (trafficWeight * sum(result.steps.map(({ dram }) => dram.readBytes + dram.writeBytes))) / 24;
    expect(cost(half)).toBeGreaterThanOrEqual(cost(whole) * 0.999);
  });
});

describe('the best schedules', () => {
  it.each([
    ['tiny-yolov2', 0.92, 27, 1.05],
    ['condensation-net', 0.92, 21, 1.05],
  ])('%s reaches utilisation, speed and traffic', async (model, utilisation, framesPerSecond, traffic) => {
    for (const fusion of [false, true]) {
      const { result, network, program } = await run(model, fusion);
      expect(network.macs / (256 * result.cycles)).toBeGreaterThanOrEqual(utilisation);
      expect((edge.clockMHz * 1e6) / result.cycles).toBeGreaterThanOrEqual(framesPerSecond);
      if (!fusion) continue;
      const bytes = sum(result.steps.map(({ dram }) => dram.readBytes + dram.writeBytes));
      const steps = program.steps.map(({ step }) => step);
      expect(bytes).toBeLessThanOrEqual(traffic * networkMinimumBytes(network, steps, program.values));
    }
  });
});
