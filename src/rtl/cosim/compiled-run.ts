/** A case on the Verilog, compiled from Yosys' netlist into JavaScript. */
import { assert } from '../../core/diagnostics.ts';
import { computeModules } from '../../hw/compute/core-verilog.ts';
import { computeShape } from '../../hw/compute/shape.ts';
import type { MachineConfig } from '../../hw/machine/config.ts';
import type { VerilogModule } from '../../hw/verilog.ts';
import { compileNetlist } from '../netlist/compile.ts';
import type { Model } from '../netlist/model.ts';
import { elaborate, yosysVersion } from '../netlist/yosys.ts';
import { type CosimCase, type CosimResult, tokensGiven } from './case.ts';
import { commandWords } from './command-words.ts';
import type { EngineBuilder } from './engine.ts';
import { bufferImages } from './images.ts';

/** The top module of what is compared. */
export const topModule = 'compute_core';

/** What reports call the engine that needs nothing but this package. */
export async function compiledEngineName(): Promise<string> {
  return `JavaScript, compiled from the netlist of Yosys ${await yosysVersion()}`;
}

/** The engine that needs nothing but this package. */
export const buildCompiled: EngineBuilder = async (machine, modules) => {
  const model = await compileCompute(machine, modules);
  return {
    name: await compiledEngineName(),
    run: (cosimCase, _, limit) => runCompiled(model, cosimCase, limit),
    close: () => undefined,
  };
};

/** The compute side as a model that runs; seconds of work for an array of some hundred elements. */
export async function compileCompute(
  machine: MachineConfig,
  modules: readonly VerilogModule[] = computeModules(machine),
): Promise<Model> {
  const files = Object.fromEntries(modules.map(({ name, text }) => [`${name}.v`, text]));
  return compileNetlist(await elaborate(files, topModule), topModule);
}

/**
 * Runs a case until every token was given, or `limit` cycles. The model starts from its power-on state.
 */
export function runCompiled(model: Model, cosimCase: CosimCase, limit: number): CosimResult {
  const { machine, arrivals, fromLoad, fromStore } = cosimCase;
  model.restart();
  fillBuffers(model, cosimCase);
  const words = commandWords(cosimCase.commands);
  const width = model.ports.find(({ name }) => name === 'command')!.bits;
  const command = Array.from({ length: Math.ceil(width / 32) }, (_, word) => model.input('command', word));
  const valid = model.input('command_valid');
  const load = model.input('from_load');
  const store = model.input('from_store');
  const givesLoad = model.output('to_load');
  const givesStore = model.output('to_store');

  model.set('rst', 1);
  model.clock(8);
  model.set('rst', 0);
  const expected = tokensGiven(cosimCase);
  const toLoad: number[] = [];
  const toStore: number[] = [];
  let nextCommand = 0;
  let nextLoad = 0;
  let nextStore = 0;
  // A command that arrives in cycle t is pushed in the cycle before.
  for (let cycle = -1; cycle < limit; cycle++) {
    const pushes = arrivals[nextCommand] === cycle + 1;
    if (pushes) {
      const word = words[nextCommand++]!;
      command.forEach((set, index) => {
        set(word[index]!);
      });
    }
    valid(pushes ? 1 : 0);
    const loads = fromLoad[nextLoad] === cycle;
    if (loads) nextLoad++;
    load(loads ? 1 : 0);
    const stores = fromStore[nextStore] === cycle;
    if (stores) nextStore++;
    store(stores ? 1 : 0);
    if (givesLoad() !== 0) toLoad.push(cycle);
    if (givesStore() !== 0) toStore.push(cycle);
    model.clock();
    const isDone = toLoad.length >= expected.toLoad && toStore.length >= expected.toStore;
    if (isDone && nextCommand === words.length) break;
  }
  return { toLoad, toStore, output: readOutput(model, machine) };
}

/** Puts the case's operands into the model's memories. */
function fillBuffers(model: Model, cosimCase: CosimCase): void {
  for (const { bank, words } of bufferImages(cosimCase)) {
    const memory = model.memory(bank);
    assert(memory.size >= words.length, `${bank} holds ${memory.size} words, not ${words.length}`);
    memory.data.fill(0);
    words.forEach((word, address) => {
      memory.data[address] = word;
    });
  }
  model.evaluate();
}

/** The output buffer's bytes: value a lies in bank a mod banks. */
function readOutput(model: Model, machine: MachineConfig): Uint8Array {
  const { output } = computeShape(machine);
  const bytes = new Uint8Array(machine.buffers.output.bytes);
  const banks = outputBanks(model);
  const size = output.bits / 8;
  for (let value = 0; value < output.values; value++) {
    const word = banks[value % banks.length]!.data[Math.floor(value / banks.length)]!;
    for (let byte = 0; byte < size; byte++) bytes[value * size + byte] = word >> (8 * byte);
  }
  return bytes;
}

function outputBanks(model: Model) {
  const names = model.memoryNames.filter((name) => name.startsWith('output_memory.'));
  return names
    .map((name) => ({ name, bank: Number(/\[(\d+)\]/.exec(name)?.[1] ?? 0) }))
    .sort((a, b) => a.bank - b.bank)
    .map(({ name }) => model.memory(name));
}
