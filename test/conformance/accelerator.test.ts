/** The accelerator is the integer executor, bit for bit, on random networks and random machines. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/diagnostics.ts';
import type { Command, CommandName } from '../../src/hw/isa/formats.ts';
import type { MachineConfig } from '../../src/hw/machine/config.ts';
import { readMachineFile } from '../../src/import/machine-yaml.ts';
import { readModel } from '../../src/import/model-yaml.ts';
import { runInteger } from '../../src/quant/integer-executor.ts';
import { type LayeredNetwork, layerNetwork } from '../../src/quant/layers.ts';
import { defaultNumbers } from '../../src/quant/numbers.ts';
import type { QuantisedNetwork } from '../../src/quant/quantised.ts';
import { compileProgram, type Program } from '../../src/schedule/program.ts';
import { runProgram } from '../../src/schedule/run.ts';
import { tilingSizes } from '../../src/schedule/tiling.ts';
import {
  expectCycles,
  expectedOverflows,
  expectKernelsAgree,
  expectTensors,
  expectTraffic,
  firstDifference,
} from './check-run.test-helper.ts';
import { hazardWatch } from './hazards.test-helper.ts';
import { dramOf, randomDesign } from './random-machines.test-helper.ts';
import {
  buildNetwork,
  type NetworkRecipe,
  networkRecipe,
  randomInput,
  randomIntegers,
} from './random-networks.test-helper.ts';

/** Cases of the property, and how many of them must show each feature. */
const CASES = 420;
const LEAST = 5;

const features = [
  'several bands',
  'chunks with partial sums',
  'weights not resident',
  'input not resident',
  'one input slot',
  'two input slots',
  'one weight slot',
  'several row tiles',
  'one output slot',
  'several groups in a tile',
  'a group in several tiles',
  'depthwise',
  'dilation',
  'virtual maps on chip',
  'stored virtual maps with a CCP unit',
  'stored virtual maps without a CCP unit',
  'average pool behind stored maps',
  'maximum pool in front of stored maps',
  'stored virtual maps that a tree cannot take',
  'stored virtual maps whose filters share no scale',
  'cross-channel step of its own',
  'pool in the pipe',
  'pool that streams',
  'activation that streams',
  'no spatial pool unit',
  'tensor read twice',
  'output that is read',
  'several outputs',
  'bank conflicts',
  'post-processing stalls',
  '2-byte elements',
  '2-byte elements, zero points or unsigned',
  'fewer than 8 bits',
  'unsigned',
  'zero points',
  '16-bit weights',
  '16-bit weights and activations',
  '1-bit weights',
  'shift form',
  'multiplier form',
  'half-even',
  'half-up',
  'half-away',
  'truncate',
  'scales per tensor',
  'scales per group',
  'wide records',
  'multipliers beyond 16 bits',
  'accumulators beyond 32 bits',
  'partial sums of 8 bytes',
  'sums that saturate',
  'sums that wrap',
  'sums that leave the accumulator between chunks',
  'watched sums that all fit',
  'table behind a convolution',
  'table that streams',
  'table of 2-byte values',
  'mean on chip',
  'mean of stored maps',
  'mean by the spatial pool unit',
  'average pool that counts zero points',
  'sum',
  'sum of two-byte elements',
  'sum of 4 or more',
  'sum of a map with itself',
  'sum with an activation',
  'sum with a cross-channel pool',
  'sum with a pool',
  'concat',
  'concat that requantises',
  'upsample',
  'space to depth',
  'fully connected',
  'global average pool',
  'host node',
] as const;
type Feature = (typeof features)[number];

const seen = new Map<Feature, number>(features.map((feature) => [feature, 0]));
const outcomes = { ran: 0, refused: 0 };
let fasterWasSlower = 0;

