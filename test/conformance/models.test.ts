/** Whole models through the pipeline: the machine's bytes are the integer executor's, its traffic the closed form's. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { IntegerValues } from '../../src/graph/op.ts';
import type { MachineConfig } from '../../src/hw/machine/config.ts';
import { totalBufferBytes } from '../../src/hw/machine/config.ts';
import { readMachineFile } from '../../src/import/machine-yaml.ts';
import {
  loadInput,
  loadNetwork,
  type NumberChoice,
  numbersOn,
  quantiseNetwork,
  simulate,
} from '../../src/pipeline.ts';
import { quantiseInput } from '../../src/quant/input.ts';
import { runInteger } from '../../src/quant/integer-executor.ts';
import type { QuantisedNetwork } from '../../src/quant/quantised.ts';
import { expectCycles, expectTensors, expectTraffic } from './check-run.test-helper.ts';

const machineOf = (name: string) => readMachineFile(`hw-configs/${name}.yaml`);

interface Prepared {
  readonly quantised: QuantisedNetwork;
  readonly values: Float32Array;
  readonly reference: ReadonlyMap<string, IntegerValues>;
}

/** On `machine`; of the shipped ones those with multipliers all do the same arithmetic. */
async function prepare(
  model: string,
  machine: MachineConfig = machineOf('edge-256'),
  choice: NumberChoice = {},
): Promise<Prepared> {
  const loaded = loadNetwork(`models/${model}.yaml`);
  const picture = loadInput(loaded.graph, undefined);
  const quantised = await quantiseNetwork(loaded, [picture], { numbers: numbersOn(machine, choice) });
  const scale = quantised.tensors.get(loaded.graph.input.name)!;
  return {
    quantised,
    values: picture.values,
    reference: runInteger(quantised, quantiseInput(picture.values, scale)).tensors,
  };
}

/** One full run and one timing run, with every check; returns the program. */
async function checked(
  { quantised, values, reference }: Prepared,
  machine: MachineConfig,
  virtualFeatureMaps: boolean,
  fusion = false,
) {
  const { network, numbers } = quantised;
  const job = { network, machine, virtualFeatureMaps, fusion, numbers };
  const full = await simulate({ ...job, data: { quantised, input: values }, keep: () => true });
  expect(full.mode).toBe('full');
  expectTensors(full, full.program, reference);
  expectTraffic(full.result, full.program);
  expectCycles(full.result, machine);
  const timing = await simulate(job);
  expect(timing.mode).toBe('timing');
  expect(timing.result).toEqual(full.result);
  expect(full.overflows).toBe(0);
  // All layers are behind the tensors compared: each is fused into a step whose result was.
  const covered = new Set(full.program.steps.flatMap(({ step }) => step.layers));
  expect(covered.size).toBe(quantised.network.layers.length);
  return full.program;
}

describe('edge-256', () => {
  it('has at most 256 KiB of buffers', () => {
    expect(totalBufferBytes(machineOf('edge-256'))).toBeLessThanOrEqual(262_144);
  });

  // What is on chip at once decides how much DRAM the maps take: with the doubled maps stored, more.
  const peaks: Record<string, { onChip: number; stored: number }> = {
    'tiny-yolov2': { onChip: 1_211_392, stored: 1_211_392 },
    'condensation-net': { onChip: 1_211_392, stored: 1_384_448 },
  };
  const models = readdirSync('models')
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length));

  it('has models to run', () => {
    expect(models.sort()).toEqual([
      'condensation-net',
      'example',
      'separable-tiny-yolov2-face',
      'tiny-face-detector',
      'tiny-yolov2',
    ]);
  });

  it.each(models)('runs %s bit for bit', async (model) => {
    const prepared = await prepare(model);
    const onChip = await checked(prepared, machineOf('edge-256'), true);
    const peak = peaks[model];
    if (peak !== undefined) expect(onChip.peakFeatureMapBytes).toBe(peak.onChip);
    const fused = await checked(prepared, machineOf('edge-256'), true, true);
    expect(fused.commands.some(({ op }) => op === 'move')).toBe(true);
    if (!prepared.quantised.network.layers.some(({ work }) => work.stage === 'crossChannel')) return;

    expect(onChip.steps.some(({ step }) => step.outputKind === 'virtualFeatureMaps')).toBe(false);
    const stored = await checked(prepared, machineOf('edge-256'), false);
    expect(stored.steps.some(({ step }) => step.outputKind === 'virtualFeatureMaps')).toBe(true);
    if (peak !== undefined) expect(stored.peakFeatureMapBytes).toBe(peak.stored);
  });
});

describe('example', () => {
  it('runs bit for bit on every machine', async () => {
    for (const name of ['edge-64', 'edge-1024', 'edge-256-no-ccp']) {
      const machine = machineOf(name);
      const prepared = await prepare('example', machine);
      await checked(prepared, machine, true);
      await checked(prepared, machine, false);
    }
  });

  const edge = machineOf('edge-256');
  const wide = { ...edge, peArray: { ...edge.peArray, activationBits: 16 } };

  it.each<[string, NumberChoice]>([
    ['4-bit signed', { activationBits: 4, activations: 'signed' }],
    ['8-bit signed', { activations: 'signed' }],
    ['8-bit unsigned with a zero point', { activations: 'asymmetric' }],
    ['16-bit signed', { activationBits: 16, activations: 'signed' }],
    ['16-bit unsigned with a zero point', { activationBits: 16, activations: 'asymmetric' }],
  ])('runs bit for bit with %s activations', async (_name, choice) => {
    const prepared = await prepare('example', wide, choice);
    const zeroPoints = [...prepared.quantised.tensors.values()].map(({ zeroPoint }) => zeroPoint);
    expect(zeroPoints.some((zeroPoint) => zeroPoint !== 0)).toBe(choice.activations === 'asymmetric');
    await checked(prepared, wide, true);
    await checked(prepared, wide, false);
  });
});
