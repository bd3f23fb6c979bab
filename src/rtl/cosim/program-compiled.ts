/** A program on the machine's Verilog, compiled from Yosys' netlist into JavaScript; the memory is a testbench's. */
import type { MachineConfig } from '../../hw/machine/config.ts';
import { acceleratorModule, acceleratorModules, tokenNames } from '../../hw/machine/verilog.ts';
import type { VerilogModule } from '../../hw/verilog.ts';
import { compileNetlist } from '../netlist/compile.ts';
import type { Model } from '../netlist/model.ts';
import { elaborate } from '../netlist/yosys.ts';
import { commandWords } from './command-words.ts';
import { type AnswerDelays, emptyResult, type ProgramCase, type ProgramResult } from './program-case.ts';

/** The whole machine as a model that runs; seconds of work for an array of some hundred elements. */
export async function compileAccelerator(
  machine: MachineConfig,
  modules: readonly VerilogModule[] = acceleratorModules(machine),
): Promise<Model> {
  const files = Object.fromEntries(modules.map(({ name, text }) => [`${name}.v`, text]));
  return compileNetlist(await elaborate(files, acceleratorModule), acceleratorModule);
}

/** Setters of the 32-bit words of a wide input, or getters of an output. */
function wordsOf<T>(model: Model, name: string, access: (word: number) => T): T[] {
  const { bits } = model.ports.find((port) => port.name === name)!;
  return Array.from({ length: Math.ceil(bits / 32) }, (_, word) => access(word));
}

/** Answers of one port, in the order of the transactions. */
class Answers {
  private readonly from: number[] = [];
  private readonly bursts: number[] = [];
  private next = 0;

  constructor(private readonly delays: readonly number[]) {}

  /** A transaction is issued; one beyond those of the simulator is answered a cycle later. */
  expect(cycle: number, burst: number): void {
    this.from.push(cycle + (this.delays[this.from.length] ?? 1));
    this.bursts.push(burst);
  }

  /** The burst of the oldest transaction, if its answer is there; -1 else. */
  at(cycle: number): number {
    return this.next < this.from.length && this.from[this.next]! <= cycle ? this.bursts[this.next]! : -1;
  }

  take(): void {
    this.next++;
  }
}

/**
 * Runs a program until its last barrier, or `limit` cycles. The model starts from its power-on state.
 * @param delays cycles from the nth transaction of a port to its answer
 */
export function runProgramCompiled(
  model: Model,
  { machine, commands, dram: initial }: ProgramCase,
  delays: AnswerDelays,
  limit: number,
): ProgramResult {
  const { burstBytes } = machine.dma;
  // A burst may reach beyond the last byte in use.
  const dram = new Uint8Array(initial.length + burstBytes);
  dram.set(initial);
  const view = new DataView(dram.buffer);
  const result = emptyResult(dram.subarray(0, initial.length));
  const words = commandWords(commands);
  const barriers = commands.filter(({ op }) => op === 'barrier').length;

  const command = wordsOf(model, 'command', (word) => model.input('command', word));
  const commandValid = model.input('command_valid');
  const commandReady = model.output('command_ready');
  const barrierPassed = model.output('barrier_passed');
  const tokens = model.output('tokens');
  const readValid = model.output('read_valid');
  const readAddress = model.output('read_address');
  const readBytes = model.output('read_bytes');
  const answerValid = model.input('answer_valid');
  const answerData = wordsOf(model, 'answer_data', (word) => model.input('answer_data', word));
  const answerReady = model.output('answer_ready');
  const writeValid = model.output('write_valid');
  const writeAddress = model.output('write_address');
  const writeData = wordsOf(model, 'write_data', (word) => model.output('write_data', word));
  const writeStrobes = wordsOf(model, 'write_strobes', (word) => model.output('write_strobes', word));
  const acknowledge = model.input('acknowledge');
  const acknowledgeReady = model.output('acknowledge_ready');

  model.restart();
  model.set('read_ready', 1);
  model.set('write_ready', 1);
  model.set('rst', 1);
  model.clock(8);
  model.set('rst', 0);
  const reads = new Answers(delays.reads);
  const writes = new Answers(delays.writes);
  let pushed = 0;
  let presented = -1;
  // The first command enters its queue in cycle -1, and can be taken in cycle 0.
  for (let cycle = -1; cycle < limit; cycle++) {
    if (pushed < words.length && presented !== pushed) {
      command.forEach((set, word) => {
        set(words[pushed]![word]!);
      });
      presented = pushed;
    }
    commandValid(pushed < words.length ? 1 : 0);
    const burst = reads.at(cycle);
    answerValid(burst >= 0 ? 1 : 0);
    if (burst >= 0) {
      for (let word = 0; word < answerData.length; word++) {
        answerData[word]!(view.getInt32(burst + 4 * word, true));
      }
    }
    const isAcknowledged = writes.at(cycle) >= 0;
    acknowledge(isAcknowledged ? 1 : 0);

    if (pushed < words.length && commandReady() !== 0) pushed++;
    if (burst >= 0 && answerReady() !== 0) reads.take();
    if (isAcknowledged && acknowledgeReady() !== 0) writes.take();
    if (readValid() !== 0) {
      const address = readAddress();
      result.reads.push(`${cycle}: ${address} + ${readBytes()}`);
      reads.expect(cycle, address - (address % burstBytes));
    }
    if (writeValid() !== 0) {
      const address = writeAddress();
      let first = -1;
      let bytes = 0;
      for (let byte = 0; byte < burstBytes; byte++) {
        if (((writeStrobes[byte >> 5]!() >>> (byte & 31)) & 1) === 0) continue;
        if (first < 0) first = byte;
        bytes++;
        if (address + byte < dram.length) dram[address + byte] = writeData[byte >> 2]!() >>> (8 * (byte & 3));
      }
      result.writes.push(`${cycle}: ${address + first} + ${bytes}`);
      writes.expect(cycle, 0);
    }
    const given = tokens();
    if (given !== 0) {
      tokenNames.forEach((name, bit) => {
        if (((given >>> bit) & 1) === 1) result.tokens[name].push(cycle);
      });
    }
    if (barrierPassed() !== 0) result.barriers.push(cycle);
    model.clock();
    if (result.barriers.length === barriers) break;
  }
  return result;
}