describe('accelerator = integer executor', () => {
  it('on random networks and machines', { timeout: 300_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        networkRecipe,
        randomDesign,
        dramOf,
        fc.nat(3).map((n) => n > 0),
        fc.boolean(),
        fc.boolean(),
        fc.nat(),
        async (recipe, design, otherDram, virtualFeatureMaps, dropPool, fusion, seed) => {
          const graph = buildNetwork(recipe);
          const network = layerNetwork(graph);
          const { machine: drawn, numbers } = design;
          const machine = dropPool && !needsPool(network, drawn) ? withoutPool(drawn) : drawn;
          const quantised = randomIntegers(network, numbers, seed);
          let program: Program;
          try {
            program = compileProgram(network, machine, { virtualFeatureMaps, fusion, numbers }, quantised);
          } catch (error) {
            if (!(error instanceof InputError)) throw error;
            expect(error.message).toMatch(
              /^layer '.*' doesn't fit machine 'random': .* buffer|^layer '.*': its table takes \d+ bytes/,
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
          await expectKernelsAgree(quantised, input, reference);
          const overflows = expectedOverflows(program, quantised, input, reference);
          expect(full.overflows).toBe(overflows);
          expectTraffic(full.result, program);
          expectCycles(full.result, machine);

          const timing = await runProgram(program, machine);
          expect(timing.tensors.size).toBe(0);
          expect(timing.overflows).toBe(0);
          expect(timing.result).toEqual(full.result);

          // The same words on a machine whose memory is faster or slower: a missing token would show.
          const other = { ...machine, dram: otherDram };
          const otherWatch = hazardWatch(program.commands, other);
          const elsewhere = await runProgram(program, other, {
            data: { quantised, input },
            keep: () => true,
            observer: otherWatch.observer,
          });
          expect(otherWatch.find()).toEqual([]);
          expectTensors(elsewhere, program, reference.tensors);
          expect(elsewhere.overflows).toBe(overflows);
          expectTraffic(elsewhere.result, program);
          expectCycles(elsewhere.result, other);
          noteSpeed(machine.dram, full.result.cycles, otherDram, elsewhere.result.cycles);

          outcomes.ran++;
          for (const feature of featuresOf(program, machine, quantised, overflows)) {
            count(feature);
          }
          const arrays = full.result.steps.map((step) => step.array);
          if (arrays.some((array) => array.bank > 0)) count('bank conflicts');
          if (arrays.some((array) => array.postProcessing > 0)) count('post-processing stalls');
        },
      ),
      { seed: 20190616, numRuns: CASES },
    );
    // Beyond this point `outcomes` and `seen` cover the whole run.
    expect(outcomes.ran + outcomes.refused).toBe(CASES);
    expect(outcomes.refused).toBeLessThan(CASES / 3);
    const rare = [...seen].filter(([, times]) => times < LEAST);
    expect(rare).toEqual([]);
  });
});

describe('a sum with more operands than a queue holds', () => {
  it.each([4, 5, 8])('runs through one input slot: %i', async (operands) => {
    const edge = readMachineFile('hw-configs/edge-1024.yaml');
    const machine: MachineConfig = {
      ...edge,
      sequencer: { queueDepth: 4, startCycles: 1 },
      // Three rows of every operand.
      buffers: { ...edge.buffers, feature: { bytes: 3 * 16 * operands, banks: 32 }, output: { bytes: 64 } },
    };
    const from = new Array<string>(operands).fill('image').join(', ');
    const model = `name: many\ninput: { shape: [4, 16, 16] }\nlayers:\n  - { op: add, name: sum, from: [${from}] }\n`;
    const network = layerNetwork(readModel(model, 'many.yaml'));
    const numbers = defaultNumbers('multiplier');
    const quantised = randomIntegers(network, numbers, 3);
    const input = randomInput(quantised, 4);
    const program = compileProgram(network, machine, { virtualFeatureMaps: true, numbers }, quantised);
    expect(program.steps[0]!.tiling.inputSlots).toBe(1);
    const watch = hazardWatch(program.commands, machine);
    const run = await runProgram(program, machine, {
      data: { quantised, input },
      observer: watch.observer,
    });
    expect(watch.find()).toEqual([]);
    expectTensors(run, program, runInteger(quantised, input).tensors);
    expectTraffic(run.result, program);
  });
});

