/** Whole programs on the whole machine's Verilog and on the simulator, and mistakes outside of the compute side that they find. */
import { describe, expect, it } from 'vitest';
import { hasVerilator, lint } from '../../src/hw/engines.test-helper.ts';
import type { MachineConfig } from '../../src/hw/machine/config.ts';
import { acceleratorModule, acceleratorModules } from '../../src/hw/machine/verilog.ts';
import type { VerilogModule } from '../../src/hw/verilog.ts';
import { readNetworkFile } from '../../src/import/formats.ts';
import { readMachineFile } from '../../src/import/machine-yaml.ts';
import { coSimulateLayers, layerCase, layerGraph } from '../../src/layer-cosim.ts';
import { convolution } from '../../src/ops/convolution/convolution.ts';
import { numbersOn } from '../../src/pipeline.ts';
import { layerNetwork } from '../../src/quant/layers.ts';
import { Dice } from '../../src/rtl/cosim/dice.ts';
import { icarus, isInstalled, verilator } from '../../src/rtl/cosim/native-engine.ts';
import { compareProgram } from '../../src/rtl/cosim/program-compare.ts';
import { programEngines } from '../../src/rtl/cosim/program-engine.ts';
import { randomMachine } from '../../src/rtl/cosim/random-machine.ts';
import { compileProgram } from '../../src/schedule/program.ts';
import { smallMachine } from './machine.test-helper.ts';

const seed = 2019;
const machines = 10;

/** A random machine with any DMA, and numbers that networks have. */
function machineNumber(number: number): MachineConfig {
  const dice = new Dice(number + 1);
  const machine = randomMachine(seed, number);
  const { peArray, sequencer, postProcessing } = machine;
  const { requantise } = postProcessing;
  const multiplierBits = Math.min(requantise.multiplierBits, 64 - peArray.accumulatorBits);
  return {
    ...machine,
    peArray: { ...peArray, weightBits: peArray.weightBits > 8 ? 16 : peArray.weightBits },
    postProcessing: { ...postProcessing, requantise: { ...requantise, multiplierBits } },
    dma: {
      burstBytes: dice.pick([16, 32, 64, 128, 256] as const),
      outstandingReads: dice.between(1, 12),
      outstandingWrites: dice.between(1, 12),
      descriptorCycles: dice.between(2, 7),
      moves: dice.chance(0.5),
    },
    sequencer: { ...sequencer, queueDepth: dice.between(4, 12) },
  };
}

