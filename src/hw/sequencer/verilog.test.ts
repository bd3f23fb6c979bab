import { describe, expect, it } from 'vitest';
import { hashSeed } from '../../core/random.ts';
import { Dice } from '../../rtl/cosim/dice.ts';
import { compileNetlist } from '../../rtl/netlist/compile.ts';
import { elaborate } from '../../rtl/netlist/yosys.ts';
import { Engine } from '../../sim/engine.ts';
import { hasVerilator, lint } from '../engines.test-helper.ts';
import { type Command, formats } from '../isa/formats.ts';
import { CommandQueue } from './queue.ts';
import { type CommandConsumer, Sequencer } from './sequencer.ts';
import { commandSequencerVerilog } from './verilog.ts';

const module = commandSequencerVerilog();
const units = ['load', 'compute', 'store'] as const;
type Unit = (typeof units)[number];

interface Program {
  readonly ops: readonly Command['op'][];
  readonly depth: number;
  /** Cycles from a command's arrival, or the completion of the one before, to its completion; at least 1. */
  readonly durations: readonly number[];
}

function programFor(seed: number): Program {
  const dice = new Dice(hashSeed('sequencer', seed));
  const longest = dice.pick([1, 3, 20]);
  const ops = Array.from({ length: dice.between(1, 60) }, () =>
    dice.pick(['load', 'compute', 'postProcess', 'store', 'load', 'barrier'] as const),
  );
  return { ops, depth: dice.between(1, 5), durations: ops.map(() => dice.between(1, longest)) };
}

/** `what @cycle` of every command and barrier: units complete commands in order and hold them until then. */
function simulate({ ops, depth, durations }: Program): string[] {
  const engine = new Engine();
  const log: string[] = [];
  const commands = ops.map((op) => ({ op }) as unknown as Command);
  const unit = (name: Unit): CommandConsumer => {
    const queue = new CommandQueue(depth);
    let isBusy = false;
    const begin = (): void => {
      if (isBusy || queue.isEmpty) return;
      isBusy = true;
      engine.schedule(engine.now + durations[queue.peek()]!, finish);
    };
    const finish = engine.register(() => {
      isBusy = false;
      queue.shift();
      queue.release(engine.now);
      begin();
      sequencer.wake();
    });
    return {
      get isFull() {
        return queue.isFull(engine.now);
      },
      get isIdle() {
        return queue.isUnused;
      },
      push(index) {
        log.push(`${name} ${index} @${engine.now}`);
        queue.push(index);
        begin();
      },
    };
  };
  const sequencer: Sequencer = new Sequencer(
    engine,
    commands,
    { load: unit('load'), compute: unit('compute'), store: unit('store') },
    () => log.push(`barrier @${engine.now}`),
  );
  sequencer.start();
  engine.run();
  expect(sequencer.isFinished).toBe(true);
  return log;
}

const compiled = elaborate({ [`${module.name}.v`]: module.text }, module.name).then((netlist) =>
  compileNetlist(netlist, module.name),
);

/** The same on the Verilog: what is pushed in cycle t is there in t + 1. */
async function runModel({ ops, depth, durations }: Program, limit: number): Promise<string[]> {
  const model = await compiled;
  const log: string[] = [];
  const held: Record<Unit, number[]> = { load: [], compute: [], store: [] };
  /** Cycle in which the oldest command completes. */
  const until: Record<Unit, number> = { load: -1, compute: -1, store: -1 };
  model.restart();
  model.set('rst', 1);
  model.clock(2);
  model.set('rst', 0);
  let next = 0;
  for (let cycle = -1; cycle < limit; cycle++) {
    for (const unit of units) {
      const completes = held[unit].length > 0 && until[unit] === cycle;
      model.set(`${unit}_ready`, held[unit].length < depth || completes ? 1 : 0);
      model.set(`${unit}_idle`, held[unit].length === 0 ? 1 : 0);
    }
    const isThere = next < ops.length;
    model.set('command_valid', isThere ? 1 : 0);
    if (isThere) model.set('opcode', formats[ops[next]!].opcode);
    if (model.get('barrier_passed') === 1) log.push(`barrier @${cycle}`);
    const goes = isThere && model.get('command_ready') === 1;
    for (const unit of units) {
      if (held[unit].length > 0 && until[unit] === cycle) {
        held[unit].shift();
        if (held[unit].length > 0) until[unit] = cycle + durations[held[unit][0]!]!;
      }
      if (model.get(`${unit}_valid`) !== 1 || !goes) continue;
      if (held[unit].length === 0) until[unit] = cycle + 1 + durations[next]!;
      held[unit].push(next);
      log.push(`${unit} ${next} @${cycle + 1}`);
    }
    if (goes) next++;
    model.clock();
  }
  return log;
}

describe('Verilog of the sequencer', () => {
  it('hands out commands and passes barriers in the cycles of the simulator', async () => {
    for (let seed = 0; seed < 300; seed++) {
      const program = programFor(seed);
      const expected = simulate(program);
      const seen = await runModel(program, 2000);
      const byCycle = (log: readonly string[]) =>
        [...log].sort((a, b) => Number(a.split('@')[1]) - Number(b.split('@')[1]) || (a < b ? -1 : 1));
      expect({ seed, log: byCycle(seen) }).toEqual({ seed, log: byCycle(expected) });
    }
  });

  it.skipIf(!hasVerilator)('has nothing Verilator warns of', () => {
    expect(lint([module], module.name)).toBe('');
  });
});
