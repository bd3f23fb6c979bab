/** Where a command's words go: tables or JSON to stdout, everything else to stderr. */
import pc from 'picocolors';
import { InputError } from '../core/diagnostics.ts';
import { writeFileAtomically } from '../import/write-file.ts';
import { csvReport, markdownReport, type ReportFormat } from '../report/table-forms.ts';
import { plainStyle, type Style } from '../report/tables.ts';
import { Progress } from './progress.ts';

/** The part of a stream that is used here. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

export interface Streams {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

export class Output {
  readonly style: Style;
  /** 1 once a check has failed. */
  exitCode: 0 | 1 = 0;
  /** What reports are printed as. */
  format: ReportFormat | undefined;
  private current: { readonly what: string; readonly progress: Progress } | undefined;

  constructor(
    private readonly streams: Streams,
    readonly isVerbose: boolean,
    /** Says nothing but complaints. */
    private readonly isQuiet = false,
  ) {
    const isColoured = usesColours(streams);
    const colours = pc.createColors(isColoured);
    this.style = isColoured ? { heading: colours.bold, bad: colours.red } : plainStyle;
  }

  print(text: string): void {
    this.streams.stdout.write(text);
  }

  complain(line: string): void {
    this.endProgress();
    this.streams.stderr.write(`${line}\n`);
  }

  /** What the user may want to know while waiting: on a terminal, and wherever stderr goes with `--verbose`. */
  readonly note = (message: string): void => {
    if (this.isVerbose || (this.showsProgress && !this.isQuiet)) this.complain(message);
  };

  /** What only somebody who looks for it wants to know. */
  readonly detail = (message: string): void => {
    if (this.isVerbose) this.complain(message);
  };

  /** Whether somebody sees how far something is. */
  get showsProgress(): boolean {
    return this.streams.stderr.isTTY === true && !this.isQuiet;
  }

  /** How far something slow is; `rate` puts the speed into words, from the seconds so far. */
  progress(what: string, done: number, total: number, rate?: (seconds: number) => string): void {
    if (!this.showsProgress) return;
    if (this.current?.what !== what) {
      this.endProgress();
      const write = (text: string) => void this.streams.stderr.write(text);
      this.current = { what, progress: new Progress(what, write, () => performance.now()) };
    }
    if (done >= total) this.endProgress();
    else this.current.progress.show(done, total, rate);
  }

  /** How far a simulation is, by the commands that were handed out; undefined where nobody sees it. */
  get runProgress(): ((commands: number, total: number, cycle: number) => void) | undefined {
    if (!this.showsProgress) return undefined;
    this.endProgress();
    return (commands, total, cycle) => {
      const rate = (seconds: number) => `${(cycle / seconds / 1e6).toFixed(2)} M cycles/s`;
      this.progress('running', commands, total, rate);
    };
  }

  private endProgress(): void {
    this.current?.progress.end();
    this.current = undefined;
  }

  /**
   * Prints a report as a table, or as what `--format` asks for.
   * @param json the value of `--json`: absent, `true` for JSON on stdout, or the file that gets it beside what is printed
   */
  report(report: object, json: string | true | undefined, table: (style: Style) => string): void {
    this.endProgress();
    const format = json === true ? 'json' : (this.format ?? 'table');
    const isJson = format === 'json';
    const text = json === undefined && !isJson ? '' : `${JSON.stringify(report, undefined, 2)}\n`;
    // Made before the file is written: what can't be printed leaves none.
    const printed = isJson ? text : this.printed(format, table);
    if (typeof json === 'string') writeFileAtomically(json, text);
    this.print(printed);
  }

  private printed(format: Exclude<ReportFormat, 'json'>, table: (style: Style) => string): string {
    if (format === 'table') return table(this.style);
    if (format === 'markdown') return markdownReport(table);
    const csv = csvReport(table);
    if (csv === undefined) {
      throw new InputError('--format: csv holds tables, and here is none; expected table or json');
    }
    return csv;
  }
}

/** On a terminal that has them; NO_COLOR and FORCE_COLOR (0: none) overrule what the stream is. */
function usesColours({ stdout, env = {} }: Streams): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0';
  return stdout.isTTY === true && env.TERM !== 'dumb';
}
