/** A window of a run as a value change dump (IEEE 1364-2005, clause 18), which GTKWave opens. Signals: docs/reports.md. */
import { InvalidArgumentError } from 'commander';
import { InputError } from '../core/diagnostics.ts';
import { clockPeriod } from '../hw/dram/config.ts';
import { commandClasses } from '../hw/dram/constraints.ts';
import { type Command, formats } from '../hw/isa/formats.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import type { Program } from '../schedule/program.ts';
import type { Observer } from '../sim/trace.ts';
import { TextFile } from './text-file.ts';

/** Cycles a window may have: what is held in memory until the run is over. */
export const maximumWindowCycles = 1_000_000;

/** Cycles [from, to). */
export interface Window {
  readonly from: number;
  readonly to: number;
}

/** Reads `FROM:TO`. */
export function parseWindow(text: string): Window {
  const [, from, to] = /^(\d{1,15}):(\d{1,15})$/.exec(text) ?? [];
  const window = { from: Number(from), to: Number(to) };
  if (!(window.from < window.to))
    throw new InvalidArgumentError('Expected FROM:TO in cycles, FROM below TO.');
  if (window.to - window.from > maximumWindowCycles) {
    throw new InvalidArgumentError(`Expected a window of at most ${maximumWindowCycles} cycles.`);
  }
  return window;
}

/** What a DRAM command signal holds where there is none. */
export const noDramCommand = commandClasses.length;

interface Signal {
  readonly scope: string;
  readonly name: string;
  readonly bits: number;
  readonly code: string;
  /** At the window's first cycle. */
  initial: number;
}

/** At picosecond `time` the signal changes by, or to, `value`. */
interface Change {
  readonly time: number;
  readonly signal: Signal;
  readonly value: number;
  readonly isDelta: boolean;
}

export class Waveform implements Observer {
  private readonly file: TextFile;
  private readonly signals: Signal[] = [];
  private readonly byName = new Map<string, Signal>();
  private readonly changes: Change[] = [];
  private readonly fromTime: number;
  private readonly toTime: number;
  private commands: readonly Command[] = [];
  private network = '';
  /** Picoseconds a clock of the memory, a fraction. */
  private readonly dramClock: readonly [bigint, bigint] = [1n, 1n];

  constructor(
    path: string,
    private readonly machine: MachineConfig,
    private readonly window: Window,
  ) {
    this.file = new TextFile(path);
    this.fromTime = this.timeOf(window.from);
    this.toTime = this.timeOf(window.to);
    this.declare('sequencer', 'next', 32);
    for (const unit of ['load', 'store', 'array', 'postProcessing']) {
      this.declare(unit, 'active', 16);
      this.declare(unit, 'command', 32);
    }
    for (const queue of ['load', 'compute', 'store']) this.declare('queues', queue, 16);
    for (const tokens of ['loadToCompute', 'computeToLoad', 'computeToStore', 'storeToCompute']) {
      this.declare('tokens', tokens, 16);
    }
    const { dram } = machine;
    if (dram.kind === 'ideal') return;
    for (let channel = 0; channel < dram.organisation.channels; channel++) {
      const scope = `dram${channel}`;
      this.declare(scope, 'command', 3).initial = noDramCommand;
      this.declare(scope, 'bank', 8);
      this.declare(scope, 'row', 32);
    }
    const [numerator, denominator] = clockPeriod(dram.timing);
    this.dramClock = [BigInt(1000 * numerator), BigInt(denominator)];
  }

  readonly observe = (program: Program): Observer => {
    this.commands = program.commands;
    this.network = program.graph.name;
    return this;
  };

  dispatched(index: number, cycle: number): void {
    const { queue } = formats[this.commands[index]!.op];
    this.set('sequencer', 'next', cycle, index + 1);
    if (queue !== 'sequencer') this.change('queues', queue, cycle, 1);
  }

  accepted(index: number, cycle: number): void {
    const command = this.commands[index]!;
    const { queue } = formats[command.op];
    if (queue === 'compute') {
      this.change('queues', 'compute', cycle, -1);
      if (command.op !== 'compute') return;
      if (command.waitLoad === 1) this.change('tokens', 'loadToCompute', cycle, -1);
      if (command.waitStore === 1) this.change('tokens', 'storeToCompute', cycle, -1);
    } else if (queue === 'load' || queue === 'store') {
      const { waitCompute } = command as Command & { waitCompute: number };
      this.begin(queue, index, cycle);
      if (waitCompute === 1) {
        this.change('tokens', queue === 'load' ? 'computeToLoad' : 'computeToStore', cycle, -1);
      }
    }
  }

