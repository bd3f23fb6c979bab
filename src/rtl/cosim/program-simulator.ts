/** A program on the simulator, with all its data, and the times that its memory took. */
import { randomStream } from '../../core/random.ts';
import type { Dram } from '../../hw/dram/port.ts';
import { DataPath } from '../../hw/machine/data-path.ts';
import { dramOf, runMachine } from '../../hw/machine/machine.ts';
import { memoryMap } from '../../hw/machine/memory-map.ts';
import { createMemory, loadKernels } from '../../kernels/kernels.ts';
import type { Engine } from '../../sim/engine.ts';
import {
  type AnswerDelays,
  emptyResult,
  type ProgramCase,
  type ProgramResult,
  type TokenName,
} from './program-case.ts';

/** Whose end gives which token, and the field that says so. */
const givers: Record<string, { token: TokenName; field: string }> = {
  load: { token: 'load_to_compute', field: 'signalCompute' },
  array: { token: 'compute_to_load', field: 'signalLoad' },
  postProcessing: { token: 'compute_to_store', field: 'signalStore' },
  store: { token: 'store_to_compute', field: 'signalCompute' },
};

export async function runProgramSimulator(
  programCase: ProgramCase,
): Promise<{ result: ProgramResult; delays: AnswerDelays }> {
  const { machine, commands, dram } = programCase;
  const map = memoryMap(machine, commands, dram.length);
  const memory = createMemory(map.totalBytes);
  const kernels = await loadKernels(memory);
  const simulated = new Uint8Array(memory.buffer, map.dram, dram.length);
  simulated.set(dram);
  const result = emptyResult(simulated);
  const delays: AnswerDelays = { reads: [], writes: [] };
  const { steps } = runMachine(machine, commands, {
    data: new DataPath(kernels, map, memory, machine),
    makeDram: (engine) => watched(engine, memoryOf(engine, programCase), delays),
    observer: {
      slice(unit, index, _start, end) {
        const giver = givers[unit];
        if (giver === undefined) return;
        const command = commands[index] as unknown as Record<string, number>;
        if (command[giver.field] === 1) result.tokens[giver.token].push(end);
      },
      transaction: (isWrite, address, bytes, cycle) =>
        (isWrite ? result.writes : result.reads).push(`${cycle}: ${address} + ${bytes}`),
    },
  });
  result.barriers.push(...steps.map(({ endCycle }) => endCycle));
  return { result: { ...result, dram: simulated.slice() }, delays };
}

function memoryOf(engine: Engine, { machine, memory }: ProgramCase): Dram {
  if (memory === 'own') return dramOf(engine, machine);
  const random = randomStream(memory.seed);
  const handlers: number[] = [];
  return {
    takeStatistics: () => undefined,
    connect: (listener) => handlers.push(engine.register(listener)) - 1,
    submit: (port, _write, _address, _bytes, tag) =>
      engine.schedule(engine.now + 1 + (random() % memory.longest), handlers[port]!, tag),
  };
}

/** Notes how long each answer takes. */
function watched(engine: Engine, inner: Dram, { reads, writes }: AnswerDelays): Dram {
  // By the engine's own number of the transaction, and its place in the list.
  const open: { list: number[]; index: number; since: number }[][] = [];
  return {
    takeStatistics: () => inner.takeStatistics(),
    connect(listener) {
      const under: (typeof open)[number] = [];
      open.push(under);
      return inner.connect((tag) => {
        const { list, index, since } = under[tag]!;
        list[index] = engine.now - since;
        listener(tag);
      });
    },
    submit(port, write, address, bytes, tag) {
      const list = write ? writes : reads;
      open[port]![tag] = { list, index: list.length, since: engine.now };
      list.push(0);
      inner.submit(port, write, address, bytes, tag);
    },
  };
}
