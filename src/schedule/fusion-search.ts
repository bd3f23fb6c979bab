/**
 * Ways to cut the bands of a fused pass, from small rings to fast ones. Rows in depthwise mode and slack in the rings both cost
 * bytes of the feature buffer and save cycles, each step's and each ring's more or less of them. The search begins with
 * the smallest rings and takes, again and again, what saves most cycles for a byte; every point on the way is a way to cut.
 */
import { sum } from '../core/integers.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import { type FusionChoice, type FusionMemo, fuseSteps } from './fusion.ts';
import type { ValueSizes } from './geometry.ts';
import type { Step } from './steps.ts';
import { computesDepthwise } from './tiling.ts';

/** A way to cut, and the bytes of its rings. */
export interface FusionPoint {
  readonly choice: FusionChoice;
  readonly ringBytes: number;
  readonly cycles: number;
}

/** Least rows of a band in depthwise mode that are tried. */
const depthwiseRows = [1, 2, 3, 4, 6, 8, 12, 16];

/**
 * The points for a pass whose output goes to DRAM and whose rings take at most
 * `mostBytes`; none if the buffers are too small.
 */
export function fusionPoints(
  steps: readonly Step[],
  machine: MachineConfig,
  values: ValueSizes,
  pass: Pick<FusionChoice, 'lastRows' | 'isInputKept' | 'isLastStreamed'>,
  mostBytes: number,
  memo: FusionMemo,
): FusionPoint[] {
  const rate = (rows: readonly number[], slackBytes: readonly number[]): FusionPoint | undefined => {
    const choice = { ...pass, depthwiseRows: rows, slackBytes, outputShare: 1 };
    const fused = fuseSteps(steps, machine, values, choice, memo);
    if (fused === undefined) return undefined;
    const ringBytes = sum(fused.ringBytes);
    return ringBytes > mostBytes ? undefined : { choice, ringBytes, cycles: fused.cost.cycles };
  };
  const isDepthwise = steps.map((step) => computesDepthwise(step, machine, values));
  let point = rate(
    steps.map(() => 1),
    steps.map(() => 0),
  );
  const points: FusionPoint[] = [];
  while (point !== undefined) {
    points.push(point);
    let next: FusionPoint | undefined;
    let most = 0;
    for (const candidate of upgrades(point.choice, isDepthwise)) {
      const rated = rate(candidate.rows, candidate.slack);
      if (rated === undefined || rated.cycles >= point.cycles) continue;
      const saved = (point.cycles - rated.cycles) / Math.max(1, rated.ringBytes - point.ringBytes);
      if (saved <= most) continue;
      most = saved;
      next = rated;
    }
    point = next;
  }
  return points;
}

function* upgrades(
  { depthwiseRows: rows, slackBytes }: FusionChoice,
  isDepthwise: readonly boolean[],
): Generator<{ rows: readonly number[]; slack: readonly number[] }> {
  for (const index of rows.keys()) {
    if (slackBytes[index] === 0) yield { rows, slack: slackBytes.with(index, Number.POSITIVE_INFINITY) };
    if (!isDepthwise[index]) continue;
    const at = depthwiseRows.indexOf(rows[index]!);
    for (const more of depthwiseRows.slice(at + 1, at + 3)) {
      yield { rows: rows.with(index, more), slack: slackBytes };
    }
  }
}
