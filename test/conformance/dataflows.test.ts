/** Machines of every dataflow: the accelerator is the integer executor, bytes are the closed form's, cycles add up. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/diagnostics.ts';
import { sum } from '../../src/core/integers.ts';
import type { MachineConfig } from '../../src/hw/machine/config.ts';
import { dataflowNames } from '../../src/hw/pe-array/config.ts';
import { dataflowOf } from '../../src/hw/pe-array/dataflows/index.ts';
import { readMachineFile } from '../../src/import/machine-yaml.ts';
import { readModel } from '../../src/import/model-yaml.ts';
import { runInteger } from '../../src/quant/integer-executor.ts';
import { layerNetwork } from '../../src/quant/layers.ts';
import { defaultNumbers } from '../../src/quant/numbers.ts';
import type { QuantisedNetwork } from '../../src/quant/quantised.ts';
import { convolvedRowsFor, workloadOf } from '../../src/schedule/geometry.ts';
import { compileProgram, type Program } from '../../src/schedule/program.ts';
import { runProgram } from '../../src/schedule/run.ts';
import { expectCycles, expectedOverflows, expectTensors, expectTraffic } from './check-run.test-helper.ts';
import { hazardWatch } from './hazards.test-helper.ts';
import { randomDesign, randomUnit } from './random-machines.test-helper.ts';
import { buildNetwork, networkRecipe, randomInput, randomIntegers } from './random-networks.test-helper.ts';

/** Pairs of a network and a machine, and how many of them must show each feature. */
const CASES = 450;
const LEAST = 5;

interface Dataflow {
  readonly dataflow: MachineConfig['peArray']['dataflow'];
  readonly feed: MachineConfig['peArray']['feed'];
  readonly foldOverlap: boolean;
  readonly products: MachineConfig['peArray']['products'];
}

const anyDataflow: fc.Arbitrary<Dataflow> = fc.noBias(
  fc.record({
    dataflow: fc.constantFrom(...dataflowNames),
    feed: fc.constantFrom('broadcast' as const, 'systolic' as const),
    foldOverlap: fc.boolean(),
    products: fc.constantFrom('flattened' as const, 'channels' as const),
  }),
);

/** The machine with another dataflow for a network, and what that needs or does not have. */
function withDataflow(machine: MachineConfig, flow: Dataflow, quantised: QuantisedNetwork): MachineConfig {
  const mayOverflow = quantised.layers.some((layer) => layer.mayOverflow !== false);
  const { peArray, postProcessing, buffers } = machine;
  const unit = postProcessing.crossChannelPool;
  const isUsual = flow.dataflow === 'output-stationary';
  return {
    ...machine,
    peArray: {
      ...peArray,
      ...flow,
      products: isUsual || mayOverflow ? 'flattened' : flow.products,
      depthwise: isUsual && flow.feed === 'broadcast' ? peArray.depthwise : null,
    },
    buffers: {
      ...buffers,
      feature: {
        ...buffers.feature,
        banks: Math.max(buffers.feature.banks, isUsual ? 0 : peArray.columns),
      },
      accumulator: { bytes: (isUsual ? 1 : 6) * buffers.accumulator.bytes },
    },
    postProcessing: {
      ...postProcessing,
      crossChannelPool:
        unit?.form === 'tree' && !isUsual
          ? randomUnit(unit.maximumRatio, { ...unit, form: 'running', groupsOpen: 1 })
          : unit,
    },
  };
}

