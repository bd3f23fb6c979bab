/** Cycle counts worked out by hand from the rules at the top of compute.ts. */
import { describe, expect, it } from 'vitest';
import { Engine } from '../../sim/engine.ts';
import { emptySramStatistics } from '../buffers/buffers.ts';
import { crossChannelPoolSchema } from '../cross-channel-pool/config.ts';
import { type Command, type CommandOf, formats } from '../isa/formats.ts';
import type { MachineConfig } from '../machine/config.ts';
import { Tokens } from '../sequencer/queue.ts';
import { ComputeUnit } from './compute.ts';
import { emptyArrayCycles } from './statistics.ts';

/** Commands start 3 cycles after they are accepted; from the last drained value to the written byte it takes 1 + 2. */
const machineOf = (rows: number, columns: number): MachineConfig => ({
  name: 'small',
  description: '',
  memory: 'modelled',
  clockMHz: 1,
  peArray: {
    rows,
    columns,
    dataflow: 'output-stationary',
    feed: 'broadcast',
    foldOverlap: true,
    products: 'flattened',
    activationBits: 8,
    weightBits: 8,
    accumulatorBits: 32,
    accumulatorOverflow: 'saturate',
    pipelineDepth: 1,
    depthwise: null,
  },
  buffers: {
    feature: { bytes: 1024, banks: rows },
    weight: { bytes: 1024 },
    parameter: { bytes: 1024 },
    accumulator: { bytes: 1024 },
    pool: { bytes: 1024 },
    output: { bytes: 1024 },
  },
  postProcessing: {
    requantise: { form: 'shift', multiplierBits: 16, rounding: 'half-even', lookupTable: null },
    pipelineDepth: 2,
    crossChannelPool: crossChannelPoolSchema.parse({ maximumRatio: 16, mean: true }),
    spatialPool: { maximumWindow: 8, average: true },
  },
  dma: { burstBytes: 16, outstandingReads: 1, outstandingWrites: 1, descriptorCycles: 0, moves: true },
  sequencer: { queueDepth: 8, startCycles: 3 },
  dram: { kind: 'ideal', bandwidthMBps: 1, latencyNs: 0, capacityMiB: 1 },
});

/** A 1x1 convolution of `channels` channels on a map without padding. */
function tile(
  outRows: number,
  outColumns: number,
  channels: number,
  filters: number,
  more: Partial<CommandOf<'compute'>> = {},
): Command {
  const zeros = Object.fromEntries(formats.compute.fields.map(({ name }) => [name, 0]));
  return {
    ...zeros,
    op: 'compute',
    elementBytes: 1,
    weightBytes: 1,
    repeatRows: 1,
    repeatColumns: 1,
    rowPitch: outColumns,
    planePitch: outRows * outColumns,
    rows: outRows,
    columns: outColumns,
    groups: 1,
    channels,
    filters,
    kernelRows: 1,
    kernelColumns: 1,
    strideRows: 1,
    strideColumns: 1,
    dilationRows: 1,
    dilationColumns: 1,
    outRows,
    outColumns,
    ...more,
  } as Command;
}

function post(more: Partial<CommandOf<'postProcess'>> = {}): Command {
  const zeros = Object.fromEntries(formats.postProcess.fields.map(({ name }) => [name, 0]));
  return { ...zeros, op: 'postProcess', requantise: 1, ratio: 1, ...more } as Command;
}

/** Runs commands that are all in the queue at cycle 0; [start, end) of the array and of post-processing. */
function run(machine: MachineConfig, program: readonly Command[]) {
  const engine = new Engine();
  const cycles = emptyArrayCycles();
  const tokens = () => new Tokens();
  const slices: Record<string, [number, number][]> = { array: [], postProcessing: [] };
  const unit = new ComputeUnit(
    engine,
    machine,
    program,
    { fromLoad: tokens(), toLoad: tokens(), fromStore: tokens(), toStore: tokens() },
    undefined,
    { slice: (name, _index, start, end) => slices[name]!.push([start, end]) },
    () => {},
    { cycles, sram: emptySramStatistics() },
  );
  program.forEach((_, index) => {
    unit.push(index);
  });
  engine.run();
  expect(unit.isIdle).toBe(true);
  return { ...slices, cycles };
}

