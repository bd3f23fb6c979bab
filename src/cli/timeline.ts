/**
 * A run as Chrome trace events, which ui.perfetto.dev and chrome://tracing open: a track a unit, a slice a command,
 * counters of buffers and bandwidth, arrows for tokens. Conventions: docs/reports.md.
 */
import { greatestCommonDivisor } from '../core/integers.ts';
import { clockPeriod, geometryOf } from '../hw/dram/config.ts';
import { RD, RDA, WR, WRA } from '../hw/dram/constraints.ts';
import { bufferNames, type Command, type CommandOf, trafficKinds } from '../hw/isa/formats.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import { BufferBlocks } from '../report/buffer-blocks.ts';
import type { Program } from '../schedule/program.ts';
import type { Observer } from '../sim/trace.ts';
import { TextFile } from './text-file.ts';

/** Cycles over which the bandwidth counter averages. */
export const bandwidthCycles = 1024;

const process = 1;
const tracks = ['sequencer', 'load', 'store', 'array', 'postProcessing'] as const;
const trackNames = ['Sequencer', 'Load DMA', 'Store DMA', 'PE array', 'Post-processing'];
type Track = (typeof tracks)[number];
const firstChannel = tracks.length + 1;

/** Token channels by the producer's unit and the fields of the commands at both ends. */
const channels = [
  { name: 'load to compute', give: 'signalCompute', from: 'load', take: 'waitLoad', to: 'array' },
  { name: 'compute to load', give: 'signalLoad', from: 'array', take: 'waitCompute', to: 'load' },
  { name: 'compute to store', give: 'signalStore', from: 'postProcessing', take: 'waitCompute', to: 'store' },
  { name: 'store to compute', give: 'signalCompute', from: 'store', take: 'waitStore', to: 'array' },
] as const;

/** A time as microseconds with three decimals: nanoseconds, rounded down from `count * numerator / denominator` ns. */
export function microseconds(count: number, numerator: number, denominator: number): string {
  const nanoseconds = (BigInt(count) * BigInt(numerator)) / BigInt(denominator);
  const text = String(nanoseconds).padStart(4, '0');
  return `${text.slice(0, -3)}.${text.slice(-3)}`;
}

interface Stretch {
  write: boolean;
  start: number;
  end: number;
}

export class Timeline implements Observer {
  private readonly file: TextFile;
  private isFirst = true;
  private program: Program | undefined;
  private stepOf = new Int32Array(0);
  private lives: BufferBlocks | undefined;

  private lastDispatch = 0;
  private readonly trackEnd: Record<Track, number> = {
    sequencer: 0,
    load: 0,
    store: 0,
    array: 0,
    postProcessing: 0,
  };
  private readonly given = channels.map(() => 0);
  private readonly taken = channels.map(() => 0);

  /** Nanoseconds a tick of the memory's bus, a fraction. */
  private readonly tick: readonly [number, number];
  private readonly open: (Stretch | undefined)[] = [];
  private bin = 0;
  private readonly binBytes = [0, 0];
  private wasIdle = true;

  constructor(
    path: string,
    private readonly machine: MachineConfig,
  ) {
    const { dram, clockMHz } = machine;
    this.file = new TextFile(path);
    if (dram.kind === 'ideal') {
      const divisor = greatestCommonDivisor(clockMHz, dram.bandwidthMBps);
      this.tick = [1000 * divisor, clockMHz * dram.bandwidthMBps];
    } else {
      this.tick = clockPeriod(dram.timing);
    }
  }

