/** Maps that stay on chip, fused passes and depthwise mode: still the integer executor, bit for bit, and the closed form's bytes. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/diagnostics.ts';
import { crossChannelPoolSchema } from '../../src/hw/cross-channel-pool/config.ts';
import type { DramConfig } from '../../src/hw/dram/config.ts';
import type { Command } from '../../src/hw/isa/formats.ts';
import type { MachineConfig } from '../../src/hw/machine/config.ts';
import { dataflowNames } from '../../src/hw/pe-array/config.ts';
import { readModel } from '../../src/import/model-yaml.ts';
import { runInteger } from '../../src/quant/integer-executor.ts';
import { layerNetwork } from '../../src/quant/layers.ts';
import { compileProgram, type Program } from '../../src/schedule/program.ts';
import { runProgram } from '../../src/schedule/run.ts';
import { type StoredConvention, storedConventions } from '../../src/schedule/steps.ts';
import { expectCycles, expectTensors, expectTraffic } from './check-run.test-helper.ts';
import { hazardWatch } from './hazards.test-helper.ts';
import { type Design, dramOf, randomDesign } from './random-machines.test-helper.ts';
import { randomInput, randomIntegers } from './random-networks.test-helper.ts';

/** Cases of the properties, and how many of them must show each feature. */
const CASES = 500;
const DEEP_CASES = 200;
const ARRAY_CASES = 150;
const LEAST = 5;

const features = [
  'nothing on chip',
  'depthwise mode',
  'map stored channel after channel',
  'map kept as a whole',
  'map kept in part',
  'map kept in place',
  'map whose last tiles take the place of the input',
  'fused pass',
  'fused pass of three or more',
  'ring that goes round',
  'tile whose ring goes round',
  'fused depthwise',
  'fused pass with a kept input',
  'fused pass that keeps its output',
  'several filter tiles in a fused pass',
  'pool in a fused pass',
  'stride in a fused pass',
  'virtual maps in a fused pass',
  'weights that come anew for every band of a fused pass',
  'fused by channels',
  'fused by channels, both with partial sums',
  'fused by channels, with a kept input',
  'fused by channels, keeping the output',
  'stored maps, pooled late',
  'stored maps condensed as they are read',
] as const;
type Feature = (typeof features)[number];
const seen = new Map<Feature, number>(features.map((feature) => [feature, 0]));
/** The same of arrays that are not output-stationary or not broadcast. */
const otherArrays = new Map<string, number>();
let refused = 0;

const between = (min: number, max: number) => fc.integer({ min, max });

/** A layer of a chain, as lines of a model file; `at` makes its names unique. */
const layer: fc.Arbitrary<(at: number) => string[]> = fc.oneof(
  { arbitrary: convolution(), weight: 4 },
  {
    arbitrary: fc
      .record({ kernel: fc.constantFrom(2, 3, 3, 3, 3), stride: fc.constantFrom(1, 1, 1, 1, 2) })
      .map(({ kernel, stride }) => (at: number) => [
        `{ op: convolution, name: depthwise${at}, groups: depthwise, kernel: ${kernel}, stride: ${stride}, padding: 1 }`,
      ]),
    weight: 5,
  },
  {
    arbitrary: fc
      .constantFrom('window: 2, stride: 2', 'window: 3, stride: 2, padding: 1', 'window: 3, stride: 1')
      .map((window) => (at: number) => [`{ op: maxPool, name: pool${at}, ${window} }`]),
    weight: 2,
  },
);

function convolution(): fc.Arbitrary<(at: number) => string[]> {
  return fc
    .record({
      filters: fc.oneof(between(1, 12), between(13, 40)),
      kernel: fc.constantFrom(1, 1, 3, 3, 3, 5),
      stride: fc.constantFrom(1, 1, 1, 2),
      isCondensed: fc.nat(2).map((n) => n === 0),
      isPooled: fc.nat(2).map((n) => n === 0),
    })
    .map(({ filters, kernel, stride, isCondensed, isPooled }) => (at: number) => [
      `{ op: convolution, name: conv${at}, filters: ${isCondensed ? 2 * filters : filters}, kernel: ${kernel}, stride: ${stride}, padding: ${Math.floor(kernel / 2)} }`,
      `{ op: leakyRelu, name: leaky${at}, slope: 0.125 }`,
      ...(isCondensed ? [`{ op: crossChannelPool, name: condense${at}, ratio: 2 }`] : []),
      ...(isPooled ? [`{ op: maxPool, name: pooled${at}, window: 2, stride: 2 }`] : []),
    ]);
}