describe('rearranged maps in many bands', () => {
  it.each([
    '{ op: upsampleNearest, name: made, factor: [3, 2] }',
    '{ op: upsampleNearest, name: made, factor: [4, 1] }',
    '{ op: upsampleNearest, name: made, factor: [5, 5] }',
    '{ op: spaceToDepth, name: made, block: 2 }',
  ])('%s', async (layer) => {
    const edge = readMachineFile('hw-configs/edge-64.yaml');
    const network = layerNetwork(
      readModel(`name: moved\ninput: { shape: [3, 14, 6] }\nlayers:\n  - ${layer}\n`, 'moved.yaml'),
    );
    const numbers = defaultNumbers('shift');
    const quantised = randomIntegers(network, numbers, 3);
    const input = randomInput(quantised, 4);
    const reference = runInteger(quantised, input);
    // From one row of one map at a time upwards, so that bands and tiles end where they like.
    for (let bytes = 16; bytes <= 256; bytes += 8) {
      const feature = { bytes, banks: 8 };
      const output = { bytes: 100 + 4 * bytes };
      const machine: MachineConfig = { ...edge, buffers: { ...edge.buffers, feature, output } };
      const program = compileProgram(network, machine, { virtualFeatureMaps: true, numbers }, quantised);
      const run = await runProgram(program, machine, { data: { quantised, input } });
      expectTensors(run, program, reference.tensors);
      expectTraffic(run.result, program);
      expectCycles(run.result, machine);
    }
  });
});

/** A wait and the signal it takes, in the two queues they connect, and the memory that is first to show a lack of it. */
const tokenKinds = [
  { waiting: 'load', wait: 'waitCompute', giving: 'compute', signal: 'signalLoad', memory: 'fast' },
  { waiting: 'compute', wait: 'waitLoad', giving: 'load', signal: 'signalCompute', memory: 'slow' },
  { waiting: 'compute', wait: 'waitStore', giving: 'store', signal: 'signalCompute', memory: 'slow' },
  { waiting: 'store', wait: 'waitCompute', giving: 'compute', signal: 'signalStore', memory: 'fast' },
] as const;

describe('a program that lacks a token', () => {
  const network = layerNetwork(
    buildNetwork({
      shape: [6, 14, 11],
      layers: [mutatedLayer(20, 3), mutatedLayer(12, 1)],
      softmax: false,
    }),
  );
  // Small buffers, so that every slot is reused, and a memory that is late with everything unless a test says so.
  const machine: MachineConfig = {
    name: 'late',
    description: '',
    memory: 'modelled',
    clockMHz: 400,
    peArray: {
      rows: 8,
      columns: 8,
      dataflow: 'output-stationary',
      feed: 'broadcast',
      foldOverlap: true,
      products: 'flattened',
      activationBits: 8,
      weightBits: 8,
      accumulatorBits: 32,
      accumulatorOverflow: 'saturate',
      pipelineDepth: 3,
      depthwise: null,
    },
    buffers: {
      feature: { bytes: 800, banks: 8 },
      weight: { bytes: 900 },
      parameter: { bytes: 300 },
      accumulator: { bytes: 2048 },
      pool: { bytes: 64 },
      output: { bytes: 400 },
    },
    postProcessing: {
      requantise: { form: 'multiplier', multiplierBits: 16, rounding: 'half-even', lookupTable: null },
      pipelineDepth: 4,
      crossChannelPool: null,
      spatialPool: null,
    },
    dma: { burstBytes: 16, outstandingReads: 2, outstandingWrites: 1, descriptorCycles: 4, moves: true },
    sequencer: { queueDepth: 32, startCycles: 2 },
    dram: { kind: 'ideal', bandwidthMBps: 40, latencyNs: 2000, capacityMiB: 16 },
  };
  const numbers = defaultNumbers('multiplier');
  const quantised = randomIntegers(network, numbers, 5);
  const program = compileProgram(network, machine, { virtualFeatureMaps: true, numbers }, quantised);
  const input = randomInput(quantised, 6);
  const reference = runInteger(quantised, input).tensors;

  it('computes right with all of them', async () => {
    const run = await runProgram(program, machine, { data: { quantised, input }, keep: () => true });
    expectTensors(run, program, reference);
  });

  it.each(
    tokenKinds.map((kind) => [`${kind.waiting}.${kind.wait}`, kind] as const),
  )('is caught: %s', async (_name, kind) => {
    const dram =
      kind.memory === 'slow' ? machine.dram : { ...machine.dram, bandwidthMBps: 100_000, latencyNs: 0 };
    const waits = flagged(program.commands, kind.waiting, kind.wait);
    const signals = flagged(program.commands, kind.giving, kind.signal);
    expect(waits.length).toBeGreaterThan(3);
    expect(signals.length).toBe(waits.length);
    // Outputs differ or the machine reports a defect; and where they happen to be right, two units met in a buffer.
    let wrong = 0;
    let caught = 0;
    for (const [nth, wait] of waits.entries()) {
      const commands = [...program.commands];
      clear(commands, wait, kind.wait);
      clear(commands, signals[nth]!, kind.signal);
      try {
        const watch = hazardWatch(commands, machine);
        const run = await runProgram(
          { ...program, commands },
          { ...machine, dram },
          { data: { quantised, input }, keep: () => true, observer: watch.observer },
        );
        const isRight = [...run.tensors].every(
          ([name, tensor]) => firstDifference(tensor, reference.get(name)!) === undefined,
        );
        if (!isRight) wrong++;
        if (!isRight || watch.find().length > 0) caught++;
      } catch (error) {
        expect(String(error)).toMatch(/internal/);
        wrong++;
        caught++;
      }
    }
    if (process.env.CENSUS !== undefined)
      console.log(`${kind.wait}: ${waits.length}, ${wrong} wrong, ${caught} caught`);
    expect(wrong).toBeGreaterThan(0);
    expect(caught).toBeGreaterThan(waits.length / 3);
  });
});

