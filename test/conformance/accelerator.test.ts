/** The accelerator is the integer executor, bit for bit, on random networks and random machines. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/diagnostics.ts';
import type { Command, CommandName } from '../../src/hw/isa/formats.ts';
import type { MachineConfig } from '../../src/hw/machine/config.ts';
import { runInteger } from '../../src/quant/integer-executor.ts';
import { type LayeredNetwork, layerNetwork } from '../../src/quant/layers.ts';
import { compileProgram, type Program } from '../../src/schedule/program.ts';
import { runProgram } from '../../src/schedule/run.ts';
import { tilingSizes } from '../../src/schedule/tiling.ts';
import { expectCycles, expectTensors, expectTraffic, firstDifference } from './check-run.test-helper.ts';
import { hazardWatch } from './hazards.test-helper.ts';
import { dramOf, randomMachine } from './random-machines.test-helper.ts';
import {
  buildNetwork,
  type NetworkRecipe,
  networkRecipe,
  randomBytes,
  randomIntegers,
} from './random-networks.test-helper.ts';

/** Cases of the property, and how many of them must show each feature. */
const CASES = 310;
const LEAST = 6;

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
        randomMachine,
        dramOf,
        fc.boolean(),
        fc.boolean(),
        fc.nat(),
        async (recipe, drawn, otherDram, virtualFeatureMaps, dropPool, seed) => {
          const graph = buildNetwork(recipe);
          const network = layerNetwork(graph);
          const machine = dropPool && !needsPool(network, drawn) ? withoutPool(drawn) : drawn;
          const quantised = randomIntegers(network, machine.postProcessing.requantise, seed);
          const bounds = new Map(quantised.layers.map((layer) => [layer.layer, layer]));
          let program: Program;
          try {
            program = compileProgram(network, machine, { virtualFeatureMaps }, bounds);
          } catch (error) {
            if (!(error instanceof InputError)) throw error;
            expect(error.message).toMatch(/^layer '.*' doesn't fit machine 'random': .* buffer/);
            outcomes.refused++;
            return;
          }
          const input = randomBytes(
            graph.input.shape.reduce((a, b) => a * b),
            seed + 1,
          );
          const reference = runInteger(quantised, input);
          const watch = hazardWatch(program.commands);
          const full = await runProgram(program, machine, {
            data: { quantised, input },
            keep: () => true,
            observer: watch.observer,
          });
          expect(watch.find()).toEqual([]);
          expectTensors(full, program, reference);
          expectTraffic(full.result, program);
          expectCycles(full.result, machine);

          const timing = await runProgram(program, machine);
          expect(timing.tensors.size).toBe(0);
          expect(timing.result).toEqual(full.result);

          // The same words on a machine whose memory is faster or slower: a missing token would show.
          const other = { ...machine, dram: otherDram };
          const otherWatch = hazardWatch(program.commands);
          const elsewhere = await runProgram(program, other, {
            data: { quantised, input },
            keep: () => true,
            observer: otherWatch.observer,
          });
          expect(otherWatch.find()).toEqual([]);
          expectTensors(elsewhere, program, reference);
          expectTraffic(elsewhere.result, program);
          expectCycles(elsewhere.result, other);
          noteSpeed(machine.dram, full.result.cycles, otherDram, elsewhere.result.cycles);

          outcomes.ran++;
          for (const feature of featuresOf(program, machine, network)) {
            seen.set(feature, seen.get(feature)! + 1);
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
    }),
  );
  // Small buffers, so that every slot is reused, and a memory that is late with everything unless a test says so.
  const machine: MachineConfig = {
    name: 'late',
    description: '',
    clockMHz: 400,
    peArray: {
      rows: 8,
      columns: 8,
      dataflow: 'output-stationary',
      activationBits: 8,
      weightBits: 8,
      accumulatorBits: 32,
      pipelineDepth: 3,
    },
    buffers: {
      feature: { bytes: 800, banks: 8 },
      weight: { bytes: 900 },
      parameter: { bytes: 300 },
      accumulator: { bytes: 2048 },
      pool: { bytes: 64 },
      output: { bytes: 400 },
    },
    postProcessing: { requantise: 'multiplier', pipelineDepth: 4, crossChannelPool: null, spatialPool: null },
    dma: { burstBytes: 16, outstandingReads: 2, outstandingWrites: 1, descriptorCycles: 4 },
    sequencer: { queueDepth: 32, startCycles: 2 },
    dram: { kind: 'ideal', bandwidthMBps: 40, latencyNs: 2000, capacityMiB: 16 },
  };
  const quantised = randomIntegers(network, 'multiplier', 5);
  const bounds = new Map(quantised.layers.map((layer) => [layer.layer, layer]));
  const program = compileProgram(network, machine, { virtualFeatureMaps: true }, bounds);
  const input = randomBytes(6 * 14 * 11, 6);
  const reference = runInteger(quantised, input);

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
        const watch = hazardWatch(commands);
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
    ratio: 1,
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
  const isFaster = a.bandwidthMBps >= b.bandwidthMBps && a.latencyNs <= b.latencyNs;
  const isSlower = a.bandwidthMBps <= b.bandwidthMBps && a.latencyNs >= b.latencyNs;
  if ((isFaster && cyclesA > cyclesB) || (isSlower && cyclesA < cyclesB)) fasterWasSlower++;
}

function needsPool(network: LayeredNetwork, machine: MachineConfig): boolean {
  const most = machine.postProcessing.crossChannelPool?.maximumRatio ?? 0;
  return network.layers.some(
    ({ work }) => work.stage === 'pool' || (work.stage === 'crossChannel' && work.ratio > most),
  );
}

function withoutPool(machine: MachineConfig): MachineConfig {
  return { ...machine, postProcessing: { ...machine.postProcessing, spatialPool: null } };
}

function* featuresOf(program: Program, machine: MachineConfig, network: LayeredNetwork): Generator<Feature> {
  const found = new Set<Feature>();
  const note = (condition: boolean, feature: Feature) => {
    if (condition) found.add(feature);
  };
  const { crossChannelPool, spatialPool } = machine.postProcessing;
  program.steps.forEach(({ step, tiling }, index) => {
    const { tiles, chunks, bands } = tilingSizes(step, tiling);
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
    note(convolution !== undefined && step.ratio > 1, 'virtual maps on chip');
    if (step.outputKind === 'virtualFeatureMaps') {
      note(crossChannelPool !== null, 'stored virtual maps with a CCP unit');
      note(crossChannelPool === null, 'stored virtual maps without a CCP unit');
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
  for (const { input } of network.layers) readers.set(input, (readers.get(input) ?? 0) + 1);
  note(Math.max(...readers.values()) > 1, 'tensor read twice');
  note(
    graph.outputs.some((output) => readers.has(output)),
    'output that is read',
  );
  note(graph.outputs.length > 1, 'several outputs');
  yield* found;
}

afterAll(() => {
  if (process.env.CENSUS === undefined) return;
  console.log({ ...outcomes, fasterWasSlower, ...Object.fromEntries(seen) });
});
