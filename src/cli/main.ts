#!/usr/bin/env node
/** The command line: the list of commands, and what becomes of errors. */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { config } from 'zod';
import { InputError } from '../core/diagnostics.ts';
import type { ReportFormat } from '../report/table-forms.ts';
import type { Json } from './options.ts';
import { Output, type Streams } from './output.ts';
import { packageFile } from './package-file.ts';

type AddCommand = (program: Command, output: Output) => void;

/** In the order of the help. A command's modules are loaded when it is asked for: all together take longer than some runs. */
const commands: Readonly<Record<string, () => Promise<AddCommand>>> = {
  compare: async () => (await import('./compare.ts')).addCompare,
  simulate: async () => (await import('./simulate.ts')).addSimulate,
  validate: async () => (await import('./validate.ts')).addValidate,
  detect: async () => (await import('./detect.ts')).addDetect,
  inspect: async () => (await import('./inspect.ts')).addInspect,
  dram: async () => (await import('./dram.ts')).addDram,
  area: async () => (await import('./area.ts')).addArea,
  import: async () => (await import('./import.ts')).addImport,
  rtl: async () => (await import('./rtl.ts')).addRtl,
  cosim: async () => (await import('./cosim.ts')).addCosim,
  export: async () => (await import('./export.ts')).addExport,
  report: async () => (await import('./report.ts')).addReport,
};

/** Exit codes; 1, a failed check, is set by the commands that check. */
const badInput = 2;
const internalError = 70;

/**
 * Runs one command line.
 * @param argv arguments, without the interpreter and the script
 * @returns the exit code: 0 done, 1 a check failed, 2 bad input, 70 a defect of ours
 */
export async function run(argv: readonly string[], streams: Streams): Promise<number> {
  const output = new Output(streams, argv.includes('--verbose'), argv.includes('--quiet'));
  try {
    const program = await makeProgram(output, argv[0]);
    await program.parseAsync(argv, { from: 'user' });
    return output.exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    output.complain(oneLine(complaint(error)));
    if (error instanceof InputError || error instanceof CommanderError) return badInput;
    if (output.isVerbose && error instanceof Error && error.stack) output.complain(error.stack);
    return internalError;
  }
}

/** @param first the first argument: a command's name, or something that needs all of them, such as `--help` */
async function makeProgram(output: Output, first = ''): Promise<Command> {
  const { version } = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string };
  const program = new Command('condensim')
    .description(
      'Cycle-accurate simulator of embedded CNN accelerators that runs the quantised network bit-exactly',
    )
    .version(version)
    .exitOverride()
    // Complaints come from `run`, in one line.
    .configureOutput({ writeOut: (text) => output.print(text), writeErr: () => {} });
  program.hook('preAction', (_, command) => {
    const { format, json } = command.opts<{ format?: ReportFormat; json?: Json }>();
    if (json === true && format !== undefined && format !== 'json') {
      throw new InputError(`--json: prints JSON, expected no --format ${format}, or --json <file>`);
    }
    output.format = format;
  });
  const load = Object.hasOwn(commands, first) ? [commands[first]!] : Object.values(commands);
  for (const add of await Promise.all(load.map((one) => one()))) add(program, output);
  return program;
}

function complaint(error: unknown): string {
  if (error instanceof InputError) return error.message;
  if (error instanceof CommanderError) {
    return error.code === 'commander.help'
      ? 'condensim: no command, expected one; see condensim --help'
      : `condensim: ${error.message.replace(/^error: /, '')}`;
  }
  const message = error instanceof Error ? error.message : String(error);
  return `condensim: internal error: ${message.replace(/^internal: /, '')}`;
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*[\r\n]+\s*/g, ' ');
}

/** Whether this file was started, rather than imported; npm starts it through a link, people without its ending. */
function isStarted(): boolean {
  const script = process.argv[1];
  if (script === undefined) return false;
  const here = fileURLToPath(import.meta.url);
  return [script, `${script}.js`].some((path) => existsSync(path) && realpathSync(path) === here);
}

if (isStarted()) {
  // Schemas are used a few times each: compiling them first takes longer than it saves.
  config({ jitless: true });
  // A reader that has seen enough, such as `head`, is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  process.exitCode = await run(process.argv.slice(2), process);
}
