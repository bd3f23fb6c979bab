/** Icarus Verilog and Verilator, where they are installed: the testbench in Verilog, one process a case. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../../core/diagnostics.ts';
import type { MachineConfig } from '../../hw/machine/config.ts';
import type { VerilogModule } from '../../hw/verilog.ts';
import { benchModule, benchVerilog } from './bench-verilog.ts';
import { caseFiles, readBench } from './case-files.ts';
import { buildCompiled } from './compiled-run.ts';
import type { Engine, EngineBuilder, EngineName } from './engine.ts';

export interface NativeTool {
  readonly name: string;
  /** What Debian calls it. */
  readonly package: string;
  readonly version: readonly [command: string, ...args: string[]];
  /** Compiles `sources` in the folder; `top` is the testbench. */
  build(folder: string, sources: readonly string[], top: string): void;
  /** Runs what was built. */
  readonly run: (top: string) => readonly [command: string, ...args: string[]];
}

const buildMinutes = 20;
const maximumOutputBytes = 2 ** 28;

export const icarus: NativeTool = {
  name: 'Icarus Verilog',
  package: 'iverilog',
  version: ['iverilog', '-V'],
  build: (folder, sources, top) => {
    execute(folder, 'iverilog', ['-g2012', '-o', 'bench.vvp', '-s', top, ...sources]);
  },
  run: () => ['vvp', '-n', 'bench.vvp'],
};

export const verilator: NativeTool = {
  name: 'Verilator',
  package: 'verilator, g++ and make',
  version: ['verilator', '--version'],
  build: (folder, sources, top) => {
    // The testbench writes the memories that the design writes too.
    const flags = [
      '--binary',
      '-j',
      '2',
      '-Wno-fatal',
      '-Wno-BLKANDNBLK',
      '-Wno-WIDTH',
      '-Wno-MULTIDRIVEN',
      '-Wno-UNUSED',
    ];
    execute(folder, 'verilator', [...flags, '--top-module', top, ...sources]);
  },
  run: (top) => [join('obj_dir', `V${top}`)],
};

/** Whether a tool can be run here. */
export function isInstalled({ version: [command, ...args] }: NativeTool): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Every engine by its name on the command line. */
export const engines: Readonly<Record<EngineName, EngineBuilder>> = {
  javascript: buildCompiled,
  icarus: async (machine, modules) => buildNative(icarus, machine, modules),
  verilator: async (machine, modules) => buildNative(verilator, machine, modules),
};

/** Builds the testbench and the machine's modules with a native tool. */
export function buildNative(
  tool: NativeTool,
  machine: MachineConfig,
  modules: readonly VerilogModule[],
): Engine {
  const bench = nativeBench(tool, modules, { name: benchModule, text: benchVerilog(machine) });
  return {
    name: bench.name,
    run(cosimCase, expected, limit) {
      const { printed, seen } = bench.run('case', caseFiles(cosimCase, expected, limit));
      return readBench(cosimCase, printed, seen);
    },
    close: bench.close,
  };
}

/** A testbench that was built. */
export interface NativeBench {
  /** The tool's name and version. */
  readonly name: string;
  /** Runs it on files in a folder of that name; gives its standard output and its file `seen.hex`. */
  run(folder: string, files: Readonly<Record<string, string>>): { printed: string; seen: string };
  /** Removes it from the disk. */
  close(): void;
}

/** Builds a testbench with its design. Throws an `InputError` that says what to install. */
export function nativeBench(
  tool: NativeTool,
  modules: readonly VerilogModule[],
  bench: VerilogModule,
): NativeBench {
  if (!isInstalled(tool)) {
    throw new InputError(
      `--engine: ${tool.name} is not installed, expected Debian's ${tool.package}, or --engine javascript`,
    );
  }
  const folder = mkdtempSync(join(tmpdir(), 'condensim-cosim-'));
  const close = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const sources = [...modules, bench].map(({ name, text }) => {
      writeFileSync(join(folder, `${name}.v`), text);
      return `${name}.v`;
    });
    tool.build(folder, sources, bench.name);
  } catch (error) {
    close();
    throw error;
  }
  const [command, ...args] = tool.version;
  const version = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return {
    name: version.split('\n')[0]!.trim(),
    run(name, files) {
      mkdirSync(join(folder, name), { recursive: true });
      for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, name, file), text);
      const [program, ...flags] = tool.run(bench.name);
      const printed = execute(folder, program, flags);
      return { printed, seen: readFileSync(join(folder, name, 'seen.hex'), 'utf8') };
    },
    close,
  };
}

function execute(folder: string, command: string, args: readonly string[]): string {
  return execFileSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: maximumOutputBytes,
    timeout: buildMinutes * 60_000,
  });
}
