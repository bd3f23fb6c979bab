/** `condensim validate`: float, integers and accelerator, layer by layer; exits with 1 if a check fails. */
import type { Command } from 'commander';
import { readMachineFile } from '../import/machine-yaml.ts';
import { loadInput } from '../pipeline.ts';
import { isValid, validationTable } from '../report/validation-table.ts';
import { type ValidationInput, validateNetwork } from '../validation.ts';
import {
  addCommand,
  hardwareOption,
  type Json,
  jsonOption,
  loadNetworkOption,
  modelOption,
  type NetworkOptions,
  seedOption,
  virtualFeatureMapsOption,
  weightsOption,
} from './options.ts';
import type { Output } from './output.ts';

interface ValidateOptions extends NetworkOptions {
  readonly hw: string;
  readonly input?: string[];
  readonly virtualFeatureMaps: 'on' | 'off';
  readonly json?: Json;
}

export function addValidate(program: Command, output: Output): void {
  addCommand(program, 'validate', 'check the accelerator against the references, layer by layer')
    .addOption(modelOption())
    .addOption(hardwareOption())
    .addOption(weightsOption())
    .addOption(seedOption())
    .option('--input <image...>', 'PNG or JPEG pictures; else a seeded one')
    .addOption(virtualFeatureMapsOption())
    .addOption(jsonOption())
    .action(async (options: ValidateOptions) => {
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
      const report = await validateNetwork({
        loaded,
        machine,
        inputs,
        virtualFeatureMaps: options.virtualFeatureMaps === 'on',
        note: output.detail,
        progress: output.note,
      });
      output.report(report, options.json, (style) => validationTable(report, style));
      if (!isValid(report)) output.exitCode = 1;
    });
}
