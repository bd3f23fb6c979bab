/** `condensim import`: a network file of another tool as a model file and a weight file of ours. */
import type { Command } from 'commander';
import { InputError } from '../core/diagnostics.ts';
import { writeModel } from '../export/model/model.ts';
import { networkFormatOf, networkFormats } from '../import/formats.ts';
import { loadNetwork } from '../pipeline.ts';
import { addCommand, dimOption, weightsOption } from './options.ts';
import type { Output } from './output.ts';

interface ImportOptions {
  readonly out: string;
  readonly weights?: string;
  readonly dim?: ReadonlyMap<string, number>;
}

export function addImport(program: Command, output: Output): void {
  const names = networkFormats.map(({ name }) => name).join(', ');
  addCommand(program, 'import', `a network (${names}, or a model file) as a model file and its weights`)
    .argument('<file>', 'the network')
    .requiredOption(
      '--out <file>',
      'the model file to write, M.yaml; weights go into M.safetensors beside it',
    )
    .addOption(weightsOption())
    .addOption(dimOption())
    .action((file: string, options: ImportOptions) => {
      const { graph, given, parameters, hasWeights } = loadNetwork(
        file,
        { manifestPath: options.weights, dims: options.dim },
        output.note,
      );
      // Where a file can have none, there is nothing to ask for.
      if (!hasWeights && networkFormatOf(file)?.shapesOnly !== true) {
        throw new InputError('holds no weights, expected --weights <file> too', { file });
      }
      const network = { graph, ...(hasWeights && { parameters }), ...(given && { given }) };
      for (const path of writeModel(network, options.out)) {
        output.note(`${path}: written`);
      }
    });
}