describe('layers', () => {
  it(`agree on ${machines} random machines: every barrier, token and transaction, every byte of DRAM`, async () => {
    for (let number = 0; number < machines; number++) {
      const found = await coSimulateLayers(machineNumber(number), { seed: number, layers: 8 });
      expect([found.cycleMismatches, found.byteMismatches, found.firstMismatch], `machine ${number}`).toEqual(
        [0, 0, undefined],
      );
      expect(found.programs).toBe(8);
      expect(found.events).toBeGreaterThan(100);
      expect(found.bytes).toBeGreaterThan(0);
    }
  });

  it('agree on the default machine, one of 3x3 filters on 16 to 32 maps of 52 x 52 among them', async () => {
    const machine = readMachineFile('hw-configs/edge-256.yaml');
    const found = await coSimulateLayers(machine, { seed: 1, layers: 6, wholeLayer: true });
    expect([found.cycleMismatches, found.byteMismatches, found.firstMismatch]).toEqual([0, 0, undefined]);
    // 2704 pixels, 16 at once; 32 filters, 16 at once; 9 taps, 16 channels.
    expect(found.cycles).toBeGreaterThan(169 * 2 * 144);
    expect(found.bytes).toBeGreaterThan(32 * 52 * 52);
  });

  it('agree as a whole network', async () => {
    const machine = readMachineFile('hw-configs/edge-64.yaml');
    const { graph: network } = readNetworkFile('models/example.yaml', {});
    const found = await coSimulateLayers(machine, { seed: 1, layers: 0, network });
    expect([found.cycleMismatches, found.byteMismatches, found.firstMismatch]).toEqual([0, 0, undefined]);
    expect(found.programs).toBe(1);
    expect(found.events).toBeGreaterThan(50);
  });

  it('agree where maps stay on chip', async () => {
    const { dma } = smallMachine;
    const machine: MachineConfig = { ...smallMachine, dma: { ...dma, moves: true } };
    const graph = layerGraph(
      'on chip',
      [6, 9, 11],
      [
        { op: convolution, attributes: { filters: 8, kernel: 3, padding: 'same' } },
        { op: convolution, attributes: { filters: 5, kernel: 1 } },
      ],
    );
    const engine = await programEngines.javascript(machine);
    let moves = 0;
    for (let number = 0; number < 12; number++) {
      const memory = { seed: number, longest: 1 + 7 * number };
      const programCase = layerCase(machine, graph, number, memory, true);
      moves += programCase.commands.filter(({ op }) => op === 'move').length;
      const found = await compareProgram(engine, programCase);
      expect([found.cycleMismatches, found.byteMismatches, found.firstMismatch]).toEqual([0, 0, undefined]);
    }
    expect(moves).toBeGreaterThan(0);
  });

  it('agree where steps are fused by channels, weights come anew and last tiles take the place of the input', async () => {
    const { dma, buffers } = smallMachine;
    const convolutions = (...filters: number[]) =>
      filters.map((count, index) => ({
        op: convolution,
        attributes: { filters: count, kernel: index === 0 ? 3 : 1, padding: 'same' as const },
      }));
    const deep = layerGraph('deep', [8, 5, 6], convolutions(8, 32, 12, 3));
    const wide = layerGraph('wide', [2, 14, 11], convolutions(8, 28));
    // The output buffer holds all maps of the step that takes in its channels tile by tile, or does not.
    for (const [outputBytes, graphs] of [
      [448, [deep, wide]],
      [256, [deep]],
    ] as const) {
      const machine: MachineConfig = {
        ...smallMachine,
        dma: { ...dma, moves: true },
        buffers: {
          ...buffers,
          feature: { ...buffers.feature, bytes: 1024 },
          weight: { bytes: 288 },
          output: { bytes: outputBytes },
        },
      };
      const numbers = numbersOn(machine, { activationBits: 8, weightBits: 6 });
      const plans = graphs.map((graph) =>
        compileProgram(layerNetwork(graph), machine, { virtualFeatureMaps: true, fusion: true, numbers }),
      );
      const places = plans.map(({ steps }) => steps.map((step) => step.places!));
      if (outputBytes === 448) {
        expect(places[0]!.some(({ fusedBy }) => fusedBy === 'channels')).toBe(true);
        expect(places[0]!.some(({ accumulatorVector }) => accumulatorVector > 0)).toBe(true);
        expect(places[1]!.every(({ fusedBy }) => fusedBy === 'rows')).toBe(true);
        expect(plans[1]!.steps.some(({ tiling }) => !tiling.weightsResident)).toBe(true);
      } else {
        expect(places[0]!.some(({ lateMaps }) => lateMaps !== undefined)).toBe(true);
      }
      const engine = await programEngines.javascript(machine);
      for (const graph of graphs) {
        for (let number = 0; number < 4; number++) {
          const memory = { seed: number, longest: 1 + 9 * number };
          const found = await compareProgram(engine, layerCase(machine, graph, number, memory, true));
          expect([found.cycleMismatches, found.byteMismatches, found.firstMismatch]).toEqual([
            0,
            0,
            undefined,
          ]);
        }
      }
    }
  });

  for (const [tool, build] of [
    [icarus, programEngines.icarus],
    [verilator, programEngines.verilator],
  ] as const) {
    it(`are the same in ${tool.name}`, async ({ skip }) => {
      skip(!isInstalled(tool), `${tool.name} is not installed`);
      const { engine, ...found } = await coSimulateLayers(smallMachine, { seed: 5, layers: 6, build });
      const { engine: own, ...compiled } = await coSimulateLayers(smallMachine, { seed: 5, layers: 6 });
      expect(found).toEqual(compiled);
      expect(engine).not.toBe(own);
      expect([found.cycleMismatches, found.byteMismatches]).toEqual([0, 0]);
    });
  }

  it('need Verilog that leaves a linter nothing to say', ({ skip }) => {
    skip(!hasVerilator, 'Verilator is not installed');
    for (let number = 0; number < machines; number++) {
      expect(lint(acceleratorModules(machineNumber(number)), acceleratorModule), `machine ${number}`).toBe(
        '',
      );
    }
  });
});

