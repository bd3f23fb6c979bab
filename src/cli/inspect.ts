/** `condensim inspect`: a network as a table, how it is scheduled on a machine, and its program. */
import { type Command, Option } from 'commander';
import { InputError } from '../core/diagnostics.ts';
import { readMachineFile } from '../import/machine-yaml.ts';
import { loadNetwork, numbersOf, numbersOn } from '../pipeline.ts';
import { explanationReport, explanationTable } from '../report/explain-table.ts';
import { type DrawingFormat, drawingFormats, graphDrawing } from '../report/graph-drawing.ts';
import { graphReport, graphTable } from '../report/graph-table.ts';
import { programListing } from '../report/listing.ts';
import { explainLayer } from '../schedule/explain.ts';
import { compileProgram } from '../schedule/program.ts';
import {
  addCommand,
  dimOption,
  formatOption,
  fusionOption,
  hardwareOption,
  type Json,
  jsonOption,
  virtualFeatureMapsOption,
} from './options.ts';
import type { Output } from './output.ts';

interface InspectOptions {
  readonly hw?: string;
  readonly dim?: ReadonlyMap<string, number>;
  readonly graph?: DrawingFormat;
  readonly program?: true;
  readonly explain?: string;
  readonly virtualFeatureMaps: 'on' | 'off';
  readonly fusion: 'on' | 'off';
  readonly json?: Json;
}

export function addInspect(program: Command, output: Output): void {
  addCommand(program, 'inspect', 'a network as a table; with --hw, its schedule and its program')
    .argument('<model>', 'model file')
    .addOption(dimOption())
    .addOption(hardwareOption().makeOptionMandatory(false))
    .addOption(
      new Option('--graph <format>', 'print the graph for Graphviz or Mermaid instead').choices(
        drawingFormats,
      ),
    )
    .option('--program', 'print the program instead of the tables')
    .option('--explain <layer>', 'why the layer is cut as it is: the best tilings, estimated and simulated')
    .addOption(virtualFeatureMapsOption())
    .addOption(fusionOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .action(async (model: string, options: InspectOptions) => {
      const loaded = loadNetwork(model, { dims: options.dim });
      const { network } = loaded;
      if (options.graph !== undefined) {
        output.print(graphDrawing(loaded.graph, options.graph));
        return;
      }
      if (options.hw === undefined) {
        for (const flag of ['program', 'explain'] as const) {
          if (options[flag] === undefined) continue;
          throw new InputError(`--${flag}: no machine, expected --hw <file> too`);
        }
        const report = graphReport(network);
        output.report(report, options.json, (style) => graphTable(report, style));
        return;
      }
      const machine = readMachineFile(options.hw);
      const virtualFeatureMaps = options.virtualFeatureMaps === 'on';
      const fusion = options.fusion === 'on';
      const compileOptions = { virtualFeatureMaps, fusion, numbers: numbersOf(loaded, numbersOn(machine)) };
      if (options.explain !== undefined) {
        const explanation = await explainLayer(network, machine, compileOptions, options.explain);
        const explained = explanationReport(explanation, machine);
        output.report(explained, options.json, (style) => explanationTable(explained, style));
        return;
      }
      const compiled = compileProgram(network, machine, compileOptions);
      const report = {
        ...graphReport(network, { program: compiled, machine: machine.name }),
        ...(options.program && { program: compiled.commands }),
      };
      output.report(report, options.json, (style) =>
        options.program ? programListing(compiled) : graphTable(report, style),
      );
    });
}