  slice(unit: string, index: number, start: number, end: number): void {
    const command = this.commands[index]!;
    if (command.op === 'compute') {
      this.begin(unit, index, start);
      if (unit === 'array' && command.signalLoad === 1) this.change('tokens', 'computeToLoad', end, 1);
      if (unit === 'postProcessing' && command.signalStore === 1) {
        this.change('tokens', 'computeToStore', end, 1);
      }
    } else if (unit === 'load' || unit === 'store') {
      // A transfer keeps its place in the queue until it is complete.
      this.change('queues', unit, end, -1);
      const { signalCompute } = command as Command & { signalCompute: number };
      if (signalCompute === 1) {
        this.change('tokens', unit === 'load' ? 'loadToCompute' : 'storeToCompute', end, 1);
      }
    }
    this.change(unit, 'active', end, -1);
  }

  dramCommand(channel: number, clock: number, command: number, bank: number, row: number): void {
    const time = this.clockTime(clock);
    if (time >= this.toTime) return;
    const scope = `dram${channel}`;
    this.note(scope, 'command', time, command, false);
    this.note(scope, 'bank', time, bank, false);
    if (row >= 0) this.note(scope, 'row', time, row, false);
    this.note(scope, 'command', this.clockTime(clock + 1), noDramCommand, false);
  }

  /** Leaves the complete file. @param cycles of the run */
  commit(cycles: number): void {
    const { from, to } = this.window;
    if (from >= cycles) {
      throw new InputError(
        `--vcd-window: begins at cycle ${from}, the run has ${cycles}, expected an earlier window`,
      );
    }
    // Stable: of one time, in the order in which they were heard.
    this.changes.sort((a, b) => a.time - b.time);
    this.file.add(
      `$comment ${oneWord(this.network)} on ${oneWord(this.machine.name)}, cycles ${from} to ${to} of ${this.machine.clockMHz} MHz $end\n$timescale 1 ps $end\n`,
    );
    this.file.add('$scope module condensim $end\n');
    for (const scope of new Set(this.signals.map((signal) => signal.scope))) {
      this.file.add(`$scope module ${scope} $end\n`);
      for (const signal of this.signals) {
        if (signal.scope !== scope) continue;
        this.file.add(`$var wire ${signal.bits} ${signal.code} ${signal.name} $end\n`);
      }
      this.file.add('$upscope $end\n');
    }
    this.file.add(`$upscope $end\n$enddefinitions $end\n#${this.fromTime}\n$dumpvars\n`);
    const values = new Map(this.signals.map((signal) => [signal, signal.initial]));
    for (const signal of this.signals) this.file.add(valueLine(signal.initial, signal));
    this.file.add('$end\n');
    for (let at = 0; at < this.changes.length; ) {
      const { time } = this.changes[at]!;
      const next = new Map<Signal, number>();
      for (; this.changes[at]?.time === time; at++) {
        const { signal, value, isDelta } = this.changes[at]!;
        next.set(signal, isDelta ? (next.get(signal) ?? values.get(signal)!) + value : value);
      }
      const lines = [...next].filter(([signal, value]) => values.get(signal) !== value);
      if (lines.length === 0) continue;
      if (time > this.fromTime) this.file.add(`#${time}\n`);
      for (const [signal, value] of lines) {
        values.set(signal, value);
        this.file.add(valueLine(value, signal));
      }
    }
    this.file.add(`#${this.toTime}\n`);
    this.file.commit();
  }

  /** Leaves no file. Harmless after `commit`. */
  discard(): void {
    this.file.discard();
  }

  private begin(unit: string, index: number, cycle: number): void {
    this.change(unit, 'active', cycle, 1);
    this.set(unit, 'command', cycle, index);
  }

  private change(scope: string, name: string, cycle: number, by: number): void {
    this.note(scope, name, this.timeOf(cycle), by, true);
  }

  private set(scope: string, name: string, cycle: number, value: number): void {
    this.note(scope, name, this.timeOf(cycle), value, false);
  }

  private note(scope: string, name: string, time: number, value: number, isDelta: boolean): void {
    if (time >= this.toTime) return;
    const signal = this.byName.get(`${scope}.${name}`)!;
    if (time >= this.fromTime) this.changes.push({ time, signal, value, isDelta });
    else signal.initial = isDelta ? signal.initial + value : value;
  }

  private declare(scope: string, name: string, bits: number): Signal {
    const index = this.signals.length;
    // Printable characters, '!' to '~'.
    const code = String.fromCharCode(33 + (index % 94)) + (index < 94 ? '' : String(Math.floor(index / 94)));
    const signal = { scope, name, bits, code, initial: 0 };
    this.signals.push(signal);
    this.byName.set(`${scope}.${name}`, signal);
    return signal;
  }

  /** The picosecond in which a clock of the memory begins, rounded down. */
  private clockTime(clock: number): number {
    const [numerator, denominator] = this.dramClock;
    return Number((BigInt(clock) * numerator) / denominator);
  }

  /** The picosecond in which a cycle begins, rounded down. */
  private timeOf(cycle: number): number {
    return Number((BigInt(cycle) * 1_000_000n) / BigInt(this.machine.clockMHz));
  }
}

function valueLine(value: number, { code }: Signal): string {
  return `b${value.toString(2)} ${code}\n`;
}

/** Nothing that could end a comment. */
function oneWord(text: string): string {
  return text.replace(/[^\w.-]+/g, '-');
}
