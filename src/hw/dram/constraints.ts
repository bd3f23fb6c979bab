/**
 * SDRAM timing as data: which command must wait how long after which, and where.
 *
 * The controller knows no timing parameter. It issues a command, adds the delays of one row of `Delays` to the
 * earliest clocks of others, and asks whether a clock has come.
 */
import { InputError } from '../../core/diagnostics.ts';

/** Commands as other commands wait for them; RDA and WRA precharge the bank by themselves. */
export const commandClasses = ['ACT', 'PRE', 'RD', 'WR', 'REF', 'RDA', 'WRA'] as const;
export type CommandName = (typeof commandClasses)[number];

/** Commands as they wait for others: RDA waits as RD does, WRA as WR. */
export const waitingClasses = 5;
/** Indices into `commandClasses`. */
export const ACT = 0;
export const PRE = 1;
export const RD = 2;
export const WR = 3;
export const REF = 4;
export const RDA = 5;
export const WRA = 6;

/** Where a later command waits, seen from the earlier one's bank. */
export type Scope = 'bank' | 'bankGroup' | 'rank' | 'otherRanks';

/** A later command waits at least `delay` clocks after an earlier one; a delay of 0 or less is no constraint. */
export interface Constraint {
  readonly scope: Scope;
  readonly after: readonly CommandName[];
  readonly before: readonly CommandName[];
  /** A formula of named parameters; see `evaluate`. */
  readonly delay: string;
}

/**
 * What DDR3, DDR4, LPDDR3 and LPDDR4 have in common (JESD79-4, JESD209-3, JESD209-4), with DRAMsim3's delays.
 * RL = AL + CL, WL = AL + CWL, BURST = clocks of a burst on the bus. The four-activate window, which no pair of
 * commands can say, is `tFAW` beside the table.
 */
export const sdramConstraints: readonly Constraint[] = [
  // One bank: rows open and close.
  { scope: 'bank', after: ['ACT'], before: ['RD', 'WR'], delay: 'tRCD - AL' },
  { scope: 'bank', after: ['ACT'], before: ['PRE'], delay: 'tRAS' },
  { scope: 'bank', after: ['ACT'], before: ['ACT'], delay: 'tRC' },
  { scope: 'bank', after: ['PRE'], before: ['ACT', 'REF'], delay: 'tRP' },
  { scope: 'bank', after: ['RD'], before: ['PRE'], delay: 'AL + tRTP' },
  { scope: 'bank', after: ['WR'], before: ['PRE'], delay: 'WL + BURST + tWR' },
  // DRAMsim3 lets a refresh follow an auto-precharge sooner than an activate, and without a look at tRAS.
  { scope: 'bank', after: ['RDA'], before: ['ACT'], delay: 'AL + BURST + tRTP + tRP' },
  { scope: 'bank', after: ['RDA'], before: ['REF'], delay: 'AL + tRTP + tRP' },
  { scope: 'bank', after: ['WRA'], before: ['ACT', 'REF'], delay: 'WL + BURST + tWR + tRP' },
  // The shared parts: row logic, column path, data bus.
  { scope: 'bankGroup', after: ['ACT'], before: ['ACT'], delay: 'tRRD_L' },
  { scope: 'rank', after: ['ACT'], before: ['ACT'], delay: 'tRRD_S' },
  { scope: 'rank', after: ['PRE'], before: ['PRE'], delay: 'tPPD' },
  { scope: 'bankGroup', after: ['RD', 'RDA'], before: ['RD'], delay: 'max(BURST, tCCD_L)' },
  { scope: 'rank', after: ['RD', 'RDA'], before: ['RD'], delay: 'max(BURST, tCCD_S)' },
  { scope: 'bankGroup', after: ['WR', 'WRA'], before: ['WR'], delay: 'max(BURST, tCCD_L)' },
  { scope: 'rank', after: ['WR', 'WRA'], before: ['WR'], delay: 'max(BURST, tCCD_S)' },
  { scope: 'rank', after: ['RD', 'RDA'], before: ['WR'], delay: 'RL + BURST - WL + tRTRS' },
  { scope: 'bankGroup', after: ['WR', 'WRA'], before: ['RD'], delay: 'WL + BURST + tWTR_L' },
  { scope: 'rank', after: ['WR', 'WRA'], before: ['RD'], delay: 'WL + BURST + tWTR_S' },
  // The bus between ranks.
  { scope: 'otherRanks', after: ['RD', 'RDA'], before: ['RD'], delay: 'BURST + tRTRS' },
  { scope: 'otherRanks', after: ['WR', 'WRA'], before: ['WR'], delay: 'BURST' },
  { scope: 'otherRanks', after: ['RD', 'RDA'], before: ['WR'], delay: 'RL + BURST - WL + tRTRS' },
  { scope: 'otherRanks', after: ['WR', 'WRA'], before: ['RD'], delay: 'WL + BURST + tRTRS - RL' },
  // Refresh.
  { scope: 'rank', after: ['REF'], before: ['ACT'], delay: 'tRFC' },
];

