/** `condensim validate`: float, integers and accelerator, layer by layer; exits with 1 if a check fails. */
import type { Command } from 'commander';
import { readMachineFile } from '../import/machine-yaml.ts';
import { loadInput, preparedParameters } from '../pipeline.ts';
import { isValid, validationTable } from '../report/validation-table.ts';
import { sweepBits, type ValidationInput, validateNetwork } from '../validation.ts';
import {
  addCommand,
  addQuantisationOptions,
  calibrationPictures,
  dimOption,
  formatOption,
  hardwareOption,
  type Json,
  jsonOption,
  loadNetworkOption,
  modelOption,
  type NetworkOptions,
  type QuantisationOptions,
  quantisationSettings,
  quantiseOption,
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
      .addOption(dimOption())
      .addOption(hardwareOption())
      .addOption(weightsOption())
      .addOption(seedOption())
      .option('--input <image...>', 'PNG or JPEG pictures; else a seeded one')
      .addOption(virtualFeatureMapsOption())
      .option('--sweep-bits', 'also the distance to float at 8, 6, 5, 4, 3 and 2 bits')
      .addOption(formatOption())
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
    const pictures = inputs.map(({ picture }) => picture);
    const job = {
      loaded,
      machine,
      inputs,
      virtualFeatureMaps: options.virtualFeatureMaps === 'on',
      note: output.detail,
      progress: output.note,
    };
    const quantised = await quantiseOption(loaded, options, machine, pictures, output);
    const parameters = preparedParameters(loaded, settings);
    const checked = await validateNetwork({ ...job, quantised, parameters });
    const calibration = calibrationPictures(loaded, options.calibrate, pictures);
    const report = options.sweepBits
      ? { ...checked, bitSweep: await sweepBits(job, settings, calibration) }
      : checked;
    output.report(report, options.json, (style) => validationTable(report, style));
    if (!isValid(report)) output.exitCode = 1;
  });
}