function mutatedLayer(filters: number, side: number): NetworkRecipe['layers'][number] {
  return {
    op: 'convolution',
    filters,
    kernel: [side, side],
    stride: [1, 1],
    dilation: [1, 1],
    padding: 'same',
    groups: 0,
    batchNormalization: false,
    activation: 'leakyRelu',
    table: 'none',
    ratio: 1,
    mean: false,
    others: [],
    factor: [1, 1],
    ceil: false,
    countIncludesPadding: false,
    branch: undefined,
    isOutput: false,
  };
}

/** Indices of the commands `name` whose flag is set, in order. */
function flagged(commands: readonly Command[], name: CommandName, flag: string): number[] {
  const found: number[] = [];
  commands.forEach((command, index) => {
    if (command.op === name && (command as unknown as Record<string, number>)[flag] === 1) found.push(index);
  });
  return found;
}

function clear(commands: Command[], index: number, flag: string): void {
  commands[index] = { ...commands[index]!, [flag]: 0 } as Command;
}

function count(feature: Feature): void {
  seen.set(feature, seen.get(feature)! + 1);
}

/** Not asserted: queueing theory does not promise it. The census tells if it ever happened. */
function noteSpeed(
  a: MachineConfig['dram'],
  cyclesA: number,
  b: MachineConfig['dram'],
  cyclesB: number,
): void {
  if (a.kind !== 'ideal' || b.kind !== 'ideal') return;
  const isFaster = a.bandwidthMBps >= b.bandwidthMBps && a.latencyNs <= b.latencyNs;
  const isSlower = a.bandwidthMBps <= b.bandwidthMBps && a.latencyNs >= b.latencyNs;
  if ((isFaster && cyclesA > cyclesB) || (isSlower && cyclesA < cyclesB)) fasterWasSlower++;
}

function needsPool(network: LayeredNetwork, machine: MachineConfig): boolean {
  const unit = machine.postProcessing.crossChannelPool;
  // A unit that cannot take every reduction leaves some to spatial pooling.
  const takesAll = unit?.form === 'running' && unit.position === 'after';
  const { maximumRatio = 0, mean = false } = unit ?? {};
  return network.layers.some(
    ({ work }) =>
      work.stage === 'pool' ||
      (work.stage === 'crossChannel' &&
        (!takesAll || work.reduction.ratio > maximumRatio || (work.reduction.kind === 'mean' && !mean))),
  );
}

