/**
 * The bytes of a full run: what transfers and tiles do to the memory that stands for DRAM and buffers.
 *
 * A tile reads its operands when the array starts and enters the output buffer when its last value has left the
 * pipeline, so a program that starts a tile too early, or stores it too early, computes wrong results here as it would
 * in hardware. (One that overwrites operands of a running tile does not; the tests check addresses and times for that.)
 */
import { assert } from '../../core/diagnostics.ts';
import type { Kernels } from '../../kernels/kernels.ts';
import type { TileData } from '../compute/compute.ts';
import { bufferNames, type CommandOf, parameterRecordBytes, type TransferCommand } from '../isa/formats.ts';
import type { MemoryMap } from './memory-map.ts';

interface FinishedTile {
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
}

export class DataPath implements TileData {
  private readonly finished: FinishedTile[] = [];
  private nextFinished = 0;

  constructor(
    private readonly kernels: Kernels,
    private readonly map: MemoryMap,
  ) {}

  /** Moves contiguous bytes between DRAM and a buffer. */
  move(command: TransferCommand, dramAddress: number, bufferAddress: number, bytes: number): void {
    const inDram = this.map.dram + dramAddress;
    const inBuffer = this.map.buffers[bufferNames[command.buffer]!] + bufferAddress;
    if (command.op === 'load') this.kernels.copy(inBuffer, inDram, bytes);
    else this.kernels.copy(inDram, inBuffer, bytes);
  }

  begin(tile: CommandOf<'compute'>, post: CommandOf<'postProcess'> | undefined): void {
    if (tile.stream === 0) this.convolve(tile);
    if (post === undefined) return;
    assert(this.finished.length < this.map.finished.length, 'too many tiles in post-processing');
    const out = this.map.finished[this.nextFinished]!;
    this.nextFinished = (this.nextFinished + 1) % this.map.finished.length;
    const maps = (tile.groups * tile.filters) / post.ratio;
    this.postProcess(tile, post, maps, out);
    this.finished.push({
      from: out,
      to: this.map.buffers.output + post.outputAddress,
      bytes: maps * post.outRows * post.outColumns,
    });
  }

  finish(): void {
    const tile = this.finished.shift();
    assert(tile !== undefined, 'no tile in post-processing');
    this.kernels.copy(tile.to, tile.from, tile.bytes);
  }

  /** Partial sums live in the accumulator buffer, whole sums only in the array. */
  private accumulators(tile: CommandOf<'compute'>): number {
    return tile.accumulateIn === 1 || tile.accumulateOut === 1
      ? this.map.buffers.accumulator + tile.accumulatorAddress
      : this.map.arrayAccumulators;
  }

  private convolve(tile: CommandOf<'compute'>): void {
    const { buffers, scratch } = this.map;
    const pixels = tile.outRows * tile.outColumns;
    const weightsPerGroup = tile.channels * tile.kernelRows * tile.kernelColumns * tile.filters;
    for (let group = 0; group < tile.groups; group++) {
      this.kernels.convolve(
        buffers.feature + tile.featureAddress + group * tile.channels * tile.planePitch,
        tile.rowPitch,
        tile.planePitch,
        tile.rows,
        tile.columns,
        tile.channels,
        tile.padTop,
        tile.padLeft,
        tile.kernelRows,
        tile.kernelColumns,
        tile.strideRows,
        tile.strideColumns,
        tile.dilationRows,
        tile.dilationColumns,
        tile.outRows,
        tile.outColumns,
        tile.filters,
        buffers.weight + tile.weightAddress + group * weightsPerGroup,
        this.accumulators(tile) + 4 * group * tile.filters * pixels,
        tile.accumulateIn,
        scratch,
      );
    }
  }

  private postProcess(
    tile: CommandOf<'compute'>,
    post: CommandOf<'postProcess'>,
    maps: number,
    out: number,
  ): void {
    const { kernels, map } = this;
    const filters = tile.groups * tile.filters;
    const pixels = tile.outRows * tile.outColumns;
    const pools = post.poolKind !== 0;
    const [first, second] = map.stages;

    // The last stage that is in use writes to `out`.
    let values = post.ratio > 1 || pools ? first : out;
    if (tile.stream === 1) {
      this.gather(tile, values);
      if (post.requantise === 1) kernels.widen(values, filters * pixels, map.arrayAccumulators);
    }
    if (post.requantise === 1) {
      const accumulators = tile.stream === 1 ? map.arrayAccumulators : this.accumulators(tile);
      const records = map.buffers.parameter + post.parameterAddress;
      kernels.requantise(accumulators, filters, pixels, records, post.low, post.high, values);
    }
    if (post.ratio > 1) {
      const reduced = pools ? second : out;
      kernels.crossChannelMaximum(values, maps, post.ratio, pixels, reduced);
      values = reduced;
    }
    if (!pools) return;
    const window = [
      values,
      maps,
      tile.outRows,
      tile.outColumns,
      pixels,
      post.windowRows,
      post.windowColumns,
      post.strideRows,
      post.strideColumns,
      post.padTop,
      post.padLeft,
      post.outRows,
      post.outColumns,
      out,
      post.outRows * post.outColumns,
    ] as const;
    if (post.poolKind === 1) kernels.maximumPool(...window);
    else kernels.averagePool(...window, post.countPadding);
  }

  /** Reads the rows of a streamed tile out of the feature buffer. */
  private gather(tile: CommandOf<'compute'>, out: number): void {
    const start = this.map.buffers.feature + tile.featureAddress - tile.padTop * tile.rowPitch;
    let to = out;
    for (let plane = 0; plane < tile.filters; plane++) {
      for (let row = 0; row < tile.outRows; row++) {
        this.kernels.copy(to, start + plane * tile.planePitch + row * tile.rowPitch, tile.outColumns);
        to += tile.outColumns;
      }
    }
  }
}

/** Bytes of `filters` parameter records. */
export function parameterBytes(filters: number): number {
  return filters * parameterRecordBytes;
}