interface Mutation {
  readonly mistake: string;
  readonly module: string;
  readonly from: RegExp;
  readonly to: string;
}

const mutations: readonly Mutation[] = [
  {
    mistake: 'a barrier does not wait for the last store',
    module: 'command_sequencer',
    from: / & store_idle/,
    to: '',
  },
  {
    mistake: 'a full queue loses a command',
    module: 'command_sequencer',
    from: /\(load_ready \| ~is_load\)/,
    to: "1'b1",
  },
  {
    mistake: 'a queue gets its place back too early',
    module: 'transfer_queue',
    from: /assign full = [^;]*;/,
    to: "assign full = 1'b0;",
  },
  {
    mistake: 'a load does not wait for its slot',
    module: 'load_dma',
    from: / & \(~waits \| has_token\)/,
    to: '',
  },
  {
    mistake: 'a descriptor takes a cycle less',
    module: 'load_dma',
    from: /if \(take\) decode_left <= 2'd3/,
    to: "if (take) decode_left <= 2'd2",
  },
  {
    mistake: 'one read too many is under way',
    module: 'load_dma',
    from: /wire allowed = \(under_way != 3'd4\)/,
    to: "wire allowed = (under_way != 3'd5)",
  },
  {
    mistake: 'a transaction is taken with its first beat',
    module: 'load_dma',
    from: /assign answer_ready = filling & transaction_end;/,
    to: 'assign answer_ready = filling;',
  },
  {
    mistake: 'a run goes on at the end of the one before',
    module: 'beat_walker',
    from: /next_run = run_base \+ run_pitch/,
    to: 'next_run = buffer_address + run_bytes',
  },
  {
    mistake: 'a beat crosses a word of the buffer',
    module: 'beat_walker',
    from: /\(burst_room < beat_room\) \? burst_room : beat_room/,
    to: 'burst_room',
  },
  {
    mistake: 'strobes of the transaction before are left',
    module: 'store_dma',
    from: /strobes <= \(rst \| issued\)/,
    to: 'strobes <= rst',
  },
  {
    mistake: 'every acknowledgement completes a store',
    module: 'store_dma',
    from: /(assign complete = answered) & [^;]*;/,
    to: '$1;',
  },
];

describe('co-simulation of layers', () => {
  // Few places in the queues, so that they fill up.
  const machine: MachineConfig = { ...smallMachine, sequencer: { queueDepth: 4, startCycles: 4 } };
  const modules = acceleratorModules(machine);
  const mismatches = async (given: readonly VerilogModule[]): Promise<number> => {
    const found = await coSimulateLayers(machine, { seed: 3, layers: 16, modules: given });
    return found.cycleMismatches + found.byteMismatches;
  };

  it('finds nothing in the Verilog as it is', async () => {
    expect(await mismatches(modules)).toBe(0);
  });

  it.each(mutations)('finds it when $mistake', async ({ module, from, to }) => {
    const mutated = modules.map((original) =>
      original.name === module ? { ...original, text: original.text.replace(from, to) } : original,
    );
    const changed = mutated.filter(({ text }, index) => text !== modules[index]!.text);
    expect(changed.map(({ name }) => name)).toEqual([module]);
    expect(await mismatches(mutated)).toBeGreaterThan(0);
  });
});
