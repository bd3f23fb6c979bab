import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SdramConfig } from './config.ts';
import { geometryOf } from './config.ts';
import {
  ACT,
  type CommandName,
  type Constraint,
  commandClasses,
  evaluate,
  REF,
  sdramConstraints,
} from './constraints.ts';
import { randomSdram } from './random-sdram.test-helper.ts';
import { Timers } from './timers.ts';
import { delaysOf, timingParameters } from './timing.ts';

/** Clock of the first command: late enough for windows that reach back. */
const start = 1000;

function timersOf(config: SdramConfig): Timers {
  return new Timers(delaysOf(config), { ...config.organisation, ranks: geometryOf(config).ranks });
}

/** Earliest clock at which a command may be given to a bank. */
function earliest(timers: Timers, config: SdramConfig, command: CommandName, bank: number): number {
  const { banksPerRank } = geometryOf(config);
  if (command === 'REF') return timers.refreshClock(bank - (bank % banksPerRank), banksPerRank);
  const waiting = { RDA: 'RD', WRA: 'WR' }[command as string] ?? command;
  return timers.readyClock(commandClasses.indexOf(waiting as CommandName), bank);
}

/** Whether a constraint says anything about a bank, seen from the first command's. */
function isInScope(config: SdramConfig, { scope }: Constraint, first: number, second: number): boolean {
  const { banksPerRank } = geometryOf(config);
  const { banksPerGroup } = config.organisation;
  const rank = (bank: number): number => Math.floor(bank / banksPerRank);
  const group = (bank: number): number => Math.floor(bank / banksPerGroup);
  if (scope === 'bank') return first === second;
  if (scope === 'bankGroup') return group(first) === group(second);
  return scope === 'rank' ? rank(first) === rank(second) : rank(first) !== rank(second);
}

/** From the definition: the longest delay of all constraints between two commands. */
function definedDelay(
  config: SdramConfig,
  constraints: readonly Constraint[],
  [after, first]: [CommandName, number],
  [before, second]: [CommandName, number],
): number {
  const parameters = timingParameters(config);
  const { banksPerRank } = geometryOf(config);
  // A refresh waits for every bank of its rank: the constraint holds if it does for the first command's own bank.
  const place =
    before === 'REF' && Math.floor(first / banksPerRank) === Math.floor(second / banksPerRank)
      ? first
      : second;
  const delays = constraints
    .filter((one) => one.after.includes(after) && one.before.includes(before))
    .filter((one) => isInScope(config, one, first, place))
    .map(({ delay }) => evaluate(delay, parameters));
  return Math.max(0, ...delays);
}

describe.each(sdramConstraints)('$after before $before, $scope: $delay', (constraint) => {
  it('refuses a command one clock early and accepts it on time, wherever it holds', () => {
    let binding = 0;
    fc.assert(
      fc.property(randomSdram, fc.nat(), (config, place) => {
        const { banks, banksPerRank } = geometryOf(config);
        for (const after of constraint.after) {
          // A refresh has its rank's first bank.
          const first = after === 'REF' ? (place % (banks / banksPerRank)) * banksPerRank : place % banks;
          const timers = timersOf(config);
          timers.issue(commandClasses.indexOf(after), first, start);
          for (const before of constraint.before) {
            for (let second = 0; second < banks; second++) {
              const delay = definedDelay(config, sdramConstraints, [after, first], [before, second]);
              // Refused at every clock before this one, accepted from it on.
              const ready = earliest(timers, config, before, second);
              if (delay > 0) expect(ready).toBe(start + delay);
              else expect(ready).toBeLessThanOrEqual(start);
              const own = evaluate(constraint.delay, timingParameters(config));
              if (own > 0 && delay === own && isInScope(config, constraint, first, second)) binding++;
            }
          }
        }
      }),
      { seed: 51, numRuns: 60 },
    );
    // It was the one that decided, often.
    expect(binding).toBeGreaterThan(20);
  });
});

describe('the window of four activates', () => {
  it('holds a fifth one back until the first has left it, in its rank alone', () => {
    fc.assert(
      fc.property(randomSdram, fc.array(fc.nat(30), { minLength: 4, maxLength: 12 }), (config, gaps) => {
        const { banks, banksPerRank } = geometryOf(config);
        const timers = timersOf(config);
        const issued: number[] = [];
        let clock = start;
        for (const [index, gap] of gaps.entries()) {
          const bank = index % banksPerRank;
          clock = Math.max(clock + gap, timers.readyClock(ACT, bank));
          timers.issue(ACT, bank, clock);
          issued.push(clock);
          const window = issued.length < 4 ? 0 : issued.at(-4)! + config.timing.tFAW;
          for (let other = 0; other < banksPerRank; other++) {
            expect(timers.readyClock(ACT, other)).toBeGreaterThanOrEqual(window);
          }
          for (let other = banksPerRank; other < banks; other++) {
            expect(timers.readyClock(ACT, other)).toBe(0);
          }
        }
      }),
      { seed: 52, numRuns: 300 },
    );
  });

  it('is what holds back where it is the longest', () => {
    fc.assert(
      fc.property(randomSdram, (config) => {
        const slow = { ...config, timing: { ...config.timing, tFAW: 5000 } };
        const { banksPerRank } = geometryOf(slow);
        const timers = timersOf(slow);
        let clock = start;
        for (let index = 0; index < 4; index++) {
          clock = Math.max(clock + 1, timers.readyClock(ACT, index % banksPerRank));
          timers.issue(ACT, index % banksPerRank, clock);
        }
        expect(timers.readyClock(ACT, 0)).toBe(start + 1 + 5000);
      }),
      { seed: 53, numRuns: 50 },
    );
  });
});

describe('a constraint of the config', () => {
  it('holds like the others', () => {
    fc.assert(
      fc.property(
        randomSdram,
        fc.constantFrom('bank', 'bankGroup', 'rank', 'otherRanks'),
        (config, scope) => {
          const constraint: Constraint = { scope, after: ['PRE'], before: ['WR'], delay: 'tRFC + 3' };
          const extended = { ...config, constraints: [constraint] };
          const { banks } = geometryOf(config);
          const timers = timersOf(extended);
          timers.issue(commandClasses.indexOf('PRE'), 0, start);
          for (let second = 0; second < banks; second++) {
            const ready = earliest(timers, extended, 'WR', second);
            if (isInScope(config, constraint, 0, second)) expect(ready).toBe(start + config.timing.tRFC + 3);
            else expect(ready).toBe(0);
          }
        },
      ),
      { seed: 54, numRuns: 100 },
    );
  });

  it('may let a refresh wait for tRAS behind an auto-precharge', () => {
    fc.assert(
      fc.property(randomSdram, (config) => {
        const extended: SdramConfig = {
          ...config,
          constraints: [{ scope: 'bank', after: ['ACT'], before: ['REF'], delay: 'tRC' }],
        };
        const timers = timersOf(extended);
        timers.issue(ACT, 0, start);
        expect(earliest(timers, extended, 'REF', 0)).toBe(start + config.timing.tRC!);
        timers.issue(REF, 0, start + 5000);
        expect(timers.readyClock(ACT, 0)).toBe(start + 5000 + config.timing.tRFC);
      }),
      { seed: 55, numRuns: 20 },
    );
  });
});
