/** Where a command's words go: tables or JSON to stdout, everything else to stderr. */
import pc from 'picocolors';
import { writeFileAtomically } from '../import/write-file.ts';
import { plainStyle, type Style } from '../report/tables.ts';

/** The part of a stream that is used here. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

export interface Streams {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
}

export class Output {
  readonly style: Style;
  /** 1 once a check has failed. */
  exitCode: 0 | 1 = 0;

  constructor(
    private readonly streams: Streams,
    readonly isVerbose: boolean,
  ) {
    const colours = pc.createColors(pc.isColorSupported && streams.stdout.isTTY === true);
    this.style = colours.isColorSupported ? { heading: colours.bold, bad: colours.red } : plainStyle;
  }

  print(text: string): void {
    this.streams.stdout.write(text);
  }

  complain(line: string): void {
    this.streams.stderr.write(`${line}\n`);
  }

  /** What the user may want to know while waiting: on a terminal, and wherever stderr goes with `--verbose`. */
  readonly note = (message: string): void => {
    if (this.isVerbose || this.streams.stderr.isTTY === true) this.complain(message);
  };

  /** What only somebody who looks for it wants to know. */
  readonly detail = (message: string): void => {
    if (this.isVerbose) this.complain(message);
  };

  /** How far something slow is, on one line of a terminal that is written over. */
  progress(what: string, done: number, total: number): void {
    if (this.streams.stderr.isTTY !== true) return;
    const percent = Math.floor((100 * done) / total);
    this.streams.stderr.write(`\r${what}: ${done} of ${total} (${percent} %)${done === total ? '\n' : ''}`);
  }

  /**
   * Prints a report as a table, or as JSON where that was asked for on stdout.
   * @param json the value of `--json`: absent, `true` for stdout, or the file that gets it beside the printed table
   */
  report(report: object, json: string | true | undefined, table: (style: Style) => string): void {
    const text = json === undefined ? '' : `${JSON.stringify(report, undefined, 2)}\n`;
    if (typeof json === 'string') writeFileAtomically(json, text);
    this.print(json === true ? text : table(this.style));
  }
}
