/** `condensim area`: the gates of a machine by synthesis, its buffers in bits, and what the CCP unit costs. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { InputError } from '../core/diagnostics.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import { readMachineFile } from '../import/machine-yaml.ts';
import { readBytes } from '../import/read-file.ts';
import { loadNetwork, simulate } from '../pipeline.ts';
import { type AreaVariants, areaReport, ccpGates } from '../report/area-report.ts';
import { areaTable } from '../report/area-table.ts';
import type { CcpGates } from '../report/comparison.ts';
import { placementOfVirtualMaps } from '../report/run-report.ts';
import { maximumLibertyBytes, readLiberty } from '../rtl/area/liberty.ts';
import { knownMachineArea, type MeasureOptions, measureMachine } from '../rtl/area/measure.ts';
import { ownLibrary, synthesisMethod } from '../rtl/area/synthesise.ts';
import { measureVariants, withUnit } from '../rtl/area/variants.ts';
import { yosysVersion } from '../rtl/netlist/yosys.ts';
import { FileCache, userCacheFolder } from './area-cache.ts';
import { addCommand, formatOption, hardwareOption, type Json, jsonOption } from './options.ts';
import type { Output } from './output.ts';
import { packageFile } from './package-file.ts';

interface AreaOptions {
  readonly hw: string;
  readonly liberty?: string;
  readonly variants?: true;
  readonly sramGePerBit?: number;
  readonly cache: boolean;
  readonly json?: Json;
}

export function addArea(program: Command, output: Output): void {
  addCommand(program, 'area', 'gates of a machine by synthesis, its buffers in bits, the cost of CCP')
    .addOption(hardwareOption())
    .option('--liberty <file>', 'map to this cell library and give its area units, not NAND2 equivalents')
    .option('--variants', 'also what other cross-channel pooling units would cost')
    .addOption(
      new Option(
        '--sram-ge-per-bit <gates>',
        'also estimate the memories, at so many NAND2 equivalents a bit',
      ).argParser(parseGatesPerBit),
    )
    .option('--no-cache', 'synthesise all of it anew')
    .addOption(formatOption())
    .addOption(jsonOption())
    .action(async (options: AreaOptions) => {
      const machine = readMachineFile(options.hw);
      const { liberty } = options;
      if (liberty !== undefined && options.sramGePerBit !== undefined) {
        throw new InputError(
          '--sram-ge-per-bit: counts NAND2 equivalents, which the library of --liberty does not, expected one of the two',
        );
      }
      const library =
        liberty === undefined
          ? ownLibrary()
          : readLiberty(readBytes(liberty, 'a Liberty file', maximumLibertyBytes), liberty);
      const measure = {
        library,
        cache: options.cache ? new FileCache(userCacheFolder()) : undefined,
        progress: (done: number, total: number) => output.progress('synthesising', done, total),
      };
      const area = await measureMachine(machine, measure);
      const variants = options.variants && (await costOfVariants(machine, measure));
      const report = areaReport(
        machine,
        { ...area, variants },
        {
          gateUnit:
            liberty === undefined ? 'NAND2 equivalents (transistors / 4)' : `area units of ${liberty}`,
          library: library.name,
          synthesiser: `Yosys ${await yosysVersion()}`,
          passes: synthesisMethod,
          sramGatesPerBit: options.sramGePerBit,
        },
      );
      output.report(report, options.json, (style) => areaTable(report, style));
    });
}

/** The network whose cycles stand beside the gates of every variant. */
const variantNetwork = 'models/condensation-net.yaml';

async function costOfVariants(machine: MachineConfig, measure: MeasureOptions): Promise<AreaVariants> {
  const { network } = loadNetwork(packageFile(variantNetwork));
  const measured = await measureVariants(machine, measure);
  const units: AreaVariants['units'] = [];
  for (const variant of measured) {
    const simulation = await simulate({
      network,
      machine: withUnit(machine, variant.config),
      virtualFeatureMaps: true,
    });
    units.push({
      ...variant,
      cycles: simulation.result.cycles,
      virtualFeatureMaps: placementOfVirtualMaps(simulation.program),
    });
  }
  return { network: network.graph.name, units };
}

/** What the CCP unit of a machine costs, where that is known without synthesising anything. */
export async function knownCcpGates(machine: MachineConfig): Promise<CcpGates | undefined> {
  const area = await knownMachineArea(machine, ownLibrary(), new FileCache(userCacheFolder()));
  return area && ccpGates(area);
}

function parseGatesPerBit(text: string): number {
  const gates = text.trim() === '' ? Number.NaN : Number(text);
  if (!(gates > 0 && gates <= 100)) {
    throw new InvalidArgumentError('Expected a number above 0, at most 100; 1 to 1.5 is common.');
  }
  return gates;
}