const chain = fc
  .record({
    shape: fc.tuple(between(1, 6), between(12, 40), between(12, 40)),
    layers: fc.array(layer, { minLength: 2, maxLength: 6 }),
  })
  .map(({ shape, layers }) => {
    const lines = layers.flatMap((make, at) => make(at)).map((line) => `  - ${line}\n`);
    return `name: chain\ninput: { shape: [${shape.join(', ')}] }\nlayers:\n${lines.join('')}`;
  });

/** Few pixels and many channels, as behind the pools of a network: more weights than fit, and a last layer of few filters. */
const deepChain = fc
  .record({
    shape: fc.tuple(fc.constantFrom(8, 16, 24), between(3, 7), between(3, 7)),
    layers: fc.array(
      fc.record({
        filters: fc.constantFrom(16, 24, 32, 48),
        kernel: fc.constantFrom(1, 1, 3),
        isDepthwise: fc.nat(3).map((n) => n === 0),
        isCondensed: fc.nat(3).map((n) => n === 0),
      }),
      { minLength: 2, maxLength: 4 },
    ),
    last: fc.record({
      filters: between(1, 7),
      kernel: fc.constantFrom(1, 1, 3),
      isPooled: fc.nat(3).map((n) => n === 0),
    }),
    isCut: fc.nat(3).map((n) => n === 0),
  })
  .map(({ shape, layers, last, isCut }) => {
    const lines = layers.flatMap(({ filters, kernel, isDepthwise, isCondensed }, at) => [
      ...(isDepthwise
        ? [`{ op: convolution, name: depthwise${at}, groups: depthwise, kernel: 3, padding: 1 }`]
        : []),
      `{ op: convolution, name: conv${at}, filters: ${filters}, kernel: ${kernel}, padding: ${Math.floor(kernel / 2)} }`,
      ...(isCondensed ? [`{ op: crossChannelPool, name: condense${at}, ratio: 2 }`] : []),
    ]);
    lines.push(
      `{ op: convolution, name: few, filters: ${last.filters}, kernel: ${last.kernel}, padding: ${Math.floor(last.kernel / 2)} }`,
      ...(last.isPooled ? ['{ op: maxPool, name: pooled, window: 2, stride: 1, padding: same }'] : []),
      ...(isCut ? [] : ['{ op: convolution, name: more, filters: 20, kernel: 1 }']),
    );
    return `name: chain\ninput: { shape: [${shape.join(', ')}] }\nlayers:\n${lines.map((line) => `  - ${line}\n`).join('')}`;
  });

interface Sizes {
  readonly feature: number;
  readonly weight: number;
  readonly parameter: number;
  readonly output: number;
  readonly kernel: number | null;
  readonly accumulator?: number;
  readonly columns?: number;
}

/** Room for weights and maps, or a little less than needed. */
const sizes: fc.Arbitrary<Sizes> = fc.record({
  feature: fc.oneof(between(1500, 8000), between(8000, 40_000)),
  weight: fc.oneof(between(600, 3000), between(3000, 30_000)),
  parameter: between(400, 4000),
  output: between(300, 3000),
  kernel: fc.constantFrom(null, 3, 3, 3, 2),
});

const deepSizes: fc.Arbitrary<Sizes> = fc.record({
  feature: between(700, 3500),
  weight: between(200, 1500),
  parameter: between(200, 1500),
  output: between(300, 1500),
  kernel: fc.constantFrom(null, 3),
  accumulator: between(500, 12_000),
  columns: fc.constantFrom(4, 8),
});

/** What is other than usual about an array. */
type OtherArray = Pick<MachineConfig['peArray'], 'dataflow' | 'feed' | 'foldOverlap'>;

