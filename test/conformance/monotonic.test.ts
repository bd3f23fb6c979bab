/**
 * Less of a resource never makes a shipped model faster: half the feature buffer, columns, rows or bandwidth of edge-256.
 *
 * The search weighs bytes beside cycles (`trafficWeight`), so a larger feature buffer may buy less traffic with a few cycles; what
 * it weighs never improves with half of it, and cycles by no more than a phase of refresh.
 */
import { describe, expect, it } from 'vitest';
import { sum } from '../../src/core/integers.ts';
import { idleLatencyNs, peakBandwidthMBps } from '../../src/hw/dram/config.ts';
import type { MachineConfig } from '../../src/hw/machine/config.ts';
import { readMachineFile } from '../../src/import/machine-yaml.ts';
import { loadNetwork, numbersOn } from '../../src/pipeline.ts';
import type { LayeredNetwork } from '../../src/quant/layers.ts';
import { compileProgram } from '../../src/schedule/program.ts';
import { runProgram } from '../../src/schedule/run.ts';
import { trafficWeight } from '../../src/schedule/tiling.ts';

const lpddr4 = readMachineFile('hw-configs/edge-256.yaml');
const ideal: MachineConfig = {
  ...lpddr4,
  dram: {
    kind: 'ideal',
    bandwidthMBps: peakBandwidthMBps(lpddr4.dram),
    latencyNs: idleLatencyNs(lpddr4.dram),
    capacityMiB: 1024,
  },
};
/** Two refreshes (tRFC, 72 cycles each): the same work at another time may meet one more at its beginning and its end. */
const phaseCycles = 144;

interface Outcome {
  readonly cycles: number;
  readonly layers: readonly { readonly cycles: number; readonly bytes: number }[];
}

async function run(network: LayeredNetwork, machine: MachineConfig, fusion: boolean): Promise<Outcome> {
  const options = { virtualFeatureMaps: true, fusion, numbers: numbersOn(machine) };
  const { result } = await runProgram(compileProgram(network, machine, options), machine);
  const layers = result.steps.map(({ startCycle, endCycle, dram }) => ({
    cycles: endCycle - startCycle,
    bytes: dram.readBytes + dram.writeBytes,
  }));
  return { cycles: result.cycles, layers };
}

/** What the search compares, with what was measured. */
function weighed({ cycles, layers }: Outcome, { dram, clockMHz }: MachineConfig): number {
  const busCycles = (sum(layers.map(({ bytes }) => bytes)) * clockMHz) / peakBandwidthMBps(dram);
  return cycles + trafficWeight * busCycles;
}

const halfFeature = ({ buffers, ...machine }: MachineConfig): MachineConfig => ({
  ...machine,
  buffers: { ...buffers, feature: { ...buffers.feature, bytes: buffers.feature.bytes / 2 } },
});

/** A depthwise mode of 3 x 3 takes nine columns: half an array of them is one without it, which is less still. */
const halfColumns = ({ peArray, ...machine }: MachineConfig): MachineConfig => ({
  ...machine,
  peArray: { ...peArray, columns: peArray.columns / 2, depthwise: null },
});

const halfRows = ({ peArray, ...machine }: MachineConfig): MachineConfig => ({
  ...machine,
  peArray: { ...peArray, rows: peArray.rows / 2 },
});

/** Of the LPDDR4 one of the two devices that stand side by side; what it takes to answer stays the same. */
const halfBandwidth = ({ dram, ...machine }: MachineConfig): MachineConfig => {
  if (dram.kind === 'ideal') return { ...machine, dram: { ...dram, bandwidthMBps: dram.bandwidthMBps / 2 } };
  const { busWidth, channelSizeMiB } = dram.organisation;
  const organisation = {
    ...dram.organisation,
    busWidth: busWidth / 2,
    channelSizeMiB: channelSizeMiB! / 2,
  };
  const half = { ...machine, dram: { ...dram, organisation } };
  expect(peakBandwidthMBps(half.dram)).toBe(peakBandwidthMBps(dram) / 2);
  return half;
};

const models = [
  'example',
  'tiny-face-detector',
  'separable-tiny-yolov2-face',
  'condensation-net',
  'tiny-yolov2',
];

describe.each(models)('%s', (model) => {
  const { network } = loadNetwork(`models/${model}.yaml`);
  it.each([
    ['an ideal memory', ideal, false],
    ['LPDDR4', lpddr4, false],
    ['LPDDR4 and fusion', lpddr4, true],
  ] as const)(
    'is never faster with half of anything; %s',
    { timeout: 240_000 },
    async (_name, machine, fusion) => {
      const whole = await run(network, machine, fusion);
      for (const halve of [halfColumns, halfRows, halfBandwidth]) {
        const half = await run(network, halve(machine), fusion);
        expect(half.cycles, halve.name).toBeGreaterThanOrEqual(whole.cycles);
      }

      const half = await run(network, halfFeature(machine), fusion);
      expect(weighed(half, machine)).toBeGreaterThanOrEqual(weighed(whole, machine));
      expect(half.cycles, 'halfFeature').toBeGreaterThan(whole.cycles - phaseCycles);
    },
  );
});

describe('the test itself', () => {
  it('halves what shipped models need: a network that is limited by it takes longer', async () => {
    const { network } = loadNetwork('models/separable-tiny-yolov2-face.yaml');
    const whole = await run(network, lpddr4, false);
    // The feature buffer is about traffic.
    expect(weighed(await run(network, halfFeature(lpddr4), false), lpddr4)).toBeGreaterThan(
      weighed(whole, lpddr4),
    );
    for (const halve of [halfColumns, halfRows, halfBandwidth]) {
      expect((await run(network, halve(lpddr4), false)).cycles, halve.name).toBeGreaterThan(
        1.02 * whole.cycles,
      );
    }
  });
});
