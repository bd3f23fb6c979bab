/** `condensim dram`: a trace of requests through a memory's controller alone. */
import { existsSync, realpathSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { InputError } from '../core/diagnostics.ts';
import { capacityBytes, type SdramConfig } from '../hw/dram/config.ts';
import { type ReplayResult, replay } from '../hw/dram/replay.ts';
import { DramTraceReader, type TraceFormat, traceFormats } from '../import/dram-trace.ts';
import { readDramFile } from '../import/dram-yaml.ts';
import { dramReport } from '../report/dram-report.ts';
import { dramTable } from '../report/dram-table.ts';
import { CommandTrace } from './command-trace.ts';
import { addCommand, formatOption, type Json, jsonOption } from './options.ts';
import type { Output } from './output.ts';

interface DramOptions {
  readonly config: string;
  readonly trace: string;
  readonly traceFormat: TraceFormat;
  readonly commands?: string;
  readonly json?: Json;
}

export function addDram(program: Command, output: Output): void {
  addCommand(program, 'dram', 'replay a trace of requests through a memory controller')
    .addOption(new Option('--config <file>', 'the memory: a memory file').makeOptionMandatory())
    .addOption(
      new Option(
        '--trace <file>',
        'the requests, plain text or gzip; simulate --dram-trace writes such',
      ).makeOptionMandatory(),
    )
    .addOption(
      new Option(
        '--trace-format <format>',
        'condensim: 0xADDRESS READ|WRITE CLOCK; ramulator: LD|ST ADDRESS, all from clock 0 on',
      )
        .choices([...traceFormats])
        .default('condensim'),
    )
    .option(
      '--commands <file>',
      'write every command: clock, command, rank, bank group, bank, row, column; .gz packs',
    )
    .addOption(formatOption())
    .addOption(jsonOption())
    .action(async (options: DramOptions) => {
      const config = readDramFile(options.config);
      keepInputs(options);
      output.note(`${config.name}: replaying`);
      const report = dramReport(config, await replayFile(config, options, output));
      output.report(report, options.json, (style) => dramTable(report, style));
    });
}

/** Replays, and writes the commands where that is asked for: all of them or no file. */
async function replayFile(config: SdramConfig, options: DramOptions, output: Output): Promise<ReplayResult> {
  const capacity = capacityBytes(config);
  const requests = new DramTraceReader(options.trace, options.traceFormat, capacity);
  const commands = options.commands === undefined ? undefined : new CommandTrace(options.commands, config);
  try {
    const result = await replay(config, requests, commands && ((channel) => commands.listenerOf(channel)));
    commands?.commit(result.finishCycles);
    if (result.wrappedRequests > 0) {
      // Always said: the figures are those of other addresses than the trace has.
      const number = result.wrappedRequests === 1 ? '1 address' : `${result.wrappedRequests} addresses`;
      output.complain(
        `${options.trace}:${requests.firstLineBeyond}: note: ${number} beyond the memory's ${capacity} bytes wrapped around, the first of them in this line`,
      );
    }
    return result;
  } finally {
    commands?.discard();
  }
}

/** A result must not cost the user the file it was made from. */
function keepInputs({ config, trace, commands, json }: DramOptions): void {
  const inputs = [config, trace].filter((path) => existsSync(path)).map((path) => realpathSync(path));
  for (const [flag, path] of [
    ['--commands', commands],
    ['--json', json],
  ] as const) {
    if (typeof path !== 'string' || !existsSync(path) || !inputs.includes(realpathSync(path))) continue;
    throw new InputError(`${flag}: ${path} is read here, expected another file to write`);
  }
}