function withoutPool(machine: MachineConfig): MachineConfig {
  return { ...machine, postProcessing: { ...machine.postProcessing, spatialPool: null } };
}

function* featuresOf(
  program: Program,
  machine: MachineConfig,
  quantised: QuantisedNetwork,
  overflows: number,
): Generator<Feature> {
  const { network } = quantised;
  const found = new Set<Feature>();
  const note = (condition: boolean, feature: Feature) => {
    if (condition) found.add(feature);
  };
  const { crossChannelPool, spatialPool } = machine.postProcessing;
  program.steps.forEach(({ step, tiling }, index) => {
    const { tiles, chunks, bands } = tilingSizes(step, tiling, program.values);
    const { convolution } = step;
    const loads = bands.length * (tiling.inputResident ? 1 : tiles.length * chunks.length);
    note(bands.length > 1, 'several bands');
    note(chunks.length > 1, 'chunks with partial sums');
    note(bands.length > 1 && convolution !== undefined && !tiling.weightsResident, 'weights not resident');
    note(!tiling.inputResident && loads > bands.length, 'input not resident');
    note(loads > 1 && tiling.inputSlots === 1, 'one input slot');
    note(loads > 1 && tiling.inputSlots === 2, 'two input slots');
    note(convolution !== undefined && tiling.weightSlots === 1 && tiles.length > 1, 'one weight slot');
    note(tiling.tileRows < tiling.bandRows, 'several row tiles');
    note(tiling.outputSlots === 1 && tiles.length * bands.length > 1, 'one output slot');
    note(convolution !== undefined && tiling.groupsPerTile > 1, 'several groups in a tile');
    note(
      convolution !== undefined &&
        convolution.groups > 1 &&
        tiling.filtersPerTile < convolution.filters / convolution.groups,
      'a group in several tiles',
    );
    note(
      convolution !== undefined && convolution.groups === step.inputShape[0] && convolution.groups > 1,
      'depthwise',
    );
    note(convolution !== undefined && Math.max(...convolution.dilation) > 1, 'dilation');
    note(convolution !== undefined && step.reduction !== undefined, 'virtual maps on chip');
    if (step.outputKind === 'virtualFeatureMaps') {
      note(crossChannelPool !== null, 'stored virtual maps with a CCP unit');
      note(crossChannelPool === null, 'stored virtual maps without a CCP unit');
      note(crossChannelPool?.form === 'tree', 'stored virtual maps that a tree cannot take');
      note(
        crossChannelPool?.position === 'before' && quantised.numbers.weightScales === 'per channel',
        'stored virtual maps whose filters share no scale',
      );
      const behind = program.steps.slice(index + 1, index + 3).map((later) => later.step.pooling?.kind);
      note(behind.includes('average'), 'average pool behind stored maps');
      note(step.pooling?.kind === 'maximum', 'maximum pool in front of stored maps');
    }
    note(
      step.layers[0]!.work.stage === 'crossChannel' && step.inputKind === 'inputFeatureMaps',
      'cross-channel step of its own',
    );
    note(step.pooling !== undefined && convolution !== undefined, 'pool in the pipe');
    note(step.layers[0]!.work.stage === 'pool', 'pool that streams');
    note(step.layers[0]!.work.stage === 'activation', 'activation that streams');
  });
  note(spatialPool === null, 'no spatial pool unit');
  const { graph } = network;
  const readers = new Map<string, number>();
  for (const { inputs } of network.layers) {
    for (const input of new Set(inputs)) readers.set(input, (readers.get(input) ?? 0) + 1);
  }
  note(Math.max(...readers.values()) > 1, 'tensor read twice');
  note(
    graph.outputs.some((output) => readers.has(output)),
    'output that is read',
  );
  note(graph.outputs.length > 1, 'several outputs');
  note(network.hostNodes.length > 0, 'host node');
  for (const feature of numberFeatures(program, quantised, overflows)) found.add(feature);
  for (const feature of operatorFeatures(program, quantised)) found.add(feature);
  yield* found;
}

