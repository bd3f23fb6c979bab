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

interface NativeTool {
  readonly name: string;
  /** What Debian calls it. */
  readonly package: string;
  readonly version: readonly [command: string, ...args: string[]];
  /** Compiles `sources` in the folder. */
  build(folder: string, sources: readonly string[]): void;
  /** Runs what was built. */
  readonly run: (args: readonly string[]) => readonly [command: string, ...args: string[]];
}

const buildMinutes = 20;
const maximumOutputBytes = 2 ** 28;

export const icarus: NativeTool = {
  name: 'Icarus Verilog',
  package: 'iverilog',
  version: ['iverilog', '-V'],
  build: (folder, sources) => {
    execute(folder, 'iverilog', ['-g2012', '-o', 'bench.vvp', '-s', benchModule, ...sources]);
  },
  run: (args) => ['vvp', '-n', 'bench.vvp', ...args],
};

export const verilator: NativeTool = {
  name: 'Verilator',
  package: 'verilator, g++ and make',
  version: ['verilator', '--version'],
  build: (folder, sources) => {
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
    execute(folder, 'verilator', [...flags, '--top-module', benchModule, ...sources]);
  },
  run: (args) => [join('obj_dir', `V${benchModule}`), ...args],
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
  if (!isInstalled(tool)) {
    throw new InputError(
      `--engine: ${tool.name} is not installed, expected Debian's ${tool.package}, or --engine javascript`,
    );
  }
  const folder = mkdtempSync(join(tmpdir(), 'condensim-cosim-'));
  const close = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const sources = [...modules, { name: benchModule, text: benchVerilog(machine) }].map(({ name, text }) => {
      writeFileSync(join(folder, `${name}.v`), text);
      return `${name}.v`;
    });
    tool.build(folder, sources);
  } catch (error) {
    close();
    throw error;
  }
  const [command, ...args] = tool.version;
  const version = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return {
    name: version.split('\n')[0]!.trim(),
    run(cosimCase, expected, limit) {
      const files = caseFiles(cosimCase, expected, limit);
      mkdirSync(join(folder, 'case'), { recursive: true });
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'case', name), text);
      const [program, ...flags] = tool.run([]);
      const printed = execute(folder, program, flags);
      return readBench(cosimCase, printed, readFileSync(join(folder, 'case', 'seen.hex'), 'utf8'));
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