function machineOf(
  { machine: drawn }: Design,
  sizes: Sizes,
  seed: number,
  array: OtherArray | undefined,
): MachineConfig {
  const { buffers, peArray, postProcessing } = drawn;
  const { kernel, accumulator, columns, ...bytes } = sizes;
  return {
    ...drawn,
    dma: { ...drawn.dma, moves: true },
    peArray: {
      ...peArray,
      // As many elements as the mode needs, or it is never met.
      rows: Math.max(peArray.rows, kernel ?? 1),
      columns: Math.max(columns ?? peArray.columns, (kernel ?? 1) ** 2),
      depthwise: kernel === null || array !== undefined ? null : { kernel },
      ...array,
    },
    buffers: {
      ...buffers,
      feature: {
        banks: array === undefined ? buffers.feature.banks : 32,
        bytes: bytes.feature,
      },
      weight: { bytes: bytes.weight },
      parameter: { bytes: bytes.parameter },
      // (Arrays that keep no sums have all of a tile's there.)
      accumulator: { bytes: array === undefined ? (accumulator ?? buffers.accumulator.bytes) : 20_000 },
      output: { bytes: bytes.output },
    },
    postProcessing: {
      ...postProcessing,
      spatialPool: { maximumWindow: 8, average: true },
      // Two in three: chains condense by two.
      crossChannelPool: seed % 3 === 0 ? null : crossChannelPoolSchema.parse({ maximumRatio: 4, mean: true }),
    },
  };
}

async function check(
  model: string,
  design: Design,
  sizes: Sizes,
  otherDram: DramConfig,
  stored: StoredConvention | null,
  seed: number,
  array: OtherArray | undefined,
): Promise<void> {
  const machine = machineOf(design, sizes, seed, array);
  const { numbers } = design;
  let program: Program;
  let network: ReturnType<typeof layerNetwork>;
  let quantised: ReturnType<typeof randomIntegers>;
  try {
    network = layerNetwork(readModel(model, 'chain.yaml'));
    quantised = randomIntegers(network, numbers, seed);
    const options =
      stored === null
        ? { virtualFeatureMaps: true, fusion: true, numbers }
        : { virtualFeatureMaps: false, convention: stored, numbers };
    program = compileProgram(network, machine, options, quantised);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    refused++;
    return;
  }
  const input = randomInput(quantised, seed + 1);
  const { tensors } = runInteger(quantised, input);
  const data = { quantised, input };
  const watch = hazardWatch(program.commands, machine);
  const full = await runProgram(program, machine, { data, keep: () => true, observer: watch.observer });
  expect(watch.find()).toEqual([]);
  expectTensors(full, program, tensors);
  expectTraffic(full.result, program);
  expectCycles(full.result, machine);
  expect((await runProgram(program, machine)).result).toEqual(full.result);

  // The same words with a memory that is faster or slower: a missing token would show.
  const other = { ...machine, dram: otherDram };
  const otherWatch = hazardWatch(program.commands, other);
  const elsewhere = await runProgram(program, other, {
    data,
    keep: () => true,
    observer: otherWatch.observer,
  });
  expect(otherWatch.find()).toEqual([]);
  expectTensors(elsewhere, program, tensors);
  expectTraffic(elsewhere.result, program);
  expectCycles(elsewhere.result, other);
  for (const feature of new Set(featuresOf(program))) {
    if (array === undefined) seen.set(feature, seen.get(feature)! + 1);
    else
      otherArrays.set(
        `${array.dataflow}: ${feature}`,
        (otherArrays.get(`${array.dataflow}: ${feature}`) ?? 0) + 1,
      );
  }
}

