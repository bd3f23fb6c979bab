/** Every kind of cross-channel pooling unit: the accelerator is the integer executor, bit for bit, with maps kept on chip. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/diagnostics.ts';
import type { MachineConfig } from '../../src/hw/machine/config.ts';
import { maximaOfSums, runInteger } from '../../src/quant/integer-executor.ts';
import { layerNetwork } from '../../src/quant/layers.ts';
import { compileProgram, type Program } from '../../src/schedule/program.ts';
import { runProgram } from '../../src/schedule/run.ts';
import { interleaveOf } from '../../src/schedule/steps.ts';
import { tilingSizes } from '../../src/schedule/tiling.ts';
import {
  expectCycles,
  expectedOverflows,
  expectTensors,
  expectTraffic,
  firstDifference,
} from './check-run.test-helper.ts';
import { hazardWatch } from './hazards.test-helper.ts';
import { type Design, randomDesign, randomUnit } from './random-machines.test-helper.ts';
import {
  buildNetwork,
  type NetworkRecipe,
  randomInput,
  randomIntegers,
} from './random-networks.test-helper.ts';

/** Cases of the property, and how many of them must show each feature. */
const CASES = 360;
const LEAST = 5;

const features = [
  'running maximum',
  'running mean',
  'tree',
  'tree of sums',
  'tree with start values behind',
  'tree behind which a pool stalls',
  'turns',
  'turns over several blocks',
  'turns of means',
  'fewer turns than the depth',
  'maxima of sums',
  'maxima of sums in turns',
  'maxima of sums in wide accumulators',
  'maxima of sums that leave the accumulator',
  'several groups of the convolution',
  'fused with another step',
  'refused: ratio is no power of two',
  'refused: columns are no multiple of the ratio',
  'refused: a scale a filter',
  'refused: a table behind the sums',
] as const;
type Feature = (typeof features)[number];
const seen = new Map<Feature, number>(features.map((feature) => [feature, 0]));
const outcomes = { ran: 0, refused: 0 };

const between = (min: number, max: number) => fc.integer({ min, max });

const pooledNetwork: fc.Arbitrary<NetworkRecipe> = fc.noBias(
  fc
    .record({
      shape: fc.tuple(between(1, 24), between(3, 18), between(3, 18)),
      filters: between(1, 10),
      kernel: fc.constantFrom([1, 1] as const, [3, 3] as const, [2, 3] as const),
      stride: fc.constantFrom([1, 1] as const, [1, 1] as const, [2, 1] as const),
      groups: fc.constantFrom(0, 0, 0, 1),
      activation: fc.constantFrom('none' as const, 'relu' as const, 'leakyRelu' as const),
      table: fc.constantFrom('none', 'none', 'none', 'none', 'hardSwish') as fc.Arbitrary<
        'none' | 'hardSwish'
      >,
      ratio: fc.constantFrom(2, 2, 4, 4, 8, 3),
      mean: fc.nat(5).map((n) => n === 0),
      pool: fc.constantFrom('none' as const, 'none' as const, 'maxPool' as const, 'averagePool' as const),
    })
    .map(({ shape, pool, filters, ratio, mean, ...convolution }): NetworkRecipe => {
      const layer: NetworkRecipe['layers'][number] = {
        op: 'convolution',
        dilation: [1, 1],
        padding: 'same',
        batchNormalization: false,
        mean,
        others: [],
        factor: [1, 1],
        ceil: false,
        countIncludesPadding: false,
        branch: undefined,
        isOutput: false,
        ...convolution,
        filters: filters * ratio,
        ratio,
      };
      const more: NetworkRecipe['layers'][number][] =
        pool === 'none' ? [] : [{ ...layer, op: pool, kernel: [2, 2], stride: [2, 2], padding: 'valid' }];
      return {
        shape,
        layers: [
          layer,
          { ...layer, op: 'crossChannelPool' },
          ...more,
          { ...layer, filters: 5, groups: 0, table: 'none' },
        ],
        softmax: false,
      };
    }),
);