function* numberFeatures(
  program: Program,
  { numbers, tensors, layers }: QuantisedNetwork,
  overflows: number,
): Generator<Feature> {
  const { activations, weightBits, weightScales, accumulator, multiplierBits, form, rounding } = numbers;
  const hasWeights = layers.some(({ weights }) => weights !== undefined);
  const hasZeroPoints = [...tensors.values()].some(({ zeroPoint }) => zeroPoint !== 0);
  yield form === 'shift' ? 'shift form' : 'multiplier form';
  yield rounding;
  if (activations.bits > 8) {
    yield '2-byte elements';
    if (hasZeroPoints || !activations.signed) yield '2-byte elements, zero points or unsigned';
  }
  if (activations.bits < 8) yield 'fewer than 8 bits';
  if (!activations.signed) yield 'unsigned';
  if (hasZeroPoints) yield 'zero points';
  if (multiplierBits > 16) yield 'multipliers beyond 16 bits';
  if (program.values.recordBytes === 20) yield 'wide records';
  if (!hasWeights) return;
  if (weightScales === 'per tensor') yield 'scales per tensor';
  if (weightScales === 'per group') yield 'scales per group';
  if (weightBits === 16) yield '16-bit weights';
  if (weightBits === 16 && activations.bits > 8) yield '16-bit weights and activations';
  if (weightBits === 1) yield '1-bit weights';
  if (accumulator.bits > 32) yield 'accumulators beyond 32 bits';
  const isChunked = program.steps.some(({ step, tiling }) => {
    return tilingSizes(step, tiling, program.values).chunks.length > 1;
  });
  if (isChunked && program.values.sumBytes === 8) yield 'partial sums of 8 bytes';
  if (overflows > 0) {
    yield accumulator.overflow === 'wrap' ? 'sums that wrap' : 'sums that saturate';
    if (isChunked) yield 'sums that leave the accumulator between chunks';
  } else if (layers.some(({ mayOverflow }) => mayOverflow === true)) {
    yield 'watched sums that all fit';
  }
}

function* operatorFeatures(program: Program, { tensors, layers }: QuantisedNetwork): Generator<Feature> {
  for (const { step } of program.steps) {
    const { layer, table } = layers.find((one) => one.layer === step.layers[0])!;
    const { stage } = layer.work;
    const { reduction, pooling } = step;
    const isWide = program.values.elementBytes === 2;
    if (table !== undefined) {
      yield stage === 'array' ? 'table behind a convolution' : 'table that streams';
      if (isWide) yield 'table of 2-byte values';
    }
    if (reduction?.kind === 'mean') yield stage === 'crossChannel' ? 'mean of stored maps' : 'mean on chip';
    if (stage === 'crossChannel' && reduction === undefined && pooling?.kind === 'average') {
      yield 'mean by the spatial pool unit';
    }
    if (pooling?.countIncludesPadding === true && tensors.get(step.output)?.zeroPoint !== 0) {
      yield 'average pool that counts zero points';
    }
    if (stage === 'sum') {
      yield 'sum';
      if (isWide) yield 'sum of two-byte elements';
      if (step.inputs.length > 3) yield 'sum of 4 or more';
      if (new Set(step.inputs).size < step.inputs.length) yield 'sum of a map with itself';
      if (layer.merged.length > 0) yield 'sum with an activation';
      if (reduction !== undefined) yield 'sum with a cross-channel pool';
      if (pooling !== undefined) yield 'sum with a pool';
    }
    if (stage === 'join') {
      yield 'concat';
      const { scale, zeroPoint } = tensors.get(step.inputs[0]!)!;
      const made = tensors.get(step.output)!;
      if (scale !== made.scale || zeroPoint !== made.zeroPoint) yield 'concat that requantises';
    }
    if (step.reading.repeatRows * step.reading.repeatColumns > 1) yield 'upsample';
    if (step.reading.rowStep > 1) yield 'space to depth';
    if (layer.node.op.name === 'fullyConnected') yield 'fully connected';
    if (layer.node.op.name === 'globalAveragePool') yield 'global average pool';
  }
}

afterAll(() => {
  if (process.env.CENSUS === undefined) return;
  console.log({ ...outcomes, fasterWasSlower, ...Object.fromEntries(seen) });
});
