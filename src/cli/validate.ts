/** `condensim validate`: float, integers and accelerator, layer by layer; exits with 1 if a check fails. */
import type { Command } from 'commander';
import { readMachineFile } from '../import/machine-yaml.ts';
import { listPictures } from '../import/picture.ts';
import { loadInput, loadQuantised } from '../pipeline.ts';
import { isValid, validationTable } from '../report/validation-table.ts';
import { sweepBits, type ValidationInput, validateNetwork } from '../validation.ts';
import {
  addCommand,
  addQuantisationOptions,
  hardwareOption,
  type Json,
  jsonOption,
  loadNetworkOption,
  modelOption,
  type NetworkOptions,
  type QuantisationOptions,
  quantisationSettings,
  seedOption,
  virtualFeatureMapsOption,
  weightsOption,
} from './options.ts';
import type { Output } from './output.ts';

interface ValidateOptions extends NetworkOptions, QuantisationOptions {
  readonly hw: string;
  readonly input?: string[];
  readonly virtualFeatureMaps: 'on' | 'off';
  readonly sweepBits?: boolean;
  readonly json?: Json;
}

export function addValidate(program: Command, output: Output): void {
  addQuantisationOptions(
    addCommand(program, 'validate', 'check the accelerator against the references, layer by layer')
      .addOption(modelOption())
      .addOption(hardwareOption())
      .addOption(weightsOption())
      .addOption(seedOption())
      .option('--input <image...>', 'PNG or JPEG pictures; else a seeded one')
      .addOption(virtualFeatureMapsOption())
      .option('--sweep-bits', 'also the distance to float at 8, 6, 5, 4, 3 and 2 bits')
      .addOption(jsonOption()),
  ).action(async (options: ValidateOptions) => {
    const machine = readMachineFile(options.hw);
    const loaded = loadNetworkOption(options, output);
    const inputs: ValidationInput[] = options.input?.map((path) => ({
      name: path,
      picture: loadInput(loaded.graph, path),
    })) ?? [
      {
        name: `seeded picture (seed ${options.seed})`,
        picture: loadInput(loaded.graph, undefined, options.seed),
      },
    ];
    const settings = quantisationSettings(options, machine, output);
    const job = {
      loaded,
      machine,
      calibration: options.calibrate?.flatMap(listPictures).map((path) => loadInput(loaded.graph, path)),
      inputs,
      virtualFeatureMaps: options.virtualFeatureMaps === 'on',
      note: output.detail,
      progress: output.note,
    };
    const quantisation =
      options.quantised === undefined ? settings : loadQuantised(loaded, options.quantised);
    const checked = await validateNetwork({ ...job, quantisation });
    const report = options.sweepBits
      ? { ...checked, bitSweep: await sweepBits({ ...job, quantisation: settings }) }
      : checked;
    output.report(report, options.json, (style) => validationTable(report, style));
    if (!isValid(report)) output.exitCode = 1;
  });
}
