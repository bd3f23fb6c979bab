/** `condensim cosim`: a machine's Verilog against the simulator, cycle by cycle and byte by byte. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { InputError } from '../core/diagnostics.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import { readMachineFile } from '../import/machine-yaml.ts';
import { coSimulateLayers } from '../layer-cosim.ts';
import { loadNetwork } from '../pipeline.ts';
import { cosimReport, cosimTable } from '../report/cosim-report.ts';
import { type CosimTotals, coSimulate } from '../rtl/cosim/co-simulate.ts';
import { type EngineName, engineNames } from '../rtl/cosim/engine.ts';
import { engines } from '../rtl/cosim/native-engine.ts';
import { programEngines } from '../rtl/cosim/program-engine.ts';
import { randomMachine } from '../rtl/cosim/random-machine.ts';
import { addCommand, formatOption, hardwareOption, type Json, jsonOption, seedOption } from './options.ts';
import type { Output } from './output.ts';

interface CosimOptions {
  readonly hw: string;
  readonly tiles: number;
  readonly machines: number;
  readonly layers: number;
  readonly wholeLayer?: true;
  readonly model?: string;
  readonly engine: EngineName;
  readonly seed: number;
  readonly json?: Json;
}

/** Tiles that a machine drawn at random is tried with. */
const tilesOfRandomMachine = 20;
const maximumTiles = 1_000_000;
const maximumMachines = 10_000;
const maximumLayers = 100_000;

export function addCosim(program: Command, output: Output): void {
  addCommand(program, 'cosim', "a machine's Verilog against the simulator; exit code 1 if they differ")
    .addOption(hardwareOption())
    .addOption(
      new Option('--tiles <number>', 'random tiles to compare').argParser(upTo(maximumTiles)).default(200),
    )
    .addOption(
      new Option(
        '--machines <number>',
        `also so many small machines at random, ${tilesOfRandomMachine} tiles each`,
      )
        .argParser(upTo(maximumMachines))
        .default(0),
    )
    .addOption(
      new Option('--layers <number>', 'random small layers through the whole machine, DMA included')
        .argParser(upTo(maximumLayers))
        .default(8),
    )
    .option('--whole-layer', 'also a whole layer: 3x3 filters, 16 to 32 maps of 52 x 52')
    .option('--model <file>', 'also a whole network, with weights and an input of the seed')
    .addOption(
      new Option('--engine <name>', 'what runs the Verilog; icarus and verilator where they are installed')
        .choices(engineNames)
        .default('javascript'),
    )
    .addOption(seedOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .action(async ({ hw, tiles, machines, layers, wholeLayer, model, engine, seed, json }: CosimOptions) => {
      const machine = readMachineFile(hw);
      const runs: (CosimTotals & { machine: string })[] = [];
      const compare = async (which: MachineConfig, wanted: number): Promise<void> => {
        output.note(`${which.name}: compiling its Verilog`);
        const totals = await coSimulate(which, {
          seed,
          tiles: wanted,
          build: engines[engine],
          progress: (done, total) => output.progress(`${which.name}: tiles`, done, total),
        });
        runs.push({ ...totals, machine: which.name });
      };
      if (tiles + machines + layers === 0 && !wholeLayer && model === undefined) {
        throw new InputError(
          '--tiles: nothing would be compared, expected tiles, --layers, --whole-layer, --model or --machines',
        );
      }
      if (tiles > 0) await compare(machine, tiles);
      for (let number = 0; number < machines; number++) {
        await compare(randomMachine(seed, number), tilesOfRandomMachine);
      }
      const network = model === undefined ? undefined : loadNetwork(model).graph;
      const programTotals =
        layers > 0 || wholeLayer || network !== undefined
          ? await coSimulateLayers(machine, {
              seed,
              layers,
              wholeLayer,
              network,
              build: programEngines[engine],
              progress: (done, total) => output.progress(`${machine.name}: programs`, done, total),
            })
          : undefined;
      const report = cosimReport(
        machine.name,
        [...runs, ...(programTotals ? [programTotals] : [])][0]!.engine,
        seed,
        runs.map(withoutEngine),
        programTotals && withoutEngine(programTotals),
      );
      output.report(report, json, (style) => cosimTable(report, style));
      if (report.cycleMismatches + report.byteMismatches > 0) output.exitCode = 1;
    });
}

function withoutEngine<T extends { readonly engine: string }>({
  engine: _,
  ...counts
}: T): Omit<T, 'engine'> {
  return counts;
}

function upTo(most: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (!(number >= 0 && number <= most)) {
      throw new InvalidArgumentError(`Expected an integer from 0 to ${most}.`);
    }
    return number;
  };
}
