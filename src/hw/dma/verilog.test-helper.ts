/** One DMA engine, as the simulator has it and as Verilog compiled to a model, on the same transfers and the same memory. */
import { randomStream } from '../../core/random.ts';
import { compileNetlist } from '../../rtl/netlist/compile.ts';
import type { Model } from '../../rtl/netlist/model.ts';
import { elaborate } from '../../rtl/netlist/yosys.ts';
import { Engine } from '../../sim/engine.ts';
import { beatsOf } from '../buffers/beats.ts';
import { encodeProgram } from '../isa/encode.ts';
import {
  bufferNames,
  type Command,
  type CommandOf,
  type TransferCommand,
  wordBytes,
} from '../isa/formats.ts';
import type { MachineConfig } from '../machine/config.ts';
import { Tokens } from '../sequencer/queue.ts';
import { Sequencer } from '../sequencer/sequencer.ts';
import { BufferPort } from './buffer-port.ts';
import { DmaEngine } from './dma.ts';
import { dmaShape, type WordPort } from './shape.ts';
import { dmaModules } from './verilog.ts';

/** Transfers of one engine on a memory whose nth answer comes `delays[n]` >= 1 cycles after the nth transaction. */
export interface DmaCase {
  readonly machine: MachineConfig;
  readonly name: 'load' | 'store';
  /** Loads; or stores and moves. */
  readonly commands: readonly (TransferCommand | CommandOf<'move'>)[];
  /** Stretches of cycles [first, last] in which the read engine writes the feature buffer; ascending, apart. */
  readonly busy: readonly (readonly [first: number, last: number])[];
  readonly delays: (transaction: number) => number;
  /** Cycles in which a token arrives, ascending and different. */
  readonly tokens: readonly number[];
  readonly dram: Uint8Array;
  /** Contents of the output buffer. */
  readonly output: Uint8Array;
}

export interface DmaResult {
  /** `cycle: address + bytes` of every transaction. */
  readonly transactions: string[];
  /** Cycles in which a token was given. */
  readonly given: number[];
  /** Bytes by the buffer's code, or of DRAM behind a store. */
  readonly bytes: Map<string, number>;
}

export function runDmaSimulator({
  machine,
  name,
  commands,
  busy,
  delays,
  tokens,
  dram,
  output,
}: DmaCase): DmaResult {
  const engine = new Engine();
  const transactions: string[] = [];
  const given: number[] = [];
  const bytes = new Map<string, number>();
  const fromCompute = new Tokens();
  const toCompute = new Tokens();
  toCompute.onArrival(() => given.push(engine.now));
  let answer = -1;
  const port = new BufferPort();
  const occupy = engine.register((index) => port.occupy(...busy[index]!));
  busy.forEach(([first], index) => {
    engine.schedule(first, occupy, index);
  });
  const unit: DmaEngine = new DmaEngine(
    name,
    engine,
    {
      takeStatistics: () => undefined,
      connect: (listener) => {
        answer = engine.register(listener);
        return 0;
      },
      submit: (_port, _write, address, count, tag) => {
        const delay = delays(transactions.length);
        transactions.push(`${engine.now}: ${address} + ${count}`);
        engine.schedule(engine.now + delay, answer, tag);
      },
    },
    machine.dma,
    machine.sequencer.queueDepth,
    beatsOf(machine),
    commands,
    fromCompute,
    toCompute,
    {
      count: () => undefined,
      countMove: () => undefined,
      moveOnChip(command) {
        for (let segment = 0; segment < command.segments; segment++) {
          for (let run = 0; run < command.runs; run++) {
            const from =
              command.sourceAddress + segment * command.sourceSegmentPitch + run * command.sourceRunPitch;
            const to =
              command.targetAddress + segment * command.targetSegmentPitch + run * command.targetRunPitch;
            for (let byte = 0; byte < command.runBytes; byte++) {
              bytes.set(`feature ${to + byte}`, output[from + byte]!);
            }
          }
        }
      },
      move(command, from, to, count) {
        for (let byte = 0; byte < count; byte++) {
          if (name === 'load') bytes.set(`${bufferNames[command.buffer]} ${to + byte}`, dram[from + byte]!);
          else bytes.set(`dram ${from + byte}`, output[to + byte]!);
        }
      },
    },
    undefined,
    () => sequencer.wake(),
    name === 'store' && machine.dma.moves ? port : undefined,
  );
  const sequencer = new Sequencer(
    engine,
    commands,
    { load: unit, store: unit, compute: unit },
    () => undefined,
  );
  const arrive = engine.register(() => fromCompute.give());
  for (const cycle of tokens) engine.schedule(cycle, arrive);
  sequencer.start();
  engine.run();
  return { transactions, given, bytes };
}

export async function compileDma(machine: MachineConfig, name: 'load' | 'store'): Promise<Model> {
  const files = Object.fromEntries(dmaModules(machine).map((module) => [`${module.name}.v`, module.text]));
  const top = `${name}_dma`;
  return compileNetlist(await elaborate(files, top), top);
}

/** Command words as numbers for a port of any width. */
function words(commands: readonly Command[]): bigint[] {
  const bytes = encodeProgram(commands);
  return commands.map((_, index) => {
    const word = bytes.subarray(index * wordBytes, (index + 1) * wordBytes);
    return word.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  });
}

