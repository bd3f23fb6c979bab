/** What a run did over time, for pictures: who was busy when, what lay in the buffers, and the network as a graph. */
import { z } from 'zod';
import { greatestCommonDivisor } from '../core/integers.ts';
import { graphRows } from '../graph/print.ts';
import { clockPeriod, geometryOf } from '../hw/dram/config.ts';
import { RD, RDA, WR, WRA } from '../hw/dram/constraints.ts';
import { type BufferName, bufferNames, type Command, trafficKinds } from '../hw/isa/formats.ts';
import { bufferBytes, type MachineConfig } from '../hw/machine/config.ts';
import type { LayeredNetwork } from '../quant/layers.ts';
import type { Program } from '../schedule/program.ts';
import type { Observer } from '../sim/trace.ts';
import { BufferBlocks } from './buffer-blocks.ts';
import { LevelRecorder } from './level-recorder.ts';
import { countNumbers, numberText, readNumbers } from './number-text.ts';
import { type RecordedTrack, TrackRecorder } from './track-recorder.ts';

const count = z.int().min(0);

const numbers = (meaning: string) =>
  z
    .string()
    .refine((text) => countNumbers(text) >= 0, 'expected integers parted by spaces')
    .describe(`${meaning}; integers parted by spaces`);

const trackSchema = z
  .strictObject({
    unit: z.string(),
    doings: z.array(z.string()).min(1).describe('What it can do; `kinds` counts into this list'),
    resolutionCycles: z
      .int()
      .min(1)
      .describe('Neighbours that lie within so many cycles are one slice; 1: every command has its own'),
    slices: count,
    gaps: numbers('Idle cycles in front of each slice'),
    cycles: numbers('Length of each slice'),
    busy: numbers('Cycles of each slice in which the unit was busy')
      .optional()
      .describe('Absent: all of them'),
    kinds: numbers('What each slice did; of a merged one, what took longest'),
    commands: numbers('Index of its command, of a merged one the first').optional(),
  })
  .refine(
    ({ slices, gaps, cycles, busy, kinds, commands }) =>
      [gaps, cycles, busy, kinds, commands].every(
        (column) => column === undefined || countNumbers(column) === slices,
      ),
    'expected as many figures in each column as there are slices',
  )
  .refine(
    ({ kinds, doings }) => readNumbers(kinds).every((kind) => kind < doings.length),
    'expected kinds that count into the doings',
  );

const shape = z.array(count).describe('[channels, rows, columns]');

export const runDetailsSchema = z
  .strictObject({
    timeline: z.array(trackSchema).describe('Who was busy when'),
    buffers: z
      .strictObject({
        binCycles: z.int().min(1),
        levels: z.array(
          z.strictObject({
            name: z.string(),
            capacityBytes: count,
            maximumBytes: numbers('Most bytes in each bin'),
            meanBytes: numbers('Mean bytes in each bin'),
          }),
        ),
      })
      .describe('Bytes of the buffers that are still to be read, over time'),
    network: z
      .strictObject({
        input: z.strictObject({ name: z.string(), shape }),
        nodes: z.array(
          z.strictObject({
            name: z.string(),
            operator: z.string(),
            inputs: z.array(z.string()),
            output: shape,
            macs: count,
            parameters: count,
          }),
        ),
        outputs: z.array(z.string()),
      })
      .describe('The network as a graph'),
  })
  .describe('What pictures need and tables do not; with --details');

export type RunDetails = z.output<typeof runDetailsSchema>;

/** Slices of a unit: more than a screen can show, few enough for a page of less than a megabyte. */
const defaultSlices = 16_384;
const bufferBins = 2048;

interface Track {
  readonly unit: string;
  readonly doings: readonly string[];
  readonly recorder: TrackRecorder;
  readonly hasCommands: boolean;
}

interface Stretch {
  readonly write: boolean;
  readonly start: number;
  end: number;
}

/** Watches one run and keeps what `RunDetails` needs, in bounded memory. */
export class DetailRecorder {
  private commands: readonly Command[] = [];
  private lives: BufferBlocks | undefined;
  private readonly tracks: Record<string, Track>;
  private readonly channels: Track[];
  private readonly levels: Map<string, LevelRecorder>;
  private readonly open: (Stretch | undefined)[] = [];
  /** Accelerator cycles of a tick of the memory's bus: a fraction. */
  private readonly tick: readonly [numerator: number, denominator: number];

