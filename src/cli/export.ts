/** `condensim export`: a network in a format that other tools read. */
import { type Command, Option } from 'commander';
import { InputError } from '../core/diagnostics.ts';
import { writeFloatOnnx } from '../export/onnx/float.ts';
import { writeQuantisedOnnx } from '../export/onnx/quantised.ts';
import { readMachineFile } from '../import/machine-yaml.ts';
import { writeFileAtomically } from '../import/write-file.ts';
import { loadInput, loadQuantised } from '../pipeline.ts';
import type { QuantisedNetwork } from '../quant/quantised.ts';
import {
  addCommand,
  addQuantisationOptions,
  dimOption,
  hardwareOption,
  inputOption,
  loadNetworkOption,
  modelOption,
  type NetworkOptions,
  type QuantisationOptions,
  quantiseOption,
  seedOption,
  weightsOption,
} from './options.ts';
import type { Output } from './output.ts';

interface ExportOptions extends NetworkOptions, QuantisationOptions {
  readonly out: string;
  readonly qdq?: true;
  readonly hw?: string;
  readonly input?: string;
}

export function addExport(program: Command, output: Output): void {
  addQuantisationOptions(
    addCommand(program, 'export', 'a network as ONNX, in real numbers or quantised')
      .addOption(modelOption())
      .addOption(dimOption())
      .addOption(new Option('--format <format>', 'what to write').choices(['onnx']).default('onnx'))
      .requiredOption('--out <file>', 'the file to write')
      .option(
        '--qdq',
        'quantised as on the machine of --hw (or as in --quantised): QuantizeLinear, DequantizeLinear',
      )
      .addOption(hardwareOption().makeOptionMandatory(false))
      .addOption(weightsOption())
      .addOption(seedOption())
      .addOption(inputOption()),
  ).action(async (options: ExportOptions) => {
    const loaded = loadNetworkOption(options, output);
    const quantised = await quantisedNetwork(options, loaded, output);
    const bytes =
      quantised === undefined
        ? writeFloatOnnx(loaded.graph, loaded.parameters())
        : writeQuantisedOnnx(quantised, loaded.parameters());
    writeFileAtomically(options.out, bytes);
    output.note(`${options.out}: ${bytes.length} bytes`);
  });
}

/** The quantised network that the options ask for; none for an export in real numbers. */
async function quantisedNetwork(
  options: ExportOptions,
  loaded: ReturnType<typeof loadNetworkOption>,
  output: Output,
): Promise<QuantisedNetwork | undefined> {
  if (options.quantised !== undefined) return loadQuantised(loaded, options.quantised);
  if (!options.qdq) return undefined;
  if (options.hw === undefined) throw new InputError('--qdq: no machine, expected --hw <file> too');
  const input = loadInput(loaded.graph, options.input, options.seed);
  return quantiseOption(loaded, options, readMachineFile(options.hw), [input], output);
}