describe('compute unit in depthwise mode', () => {
  const arrayFor = (columns: number, kernel: number): MachineConfig => {
    const machine = machineOf(8, columns);
    return { ...machine, peArray: { ...machine.peArray, depthwise: { kernel } } };
  };

  it('walks a channel in strips, a row read a cycle, and hands on a vector a row', () => {
    // 2x2 taps, 8 values a read: 7 lanes. 9 columns are two strips of 4 + 1 reads, for each of 3 channels.
    const depthwise = {
      depthwise: 1,
      groups: 3,
      channels: 1,
      filters: 1,
      kernelRows: 2,
      kernelColumns: 2,
      rows: 5,
      columns: 10,
    };
    // First read at 4, 30 of them; the last vector is through at 34, its bytes written 3 later.
    expect(run(arrayFor(4, 2), [post(), tile(4, 9, 1, 1, depthwise)])).toEqual({
      array: [[1, 34]],
      postProcessing: [[1, 37]],
      cycles: { busy: 30, bank: 0, dram: 0, dependency: 1 + 3, postProcessing: 0, fill: 3 },
    });
  });

  it('waits for the chain of the tile before', () => {
    // The fold of one step swaps at 5; its two columns leave the chain at 7. The next command's settings at 5..6; its first
    // read would be at 9, the chain is free by then.
    const depthwise = { depthwise: 1, groups: 1, kernelRows: 1, kernelColumns: 1, channels: 1, filters: 1 };
    expect(
      run(arrayFor(2, 1), [post(), tile(1, 4, 1, 2), post(), tile(2, 4, 1, 1, depthwise)]),
    ).toMatchObject({
      array: [
        [1, 5],
        [6, 11],
      ],
    });
  });
});

