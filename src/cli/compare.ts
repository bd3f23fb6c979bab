/** `condensim compare`: networks side by side on one machine, and what virtual feature maps on chip save. */
import type { Command } from 'commander';
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
import { type RunReport, runReport } from '../report/run-report.ts';
import { knownCcpGates } from './area.ts';
import {
  addCommand,
  dimOption,
  fusionOption,
  hardwareOption,
  inputOption,
  type Json,
  jsonOption,
  type Mode,
  modeOption,
  packageFile,
  seedOption,
} from './options.ts';
import type { Output } from './output.ts';

const defaultModels = ['models/tiny-yolov2.yaml', 'models/condensation-net.yaml'];

interface CompareOptions {
  readonly hw: string;
  readonly mode: Mode;
  readonly fusion: 'on' | 'off';
  readonly seed: number;
  readonly dim?: ReadonlyMap<string, number>;
  readonly input?: string;
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
    .addOption(jsonOption())
    .action(async (models: string[], options: CompareOptions) => {
      const machine = readMachineFile(options.hw);
      const paths = models.length > 0 ? models : defaultModels.map(packageFile);
      // All files are read before the first run: a mistake in the last one shows at once.
      const networks = paths.map((path) =>
        loadNetwork(path, { seed: options.seed, dims: options.dim }, output.note),
      );
      const runs: RunReport[] = [];
      for (const loaded of networks) runs.push(...(await runBothWays(loaded, machine, options, output)));
      const comparison = compareRuns(runs, machine, await knownCcpGates(machine));
      output.report(comparison, options.json, (style) => comparisonTable(comparison, style));
      if (comparison.virtualFeatureMaps.outputsEqual === false) output.exitCode = 1;
    });
}

/** One run, and a second one with virtual maps stored where the first kept any on chip. */
async function runBothWays(
  loaded: LoadedNetwork,
  machine: MachineConfig,
  { mode, fusion, seed, input: path }: CompareOptions,
  output: Output,
): Promise<RunReport[]> {
  const { graph, network } = loaded;
  const numbers = numbersOf(loaded, numbersOn(machine));
  let data: SimulationJob['data'];
  if (mode === 'full' || path !== undefined) {
    const input = loadInput(graph, path, seed);
    if (mode === 'full') {
      output.note(`${graph.name}: calibrating and quantising`);
      const settings = { numbers: numbersOn(machine), note: output.detail };
      data = { quantised: await quantiseNetwork(loaded, [input], settings), input: input.values };
    }
  }
  const run = async (virtualFeatureMaps: boolean): Promise<RunReport> => {
    output.note(`${graph.name}: running, virtual feature maps ${virtualFeatureMaps ? 'on chip' : 'stored'}`);
    const simulation = await simulate({
      network,
      machine,
      virtualFeatureMaps,
      fusion: fusion === 'on',
      numbers,
      data,
    });
    return runReport(simulation, loaded.weightSource, await studyMemory(simulation));
  };
  const onChip = await run(true);
  return onChip.virtualFeatureMaps === 'on chip' ? [onChip, await run(false)] : [onChip];
}