/** Values of the names in formulas, in clocks. */
export type Parameters = Readonly<Record<string, number>>;

/** Names that formulas may use. */
const parameterNames: readonly string[] = [
  ...['RL', 'WL', 'BURST', 'AL', 'CL', 'CWL', 'tRCD', 'tRP', 'tRAS', 'tRC', 'tRRD_S', 'tRRD_L', 'tFAW'],
  ...['tCCD_S', 'tCCD_L', 'tWTR_S', 'tWTR_L', 'tWR', 'tRTP', 'tRTRS', 'tPPD', 'tRFC', 'tREFI'],
];

/** What is wrong with a formula, in a line; undefined if nothing is. */
export function checkFormula(formula: string): string | undefined {
  try {
    evaluate(formula, Object.fromEntries(parameterNames.map((name) => [name, 0])));
    return undefined;
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
}

/**
 * Value of a formula: whole numbers and names, added and subtracted, and `max(formula, formula)`.
 * Throws an `InputError` for anything else.
 */
export function evaluate(formula: string, parameters: Parameters): number {
  const tokens = formula.match(/\w+|\S/g) ?? [];
  let at = 0;
  const expect = (token: string): void => {
    if (tokens[at++] !== token) throw wrong(`expected '${token}'`);
  };
  const wrong = (what: string): InputError =>
    new InputError(`'${formula}' is no formula: ${what} at word ${Math.min(at, tokens.length + 1)}`);
  const term = (depth: number): number => {
    const token = tokens[at++] ?? '';
    if (token === 'max' && depth < 8) {
      expect('(');
      const first = sumOfTerms(depth + 1);
      expect(',');
      const second = sumOfTerms(depth + 1);
      expect(')');
      return Math.max(first, second);
    }
    if (/^\d{1,6}$/.test(token)) return Number(token);
    if (Object.hasOwn(parameters, token)) return parameters[token]!;
    throw wrong(`expected a number or one of ${parameterNames.join(', ')}, max(a, b)`);
  };
  const sumOfTerms = (depth: number): number => {
    let value = term(depth);
    while (tokens[at] === '+' || tokens[at] === '-')
      value += tokens[at++] === '+' ? term(depth) : -term(depth);
    return value;
  };
  const value = sumOfTerms(0);
  if (at < tokens.length) throw wrong("expected '+', '-' or the end");
  return value;
}

/** Delays by earlier command (row of 7), later command (`waitingClasses` columns); 0 = none. */
export interface Delays {
  /** Same bank. */
  readonly bank: Int32Array;
  /** Every bank of the same bank group, of the rest of the rank, of other ranks: three tables behind each other. */
  readonly shared: Int32Array;
  /** Clocks in which one rank takes at most four activates. */
  readonly fourActivates: number;
}

/** Index of a relation in `Delays.shared`. */
export const sameGroup = 0;
export const sameRank = 1;
export const otherRank = 2;

/** Entries of one table of delays. */
export const delayTableSize = commandClasses.length * waitingClasses;

/** Works the formulas out. Where several constraints meet, the longest delay holds. */
export function compileDelays(constraints: readonly Constraint[], parameters: Parameters): Delays {
  const bank = new Int32Array(delayTableSize);
  const shared = new Int32Array(3 * delayTableSize);
  const relations: Record<Exclude<Scope, 'bank'>, readonly number[]> = {
    bankGroup: [sameGroup],
    rank: [sameGroup, sameRank],
    otherRanks: [otherRank],
  };
  for (const { scope, after, before, delay } of constraints) {
    const clocks = evaluate(delay, parameters);
    for (const first of after) {
      for (const second of before) {
        const waiting = waitingClassOf(second);
        const cell = commandClasses.indexOf(first) * waitingClasses + waiting;
        // A refresh waits for every bank of its rank, so what it waits for is kept by bank.
        if (scope === 'bank' || waiting === REF) {
          bank[cell] = Math.max(bank[cell]!, clocks);
          continue;
        }
        for (const relation of relations[scope]) {
          const at = relation * delayTableSize + cell;
          shared[at] = Math.max(shared[at]!, clocks);
        }
      }
    }
  }
  return { bank, shared, fourActivates: parameters.tFAW! };
}

function waitingClassOf(command: CommandName): number {
  return command === 'RDA' ? RD : command === 'WRA' ? WR : commandClasses.indexOf(command);
}