  /** The observer of a run of this program. */
  readonly observe = (program: Program): Observer => {
    this.program = program;
    let step = 0;
    this.stepOf = Int32Array.from(program.commands, ({ op }) => (op === 'barrier' ? step++ : step));
    this.lives = new BufferBlocks(this.machine, program.commands, (buffer, cycle, bytes) => {
      this.add(`"ph":"C","name":"${buffer} buffer","ts":${this.time(cycle)},"args":{"bytes":${bytes}}`);
    });
    const { dram } = this.machine;
    this.file.add(
      `{"displayTimeUnit":"ns","otherData":${JSON.stringify({
        network: program.graph.name,
        machine: this.machine.name,
        clockMHz: this.machine.clockMHz,
        time: 'microseconds in whole nanoseconds, rounded down; args hold exact cycles',
      })},"traceEvents":[`,
    );
    this.add(`"ph":"M","name":"process_name","args":{"name":${JSON.stringify(this.machine.name)}}`);
    const names = [...trackNames];
    const count = dram.kind === 'ideal' ? 1 : dram.organisation.channels;
    for (let channel = 0; channel < count; channel++) names.push(`DRAM channel ${channel}`);
    names.forEach((name, index) => {
      this.add(`"ph":"M","tid":${index + 1},"name":"thread_name","args":{"name":"${name}"}`);
      this.add(`"ph":"M","tid":${index + 1},"name":"thread_sort_index","args":{"sort_index":${index}}`);
    });
    return this;
  };

  dispatched(index: number, cycle: number): void {
    const { op } = this.program!.commands[index]!;
    this.complete(0, `${this.layer(index)} ${op}`, this.lastDispatch, cycle, { command: index });
    this.lastDispatch = cycle;
    this.lives!.advance(cycle);
    if (op === 'barrier') this.lives!.clear(cycle);
  }

  slice(unit: string, index: number, accepted: number, end: number): void {
    const track = unit as Track;
    const command = this.program!.commands[index]!;
    // Commands overlap in a unit that takes the next one early; the track shows each from where the one before ends.
    const start = Math.max(accepted, this.trackEnd[track]);
    this.trackEnd[track] = end;
    const tid = tracks.indexOf(track);
    this.complete(tid, `${this.layer(index)} ${what(track, command)}`, start, end, {
      command: index,
      acceptedCycle: accepted,
      ...figures(track, command),
    });
    const fields = command as unknown as Record<string, number | undefined>;
    // Ends first: the times of a track never go back.
    channels.forEach(({ name, take, to }, channel) => {
      if (to !== track || fields[take] !== 1) return;
      this.arrow('f","bp":"e', tid, name, `${channel}.${this.taken[channel]!++}`, start);
    });
    channels.forEach(({ name, give, from }, channel) => {
      if (from !== track || fields[give] !== 1) return;
      // Inside the slice: at its end the next one may begin.
      this.arrow('s', tid, name, `${channel}.${this.given[channel]!++}`, Math.max(start, end - 1));
    });
    this.lives!.slice(track, index, accepted, end);
  }

  transaction(write: boolean, _address: number, bytes: number, cycle: number): void {
    const bin = Math.floor(cycle / bandwidthCycles);
    if (bin !== this.bin) this.closeBin(bin);
    this.binBytes[write ? 1 : 0]! += bytes;
  }

  dramCommand(channel: number, clock: number, command: number): void {
    const { dram } = this.machine;
    if (dram.kind === 'ideal') return;
    const isRead = command === RD || command === RDA;
    if (!isRead && command !== WR && command !== WRA) return;
    const { AL, CL, CWL } = dram.timing;
    const start = clock + AL + (isRead ? CL : CWL);
    this.busData(channel, !isRead, start, start + geometryOf(dram).burstClocks);
  }

  bus(write: boolean, start: number, end: number): void {
    this.busData(0, write, start, end);
  }

  /** Leaves the complete file. */
  commit(): void {
    this.open.forEach((_, channel) => {
      this.closeStretch(channel);
    });
    this.closeBin(this.bin + 2);
    this.file.add(']}\n');
    this.file.commit();
  }

  /** Leaves no file. Harmless after `commit`. */
  discard(): void {
    this.file.discard();
  }

  /** Bursts that follow each other without a gap make one slice. */
  private busData(channel: number, write: boolean, start: number, end: number): void {
    const open = this.open[channel];
    if (open !== undefined && open.write === write && open.end === start) {
      open.end = end;
      return;
    }
    this.closeStretch(channel);
    this.open[channel] = { write, start, end };
  }