const bytesOf = (value: bigint, count: number): number[] =>
  Array.from({ length: count }, (_, byte) => Number((value >> BigInt(8 * byte)) & 255n));
const wordOf = (bytes: ArrayLike<number>): bigint =>
  Array.from(bytes).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);

/**
 * The same on the model; a command that is pushed in cycle t is there in t + 1.
 * @param readySeed memory that is not always ready, by this seed: cycles are other ones than the simulator's then
 */
export function runDmaModel(
  model: Model,
  { machine, name, commands, busy, delays, tokens, dram, output }: DmaCase,
  limit: number,
  readySeed?: number,
): DmaResult {
  const shape = dmaShape(machine);
  const result: DmaResult = { transactions: [], given: [], bytes: new Map() };
  const encoded = words(commands);
  const ready = readySeed === undefined ? undefined : randomStream(readySeed);
  const mask = (1n << BigInt(shape.command)) - 1n;
  model.restart();
  model.set('rst', 1);
  model.clock(3);
  model.set('rst', 0);
  let pushed = 0;
  let token = 0;
  /** Cycles from which on each transaction's answer is there, and its burst. */
  const answers: { from: number; burst: number }[] = [];
  let answered = 0;
  const expected = commands.filter(({ signalCompute }) => signalCompute === 1).length;
  for (let cycle = -1; cycle < limit; cycle++) {
    model.set('command_valid', pushed < encoded.length ? 1 : 0);
    if (pushed < encoded.length) model.set('command', encoded[pushed]! & mask);
    const arrives = tokens[token] === cycle;
    if (arrives) token++;
    model.set('from_compute', arrives ? 1 : 0);
    const isReady = ready === undefined || ready() % 3 === 0;
    const head = answers[answered];
    const isThere = head !== undefined && head.from <= cycle;
    if (name === 'load') {
      model.set('read_ready', isReady ? 1 : 0);
      model.set('answer_valid', isThere ? 1 : 0);
      model.set(
        'answer_data',
        isThere ? wordOf(dram.subarray(head.burst, head.burst + shape.burstBytes)) : 0n,
      );
    } else {
      if (shape.moves) {
        model.set('feature_busy', busy.some(([first, last]) => first <= cycle && cycle <= last) ? 1 : 0);
      }
      model.set('write_ready', isReady ? 1 : 0);
      model.set('acknowledge', isThere ? 1 : 0);
    }
    if (pushed < encoded.length && model.get('command_ready') === 1) pushed++;
    if (model.get('to_compute') === 1) result.given.push(cycle);
    const burst = BigInt(shape.burstBytes);
    if (name === 'load') {
      if (model.get('read_valid') === 1 && isReady) {
        const address = BigInt(model.get('read_address'));
        const delay = delays(result.transactions.length);
        result.transactions.push(`${cycle}: ${address} + ${model.get('read_bytes')}`);
        answers.push({ from: cycle + delay, burst: Number(address - (address % burst)) });
      }
      if (isThere && model.get('answer_ready') === 1) answered++;
      for (const target of shape.targets) watchWrites(model, target, result.bytes);
    } else {
      if (shape.moves) watchWrites(model, shape.targets[0]!, result.bytes, 'move');
      if (isThere && model.get('acknowledge_ready') === 1) answered++;
      if (model.get('write_valid') === 1 && isReady) {
        const address = Number(model.get('write_address'));
        const strobes = BigInt(model.get('write_strobes'));
        const data = bytesOf(BigInt(model.get('write_data')), shape.burstBytes);
        const there = data.map((_, byte) => byte).filter((byte) => ((strobes >> BigInt(byte)) & 1n) === 1n);
        for (const byte of there) result.bytes.set(`dram ${address + byte}`, data[byte]!);
        const delay = delays(result.transactions.length);
        result.transactions.push(`${cycle}: ${address + there[0]!} + ${there.length}`);
        answers.push({ from: cycle + delay, burst: 0 });
      }
    }
    const readWord = name === 'store' ? Number(model.get('output_read_word')) : 0;
    model.clock();
    if (name === 'store') {
      const { wordBytes: size } = shape.output;
      model.set('output_read_data', wordOf(output.slice(readWord * size, (readWord + 1) * size)));
    }
    if (pushed === encoded.length && model.get('idle') === 1 && result.given.length === expected) {
      if (name === 'load') for (const target of shape.targets) watchWrites(model, target, result.bytes);
      break;
    }
  }
  return result;
}

function watchWrites(
  model: Model,
  port: WordPort,
  bytes: Map<string, number>,
  prefix: string = port.name,
): void {
  const enables = BigInt(model.get(`${prefix}_write`));
  if (enables === 0n) return;
  const first = Number(model.get(`${prefix}_write_word`)) * port.wordBytes;
  const data = bytesOf(BigInt(model.get(`${prefix}_write_data`)), port.wordBytes);
  data.forEach((value, byte) => {
    if (((enables >> BigInt(Math.floor(byte / port.unitBytes))) & 1n) === 0n) return;
    bytes.set(`${port.name} ${first + byte}`, value);
  });
}
