#!/usr/bin/env node
/** The command line: the list of commands, and what becomes of errors. */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { InputError } from '../core/diagnostics.ts';
import type { ReportFormat } from '../report/table-forms.ts';
import { addArea } from './area.ts';
import { addCompare } from './compare.ts';
import { addCosim } from './cosim.ts';
import { addDetect } from './detect.ts';
import { addDram } from './dram.ts';
import { addExport } from './export.ts';
import { addImport } from './import.ts';
import { addInspect } from './inspect.ts';
import { type Json, packageFile } from './options.ts';
import { Output, type Streams } from './output.ts';
import { addReport } from './report.ts';
import { addRtl } from './rtl.ts';
import { addSimulate } from './simulate.ts';
import { addValidate } from './validate.ts';

const commands = [
  addCompare,
  addSimulate,
  addValidate,
  addDetect,
  addInspect,
  addDram,
  addArea,
  addImport,
  addRtl,
  addCosim,
  addExport,
  addReport,
];

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
    await makeProgram(output).parseAsync(argv, { from: 'user' });
    return output.exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    output.complain(oneLine(complaint(error)));
    if (error instanceof InputError || error instanceof CommanderError) return badInput;
    if (output.isVerbose && error instanceof Error && error.stack) output.complain(error.stack);
    return internalError;
  }
}

function makeProgram(output: Output): Command {
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
  for (const add of commands) add(program, output);
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
  // A reader that has seen enough, such as `head`, is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  process.exitCode = await run(process.argv.slice(2), process);
}
