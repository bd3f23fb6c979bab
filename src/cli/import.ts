/** `condensim import`: a network file of another tool as a model file and a weight file of ours. */
import { existsSync } from 'node:fs';
import { basename, extname } from 'node:path';
import type { Command } from 'commander';
import { InputError } from '../core/diagnostics.ts';
import { writeModel } from '../export/model/model.ts';
import { convertMachineFile, networkFormatOf, networkFormats } from '../import/formats.ts';
import { writeFileAtomically } from '../import/write-file.ts';
import { loadNetwork } from '../pipeline.ts';
import { addCommand, dimOption, weightsOption } from './options.ts';
import type { Output } from './output.ts';

interface ImportOptions {
  readonly out?: string;
  readonly weights?: string;
  readonly dim?: ReadonlyMap<string, number>;
}

export function addImport(program: Command, output: Output): void {
  const names = networkFormats.map(({ name }) => name).join(', ');
  addCommand(
    program,
    'import',
    `a network (${names}, or a model file) as a model file and its weights, or a SCALE-Sim configuration as a machine file`,
  )
    .argument('<file>', 'the network or machine')
    .option(
      '--out <file>',
      "the model file to write, M.yaml, with weights in M.safetensors beside it; or the machine file (default: the file's name with .yaml, here, if there is none yet)",
    )
    .addOption(weightsOption())
    .addOption(dimOption())
    .action((file: string, options: ImportOptions) => {
      const machine = convertMachineFile(file);
      const { out = usualName(file) } = options;
      if (machine !== undefined) {
        writeMachine(machine, file, out, options);
        output.note(`${out}: written`);
        return;
      }
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
      for (const path of writeModel(network, out)) {
        output.note(`${path}: written`);
      }
    });
}

/** Where a file goes that has no name of its own: nothing there may be lost. */
function usualName(file: string): string {
  const name = `${basename(file, extname(file))}.yaml`;
  if (existsSync(name)) throw new InputError('is there already, expected --out <file>', { file: name });
  return name;
}

function writeMachine(text: string, file: string, out: string, { weights, dim }: ImportOptions): void {
  if (!/[^/\\]\.ya?ml$/i.test(out)) {
    throw new InputError('expected a name that ends in .yaml', { file: out });
  }
  if (weights !== undefined || dim !== undefined) {
    throw new InputError('is a machine, expected neither --weights nor --dim', { file });
  }
  writeFileAtomically(out, text);
}
