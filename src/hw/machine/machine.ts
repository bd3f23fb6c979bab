/**
 * The machine: its units, connected. One program in, one account of cycles and bytes out.
 */
import { assert } from '../../core/diagnostics.ts';
import { Engine } from '../../sim/engine.ts';
import type { Observer, ProgressListener } from '../../sim/trace.ts';
import { beatsOf } from '../buffers/beats.ts';
import { emptySramStatistics, type SramStatistics } from '../buffers/buffers.ts';
import { ComputeUnit } from '../compute/compute.ts';
import { type ArrayCycles, emptyArrayCycles } from '../compute/statistics.ts';
import { BufferPort } from '../dma/buffer-port.ts';
import { DmaEngine, type TransferSink } from '../dma/dma.ts';
import { IdealDram } from '../dram/ideal.ts';
import type { Dram, SdramStatistics } from '../dram/port.ts';
import { Sdram } from '../dram/sdram.ts';
import { bufferNames, type Command, type TrafficKind, trafficKinds } from '../isa/formats.ts';
import { Tokens } from '../sequencer/queue.ts';
import { Sequencer } from '../sequencer/sequencer.ts';
import type { MachineConfig } from './config.ts';
import type { DataPath } from './data-path.ts';

/** Payload bytes that crossed the DRAM port. */
export interface DramTraffic {
  readBytes: number;
  writeBytes: number;
  /** Reads and writes together, by what they carried. */
  byKind: Record<TrafficKind, number>;
  transactions: number;
}

/** What happened between two barriers. */
export interface StepResult {
  readonly startCycle: number;
  readonly endCycle: number;
  /** Adds up to endCycle - startCycle. */
  readonly array: ArrayCycles;
  readonly dram: DramTraffic;
  /** What the memory did; undefined for an ideal one. */
  readonly sdram: SdramStatistics | undefined;
  readonly sram: SramStatistics;
}

export interface MachineResult {
  readonly cycles: number;
  readonly steps: readonly StepResult[];
  /** Events the engine handled: what the simulation cost, not what the machine did. */
  readonly events: number;
}

export interface MachineRun {
  /** Absent: timing mode, no data. */
  readonly data?: DataPath | undefined;
  readonly observer?: Observer | undefined;
  readonly onProgress?: ProgressListener | undefined;
  /** Called at every barrier, with the number of the step that ended. */
  readonly onStep?: ((step: number) => void) | undefined;
  /** Another memory than the machine's. */
  readonly makeDram?: ((engine: Engine) => Dram) | undefined;
}

export function emptyTraffic(): DramTraffic {
  return {
    readBytes: 0,
    writeBytes: 0,
    byKind: { weights: 0, inputFeatureMaps: 0, outputFeatureMaps: 0, virtualFeatureMaps: 0 },
    transactions: 0,
  };
}

/** Runs a program; every step of it ends with a barrier. Throws if the program deadlocks (a defect of the compiler). */
export function runMachine(
  config: MachineConfig,
  program: readonly Command[],
  { data, observer, onStep, makeDram, onProgress }: MachineRun = {},
): MachineResult {
  const engine = new Engine();
  let sram = emptySramStatistics();
  const steps: StepResult[] = [];
  let traffic = emptyTraffic();
  let stepStart = 0;

  const sink: TransferSink = {
    count(command, bytes, beats, transactions) {
      const buffer = sram[bufferNames[command.buffer]!];
      if (command.op === 'load') {
        traffic.readBytes += bytes;
        buffer.writes += beats;
      } else {
        traffic.writeBytes += bytes;
        buffer.reads += beats;
      }
      buffer.bytes += bytes;
      traffic.byKind[trafficKinds[command.kind]!] += bytes;
      traffic.transactions += transactions;
    },
    countMove(command, beats) {
      const bytes = command.segments * command.runs * command.runBytes;
      sram.output.reads += beats;
      sram.output.bytes += bytes;
      sram.feature.writes += beats;
      sram.feature.bytes += bytes;
    },
    move: data === undefined ? undefined : (...piece) => data.move(...piece),
    moveOnChip: data === undefined ? undefined : (command) => data.moveOnChip(command),
  };

  const loadToCompute = new Tokens();
  const computeToLoad = new Tokens();
  const computeToStore = new Tokens();
  const storeToCompute = new Tokens();
  const wakeSequencer = () => sequencer.wake();
  const { queueDepth } = config.sequencer;
  const beats = beatsOf(config);
  const featurePort = config.dma.moves ? new BufferPort() : undefined;

  // The machine's map: a unit a line.
  const dram = makeDram?.(engine) ?? dramOf(engine, config, observer);
  const load = new DmaEngine(
    'load',
    engine,
    dram,
    config.dma,
    queueDepth,
    beats,
    program,
    computeToLoad,
    loadToCompute,
    sink,
    observer,
    wakeSequencer,
    featurePort,
  );
  const store = new DmaEngine(
    'store',
    engine,
    dram,
    config.dma,
    queueDepth,
    beats,
    program,
    computeToStore,
    storeToCompute,
    sink,
    observer,
    wakeSequencer,
    featurePort,
  );
  const compute = new ComputeUnit(
    engine,
    config,
    program,
    { fromLoad: loadToCompute, toLoad: computeToLoad, fromStore: storeToCompute, toStore: computeToStore },
    data,
    observer,
    wakeSequencer,
    { cycles: emptyArrayCycles(), sram },
  );
  const sequencer = new Sequencer(
    engine,
    program,
    { load, compute, store },
    () => {
      compute.settleIdle(true);
      steps.push({
        startCycle: stepStart,
        endCycle: engine.now,
        array: compute.cycles,
        dram: traffic,
        sdram: dram.takeStatistics(),
        sram,
      });
      for (const tokens of [loadToCompute, computeToLoad, computeToStore, storeToCompute]) {
        assert(tokens.count === 0, `step ${steps.length - 1} leaves a token behind`);
      }
      compute.cycles = emptyArrayCycles();
      traffic = emptyTraffic();
      sram = emptySramStatistics();
      compute.sram = sram;
      stepStart = engine.now;
      onStep?.(steps.length - 1);
    },
    observer,
  );

  sequencer.start();
  engine.run(onProgress && (() => onProgress(sequencer.dispatched, engine.now)));
  assert(sequencer.isFinished, `the program deadlocks at cycle ${engine.now} in step ${steps.length}`);
  return { cycles: stepStart, steps, events: engine.handled };
}

/** The memory that a machine's configuration names. */
export function dramOf(
  engine: Engine,
  { dram, clockMHz }: MachineConfig,
  observer?: Observer | undefined,
): Dram {
  return dram.kind === 'ideal'
    ? new IdealDram(engine, dram, clockMHz, observer)
    : new Sdram(engine, dram, clockMHz, observer);
}