describe('accelerator = integer executor with maps on chip', () => {
  // Most with fusion; others with stored maps under one of the conventions.
  const convention = fc.oneof(
    { arbitrary: fc.constant(null), weight: 3 },
    { arbitrary: fc.constantFrom(...storedConventions), weight: 2 },
  );

  const usualArray = fc.constant(undefined);

  it('on random chains and machines', { timeout: 300_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(chain, randomDesign, sizes, dramOf, convention, fc.nat(), usualArray, check),
      {
        seed: 20191127,
        numRuns: CASES,
      },
    );
    expect(refused).toBeLessThan(CASES / 3);
  });

  it('on deep chains of small maps', { timeout: 300_000 }, async () => {
    refused = 0;
    await fc.assert(
      fc.asyncProperty(
        deepChain,
        randomDesign,
        deepSizes,
        dramOf,
        fc.constant(null),
        fc.nat(),
        usualArray,
        check,
      ),
      { seed: 20191128, numRuns: DEEP_CASES },
    );
    expect(refused).toBeLessThan(DEEP_CASES / 3);
  });

  it('on arrays of every dataflow', { timeout: 300_000 }, async () => {
    refused = 0;
    const array: fc.Arbitrary<OtherArray> = fc.record({
      dataflow: fc.constantFrom(...dataflowNames),
      feed: fc.constantFrom('broadcast' as const, 'systolic' as const),
      foldOverlap: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(chain, randomDesign, sizes, dramOf, fc.constant(null), fc.nat(), array, check),
      { seed: 20191129, numRuns: ARRAY_CASES },
    );
    expect(refused).toBeLessThan(ARRAY_CASES / 3);
    for (const dataflow of dataflowNames) {
      for (const feature of [
        'map kept as a whole',
        'fused pass',
        'ring that goes round',
        'pool in a fused pass',
      ]) {
        expect(otherArrays.get(`${dataflow}: ${feature}`), `${dataflow}: ${feature}`).toBeGreaterThanOrEqual(
          LEAST,
        );
      }
    }
  });

  it('with every feature met often enough', () => {
    expect([...seen].filter(([, times]) => times < LEAST)).toEqual([]);
  });
});

function* featuresOf({ steps, passes, commands, how, layout }: Program): Generator<Feature> {
  const { planarMaps } = layout;
  if (steps.some(({ step }) => planarMaps.has(step.output) && layout.maps.has(step.output))) {
    yield 'map stored channel after channel';
  }
  if (steps.some(({ step }) => step.outputKind === 'virtualFeatureMaps')) {
    const { convention } = how;
    if (convention !== 'a' && convention !== 'b') yield 'stored maps, pooled late';
    if (convention === 'b' || convention === 'iii') yield 'stored maps condensed as they are read';
  }
  const computes = commands.filter((command) => command.op === 'compute');
  if (computes.some((tile) => tile.depthwise === 1)) yield 'depthwise mode';
  if (computes.some((tile) => tile.ringRow + tile.rows > tile.ringRows && tile.ringRows > 0)) {
    yield 'tile whose ring goes round';
  }
  if (!commands.some((command: Command) => command.op === 'move')) yield 'nothing on chip';
  for (const { first, end } of passes) {
    const pass = steps.slice(first, end);
    const { step, tiling, places } = pass[0]!;
    const kept = pass.at(-1)!.places?.output;
    if (places!.fusedBy === 'channels') {
      yield 'fused by channels';
      if (tiling.channelsPerChunk < step.inputShape[0] && !tiling.isDepthwise) {
        yield 'fused by channels, both with partial sums';
      }
      if (places!.inputKept.end > 0) yield 'fused by channels, with a kept input';
      if (kept !== undefined) yield 'fused by channels, keeping the output';
      continue;
    }
    if (pass.length > 1) {
      yield 'fused pass';
      if (pass.length > 2) yield 'fused pass of three or more';
      if (places!.inputKept.end > 0) yield 'fused pass with a kept input';
      if (kept !== undefined) yield 'fused pass that keeps its output';
      for (const fused of pass) {
        const { ringRows } = fused.places!;
        if (ringRows > 0 && ringRows < fused.step.inputShape[1]) yield 'ring that goes round';
        if (fused.tiling.isDepthwise) yield 'fused depthwise';
        if (!fused.tiling.weightsResident) yield 'weights that come anew for every band of a fused pass';
        if (fused.tiling.weightSlots > 1) yield 'several filter tiles in a fused pass';
        if (fused.step.pooling !== undefined) yield 'pool in a fused pass';
        if ((fused.step.convolution?.stride[0] ?? 1) > 1) yield 'stride in a fused pass';
        if (fused.step.reduction !== undefined) yield 'virtual maps in a fused pass';
      }
      continue;
    }
    if (kept === undefined) continue;
    if (places!.lateMaps !== undefined) yield 'map whose last tiles take the place of the input';
    const isWhole = kept.channels.end - kept.channels.first === step.outputShape[0];
    yield isWhole ? 'map kept as a whole' : 'map kept in part';
    if (tiling.inputResident && kept.address === places!.featureBase && isWhole) yield 'map kept in place';
  }
}

afterAll(() => {
  if (process.env.CENSUS !== undefined) console.log({ refused, ...Object.fromEntries(seen) });
});
