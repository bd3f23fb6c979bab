/** A machine's Verilog as a folder of files: a file a module, a testbench with one case, and a page that explains them. */
import type { MachineConfig } from '../hw/machine/config.ts';
import { acceleratorModule, acceleratorModules } from '../hw/machine/verilog.ts';
import type { CountedModule } from '../hw/verilog.ts';
import { benchModule, benchVerilog } from './cosim/bench-verilog.ts';
import { tileCount } from './cosim/case.ts';
import { caseFiles } from './cosim/case-files.ts';
import { topModule } from './cosim/compiled-run.ts';
import { programBench, programBenchVerilog } from './cosim/program-bench-verilog.ts';
import { lastBarrier, type ProgramCase } from './cosim/program-case.ts';
import { programFiles } from './cosim/program-files.ts';
import { runProgramSimulator } from './cosim/program-simulator.ts';
import { randomCase } from './cosim/random-case.ts';
import { runSimulator } from './cosim/simulator-run.ts';

/** The case that comes with the testbench. */
const sampleSeed = 1;
const sampleNumber = 0;

/**
 * Text files by path below the folder.
 * @param program for the whole machine's testbench; without one the folder has none
 * @throws InputError where the Verilog cannot express the machine
 */
export async function rtlFiles(
  machine: MachineConfig,
  program: ProgramCase | undefined,
): Promise<Record<string, string>> {
  const modules = acceleratorModules(machine);
  const sample = randomCase(machine, sampleSeed, sampleNumber);
  const expected = await runSimulator(sample);
  const limit = Math.max(0, ...expected.toLoad, ...expected.toStore) + 1000;
  const files: Record<string, string> = {
    'README.md': readme(machine, modules, tileCount(sample), program),
    [`${benchModule}.v`]: benchVerilog(machine),
  };
  for (const { name, text } of modules) files[`${name}.v`] = text;
  for (const [name, text] of Object.entries(caseFiles(sample, expected, limit))) files[`case/${name}`] = text;
  if (program !== undefined) {
    const { result, delays } = await runProgramSimulator(program);
    files[`${programBench}.v`] = programBenchVerilog(machine);
    const given = programFiles(program, result, delays, lastBarrier(result) + 1000);
    for (const [name, text] of Object.entries(given)) files[`program/${name}`] = text;
  }
  return files;
}

function readme(
  machine: MachineConfig,
  modules: readonly CountedModule[],
  tiles: number,
  program: ProgramCase | undefined,
): string {
  const { rows, columns, activationBits, weightBits } = machine.peArray;
  const rowsOf = modules.map(
    ({ name, count, text, memoryBits }) =>
      `| \`${name}\` | ${count} | ${memoryBits === undefined ? '' : memoryBits.toLocaleString('en-US')} | ${about(text)} |`,
  );
  return [
    `# ${machine.name} in Verilog`,
    '',
    `Written by \`condensim rtl\` from the machine file: ${rows} x ${columns} processing elements, activations of ${activationBits} bits, weights of ${weightBits}.`,
    'All widths are literals. One clock, a synchronous reset, no `initial`, no vendor primitives. Memories are modules of',
    'their own, inferred, for you to replace by macros; their read data comes a cycle after the address, except where',
    'the module says otherwise. DRAM stays outside.',
    '',
    `\`${acceleratorModule}\` is the top module: commands go in one by one, and it has a read and a write port to a memory, which answers each`,
    `in the order of its transactions. \`${topModule}\` is its compute side. Cycle rules: docs/machine.md of Condensim.`,
    '',
    '## Try it',
    '',
    `The folder \`case\` holds ${tiles} random tile${tiles === 1 ? '' : 's'} for \`${topModule}\`, with the cycles and bytes that the simulator expects. Either prints PASS:`,
    '',
    ...tryIt(benchModule),
    ...(program === undefined
      ? []
      : [
          `The folder \`program\` holds a program of ${program.commands.length} commands for the whole machine, a memory that answers late, and what it leaves there:`,
          '',
          ...tryIt(programBench),
        ]),
    '`condensim cosim` does the same with as many random tiles and layers as you like, without any tool but npm.',
    '',
    '## Modules',
    '',
    '| module | instances | memory bits, an instance | what it is |',
    '|---|---|---|---|',
    ...rowsOf,
    '',
  ].join('\n');
}

function tryIt(bench: string): string[] {
  return [
    '```',
    `iverilog -g2012 -o ${bench}.vvp -s ${bench} *.v && vvp -n ${bench}.vvp`,
    `verilator --binary -Wno-fatal -Wno-BLKANDNBLK --top-module ${bench} *.v && obj_dir/V${bench}`,
    '```',
    '',
  ];
}

/** The first sentence of the comment above a module. */
function about(text: string): string {
  const comment = /^(?:\/\/[^\n]*\n)+/.exec(text)?.[0] ?? '';
  const words = comment
    .replace(/^\/\/ ?/gm, '')
    .split(/\n\n/)[0]!
    .replace(/\s+/g, ' ')
    .trim();
  return (/^.*?[.:](?= |$)/.exec(words)?.[0] ?? words).replace(/:$/, '.').replace(/\|/g, '\\|');
}
