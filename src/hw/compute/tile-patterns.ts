/** The per-fold figures of a tile, computed once for each shape of tile and reused by all tiles of that shape. */
import { ceilDiv } from '../../core/integers.ts';
import type { CommandOf } from '../isa/formats.ts';
import { type FoldScratch, foldCyclesPerChannel, foldScratch } from '../pe-array/pe-array.ts';
import { poolVectorCycles } from '../spatial-pool/spatial-pool.ts';

export interface TilePattern {
  readonly pixelFolds: number;
  /** Cycles of all taps of one input channel, per pixel fold. */
  readonly channelCycles: Int32Array;
  /** Cycles the post-processing takes for one vector, per pixel fold. */
  readonly vectorCycles: Int32Array;
}

export class TilePatterns {
  private readonly known = new Map<string, TilePattern>();
  private readonly scratch: FoldScratch;

  constructor(
    private readonly lanes: number,
    private readonly banks: number,
  ) {
    this.scratch = foldScratch(lanes, banks);
  }

  of(tile: CommandOf<'compute'>, post: CommandOf<'postProcess'> | undefined): TilePattern {
    const key = [
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
    const pixels = tile.outRows * tile.outColumns;
    const pixelFolds = ceilDiv(pixels, this.lanes);
    const channelCycles = new Int32Array(pixelFolds);
    const vectorCycles = new Int32Array(pixelFolds).fill(1);
    for (let fold = 0; fold < pixelFolds; fold++) {
      const firstPixel = fold * this.lanes;
      channelCycles[fold] = foldCyclesPerChannel(tile, firstPixel, this.lanes, this.banks, this.scratch);
      if (post !== undefined && post.poolKind !== 0) {
        const count = Math.min(this.lanes, pixels - firstPixel);
        vectorCycles[fold] = poolVectorCycles(post, firstPixel, count, tile.outColumns);
      }
    }
    return { pixelFolds, channelCycles, vectorCycles };
  }
}
