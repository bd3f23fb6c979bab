/** A machine's Verilog as a folder of files: a file a module, a testbench with one case, and a page that explains them. */
import { computeModules } from '../hw/compute/core-verilog.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import type { CountedModule } from '../hw/verilog.ts';
import { benchModule, benchVerilog } from './cosim/bench-verilog.ts';
import { tileCount } from './cosim/case.ts';
import { caseFiles } from './cosim/case-files.ts';
import { topModule } from './cosim/compiled-run.ts';
import { randomCase } from './cosim/random-case.ts';
import { runSimulator } from './cosim/simulator-run.ts';

/** The case that comes with the testbench. */
const sampleSeed = 1;
const sampleNumber = 0;

/**
 * Text files by path below the folder.
 * @throws InputError where the Verilog cannot express the machine
 */
export async function rtlFiles(machine: MachineConfig): Promise<Record<string, string>> {
  const modules = computeModules(machine);
  const sample = randomCase(machine, sampleSeed, sampleNumber);
  const expected = await runSimulator(sample);
  const limit = Math.max(0, ...expected.toLoad, ...expected.toStore) + 1000;
  const files: Record<string, string> = {
    'README.md': readme(machine, modules, tileCount(sample)),
    [`${benchModule}.v`]: benchVerilog(machine),
  };
  for (const { name, text } of modules) files[`${name}.v`] = text;
  for (const [name, text] of Object.entries(caseFiles(sample, expected, limit))) files[`case/${name}`] = text;
  return files;
}

function readme(machine: MachineConfig, modules: readonly CountedModule[], tiles: number): string {
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
    `\`${topModule}\` is the top module. Cycle rules: docs/machine.md of Condensim.`,
    '',
    '## Try it',
    '',
    `The folder \`case\` holds ${tiles} random tile${tiles === 1 ? '' : 's'}, with the cycles and bytes that the simulator expects. Either prints PASS:`,
    '',
    '```',
    `iverilog -g2012 -o bench.vvp -s ${benchModule} *.v && vvp -n bench.vvp`,
    `verilator --binary -Wno-fatal -Wno-BLKANDNBLK --top-module ${benchModule} *.v && obj_dir/V${benchModule}`,
    '```',
    '',
    '`condensim cosim` does the same with as many random tiles as you like, without any tool but npm.',
    '',
    '## Modules',
    '',
    '| module | instances | memory bits, an instance | what it is |',
    '|---|---|---|---|',
    ...rowsOf,
    '',
  ].join('\n');
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