  private closeStretch(channel: number): void {
    const open = this.open[channel];
    if (open === undefined) return;
    this.open[channel] = undefined;
    const { dram, clockMHz } = this.machine;
    const ticks = open.end - open.start;
    const args =
      dram.kind === 'ideal'
        ? { bytes: (ticks * greatestCommonDivisor(clockMHz, dram.bandwidthMBps)) / clockMHz, ticks }
        : { bytes: (ticks / geometryOf(dram).burstClocks) * geometryOf(dram).burstBytes, clocks: ticks };
    this.span(
      firstChannel - 1 + channel,
      open.write ? 'write' : 'read',
      open.start,
      open.end,
      this.tick,
      args,
    );
  }

  /** Ends the bandwidth counter's bin; between bins without data it falls to zero once. */
  private closeBin(next: number): void {
    const [read, write] = this.binBytes.map((bytes) => (bytes * this.machine.clockMHz) / bandwidthCycles);
    const isIdle = read === 0 && write === 0;
    if (!isIdle || !this.wasIdle) this.bandwidth(this.bin, read!, write!);
    if (next > this.bin + 1 && !isIdle) this.bandwidth(this.bin + 1, 0, 0);
    this.wasIdle = isIdle || next > this.bin + 1;
    this.bin = next;
    this.binBytes.fill(0);
  }

  private bandwidth(bin: number, read: number, write: number): void {
    const ts = this.time(bin * bandwidthCycles);
    this.add(`"ph":"C","name":"DRAM bandwidth (MB/s)","ts":${ts},"args":{"read":${read},"write":${write}}`);
  }

  private arrow(phase: string, tid: number, name: string, id: string, cycle: number): void {
    const ts = this.time(cycle);
    this.add(`"ph":"${phase}","tid":${tid + 1},"cat":"token","name":"${name}","id":"${id}","ts":${ts}`);
  }

  private layer(index: number): string {
    return this.program!.steps[this.stepOf[index]!]!.step.name;
  }

  private complete(track: number, name: string, start: number, end: number, args: object): void {
    this.span(track, name, start, end, [1000, this.machine.clockMHz], { ...args, cycles: end - start });
  }

  private span(
    track: number,
    name: string,
    start: number,
    end: number,
    [numerator, denominator]: readonly [number, number],
    args: object,
  ): void {
    const from = microseconds(start, numerator, denominator);
    const ns = (count: number) => (BigInt(count) * BigInt(numerator)) / BigInt(denominator);
    const duration = microseconds(Number(ns(end) - ns(start)), 1, 1);
    this.add(
      `"ph":"X","tid":${track + 1},"name":${JSON.stringify(name)},"ts":${from},"dur":${duration},"args":${JSON.stringify(args)}`,
    );
  }

  private time(cycle: number): string {
    return microseconds(cycle, 1000, this.machine.clockMHz);
  }

  private add(fields: string): void {
    this.file.add(`${this.isFirst ? '' : ','}\n{"pid":${process},${fields}}`);
    this.isFirst = false;
  }
}

function what(track: Track, command: Command): string {
  if (command.op === 'load' || command.op === 'store') return `${command.op} ${trafficKinds[command.kind]}`;
  if (track === 'postProcessing') return 'post-process';
  return command.op === 'compute' && command.stream === 1 ? 'stream' : command.op;
}

/** The fields that tell a command from its neighbours. */
function figures(track: Track, command: Command): object {
  if (command.op === 'load' || command.op === 'store') {
    const { segments, stretchBytes, buffer, dramAddress, bufferAddress } = command;
    return { bytes: segments * stretchBytes, buffer: bufferNames[buffer], dramAddress, bufferAddress };
  }
  if (command.op === 'move') return { bytes: command.segments * command.runs * command.runBytes };
  if (command.op !== 'compute' || track === 'postProcessing') return {};
  const tile: CommandOf<'compute'> = command;
  const { groups, channels: depth, filters, kernelRows, kernelColumns, outRows, outColumns } = tile;
  return { groups, channels: depth, filters, kernelRows, kernelColumns, outRows, outColumns };
}
