/** The figures of a tile that its shape decides, computed once for each shape and reused by all tiles of that shape. */
import { ceilDiv } from '../../core/integers.ts';
import type { CommandOf } from '../isa/formats.ts';
import type { PeArrayConfig } from '../pe-array/config.ts';
import type { GroupPlan } from '../pe-array/dataflows/dataflow.ts';
import { dataflowOf } from '../pe-array/dataflows/index.ts';
import { type FoldScratch, foldCyclesPerChannel, foldScratch } from '../pe-array/pe-array.ts';
import { poolVectorCycles } from '../spatial-pool/spatial-pool.ts';

export interface TilePattern {
  readonly pixelFolds: number;
  /** Cycles the post-processing takes for one vector, per pixel fold. */
  readonly vectorCycles: Int32Array;
  /** Of a streamed tile: cycles of reading one vector of a map, per pixel fold. */
  readonly readCycles: Int32Array;
  /** Of any other: how the array computes each of its groups. */
  readonly plan: GroupPlan;
}

const streamed: GroupPlan = {
  batches: [],
  traffic: {
    feature: { reads: 0, bytes: 0 },
    weight: { reads: 0, bytes: 0 },
    sums: { steps: 0, values: 0, firstSteps: 0, firstValues: 0 },
  },
};

export class TilePatterns {
  private readonly known = new Map<string, TilePattern>();
  private readonly scratch: FoldScratch;

  constructor(
    private readonly array: PeArrayConfig,
    private readonly banks: number,
  ) {
    this.scratch = foldScratch(Math.max(array.rows, array.columns), banks);
  }

  of(tile: CommandOf<'compute'>, post: CommandOf<'postProcess'> | undefined): TilePattern {
    const key = [
      tile.stream,
      tile.channels,
      tile.filters,
      tile.planePitch,
      tile.weightBytes,
      tile.rowPitch,
      tile.elementBytes,
      tile.repeatRows,
      tile.repeatColumns,
      tile.rows,
      tile.columns,
      tile.ringRows,
      tile.ringRow,
      tile.kernelRows,
      tile.kernelColumns,
      tile.strideRows,
      tile.strideColumns,
      tile.dilationRows,
      tile.dilationColumns,
      tile.padTop,
      tile.padLeft,
      tile.outRows,
      tile.outColumns,
      post?.poolKind,
      post?.windowRows,
      post?.strideRows,
      post?.padTop,
      post?.outRows,
    ].join();
    let pattern = this.known.get(key);
    if (pattern === undefined) {
      pattern = this.compute(tile, post);
      this.known.set(key, pattern);
    }
    return pattern;
  }

  private compute(tile: CommandOf<'compute'>, post: CommandOf<'postProcess'> | undefined): TilePattern {
    const array = this.array;
    const banks = this.banks;
    const scratch = this.scratch;
    const isStream = tile.stream === 1;
    const pixels = tile.outRows * tile.outColumns;
    const pixelFolds = ceilDiv(pixels, array.rows);
    const readCycles = new Int32Array(isStream ? pixelFolds : 0);
    const vectorCycles = new Int32Array(pixelFolds).fill(1);
    for (let fold = 0; fold < pixelFolds; fold++) {
      const firstPixel = fold * array.rows;
      if (isStream) readCycles[fold] = foldCyclesPerChannel(tile, firstPixel, array.rows, banks, scratch);
      if (post !== undefined && post.poolKind !== 0) {
        const count = Math.min(array.rows, pixels - firstPixel);
        vectorCycles[fold] = poolVectorCycles(post, firstPixel, count, tile.outColumns);
      }
    }
    const plan = isStream ? streamed : dataflowOf(array).plan(tile, array, banks, scratch);
    return { pixelFolds, vectorCycles, readCycles, plan };
  }
}
