/** Maps that a layer sees under another shape (reorg): the accelerator is the integer executor, on random machines. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/diagnostics.ts';
import { readMachineFile } from '../../src/import/machine-yaml.ts';
import { readModel } from '../../src/import/model-yaml.ts';
import { runInteger } from '../../src/quant/integer-executor.ts';
import { layerNetwork } from '../../src/quant/layers.ts';
import { defaultNumbers } from '../../src/quant/numbers.ts';
import { compileProgram, type Program } from '../../src/schedule/program.ts';
import { runProgram } from '../../src/schedule/run.ts';
import { expectCycles, expectKernelsAgree, expectTensors, expectTraffic } from './check-run.test-helper.ts';
import { hazardWatch } from './hazards.test-helper.ts';
import { randomDesign } from './random-machines.test-helper.ts';
import { randomInput, randomIntegers } from './random-networks.test-helper.ts';

/** In front of a reorg, behind it and around it: the map is the input, made and read in bands, joined, moved twice. */
const networks: readonly ((stride: number) => { readonly layers: string; readonly channels: number })[] = [
  (stride) => ({ layers: `- { op: reorg, name: r, stride: ${stride} }`, channels: stride ** 2 }),
  (stride) => ({
    layers: `
  - { op: convolution, name: a, filters: ${2 * stride ** 2}, kernel: 3, padding: same }
  - { op: leakyRelu, name: b, slope: 0.125 }
  - { op: reorg, name: r, stride: ${stride} }
  - { op: convolution, name: c, filters: 5, kernel: 3, padding: same }`,
    channels: 3,
  }),
  (stride) => ({
    layers: `
  - { op: convolution, name: a, filters: ${stride ** 2}, kernel: 1 }
  - { op: maxPool, name: p, window: ${stride}, from: a }
  - { op: reorg, name: r, stride: ${stride}, from: a }
  - { op: concat, name: j, from: [r, p] }
  - { op: convolution, name: c, filters: 4, kernel: 3, padding: same }`,
    channels: 2,
  }),
  (stride) => ({
    layers: `
  - { op: convolution, name: a, filters: ${stride ** 2}, kernel: 3, padding: same }
  - { op: spaceToDepth, name: s, block: ${stride}, from: a }
  - { op: reorg, name: r, stride: ${stride}, from: a }
  - { op: add, name: sum, from: [s, r] }`,
    channels: 1,
  }),
  (stride) => ({
    layers: `
  - { op: reorg, name: r, stride: ${stride} }
  - { op: reorg, name: q, stride: ${stride} }
  - { op: fullyConnected, name: f, units: 7 }`,
    channels: stride ** 2,
  }),
];

const model = ({ layers, channels }: ReturnType<(typeof networks)[number]>, rows: number, columns: number) =>
  layerNetwork(
    readModel(
      `name: flat\ninput: { shape: [${channels}, ${rows}, ${columns}] }\nlayers:\n  ${layers.trim()}\n`,
      'flat.yaml',
    ),
  );

describe('a map under another shape', () => {
  it('on random machines', { timeout: 300_000 }, async () => {
    const outcomes = { ran: 0, refused: 0, banded: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...networks),
        fc.constantFrom(2, 2, 3),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        randomDesign,
        fc.boolean(),
        fc.nat(),
        async (make, stride, high, wide, { machine, numbers }, fusion, seed) => {
          const network = model(make(stride), high * stride ** 2, wide * stride ** 2);
          const quantised = randomIntegers(network, numbers, seed);
          let program: Program;
          try {
            const options = { virtualFeatureMaps: true, fusion, numbers };
            program = compileProgram(network, machine, options, quantised);
          } catch (error) {
            if (!(error instanceof InputError)) throw error;
            outcomes.refused++;
            return;
          }
          const input = randomInput(quantised, seed + 1);
          const reference = runInteger(quantised, input);
          const watch = hazardWatch(program.commands, machine);
          const run = await runProgram(program, machine, {
            data: { quantised, input },
            keep: () => true,
            observer: watch.observer,
          });
          expect(watch.find()).toEqual([]);
          expectTensors(run, program, reference.tensors);
          await expectKernelsAgree(quantised, input, reference);
          expectTraffic(run.result, program);
          expectCycles(run.result, machine);
          outcomes.ran++;
          const bands = program.steps.some(
            ({ step, tiling }) =>
              program.layout.planarMaps.has(step.output) && tiling.tileRows < step.outputShape[1],
          );
          if (bands) outcomes.banded++;
        },
      ),
      { seed: 26, numRuns: 60 },
    );
    expect(outcomes.ran).toBeGreaterThan(25);
    // Maps that are made row by row, so that their channels lie apart.
    expect(outcomes.banded).toBeGreaterThan(8);
  });

  it('in many bands', async () => {
    const edge = readMachineFile('hw-configs/edge-64.yaml');
    const network = model(networks[2]!(2), 12, 8);
    const numbers = defaultNumbers('shift');
    const quantised = randomIntegers(network, numbers, 3);
    const input = randomInput(quantised, 4);
    const reference = runInteger(quantised, input);
    let ran = 0;
    for (let bytes = 64; bytes <= 512; bytes += 24) {
      const machine = {
        ...edge,
        buffers: { ...edge.buffers, feature: { bytes, banks: 8 }, output: { bytes: 100 + 4 * bytes } },
      };
      try {
        const program = compileProgram(network, machine, { virtualFeatureMaps: true, numbers }, quantised);
        const run = await runProgram(program, machine, { data: { quantised, input }, keep: () => true });
        expectTensors(run, program, reference.tensors);
        expectTraffic(run.result, program);
        expectCycles(run.result, machine);
        ran++;
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
      }
    }
    expect(ran).toBeGreaterThan(8);
  });

  it('is refused where another layer needs the other order', () => {
    const edge = readMachineFile('hw-configs/edge-64.yaml');
    const machine = { ...edge, postProcessing: { ...edge.postProcessing, crossChannelPool: null } };
    const layers = `
  - { op: convolution, name: a, filters: 4, kernel: 1 }
  - { op: crossChannelPool, name: m, ratio: 2, from: a }
  - { op: reorg, name: r, stride: 2, from: a }`;
    const network = layerNetwork(
      readModel(`name: both\ninput: { shape: [1, 4, 4] }\nlayers:${layers}\noutputs: [m, r]\n`, 'both.yaml'),
    );
    const numbers = defaultNumbers('shift');
    expect(() => compileProgram(network, machine, { virtualFeatureMaps: true, numbers })).toThrow(
      /layer 'm': reduces 'a' across channels in a pass of its own, and another layer reads it under another shape/,
    );
  });
});
