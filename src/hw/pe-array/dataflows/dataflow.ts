/**
 * What a dataflow is to the rest of the machine. A tile of the array is cut into folds of `rows x columns` elements; folds
 * whose sums leave the array together are a batch. The compute unit knows batches alone: how long they take, what they
 * read, and which vectors they hand over to post-processing. What else differs between dataflows stands in their files.
 */
import { ceilDiv } from '../../../core/integers.ts';
import type { DataflowName, PeArrayConfig } from '../config.ts';
import type { FoldScratch, TapGeometry } from '../pe-array.ts';
import type { Products } from './products.ts';

/** A tile as the array sees it: one group of it, since all groups are alike. */
export interface ArrayTile extends TapGeometry {
  /** Input channels and filters of a group. */
  readonly channels: number;
  readonly filters: number;
  /** Bytes from channel to channel in the feature buffer. */
  readonly planePitch: number;
  readonly weightBytes: number;
}

/** The part of the array's parameters that decides about cycles. */
export type ArrayGeometry = Pick<
  PeArrayConfig,
  'rows' | 'columns' | 'dataflow' | 'feed' | 'foldOverlap' | 'products'
>;

/** Folds whose sums leave the array, or the accumulator buffer, together. */
export interface Batch {
  /** Cycles in which operands come in and nothing computes, or sums go out and nothing else can. */
  readonly fill: number;
  /** One cycle each. */
  readonly steps: number;
  /** Cycles that the steps take beyond that, because their reads meet in one bank. */
  readonly bank: number;
  /** The vectors handed over: of `rows` pixels each, of every filter, for pixel folds [firstFold, firstFold + folds). */
  readonly firstFold: number;
  readonly folds: number;
  readonly filters: number;
}

/** Accesses of a group: words and the bytes they carry. */
export interface ArrayTraffic {
  readonly feature: { reads: number; bytes: number };
  readonly weight: { reads: number; bytes: number };
  /** Steps that put sums into the accumulator buffer, those among them that add to none before, and the sums they carry. */
  readonly sums: { steps: number; values: number; firstSteps: number; firstValues: number };
}

/** One group of a tile on the array. */
export interface GroupPlan {
  readonly batches: readonly Batch[];
  readonly traffic: ArrayTraffic;
}

/** A group's work without its geometry. */
export interface GroupSize extends Products {
  readonly pixels: number;
  readonly filters: number;
}

/** How a map lies in the feature buffer, in values, and how its window reads it. */
export interface Placement {
  readonly kernelRows: number;
  readonly kernelColumns: number;
  readonly dilationRows: number;
  readonly dilationColumns: number;
  readonly strideRows: number;
  readonly strideColumns: number;
  readonly channels: number;
  /** Columns of the output. */
  readonly outColumns: number;
  readonly rowPitch: number;
  readonly planePitch: number;
}

/** A dataflow: one file here, one line in index.ts. */
export interface Dataflow {
  readonly name: DataflowName;
  /** Whether sums stay in the array until they are complete; else a tile's are in the accumulator buffer from the first fold on. */
  readonly keepsSums: boolean;
  /** Values the feature buffer is asked for in one cycle, and the weight buffer. */
  featureLanes(array: ArrayGeometry): number;
  weightLanes(array: ArrayGeometry): number;
  /** Whether a row pitch keeps the reads of a step apart that lie in different rows. */
  isRowPitchClean(placement: Omit<Placement, 'planePitch'>, array: ArrayGeometry, banks: number): boolean;
  /** What a plane pitch, in values, must leave modulo what to keep channels apart; undefined if a step reads one channel. */
  planeResidue(
    placement: Pick<Placement, 'kernelRows' | 'kernelColumns'>,
    array: ArrayGeometry,
    banks: number,
  ): { readonly remainder: number; readonly modulus: number } | undefined;
  /** About how many cycles a step's read of features takes. */
  meanConflict(placement: Placement, array: ArrayGeometry, banks: number): number;
  /** How a tile's group is cut, with the conflicts of every step. */
  plan(tile: ArrayTile, array: ArrayGeometry, banks: number, scratch: FoldScratch): GroupPlan;
  /**
   * Cycles of a group where no reads meet, in closed form; `conflict`: cycles a step of features takes on average. The
   * plan's cycles, exactly, for a conflict of 1.
   */
  closedForm(size: GroupSize, array: ArrayGeometry, conflict?: number): number;
}

/** Cycles by which the last element of the array is behind the first. */
export function skewCycles({ feed, rows, columns }: ArrayGeometry): number {
  return feed === 'systolic' ? rows + columns - 2 : 0;
}

/** Cycles of a plan. */
export function planCycles({ batches }: GroupPlan): number {
  let cycles = 0;
  for (const { fill, steps, bank } of batches) cycles += fill + steps + bank;
  return cycles;
}

/** A fold of a dataflow with stationary operands. */
export interface StationaryFold {
  /** Cycles until the operands are in. */
  readonly load: number;
  readonly steps: number;
  /** Cycles of the steps, conflicts included. */
  readonly stepCycles: number;
}

/**
 * The one batch of a group whose sums collect in the accumulator buffer. Overlapped, the operands of a fold come in while
 * the one before computes, the first fold's before it; else every fold has its load, its steps and its skew to itself.
 */
export function stationaryBatch(
  folds: readonly StationaryFold[],
  array: ArrayGeometry,
  vectors: Pick<Batch, 'folds' | 'filters'>,
): Batch {
  const skew = skewCycles(array);
  let fill = 0;
  let steps = 0;
  let cycles = 0;
  folds.forEach((fold, index) => {
    steps += fold.steps;
    cycles += fold.stepCycles;
    if (!array.foldOverlap) {
      fill += fold.load + skew;
      return;
    }
    if (index === 0) fill += fold.load;
    const next = folds[index + 1];
    if (next !== undefined) fill += Math.max(0, next.load - fold.stepCycles);
  });
  return { fill, steps, bank: cycles - steps, firstFold: 0, ...vectors };
}

/** Cycles of `folds` equal folds in such a batch. */
export function stationaryCycles(folds: number, load: number, steps: number, array: ArrayGeometry): number {
  return array.foldOverlap
    ? load + (folds - 1) * Math.max(load, steps) + steps
    : folds * (load + steps + skewCycles(array));
}

/** The sizes of the pieces of `total` in portions of `size`. */
export function portions(total: number, size: number): number[] {
  return Array.from({ length: ceilDiv(total, size) }, (_, index) => Math.min(size, total - index * size));
}

/** Taps of the kernel. */
export function tapsOf({
  kernelRows,
  kernelColumns,
}: Pick<TapGeometry, 'kernelRows' | 'kernelColumns'>): number {
  return kernelRows * kernelColumns;
}