/** A machine that has a unit, of any kind, and often columns that a tree can share out. */
const pooledDesign: fc.Arbitrary<Design> = fc.noBias(
  fc
    .record({
      design: randomDesign,
      maximumRatio: fc.constantFrom(4, 8, 8, 16),
      form: fc.constantFrom('running' as const, 'tree' as const),
      position: fc.constantFrom('after' as const, 'before' as const),
      mean: fc.boolean(),
      groupsOpen: fc.oneof(fc.constant(1), between(2, 16), between(2, 16)),
      columns: fc.constantFrom(undefined, 4, 8, 8, 16),
      scales: fc.constantFrom('per channel' as const, 'per group' as const, 'per group' as const),
      buffers: fc.constantFrom(1, 4),
    })
    .map(({ design: { machine, numbers }, columns, scales, buffers, ...unit }): Design => {
      const grown = Object.fromEntries(
        Object.entries(machine.buffers).map(([name, one]) => [name, { ...one, bytes: buffers * one.bytes }]),
      ) as unknown as MachineConfig['buffers'];
      return {
        machine: {
          ...machine,
          buffers: grown,
          peArray: { ...machine.peArray, columns: columns ?? machine.peArray.columns },
          postProcessing: {
            ...machine.postProcessing,
            crossChannelPool: randomUnit(unit.maximumRatio, unit),
          },
        },
        numbers: numbers.weightScales === 'per channel' ? { ...numbers, weightScales: scales } : numbers,
      };
    }),
);

describe('accelerator = integer executor with cross-channel pooling units of all kinds', () => {
  it('on random networks and machines', { timeout: 300_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        pooledNetwork,
        pooledDesign,
        fc.boolean(),
        fc.nat(),
        async (recipe, { machine, numbers }, fusion, seed) => {
          const network = layerNetwork(buildNetwork(recipe));
          const quantised = randomIntegers(network, numbers, seed);
          let program: Program;
          try {
            program = compileProgram(
              network,
              machine,
              { virtualFeatureMaps: true, fusion, numbers },
              quantised,
            );
          } catch (error) {
            if (!(error instanceof InputError)) throw error;
            expect(error.message).toMatch(
              /^layer '.*' doesn't fit machine 'random': .* buffer|^layer '.*': its table takes \d+ bytes|^layer '.*': machine 'random' can't take the (maximum|mean) of 8 maps/,
            );
            outcomes.refused++;
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
          const overflows = expectedOverflows(program, quantised, input, reference);
          expect(full.overflows).toBe(overflows);
          expectTraffic(full.result, program);
          expectCycles(full.result, machine);
          // Timing mode knows no data, not even that scales are shared: the numbers' formats must be enough.
          const blind = compileProgram(network, machine, { virtualFeatureMaps: true, fusion, numbers });
          const timing = await runProgram(blind, machine);
          expect(timing.result).toEqual(full.result);
          outcomes.ran++;
          const stalls = full.result.steps.some(({ array }) => array.postProcessing > 0);
          for (const feature of featuresOf(program, machine, numbers.weightScales, overflows, stalls)) {
            seen.set(feature, seen.get(feature)! + 1);
          }
        },
      ),
      { seed: 20191128, numRuns: CASES },
    );
    expect(outcomes.refused).toBeLessThan(CASES / 3);
    expect([...seen].filter(([, times]) => times < LEAST)).toEqual([]);
  });
});

