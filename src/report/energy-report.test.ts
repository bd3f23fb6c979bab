/** Properties of energy reports, on the random networks and machines of test/conformance. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Design, randomDesign } from '../../test/conformance/random-machines.test-helper.ts';
import {
  buildNetwork,
  type NetworkRecipe,
  networkRecipe,
} from '../../test/conformance/random-networks.test-helper.ts';
import { InputError } from '../core/diagnostics.ts';
import { sum } from '../core/integers.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import { readMachineFile } from '../import/machine-yaml.ts';
import { loadNetwork, type Simulation, simulate } from '../pipeline.ts';
import { layerNetwork } from '../quant/layers.ts';
import { type Energy, passEnergy } from './energy-report.ts';
import { runReport } from './run-report.ts';

const edge = readMachineFile('hw-configs/edge-256.yaml');

/** Random memories have no energy figures; these are as good for sums as any. */
function withEnergy({ dram, ...machine }: MachineConfig): MachineConfig {
  if (dram.kind === 'ideal' || edge.dram.kind === 'ideal') return { ...machine, dram };
  return { ...machine, dram: { ...dram, energy: edge.dram.energy } };
}

/** The run of a random network on a random machine; undefined where they don't go together. */
async function runOf(
  recipe: NetworkRecipe,
  { machine: drawn, numbers }: Design,
  fusion: boolean,
): Promise<Simulation | undefined> {
  try {
    const network = layerNetwork(buildNetwork(recipe));
    const machine = withEnergy(drawn);
    return await simulate({ network, machine, numbers, virtualFeatureMaps: true, fusion });
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

/** What the passes of a run would take on another machine, were they the same there. */
function energyOn({ program, result }: Simulation, machine: MachineConfig): Energy[] {
  return program.passes.map(({ first, end }, index) =>
    passEnergy(
      program.steps.slice(first, end).map(({ step }) => step),
      result.steps[index]!,
      machine,
    ),
  );
}

const closeTo = (value: number) => expect.closeTo(value, 6 - Math.floor(Math.log10(Math.max(1, value))));

describe('energy', () => {
  it('of the layers adds up to the totals: by unit, and of the DRAM by command', {
    timeout: 120_000,
  }, async () => {
    let runs = 0;
    let withDram = 0;
    await fc.assert(
      fc.asyncProperty(networkRecipe, randomDesign, fc.boolean(), async (recipe, design, fusion) => {
        const simulation = await runOf(recipe, design, fusion);
        if (simulation === undefined) return;
        runs++;
        const { totals, layers } = await runReport(simulation, '');
        for (const { energy } of [totals, ...layers]) {
          expect(energy.picojoules).toEqual(closeTo(sum(Object.values(energy.byUnit))));
        }
        for (const [unit, picojoules] of Object.entries(totals.energy.byUnit)) {
          expect(picojoules, unit).toEqual(closeTo(sum(layers.map(({ energy }) => energy.byUnit[unit]!))));
        }
        const dram = totals.dram.memory?.energyPicojoules;
        if (dram === undefined || dram === null) {
          expect(totals.energy.byUnit).not.toHaveProperty('dram');
          return;
        }
        withDram++;
        for (const command of ['activate', 'read', 'write', 'refresh', 'background', 'total'] as const) {
          const ofLayers = layers.map((layer) => layer.dram.memory!.energyPicojoules![command]);
          expect(dram[command], command).toEqual(closeTo(sum(ofLayers)));
        }
        for (const layer of layers) {
          expect(layer.energy.byUnit.dram).toEqual(closeTo(layer.dram.memory!.energyPicojoules!.total));
        }
      }),
      { seed: 51, numRuns: 60 },
    );
    expect(runs).toBeGreaterThan(20);
    expect(withDram).toBeGreaterThan(5);
  });

  it('is never less with more bits, or with larger memories', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        networkRecipe,
        randomDesign,
        fc.integer({ min: 1, max: 8 }),
        async (recipe, design, more) => {
          const simulation = await runOf(recipe, design, false);
          if (simulation === undefined) return;
          const { machine } = simulation;
          const { peArray, buffers } = machine;
          const before = energyOn(simulation, machine);
          for (const part of ['activationBits', 'weightBits', 'accumulatorBits'] as const) {
            const wider = { ...machine, peArray: { ...peArray, [part]: peArray[part] + more } };
            energyOn(simulation, wider).forEach((energy, layer) => {
              expect(energy.byUnit.peArray, part).toBeGreaterThanOrEqual(before[layer]!.byUnit.peArray!);
              expect(energy.picojoules, part).toBeGreaterThanOrEqual(before[layer]!.picojoules);
            });
          }
          for (const name of Object.keys(buffers) as (keyof typeof buffers)[]) {
            const larger = { ...buffers[name], bytes: more * buffers[name].bytes };
            energyOn(simulation, { ...machine, buffers: { ...buffers, [name]: larger } }).forEach(
              (energy, layer) => {
                expect(energy.byUnit[name], name).toBeGreaterThanOrEqual(before[layer]!.byUnit[name]!);
              },
            );
          }
        },
      ),
      { seed: 52, numRuns: 40 },
    );
  });

  it('is counted from the run: by hand, for a layer of the example', async () => {
    const machine = edge;
    const { network } = loadNetwork('models/example.yaml');
    const simulation = await simulate({ network, machine, virtualFeatureMaps: true });
    const { layers } = await runReport(simulation, '');
    const [first] = layers;
    // A product of 8 x 8 bits 0.2 pJ, an addition of 32 bits 0.1 pJ.
    expect(first!.energy.byUnit.peArray).toBeCloseTo(first!.macs * (0.2 + 0.1), 6);
    // Between 8 KiB (10 pJ for 8 bytes), 32 KiB (20 pJ) and 1 MiB (100 pJ); two ports cost half as much again.
    const capacity = machine.buffers.weight.bytes;
    expect(capacity).toBeGreaterThan(8192);
    const access =
      capacity < 32_768
        ? 10 * 2 ** (Math.log(capacity / 8192) / Math.log(4))
        : 20 * 5 ** (Math.log(capacity / 32_768) / Math.log(32));
    const { bytes } = simulation.result.steps[0]!.sram.weight;
    expect(first!.energy.byUnit.weight).toBeCloseTo((bytes * access * 1.5) / 8, 6);
  });
});
