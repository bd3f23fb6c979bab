/** `condensim compare`: networks side by side on one machine, and what virtual feature maps on chip save. */
import type { Command } from 'commander';
import { studyConventions } from '../convention-study.ts';
import { InputError } from '../core/diagnostics.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import { readMachineFile } from '../import/machine-yaml.ts';
import { studyMemory } from '../memory-study.ts';
import {
  type LoadedNetwork,
  loadInput,
  loadNetwork,
  numbersOf,
  numbersOn,
  quantiseNetwork,
  type SimulationJob,
  simulate,
} from '../pipeline.ts';
import { compareRuns } from '../report/comparison.ts';
import { comparisonTable } from '../report/comparison-table.ts';
import { conventionTable } from '../report/convention-table.ts';
import { DetailRecorder } from '../report/run-details.ts';
import { type RunReport, runReport } from '../report/run-report.ts';
import { knownCcpGates } from './area.ts';
import {
  addCommand,
  detailsOption,
  dimOption,
  formatOption,
  fusionOption,
  hardwareOption,
  inputOption,
  type Json,
  jsonOption,
  type Mode,
  modeOption,
  type PageOptions,
  reportOption,
  seedOption,
  wantsDetails,
} from './options.ts';
import type { Output } from './output.ts';
import { packageFile } from './package-file.ts';
import { knownAreas, writePage } from './report.ts';

const defaultModels = ['models/tiny-yolov2.yaml', 'models/condensation-net.yaml'];

interface CompareOptions extends PageOptions {
  readonly hw: string;
  readonly mode: Mode;
  readonly fusion: 'on' | 'off';
  readonly seed: number;
  readonly dim?: ReadonlyMap<string, number>;
  readonly input?: string;
  readonly conventions?: boolean;
  readonly json?: Json;
}

export function addCompare(program: Command, output: Output): void {
  addCommand(program, 'compare', 'networks side by side on one machine')
    .argument(
      '[models...]',
      'model files (default: Tiny-YOLOv2 and Condensation-Net, which come with condensim)',
    )
    .addOption(
      hardwareOption()
        .makeOptionMandatory(false)
        .default(packageFile('hw-configs/edge-256.yaml'), 'edge-256'),
    )
    .addOption(dimOption())
    .addOption(modeOption())
    .addOption(fusionOption())
    .addOption(seedOption())
    .addOption(inputOption())
    .option('--conventions', 'what virtual maps save under every convention of storing them, each simulated')
    .addOption(formatOption())
    .addOption(reportOption())
    .addOption(detailsOption())
    .addOption(jsonOption())
    .action(async (models: string[], options: CompareOptions) => {
      const machine = readMachineFile(options.hw);
      const paths = models.length > 0 ? models : defaultModels.map(packageFile);
      // All files are read before the first run: a mistake in the last one shows at once.
      const networks = paths.map((path) =>
        loadNetwork(path, { seed: options.seed, dims: options.dim }, output.note),
      );
      if (options.conventions === true) {
        await compareConventions(networks, machine, options, output);
        return;
      }
      const runs: RunReport[] = [];
      for (const loaded of networks) runs.push(...(await runBothWays(loaded, machine, options, output)));
      const comparison = compareRuns(runs, machine, await knownCcpGates(machine));
      if (options.report !== undefined) {
        const areas = await knownAreas(machine);
        writePage(options.report, { runs, comparison, areas, validations: [] }, output);
      }
      const printed =
        options.details === true ? comparison : { ...comparison, runs: runs.map(withoutDetails) };
      output.report(printed, options.json, (style) => comparisonTable(comparison, style));
      if (comparison.virtualFeatureMaps.outputsEqual === false) output.exitCode = 1;
    });
}

function withoutDetails({ details: _, ...run }: RunReport): RunReport {
  return run;
}

/** One run, and a second one with virtual maps stored where the first kept any on chip. */
async function runBothWays(
  loaded: LoadedNetwork,
  machine: MachineConfig,
  options: CompareOptions,
  output: Output,
): Promise<RunReport[]> {
  const { graph, network } = loaded;
  const numbers = numbersOf(loaded, numbersOn(machine));
  const data = await prepareData(loaded, machine, options, output);
  const run = async (virtualFeatureMaps: boolean): Promise<RunReport> => {
    output.note(`${graph.name}: running, virtual feature maps ${virtualFeatureMaps ? 'on chip' : 'stored'}`);
    const fusion = options.fusion === 'on';
    const recorder = wantsDetails(options) ? new DetailRecorder(machine) : undefined;
    const simulation = await simulate({
      network,
      machine,
      virtualFeatureMaps,
      fusion,
      numbers,
      data,
      observer: recorder?.observe,
      onProgress: output.runProgress,
    });
    const report = await runReport(simulation, loaded.weightSource, await studyMemory(simulation));
    return recorder ? { ...report, details: recorder.details(network, report.totals.cycles) } : report;
  };
  const onChip = await run(true);
  return onChip.virtualFeatureMaps === 'on chip' ? [onChip, await run(false)] : [onChip];
}

/** Every convention of storing virtual maps, for the one network of the command that has any. */
async function compareConventions(
  networks: readonly LoadedNetwork[],
  machine: MachineConfig,
  options: CompareOptions,
  output: Output,
): Promise<void> {
  const condensed = networks.filter(({ network }) =>
    network.layers.some(({ work }) => work.stage === 'crossChannel'),
  );
  if (condensed.length !== 1) {
    throw new InputError(
      `--conventions: ${condensed.length} of the networks have cross-channel pooling, expected one`,
    );
  }
  if (options.fusion === 'on') {
    throw new InputError('--conventions: maps between other layers lie in DRAM, expected --fusion off');
  }
  const loaded = condensed[0]!;
  const study = await studyConventions(
    {
      network: loaded.network,
      machine,
      numbers: numbersOf(loaded, numbersOn(machine)),
      data: await prepareData(loaded, machine, options, output),
      onProgress: output.runProgress,
    },
    output.note,
  );
  output.report(study, options.json, (style) => conventionTable(study, style));
  if (study.conventions.some(({ outputsEqual }) => outputsEqual === false)) output.exitCode = 1;
}

/** What flows in full runs; in timing mode the picture that is named must be right all the same. */
async function prepareData(
  loaded: LoadedNetwork,
  machine: MachineConfig,
  { mode, seed, input: path }: CompareOptions,
  output: Output,
): Promise<SimulationJob['data']> {
  if (mode === 'timing' && path === undefined) return undefined;
  const { graph } = loaded;
  const input = loadInput(graph, path, seed);
  if (mode === 'timing') return undefined;
  output.note(`${graph.name}: calibrating and quantising`);
  const settings = { numbers: numbersOn(machine), note: output.detail };
  return { quantised: await quantiseNetwork(loaded, [input], settings), input: input.values };
}
