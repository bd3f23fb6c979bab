import { describe, expect, it } from 'vitest';
import { containerBytes } from '../../core/fixed-point.ts';
import { hashSeed, randomStream } from '../../core/random.ts';
import { Dice } from '../../rtl/cosim/dice.ts';
import { beatBytes } from '../buffers/beats.ts';
import { hasVerilator, lint } from '../engines.test-helper.ts';
import { bufferNames, type TransferCommand } from '../isa/formats.ts';
import { bufferBytes, type MachineConfig } from '../machine/config.ts';
import { machineWith } from '../machines.test-helper.ts';
import { dmaShape } from './shape.ts';
import { compileDma, type DmaCase, runDmaModel, runDmaSimulator } from './verilog.test-helper.ts';
import { dmaModules } from './verilog.ts';

function machineFor(seed: number): MachineConfig {
  const dice = new Dice(hashSeed('dma machine', seed));
  const base = machineWith({
    peArray: {
      rows: dice.between(1, 9),
      columns: dice.between(1, 9),
      activationBits: dice.pick([8, 16]),
      weightBits: dice.pick([8, 8, 16]),
    },
    requantise: { lookupTable: dice.chance(0.7) ? { bytes: 256 } : null },
  });
  return {
    ...base,
    buffers: { ...base.buffers, feature: { bytes: 4096, banks: 2 ** dice.between(0, 6) } },
    postProcessing: {
      ...base.postProcessing,
      spatialPool: dice.chance(0.5) ? { maximumWindow: 4, average: true } : null,
    },
    dma: {
      burstBytes: dice.pick([16, 32, 64, 128] as const),
      outstandingReads: dice.between(1, 9),
      outstandingWrites: dice.between(1, 9),
      descriptorCycles: dice.between(2, 6),
      moves: dice.chance(0.6),
    },
    sequencer: { queueDepth: dice.between(4, 7), startCycles: 4 },
  };
}

const dramBytes = 8192;

/** Transfers whose runs are whole values, as those of programs are. */
function caseFor(machine: MachineConfig, name: 'load' | 'store', seed: number): DmaCase {
  const dice = new Dice(hashSeed(`dma ${name}`, seed));
  const table = machine.postProcessing.requantise.lookupTable === null ? [] : (['table'] as const);
  const targets = ['feature', 'weight', 'parameter', ...table] as const;
  const tokens: number[] = [];
  let now = 0;
  const commands = Array.from({ length: dice.between(1, 12) }, (): DmaCase['commands'][number] => {
    const buffer = name === 'store' ? 'output' : dice.pick(targets);
    const unit =
      buffer === 'parameter'
        ? 4
        : containerBytes(buffer === 'weight' ? machine.peArray.weightBits : machine.peArray.activationBits);
    const capacity = Math.floor(bufferBytes(machine, buffer) / unit);
    const runs = dice.between(1, dice.pick([1, 8]));
    const segments = dice.between(1, dice.pick([1, 5]));
    const run = dice.between(
      1,
      Math.max(1, Math.min(dice.pick([5, 60]), Math.floor(capacity / (runs * segments)))),
    );
    // [segment][run] or [run][segment] in the buffer, without overlap.
    const isSegmentOuter = dice.chance(0.5);
    const gap = dice.between(0, Math.floor((capacity / (runs * segments) - run) / 2));
    const pitch = run + Math.min(gap, 5);
    const room = capacity - pitch * runs * segments;
    const waitCompute = dice.bit();
    if (waitCompute === 1) {
      now += dice.pick([1, dice.between(1, 60)]);
      tokens.push(now);
    }
    if (name === 'store' && machine.dma.moves && dice.chance(0.4)) {
      // From [segment][run] to [run][segment], or the other way.
      const pitches = [
        { segment: unit * pitch * runs, run: unit * pitch },
        { segment: unit * pitch, run: unit * pitch * segments },
      ];
      const [source, target] = dice.chance(0.5) ? pitches : pitches.toReversed();
      return {
        op: 'move',
        waitCompute,
        signalCompute: dice.bit(),
        segments,
        runs,
        runBytes: unit * run,
        sourceAddress: unit * dice.between(0, Math.max(0, Math.min(20, room))),
        sourceSegmentPitch: source!.segment,
        sourceRunPitch: source!.run,
        targetAddress: unit * dice.between(0, 40),
        targetSegmentPitch: target!.segment,
        targetRunPitch: target!.run,
      };
    }
    const dramPitch = unit * (run * runs + dice.between(0, 9));
    return {
      op: name,
      waitCompute,
      signalCompute: dice.bit(),
      kind: 0,
      buffer: bufferNames.indexOf(buffer),
      dramAddress: unit * dice.between(0, Math.floor((dramBytes - segments * dramPitch) / unit)),
      segments,
      dramPitch,
      stretchBytes: unit * run * runs,
      runBytes: unit * run,
      bufferAddress: unit * dice.between(0, Math.max(0, Math.min(20, room))),
      bufferSegmentPitch: unit * pitch * (isSegmentOuter ? runs : 1),
      bufferRunPitch: unit * pitch * (isSegmentOuter ? 1 : segments),
    } as TransferCommand;
  });
  const random = randomStream(seed);
  const fill = (bytes: number) => Uint8Array.from({ length: bytes }, () => random());
  const slow = dice.pick([1, 4, 40]);
  const times = Array.from({ length: 4000 }, () => dice.between(1, slow));
  const busy: [number, number][] = [];
  for (let at = 0; at < 4000; ) {
    const first = at + dice.between(1, 12);
    const last = first + dice.between(0, 5);
    busy.push([first, last]);
    at = last;
  }
  return {
    machine,
    name,
    commands,
    busy,
    delays: (transaction) => times[transaction % times.length]!,
    tokens,
    dram: fill(dramBytes + 256),
    output: fill(4096),
  };
}

