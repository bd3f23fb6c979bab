/** `condensim rtl`: a machine as Verilog. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { InputError } from '../core/diagnostics.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import { readMachineFile } from '../import/machine-yaml.ts';
import { systemReason } from '../import/read-file.ts';
import { randomLayerCase } from '../layer-cosim.ts';
import type { ProgramCase } from '../rtl/cosim/program-case.ts';
import { rtlFiles } from '../rtl/emit.ts';
import { addCommand, hardwareOption } from './options.ts';
import type { Output } from './output.ts';

interface RtlOptions {
  readonly hw: string;
  readonly out: string;
  readonly force?: true;
}

export function addRtl(program: Command, output: Output): void {
  addCommand(program, 'rtl', 'a machine as Verilog, with a testbench')
    .addOption(hardwareOption())
    .requiredOption('--out <folder>', 'where the files go; made if need be')
    .option('--force', 'write into a folder that is not empty')
    .action(async ({ hw, out, force }: RtlOptions) => {
      const machine = readMachineFile(hw);
      checkFolder(out, force === true);
      const files = await rtlFiles(machine, sampleProgram(machine));
      writeFolder(out, files, force === true);
      const modules = Object.keys(files).filter((name) => name.endsWith('.v')).length;
      output.print(`${out}: ${modules} modules, testbenches among them; see ${join(out, 'README.md')}\n`);
    });
}

/** The layer that comes with the testbench; none for a machine whose numbers no network has. */
function sampleProgram(machine: MachineConfig): ProgramCase | undefined {
  try {
    return randomLayerCase(machine, 1, 0);
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

/** Before any work: whether the folder may be written. */
function checkFolder(folder: string, force: boolean): void {
  if (!existsSync(folder)) return;
  if (!statSync(folder).isDirectory()) throw new InputError('is a file, expected a folder', { file: folder });
  if (!force && readdirSync(folder).length > 0) {
    throw new InputError('is not empty, expected an empty folder, or --force', { file: folder });
  }
}

/** A new folder appears as a whole; into one that is there, files go one by one. */
function writeFolder(folder: string, files: Readonly<Record<string, string>>, force: boolean): void {
  const target = resolve(folder);
  const temporary = join(dirname(target), `.${basename(target).slice(0, 200)}.${process.pid}.tmp`);
  try {
    for (const [name, text] of Object.entries(files)) {
      const path = join(temporary, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
    if (force && existsSync(target)) {
      for (const name of Object.keys(files)) {
        mkdirSync(dirname(join(target, name)), { recursive: true });
        renameSync(join(temporary, name), join(target, name));
      }
    } else {
      if (existsSync(target)) rmdirSync(target);
      renameSync(temporary, target);
    }
  } catch (error) {
    throw new InputError(`cannot be written (${systemReason(error)}), expected a folder that can`, {
      file: folder,
    });
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
