/** `condensim simulate`: one network on one machine, with its data or without. */
import { type Command, Option } from 'commander';
import { InputError } from '../core/diagnostics.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import { readMachineFile } from '../import/machine-yaml.ts';
import { listPictures } from '../import/picture.ts';
import { writeFileAtomically } from '../import/write-file.ts';
import { loadInput, numbersOf, type Simulation, type SimulationJob, simulate } from '../pipeline.ts';
import { DetailRecorder } from '../report/run-details.ts';
import { runReport } from '../report/run-report.ts';
import { runTable } from '../report/run-table.ts';
import type { Program } from '../schedule/program.ts';
import { DramTrace } from './dram-trace.ts';
import { allObservers } from './observers.ts';
import {
  addCommand,
  addQuantisationOptions,
  detailsOption,
  dimOption,
  formatOption,
  fusionOption,
  hardwareOption,
  inputOption,
  type Json,
  jsonOption,
  loadNetworkOption,
  type Mode,
  modelOption,
  modeOption,
  type NetworkOptions,
  type PageOptions,
  type QuantisationOptions,
  quantisationSettings,
  quantiseOption,
  reportOption,
  seedOption,
  virtualFeatureMapsOption,
  wantsDetails,
  weightsOption,
} from './options.ts';
import type { Output } from './output.ts';
import { Timeline } from './timeline.ts';
import { parseWindow, Waveform, type Window } from './waveform.ts';

interface SimulateOptions extends NetworkOptions, QuantisationOptions, PageOptions {
  readonly hw: string;
  readonly input?: string;
  readonly mode: Mode;
  readonly virtualFeatureMaps: 'on' | 'off';
  readonly fusion: 'on' | 'off';
  readonly dramTrace?: string;
  readonly timeline?: string;
  readonly vcd?: string;
  readonly vcdWindow?: Window;
  readonly memoryStudy?: boolean;
  readonly json?: Json;
}

export function addSimulate(program: Command, output: Output): void {
  addQuantisationOptions(
    addCommand(program, 'simulate', 'one network on one machine: cycles, bytes and outputs')
      .addOption(modelOption())
      .addOption(dimOption())
      .addOption(hardwareOption())
      .addOption(weightsOption())
      .addOption(seedOption())
      .addOption(inputOption())
      .addOption(modeOption())
      .addOption(virtualFeatureMapsOption())
      .addOption(fusionOption())
      .option('--dram-trace <file>', 'write every DRAM request: address, READ or WRITE, clock')
      .option('--timeline <file>', 'write a timeline for ui.perfetto.dev or chrome://tracing; .gz packs')
      .option('--vcd <file>', 'write a waveform of the cycles of --vcd-window, for GTKWave; .gz packs')
      .addOption(
        new Option('--vcd-window <from:to>', 'cycles, the last one not included').argParser(parseWindow),
      )
      .option('--memory-study', 'run again with an ideal memory and other layouts, and compare')
      .addOption(formatOption())
      .addOption(reportOption())
      .addOption(detailsOption())
      .addOption(jsonOption()),
  ).action(async (options: SimulateOptions) => {
    if ((options.vcd === undefined) !== (options.vcdWindow === undefined)) {
      throw new InputError(
        options.vcd === undefined
          ? '--vcd-window: no waveform, expected --vcd <file> too'
          : '--vcd: no window, expected --vcd-window FROM:TO too',
      );
    }
    const machine = readMachineFile(options.hw);
    const loaded = loadNetworkOption(options, output);
    const { network } = loaded;
    const data = await prepareData(options, loaded, machine, output);
    const { simulation, trace, recorder } = await watchedRun(options, machine, output, (observer) => ({
      network,
      machine,
      virtualFeatureMaps: options.virtualFeatureMaps === 'on',
      fusion: options.fusion === 'on',
      numbers: numbersOf(loaded, quantisationSettings(options, machine, output).numbers),
      data,
      observer,
    }));
    if (options.memoryStudy === true) output.note(`${network.graph.name}: studying the memory`);
    const study =
      options.memoryStudy === true
        ? await (await import('../memory-study.ts')).studyMemory(simulation)
        : null;
    const run = await runReport(simulation, loaded.weightSource, study);
    const details = recorder?.details(network, run.totals.cycles);
    const report = options.details === true ? { ...run, details } : run;
    if (options.report !== undefined) {
      const { knownAreas, writePage } = await import('./report.ts');
      writePage(
        options.report,
        { runs: [{ ...run, details }], comparison: null, areas: await knownAreas(machine), validations: [] },
        output,
      );
    }
    if (trace !== undefined) writeFileAtomically(options.dramTrace!, trace.bytes());
    output.report(report, options.json, (style) => runTable(report, style));
  });
}

/** Runs, and writes what the files that watch the run ask for: whole files or none. */
async function watchedRun(
  options: SimulateOptions,
  machine: MachineConfig,
  output: Output,
  job: (observer: SimulationJob['observer']) => SimulationJob,
): Promise<{
  simulation: Simulation;
  trace: DramTrace | undefined;
  recorder: DetailRecorder | undefined;
}> {
  const { vcd, vcdWindow } = options;
  const timeline = options.timeline === undefined ? undefined : new Timeline(options.timeline, machine);
  let waveform: Waveform | undefined;
  try {
    waveform = vcd === undefined ? undefined : new Waveform(vcd, machine, vcdWindow!);
    const trace = options.dramTrace === undefined ? undefined : new DramTrace(machine.dram);
    const recorder = wantsDetails(options) ? new DetailRecorder(machine) : undefined;
    const observer = (program: Program) =>
      allObservers([
        ...(trace ? [trace] : []),
        ...(timeline ? [timeline.observe(program)] : []),
        ...(waveform ? [waveform.observe(program)] : []),
        ...(recorder ? [recorder.observe(program)] : []),
      ]);
    const started = job(observer);
    output.note(`${started.network.graph.name}: running`);
    const simulation = await simulate({
      ...started,
      onProgress: output.runProgress,
    });
    waveform?.commit(simulation.result.cycles);
    timeline?.commit();
    return { simulation, trace, recorder };
  } finally {
    timeline?.discard();
    waveform?.discard();
  }
}

/** What flows in a full run. A timing run needs none of it, but the files that are named must be right. */
async function prepareData(
  options: SimulateOptions,
  loaded: ReturnType<typeof loadNetworkOption>,
  machine: MachineConfig,
  output: Output,
): Promise<SimulationJob['data']> {
  const { mode, input: path, calibrate, weights, seed } = options;
  if (mode === 'timing') {
    for (const flag of ['quantised', 'saveQuantised'] as const) {
      if (options[flag] === undefined) continue;
      const name = flag === 'quantised' ? '--quantised' : '--save-quantised';
      throw new InputError(`${name}: timing mode quantises nothing, expected --mode full`);
    }
    for (const picture of [path, ...(calibrate ?? []).flatMap(listPictures)]) {
      if (picture !== undefined) loadInput(loaded.graph, picture);
    }
    if (weights !== undefined) loaded.parameters();
    return undefined;
  }
  const input = loadInput(loaded.graph, path, seed);
  return { quantised: await quantiseOption(loaded, options, machine, [input], output), input: input.values };
}