describe('compute unit', () => {
  it('runs one fold', () => {
    // postProcess 0..1. Accepted at 1, first step at 4, five steps: swap at 9, which ends the command.
    // Columns leave at 9 and 10, the last is through at 11, its bytes written 3 later.
    expect(run(machineOf(4, 2), [post(), tile(1, 4, 5, 2)])).toEqual({
      array: [[1, 9]],
      postProcessing: [[1, 14]],
      cycles: { busy: 5, bank: 0, dram: 0, dependency: 1 + 5, postProcessing: 0, fill: 3 },
    });
  });

  it('waits for the chain where draining takes longer than computing', () => {
    // First step at 4. Fold 1: swap at 5, drains 5..7. Fold 2: one step, done at 6, chain free at 7: one cycle lost.
    // It drains 7..9; bytes at 12.
    expect(run(machineOf(4, 2), [post(), tile(2, 4, 1, 2)])).toEqual({
      array: [[1, 7]],
      postProcessing: [[1, 12]],
      cycles: { busy: 2, bank: 0, dram: 0, dependency: 1 + 5, postProcessing: 1, fill: 3 },
    });
  });

  it('shifts partial sums in: before the first step, then behind the fold that drains', () => {
    // Start values of fold 1: 4..6. First step at 6; meanwhile those of fold 2 shift in, 6..8. Fold 1 is done at 7
    // and waits for the chain until 8, drains 8..10. Fold 2: step 8..9, waits until 10, drains 10..12. Bytes at 15.
    expect(run(machineOf(4, 2), [post(), tile(2, 4, 1, 2, { accumulateIn: 1 })])).toEqual({
      array: [[1, 10]],
      postProcessing: [[1, 15]],
      cycles: { busy: 2, bank: 0, dram: 0, dependency: 1 + 5, postProcessing: 2, fill: 5 },
    });
  });

  it('leaves partial sums behind without post-processing', () => {
    // Accepted at 0, first step at 3, four steps: swap at 7; the chain drains 7..9 on its own. The second command
    // is accepted at 7, steps from 10; its swap at 14 finds the chain free.
    expect(
      run(machineOf(4, 2), [tile(1, 4, 4, 2, { accumulateOut: 1 }), tile(1, 4, 4, 2, { accumulateOut: 1 })]),
    ).toEqual({
      array: [
        [0, 7],
        [7, 14],
      ],
      postProcessing: [],
      cycles: { busy: 8, bank: 0, dram: 0, dependency: 0, postProcessing: 0, fill: 6 },
    });
  });

  const withUnit = (machine: MachineConfig, unit: object): MachineConfig => ({
    ...machine,
    postProcessing: {
      ...machine.postProcessing,
      crossChannelPool: crossChannelPoolSchema.parse({ maximumRatio: 4, ...unit }),
    },
  });

  it('takes the columns of a group at once into a tree', () => {
    // Swap at 6; two columns leave at 6, two at 7; through at 8, written 3 later.
    const machine = withUnit(machineOf(4, 4), { form: 'tree' });
    expect(run(machine, [post({ ratio: 2 }), tile(1, 4, 2, 4)])).toMatchObject({
      array: [[1, 6]],
      postProcessing: [[1, 11]],
    });
    // Ratio 1: one column a cycle, 6..10.
    expect(run(machine, [post(), tile(1, 4, 2, 4)])).toMatchObject({ postProcessing: [[1, 13]] });
  });

  it('holds the groups of a tree back where pooling takes longer', () => {
    // 2x2 windows over 2 x 2 pixels: a vector has pixels of two rows, two cycles. Groups at 6 and 8; through at 10.
    const pool = { poolKind: 1, windowRows: 2, windowColumns: 2, strideRows: 2, strideColumns: 2 };
    const settings = post({ ratio: 2, ...pool, outRows: 1, outColumns: 1 });
    expect(run(withUnit(machineOf(4, 4), { form: 'tree' }), [settings, tile(2, 2, 2, 4)])).toMatchObject({
      postProcessing: [[1, 13]],
    });
  });

  it('lets a tree take groups at the pace of the start values behind them', () => {
    // Start values of fold 1: 4..8; those of fold 2 follow, 8..12. Fold 1 (two steps) is done at 10, waits for the chain until
    // 12; nothing follows behind it, so its groups leave at 12 and 13, the chain is free at 14. Fold 2 is done at 14, its
    // groups leave at 14 and 15; through at 16.
    const machine = withUnit(machineOf(4, 4), { form: 'tree' });
    expect(run(machine, [post({ ratio: 2 }), tile(2, 4, 2, 4, { accumulateIn: 1 })])).toMatchObject({
      array: [[1, 14]],
      postProcessing: [[1, 19]],
    });
    // Three folds: start values of fold 3 come in behind fold 1, one a cycle. Its groups leave at 12 and 14, and the chain is
    // busy until 17, as with one column a cycle; fold 2, done at 14, leaves at 17 and 18, fold 3 at 19 and 20; through at 21.
    expect(run(machine, [post({ ratio: 2 }), tile(3, 4, 2, 4, { accumulateIn: 1 })])).toMatchObject({
      array: [[1, 19]],
      postProcessing: [[1, 24]],
    });
  });

  it('finishes groups that take turns one behind the other', () => {
    // 2x2 windows as above. Four filters, two groups: without turns groups are complete at 7 and 9, through at 11. In turns
    // both are absorbed first, 6 and 7; complete at 8 and, pooling being busy until 10, at 10; through at 12.
    const pool = { poolKind: 1, windowRows: 2, windowColumns: 2, strideRows: 2, strideColumns: 2 };
    const settings = { ratio: 2, ...pool, outRows: 1, outColumns: 1 };
    const machine = withUnit(machineOf(4, 4), { depth: 2 });
    expect(run(machine, [post(settings), tile(2, 2, 2, 4)])).toMatchObject({ postProcessing: [[1, 14]] });
    expect(run(machine, [post({ ...settings, interleave: 2 }), tile(2, 2, 2, 4)])).toMatchObject({
      postProcessing: [[1, 15]],
    });
  });

  it('takes every column of a pooled group, one a cycle', () => {
    // Four filters, ratio 2: swap at 6; columns leave at 6, 7 (first group out 7..8), 8, 9 (second 9..10).
    expect(run(machineOf(4, 4), [post({ ratio: 2 }), tile(1, 4, 2, 4)])).toEqual({
      array: [[1, 6]],
      postProcessing: [[1, 13]],
      cycles: { busy: 2, bank: 0, dram: 0, dependency: 1 + 7, postProcessing: 0, fill: 3 },
    });
  });

  it('waits for a pooling unit that is slower than the chain', () => {
    // Three rows of four, 2x2 windows with stride 1: rows belong to 1, 2 and 1 pooled rows. Two filters, one step.
    // Row 0: swap at 5, columns leave at 5, 6; chain free at 7, pool at 7.
    // Row 1: done at 6, swap at 7 (1 lost). Column 1 leaves at 7, pool busy 7..9; column 2 waits, leaves at 9, pool
    // 9..11; chain free at 10.
    // Row 2: done at 8, swap at 10 (2 lost). Column 1 waits for the pool, leaves at 11; column 2 at 12; 13 + 3.
    const pooling = { poolKind: 1, windowRows: 2, windowColumns: 2, strideRows: 1, strideColumns: 1 };
    expect(run(machineOf(4, 2), [post({ ...pooling, outRows: 2, outColumns: 3 }), tile(3, 4, 1, 2)])).toEqual(
      {
        array: [[1, 10]],
        postProcessing: [[1, 16]],
        cycles: { busy: 3, bank: 0, dram: 0, dependency: 1 + 6, postProcessing: 3, fill: 3 },
      },
    );
  });

  it('streams a vector a cycle', () => {
    // Three maps of one vector: read at 4, 5, 6. The last is through at 7, its bytes written at 10.
    expect(run(machineOf(4, 2), [post(), tile(1, 4, 3, 3, { stream: 1 })])).toEqual({
      array: [[1, 7]],
      postProcessing: [[1, 10]],
      cycles: { busy: 3, bank: 0, dram: 0, dependency: 1 + 3, postProcessing: 0, fill: 3 },
    });
  });

  it('streams at half the speed where two lanes meet in a bank', () => {
    // Two rows of two, four bytes apart, in four banks: bytes 0, 1, 4, 5 take two cycles. Vectors are in at 5 and 7.
    const narrow = tile(2, 2, 2, 2, { stream: 1, rowPitch: 4, planePitch: 8 });
    expect(run(machineOf(4, 2), [post(), narrow])).toEqual({
      array: [[1, 8]],
      postProcessing: [[1, 11]],
      cycles: { busy: 2, bank: 2, dram: 0, dependency: 1 + 3, postProcessing: 0, fill: 3 },
    });
  });

  it('streams the maps of a sum one after the other', () => {
    // Two maps, three operands each: their records are fetched in four cycles, then three reads a map. Vectors are in
    // at 10 and 13, bytes at 17.
    expect(run(machineOf(4, 2), [post(), tile(1, 4, 2, 2, { stream: 1, operands: 3 })])).toEqual({
      array: [[1, 14]],
      postProcessing: [[1, 17]],
      cycles: { busy: 6, bank: 0, dram: 0, dependency: 1 + 3, postProcessing: 0, fill: 3 + 4 },
    });
  });

  it('reads a repeated value once for all the lanes that want it', () => {
    // 1x2 becomes 2x4: both rows read the same two bytes, so eight lanes on two values take one cycle a map.
    const repeated = tile(2, 4, 2, 2, {
      stream: 1,
      repeatRows: 2,
      repeatColumns: 2,
      rows: 1,
      columns: 2,
      rowPitch: 2,
    });
    expect(run(machineOf(8, 2), [post(), repeated])).toEqual({
      array: [[1, 6]],
      postProcessing: [[1, 9]],
      cycles: { busy: 2, bank: 0, dram: 0, dependency: 1 + 3, postProcessing: 0, fill: 3 },
    });
  });

  it('takes a cycle more for values that are a multiple of the banks apart', () => {
    // Every second column of 8, from the second on: columns 1, 3, 5, 7 lie in banks 1, 3, 1, 3 of four. Two bytes a
    // value change nothing: a bank is one value wide.
    const apart = { stream: 1, strideColumns: 2, padLeft: -1, columns: 8 };
    const slower = {
      array: [[1, 8]],
      postProcessing: [[1, 11]],
      cycles: { busy: 2, bank: 2, dram: 0, dependency: 1 + 3, postProcessing: 0, fill: 3 },
    };
    expect(run(machineOf(4, 2), [post(), tile(1, 4, 2, 2, { ...apart, rowPitch: 8 })])).toEqual(slower);
    expect(
      run(machineOf(4, 2), [post(), tile(1, 4, 2, 2, { ...apart, rowPitch: 16, elementBytes: 2 })]),
    ).toEqual(slower);
  });

  it('begins a command while the last fold of the one before drains', () => {
    // First command: swap at 5, drains 5..9 (four columns). The postProcess behind it takes 5..6, the second
    // command is accepted at 6, steps at 9, done at 10: the chain is free by then. It drains 10..14.
    const wide = tile(1, 4, 1, 4);
    expect(run(machineOf(4, 4), [post(), wide, post(), wide])).toEqual({
      array: [
        [1, 5],
        [6, 10],
      ],
      postProcessing: [
        [1, 12],
        [6, 17],
      ],
      cycles: { busy: 2, bank: 0, dram: 0, dependency: 1 + 1 + 7, postProcessing: 0, fill: 6 },
    });
  });
});