function featuresOf(
  program: Program,
  { peArray, postProcessing }: MachineConfig,
  weightScales: string,
  overflows: number,
  stalls: boolean,
): Set<Feature> {
  const found = new Set<Feature>();
  const note = (condition: boolean, feature: Feature): void => {
    if (condition) found.add(feature);
  };
  const unit = postProcessing.crossChannelPool!;
  const isTree = unit.form === 'tree';
  const isBefore = unit.position === 'before';
  program.steps.forEach(({ step, tiling, places }) => {
    if (step.convolution === undefined) return;
    const isMean = step.reduction?.kind === 'mean';
    if (step.outputKind === 'virtualFeatureMaps') {
      const { ratio, kind } = step.layers.length > 0 ? reductionBehind(program, step.output) : noReduction;
      const fits = kind === 'maximum' && ratio <= unit.maximumRatio;
      note(isTree && fits && ratio === 3, 'refused: ratio is no power of two');
      note(
        isTree && fits && ratio !== 3 && peArray.columns % ratio > 0,
        'refused: columns are no multiple of the ratio',
      );
      const { work } = step.requantised!;
      const hasTable = work.stage === 'array' && work.table !== undefined;
      const ofTree = !isTree || (ratio !== 3 && peArray.columns % ratio === 0);
      note(isBefore && fits && ofTree && hasTable, 'refused: a table behind the sums');
      note(
        isBefore && fits && ofTree && !hasTable && weightScales === 'per channel',
        'refused: a scale a filter',
      );
    }
    if (step.reducedBy === undefined) return;
    const { tiles, chunks } = tilingSizes(step, tiling, program.values);
    const open = Math.max(...tiles.map(({ filters }) => interleaveOf(step, filters)));
    const folds = Math.ceil((tiling.tileRows * step.convolvedShape[2]) / peArray.rows);
    note(!isTree && !isBefore && open === 1 && !isMean, 'running maximum');
    note(isMean, 'running mean');
    note(isTree && !isBefore, 'tree');
    note(isTree && isBefore, 'tree of sums');
    note(isTree && chunks.length > 1 && folds > 2, 'tree with start values behind');
    note(isTree && stalls && step.pooling !== undefined, 'tree behind which a pool stalls');
    note(open > 1, 'turns');
    note(open > 1 && tiles[0]!.filters > peArray.columns, 'turns over several blocks');
    note(open > 1 && isMean, 'turns of means');
    note(!isTree && unit.depth > open, 'fewer turns than the depth');
    note(isBefore, 'maxima of sums');
    note(isBefore && open > 1, 'maxima of sums in turns');
    note(isBefore && peArray.accumulatorBits > 32, 'maxima of sums in wide accumulators');
    note(isBefore && overflows > 0, 'maxima of sums that leave the accumulator');
    note(step.convolution.groups > 1, 'several groups of the convolution');
    const pass = program.passes.find(({ first, end }) => {
      const index = program.steps.findIndex((one) => one.step === step);
      return index >= first && index < end;
    });
    note(places !== undefined && pass!.end - pass!.first > 1, 'fused with another step');
  });
  return found;
}

const noReduction = { ratio: 1, kind: 'mean' } as const;

/** The reduction of stored maps: of the layer that the second pass belongs to. */
function reductionBehind(program: Program, output: string) {
  const second = program.steps.find(({ step }) => step.inputs.includes(output));
  const work = second?.step.layers[0]?.work;
  return work?.stage === 'crossChannel' ? work.reduction : noReduction;
}

describe('maxima of sums', () => {
  /** A convolution and the maximum of its maps, in numbers of some kind. */
  const run = (
    weightScales: 'per channel' | 'per group' | 'per tensor',
    numbers: Design['numbers'],
    seed: number,
  ) => {
    const network = layerNetwork(
      buildNetwork({
        shape: [3, 6, 7],
        layers: [
          { ...plainLayer, op: 'convolution' },
          { ...plainLayer, op: 'crossChannelPool' },
        ],
        softmax: false,
      }),
    );
    const quantised = randomIntegers(network, { ...numbers, weightScales }, seed);
    const input = randomInput(quantised, seed + 1);
    const reference = runInteger(quantised, input).tensors.get(network.graph.outputs[0]!)!;
    return firstDifference(maximaOfSums(quantised, quantised.layers[0]!, input, plainLayer.ratio), reference);
  };
  const designs = randomDesign.filter(({ numbers }) => numbers.weightBits > 1);

  it('are the maxima of requantised sums where the filters of a group share a scale', () => {
    fc.assert(
      fc.property(
        designs,
        fc.constantFrom('per group' as const, 'per tensor' as const),
        fc.nat(),
        ({ numbers }, scales, seed) => {
          expect(run(scales, numbers, seed)).toBeUndefined();
        },
      ),
      { seed: 71, numRuns: 200 },
    );
  });

  it('are not where every filter has its own', () => {
    let different = 0;
    fc.assert(
      fc.property(designs, fc.nat(), ({ numbers }, seed) => {
        if (run('per channel', numbers, seed) !== undefined) different++;
      }),
      { seed: 72, numRuns: 100 },
    );
    expect(different).toBeGreaterThan(50);
  });
});

const plainLayer: Omit<NetworkRecipe['layers'][number], 'op'> = {
  filters: 12,
  kernel: [3, 3],
  stride: [1, 1],
  dilation: [1, 1],
  padding: 'same',
  groups: 0,
  batchNormalization: false,
  activation: 'leakyRelu',
  table: 'none',
  ratio: 4,
  mean: false,
  others: [],
  factor: [1, 1],
  ceil: false,
  countIncludesPadding: false,
  branch: undefined,
  isOutput: false,
};

afterAll(() => {
  if (process.env.CENSUS !== undefined) console.log({ ...outcomes, ...Object.fromEntries(seen) });
});