describe('accelerator = integer executor', () => {
  it('whatever the dataflow', { timeout: 300_000 }, async () => {
    const seen = new Map<string, number>();
    const note = (feature: string, has = true) => seen.set(feature, (seen.get(feature) ?? 0) + (has ? 1 : 0));
    let ran = 0;
    await fc.assert(
      fc.asyncProperty(
        networkRecipe,
        randomDesign,
        anyDataflow,
        fc.boolean(),
        fc.boolean(),
        fc.nat(),
        async (recipe, { machine: drawn, numbers }, flow, virtualFeatureMaps, fusion, seed) => {
          const network = layerNetwork(buildNetwork(recipe));
          const quantised = randomIntegers(network, numbers, seed);
          const machine = withDataflow(drawn, flow, quantised);
          let program: Program;
          try {
            program = compileProgram(network, machine, { virtualFeatureMaps, fusion, numbers }, quantised);
          } catch (error) {
            if (!(error instanceof InputError)) throw error;
            expect(error.message).toMatch(
              /^layer '.*' doesn't fit machine 'random': .* buffer|^layer '.*': its table takes \d+ bytes/,
            );
            return;
          }
          const input = randomInput(quantised, seed + 1);
          const reference = runInteger(quantised, input);
          const watch = hazardWatch(program.commands, machine);
          const full = await runProgram(program, machine, {
            data: { quantised, input },
            keep: () => true,
            observer: watch.observer,
          });
          expect(watch.find()).toEqual([]);
          expectTensors(full, program, reference.tensors);
          expect(full.overflows).toBe(expectedOverflows(program, quantised, input, reference));
          expectTraffic(full.result, program);
          expectCycles(full.result, machine);
          expect((await runProgram(program, machine)).result).toEqual(full.result);

          ran++;
          const computes = program.commands.filter((command) => command.op === 'compute');
          const own = computes.filter(({ stream, depthwise }) => stream === 0 && depthwise === 0);
          if (own.length === 0) return;
          note(`${flow.dataflow}, ${flow.feed}, ${flow.foldOverlap ? 'overlapped' : 'fold by fold'}`);
          const name = flow.dataflow;
          note(
            `${name}: partial sums between chunks`,
            own.some(({ accumulateIn }) => accumulateIn === 1),
          );
          note(
            `${name}: groups`,
            own.some(({ groups }) => groups > 1),
          );
          // (Stationary features that meet in a bank come in later, which is no conflict of a step.)
          if (name !== 'input-stationary') {
            note(
              `${name}: bank conflicts`,
              full.result.steps.some(({ array }) => array.bank > 0),
            );
          }
          note(
            `${name}: waits for post-processing`,
            full.result.steps.some(({ array }) => array.postProcessing > 0),
          );
          const pooled = program.commands.filter((command) => command.op === 'postProcess');
          note(
            `${name}: cross-channel pooling`,
            pooled.some(({ ratio }) => ratio > 1),
          );
          note(
            `${name}: spatial pooling`,
            pooled.some(({ poolKind }) => poolKind > 0),
          );
          if (name === 'output-stationary') return;
          note(`${name}: rows of ${machine.peArray.products}`);
          const { peArray, buffers } = machine;
          const sizes = own.map((tile) => {
            const pixels = Math.ceil((tile.outRows * tile.outColumns) / peArray.rows) * peArray.rows;
            return pixels * tile.filters * program.values.sumBytes;
          });
          for (const bytes of sizes) expect(bytes).toBeLessThanOrEqual(buffers.accumulator.bytes);
          note(
            `${name}: sums in more than half`,
            sizes.some((bytes) => 2 * bytes > buffers.accumulator.bytes),
          );
        },
      ),
      { seed: 20261130, numRuns: CASES },
    );
    expect(ran).toBeGreaterThan(300);
    expect([...seen].filter(([, times]) => times < LEAST)).toEqual([]);
    expect(seen.size).toBe(12 + 3 * 5 + 2 + 2 + 4);
  });

  it('with an ideal, infinite memory, in the cycles of the array alone', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        networkRecipe,
        randomDesign,
        anyDataflow,
        fc.nat(),
        async (recipe, { machine: drawn, numbers }, flow, seed) => {
          const network = layerNetwork(buildNetwork(recipe));
          const quantised = randomIntegers(network, numbers, seed);
          const described = withDataflow(drawn, flow, quantised);
          const machine: MachineConfig = { ...described, memory: 'ideal-infinite' };
          let program: Program;
          try {
            program = compileProgram(network, machine, { virtualFeatureMaps: true, numbers }, quantised);
          } catch (error) {
            if (!(error instanceof InputError)) throw error;
            expect(error.message).toMatch(/^layer '.*': its table takes \d+ bytes/);
            return;
          }
          const input = randomInput(quantised, seed + 1);
          const reference = runInteger(quantised, input);
          const full = await runProgram(program, machine, { data: { quantised, input }, keep: () => true });
          expectTensors(full, program, reference.tensors);
          expectTraffic(full.result, program);
          expect((await runProgram(program, machine)).result).toEqual(full.result);
          program.steps.forEach(({ step, tiling }, index) => {
            if (step.convolution === undefined || tiling.isDepthwise || flow.foldOverlap) return;
            const work = workloadOf(step);
            const products = { channels: work.channelsPerGroup, taps: work.kernelRows * work.kernelColumns };
            // Rows at the end that no pooling window needs are left out.
            const { first, end } = convolvedRowsFor(step, { first: 0, end: step.outputShape[1] });
            const size = {
              pixels: (end - first) * step.convolvedShape[2],
              ...products,
              filters: work.filtersPerGroup,
            };
            const cycles = work.groups * dataflowOf(flow).closedForm(size, machine.peArray);
            const { startCycle, endCycle, array } = full.result.steps[index]!;
            expect(endCycle - startCycle, step.name).toBe(cycles);
            expect(sum(Object.values(array))).toBe(cycles);
          });
        },
      ),
      { seed: 20261201, numRuns: 150 },
    );
  });

  it('is refused where products would be added in another order and the order matters', () => {
    const edge = readMachineFile('hw-configs/edge-64.yaml');
    const machine: MachineConfig = {
      ...edge,
      peArray: { ...edge.peArray, dataflow: 'weight-stationary', products: 'channels', depthwise: null },
    };
    const model =
      'name: one\ninput: { shape: [3, 8, 8] }\nlayers:\n  - { op: convolution, name: only, filters: 8, kernel: 3 }\n';
    const network = layerNetwork(readModel(model, 'one.yaml'));
    const compile = (bits: number) => {
      const numbers = {
        ...defaultNumbers('multiplier'),
        accumulator: { bits, overflow: 'saturate' as const },
      };
      const narrow = { ...machine, peArray: { ...machine.peArray, accumulatorBits: bits } };
      const quantised = randomIntegers(network, numbers, 3);
      return () => compileProgram(network, narrow, { virtualFeatureMaps: true, numbers }, quantised);
    };
    expect(compile(32)).not.toThrow();
    expect(compile(17)).toThrow(/^layer 'only': sums may leave the accumulator, and machine 'edge-64' adds/);
  });
});