  constructor(
    private readonly machine: MachineConfig,
    slices = defaultSlices,
  ) {
    const { dram, clockMHz } = machine;
    const track = (unit: string, doings: readonly string[], hasCommands = true): Track => ({
      unit,
      doings,
      recorder: new TrackRecorder(slices),
      hasCommands,
    });
    this.tracks = {
      load: track('DMA read', trafficKinds),
      store: track('DMA write', [...trafficKinds, 'moves on chip']),
      array: track('PE array', ['array', 'streams past the array']),
      postProcessing: track('Post-processing', ['tiles']),
    };
    const channels = dram.kind === 'ideal' ? 1 : dram.organisation.channels;
    this.channels = Array.from({ length: channels }, (_, channel) =>
      track(channels === 1 ? 'DRAM channel' : `DRAM channel ${channel}`, ['reads', 'writes'], false),
    );
    this.levels = new Map(
      bufferNames
        .filter((name) => bufferBytes(machine, name) > 0)
        .map((name) => [name, new LevelRecorder(bufferBins)]),
    );
    if (dram.kind === 'ideal') {
      this.tick = [greatestCommonDivisor(clockMHz, dram.bandwidthMBps), dram.bandwidthMBps];
    } else {
      const [numerator, denominator] = clockPeriod(dram.timing);
      this.tick = [numerator * clockMHz, denominator * 1000];
    }
  }

  /** The observer of a run of this program. */
  readonly observe = (program: Program): Observer => {
    this.commands = program.commands;
    this.lives = new BufferBlocks(this.machine, program.commands, (buffer, cycle, bytes) =>
      this.levels.get(buffer)?.set(cycle, bytes),
    );
    return this;
  };

  dispatched(index: number, cycle: number): void {
    this.lives!.advance(cycle);
    if (this.commands[index]!.op === 'barrier') this.lives!.clear(cycle);
  }

  slice(unit: string, index: number, start: number, end: number): void {
    const command = this.commands[index]!;
    this.tracks[unit]?.recorder.add(start, end, kindOf(unit, command), index);
    this.lives!.slice(unit, index, start, end);
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

  /** What was seen; call it once, when the run is over. */
  details(network: LayeredNetwork, cycles: number): RunDetails {
    for (const channel of this.open.keys()) this.closeStretch(channel);
    for (const level of this.levels.values()) level.bins(cycles, 1);
    const binCycles = Math.max(1, ...[...this.levels.values()].map((level) => level.binCycles));
    const { graph } = network;
    return {
      timeline: [...Object.values(this.tracks), ...this.channels].map(trackReport),
      buffers: {
        binCycles,
        levels: [...this.levels].map(([name, level]) => {
          const { maxima, means } = level.bins(cycles, binCycles);
          return {
            name,
            capacityBytes: bufferBytes(this.machine, name as BufferName),
            maximumBytes: numberText(maxima),
            meanBytes: numberText(means),
          };
        }),
      },
      network: {
        input: { name: graph.input.name, shape: [...graph.input.shape] },
        nodes: graphRows(graph).map(({ name, operator, output, macs, parameters }, index) => ({
          name,
          operator,
          inputs: [...graph.nodes[index]!.inputs],
          output: [...output],
          macs,
          parameters,
        })),
        outputs: [...graph.outputs],
      },
    };
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
    const [numerator, denominator] = this.tick;
    const cycle = (ticks: number) => Math.floor((ticks * numerator) / denominator);
    this.channels[channel]!.recorder.add(cycle(open.start), cycle(open.end), open.write ? 1 : 0);
  }
}

function kindOf(unit: string, command: Command): number {
  if (command.op === 'load' || command.op === 'store') return command.kind;
  if (command.op === 'move') return trafficKinds.length;
  return unit === 'array' && command.op === 'compute' && command.stream === 1 ? 1 : 0;
}

function trackReport({ unit, doings, recorder, hasCommands }: Track): RunDetails['timeline'][number] {
  const { resolutionCycles, starts, ends, busy, kinds, commands }: RecordedTrack = recorder.track();
  const cycles = starts.map((start, i) => ends[i]! - start);
  return {
    unit,
    doings: [...doings],
    resolutionCycles,
    slices: starts.length,
    gaps: numberText(starts.map((start, i) => start - (i === 0 ? 0 : ends[i - 1]!))),
    cycles: numberText(cycles),
    ...(busy.some((part, i) => part !== cycles[i]) && { busy: numberText(busy) }),
    kinds: numberText(kinds),
    ...(hasCommands && { commands: numberText(commands) }),
  };
}