describe.each(['load', 'store'] as const)('Verilog of the DMA, %s', (name) => {
  it('issues, fills and completes in the cycles of the simulator, with the same bytes', {
    timeout: 120_000,
  }, async () => {
    for (let seed = 0; seed < 16; seed++) {
      const machine = machineFor(seed);
      const model = await compileDma(machine, name);
      for (let number = 0; number < 12; number++) {
        const dmaCase = caseFor(machine, name, 100 * seed + number);
        const expected = runDmaSimulator(dmaCase);
        const seen = runDmaModel(model, dmaCase, 50_000);
        const of = `machine ${seed}, case ${number}`;
        expect({ of, ...seen }).toEqual({ of, ...expected });
        // A memory that hesitates changes the cycles, not the bytes nor the order.
        const late = runDmaModel(model, dmaCase, 50_000, seed);
        const places = (list: readonly string[]) => list.map((line) => line.replace(/^\d+: /, ''));
        expect(late.bytes).toEqual(expected.bytes);
        expect(places(late.transactions)).toEqual(places(expected.transactions));
        expect(late.given.length).toBe(expected.given.length);
      }
    }
  });
});

describe('Verilog of the DMA', () => {
  it.skipIf(!hasVerilator)('has nothing Verilator warns of', { timeout: 120_000 }, () => {
    for (let seed = 0; seed < 6; seed++) {
      for (const top of ['load_dma', 'store_dma']) {
        expect(lint(dmaModules(machineFor(seed)), top)).toBe('');
      }
    }
  });

  it('has the beats of the simulator', () => {
    const machine = machineFor(3);
    const { targets, output } = dmaShape(machine);
    for (const { name, beatBytes: beat, wordBytes } of [...targets, output]) {
      expect(beat).toBe(beatBytes(machine, name));
      expect(beat).toBe(Math.min(wordBytes, machine.dma.burstBytes));
    }
  });

  it('needs two cycles for a descriptor', () => {
    const machine = machineFor(1);
    expect(() => dmaModules({ ...machine, dma: { ...machine.dma, descriptorCycles: 1 } })).toThrow(
      'dma.descriptorCycles is 1, expected at least 2',
    );
  });
});
