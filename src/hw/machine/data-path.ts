/**
 * The bytes of a full run: what transfers and tiles do to the memory that stands for DRAM and buffers.
 *
 * A tile reads its operands when the array starts and enters the output buffer when its last value has left the
 * pipeline, so a program that starts a tile too early, or stores it too early, computes wrong results here as it would
 * in hardware. (One that overwrites operands of a running tile does not; the tests check addresses and times for that.)
 */
import { assert } from '../../core/diagnostics.ts';
import { type Kernels, RECORD_BYTES, roundingNumbers, WIDE_RECORD_BYTES } from '../../kernels/kernels.ts';
import type { TileData } from '../compute/compute.ts';
import { bufferNames, type CommandOf, type TransferCommand } from '../isa/formats.ts';
import { operandRecordBytes, usesWideRecords } from '../requantise/parameters.ts';
import type { MachineConfig } from './config.ts';
import type { MemoryMap } from './memory-map.ts';

interface FinishedTile {
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
}

type Tile = CommandOf<'compute'>;
type Post = CommandOf<'postProcess'>;

export class DataPath implements TileData {
  /** Additions that left the accumulator so far. */
  overflows = 0;

  private readonly finished: FinishedTile[] = [];
  private nextFinished = 0;
  private readonly rounding: number;
  private readonly wraps: number;
  private readonly hasWideRecords: boolean;

  constructor(
    private readonly kernels: Kernels,
    private readonly map: MemoryMap,
    private readonly memory: WebAssembly.Memory,
    private readonly machine: MachineConfig,
  ) {
    this.rounding = roundingNumbers[machine.postProcessing.requantise.rounding];
    this.wraps = machine.peArray.accumulatorOverflow === 'wrap' ? 1 : 0;
    this.hasWideRecords = usesWideRecords(machine);
  }

  /** Moves contiguous bytes between DRAM and a buffer. */
  move(command: TransferCommand, dramAddress: number, bufferAddress: number, bytes: number): void {
    const inDram = this.map.dram + dramAddress;
    const inBuffer = this.map.buffers[bufferNames[command.buffer]!] + bufferAddress;
    if (command.op === 'load') this.kernels.copy(inBuffer, inDram, bytes);
    else this.kernels.copy(inDram, inBuffer, bytes);
  }

  /** Moves a finished map, or a part of it, from the output buffer into the feature buffer. */
  moveOnChip(command: CommandOf<'move'>): void {
    const { output, feature } = this.map.buffers;
    for (let segment = 0; segment < command.segments; segment++) {
      for (let run = 0; run < command.runs; run++) {
        this.kernels.copy(
          feature +
            command.targetAddress +
            segment * command.targetSegmentPitch +
            run * command.targetRunPitch,
          output +
            command.sourceAddress +
            segment * command.sourceSegmentPitch +
            run * command.sourceRunPitch,
          command.runBytes,
        );
      }
    }
  }

  begin(wound: Tile, post: Post | undefined): void {
    const tile = this.unwind(wound);
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
      bytes: maps * post.outRows * post.outColumns * tile.elementBytes,
    });
  }

  /** The tile as if its rows followed each other: those of a ring that goes round are copied in order. */
  private unwind(tile: Tile): Tile {
    const { ringRows, ringRow, rows, rowPitch } = tile;
    if (ringRows === 0) return tile;
    assert(tile.operands === 0, 'the operands of a sum lie in no ring');
    const { feature } = this.map.buffers;
    if (ringRow + rows <= ringRows) {
      return { ...tile, featureAddress: tile.featureAddress + ringRow * rowPitch, ringRows: 0 };
    }
    const { unwound } = this.map;
    const planes = tile.stream === 1 ? tile.filters : tile.groups * tile.channels;
    const rowBytes = tile.columns * tile.elementBytes;
    for (let plane = 0; plane < planes; plane++) {
      for (let row = 0; row < rows; row++) {
        const place = (ringRow + row) % ringRows;
        this.kernels.copy(
          unwound + (plane * rows + row) * rowBytes,
          feature + tile.featureAddress + plane * tile.planePitch + place * rowPitch,
          rowBytes,
        );
      }
    }
    return {
      ...tile,
      featureAddress: unwound - feature,
      rowPitch: rowBytes,
      planePitch: rows * rowBytes,
      ringRows: 0,
    };
  }

  finish(): void {
    const tile = this.finished.shift();
    assert(tile !== undefined, 'no tile in post-processing');
    this.kernels.copy(tile.to, tile.from, tile.bytes);
  }

  /**
   * Whether the tile's sums are kept in 64 bits: where they may leave the accumulator, where the machine's own
   * accumulators or records are wide, and for the formats no faster kernel takes.
   */
  private isWide(tile: Tile): boolean {
    if (this.hasWideRecords || tile.watch === 1) return true;
    if (tile.stream === 1) return tile.operands > 0 && tile.elementBytes === 2;
    return !this.isPlain(tile) && !this.isPlain16(tile);
  }

  private isPlain(tile: Tile): boolean {
    return tile.elementBytes === 1 && tile.weightBytes === 1;
  }

  private isPlain16(tile: Tile): boolean {
    return tile.elementBytes === 2 && tile.unsigned === 0 && tile.zeroPoint === 0;
  }

  /** Where a tile's sums are: the array's own, or those that wait, or will, in the accumulator buffer. */
  private sumsOf(tile: Tile): number {
    if (tile.accumulateIn === 0 && tile.accumulateOut === 0) return this.map.accumulators;
    return this.map.partialSums + 8 * tile.accumulatorAddress * this.machine.peArray.rows;
  }

  private convolve(tile: Tile): void {
    const { buffers, scratch } = this.map;
    const isWide = this.isWide(tile);
    const pixels = tile.outRows * tile.outColumns;
    const weightsPerGroup =
      tile.channels * tile.kernelRows * tile.kernelColumns * tile.filters * tile.weightBytes;
    for (let group = 0; group < tile.groups; group++) {
      const of = [
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
        this.sumsOf(tile) + (isWide ? 8 : 4) * group * tile.filters * pixels,
        tile.accumulateIn,
      ] as const;
      if (isWide) {
        this.overflows += this.kernels.convolveExact(
          ...of,
          tile.elementBytes,
          tile.unsigned,
          tile.zeroPoint,
          tile.weightBytes,
          this.machine.peArray.accumulatorBits,
          this.wraps,
        );
      } else if (this.isPlain(tile)) {
        this.kernels.convolve(...of, scratch, tile.unsigned, tile.zeroPoint);
      } else {
        this.kernels.convolve16(...of, scratch, tile.weightBytes);
      }
    }
  }

  private postProcess(tile: Tile, post: Post, maps: number, out: number): void {
    const { kernels, map } = this;
    const { elementBytes } = tile;
    const filters = tile.groups * tile.filters;
    const pixels = tile.outRows * tile.outColumns;
    const pools = post.poolKind !== 0;
    const [first, second] = map.stages;

    // Groups that take turns: their maps side by side are one map, as the maxima are taken.
    const open = Math.max(1, post.interleave);
    const poolsSums = post.ratio > 1 && this.takesMaximaFirst(tile, post);
    const reduces = post.ratio > 1 && !poolsSums;
    // The last stage that is in use writes to `out`.
    let values = reduces || pools ? first : out;
    if (poolsSums) {
      this.maximaOfSums(tile, post, maps, pixels, values);
    } else if (post.requantise === 1) {
      this.requantise(tile, post, filters, pixels, values);
    } else {
      this.gather(tile, 0, values);
    }
    if (post.lookup === 1) {
      assert(!poolsSums, 'a table need not keep the order of values');
      const count = filters * pixels;
      // The index has the format of the values.
      kernels.lookup(
        values,
        count,
        elementBytes,
        post.unsigned,
        post.low,
        map.buffers.table,
        elementBytes,
        values,
      );
    }
    if (reduces) {
      const reduced = pools ? second : out;
      if (post.mean === 1) {
        kernels.crossChannelMean(
          values,
          maps / open,
          post.ratio,
          pixels * open,
          reduced,
          elementBytes,
          post.unsigned,
          this.rounding,
        );
      } else {
        kernels.crossChannelMaximum(
          values,
          maps / open,
          post.ratio,
          pixels * open,
          reduced,
          elementBytes,
          post.unsigned,
        );
      }
      values = reduced;
    }
    if (!pools) return;
    const window = [
      values,
      maps,
      tile.outRows,
      tile.outColumns,
      pixels * elementBytes,
      post.windowRows,
      post.windowColumns,
      post.strideRows,
      post.strideColumns,
      post.padTop,
      post.padLeft,
      post.outRows,
      post.outColumns,
      out,
      post.outRows * post.outColumns * elementBytes,
    ] as const;
    if (post.poolKind === 1) {
      kernels.maximumPool(...window, elementBytes, post.unsigned);
    } else {
      kernels.averagePool(
        ...window,
        post.countPadding,
        elementBytes,
        post.unsigned,
        post.zeroPoint,
        this.rounding,
      );
    }
  }

  private requantise(tile: Tile, post: Post, filters: number, pixels: number, out: number): void {
    const { kernels, map } = this;
    const isWide = this.isWide(tile);
    let records = map.buffers.parameter + post.parameterAddress;
    if (tile.stream === 1) {
      this.sumOperands(tile, filters * pixels, records, isWide);
      records += tile.operands * operandRecordBytes;
    }
    const to = [
      this.sumsOf(tile),
      filters,
      pixels,
      isWide ? this.wideRecords(records, filters) : records,
      post.low,
      post.high,
      out,
      post.zeroPoint,
      this.rounding,
      tile.elementBytes,
    ] as const;
    if (isWide) {
      // What streams past the array has a register of its own, as wide as any sum of operands.
      const bits = tile.stream === 1 ? 48 : this.machine.peArray.accumulatorBits;
      this.overflows += kernels.requantiseWide(...to, bits, this.wraps);
    } else {
      kernels.requantise(...to);
    }
  }

  /** Whether the unit sits in front of the requantiser, and the tile's sums come from the array. */
  private takesMaximaFirst(tile: Tile, post: Post): boolean {
    if (this.machine.postProcessing.crossChannelPool?.position !== 'before') return false;
    assert(tile.stream === 0 && post.requantise === 1 && post.mean === 0, 'maxima of sums alone');
    return true;
  }

  /** Bias, maxima over the filters of a group, and only then the scale: that of the group's last filter. */
  private maximaOfSums(tile: Tile, post: Post, maps: number, pixels: number, out: number): void {
    const { kernels, map } = this;
    const isWide = this.isWide(tile);
    const filters = maps * post.ratio;
    const open = Math.max(1, post.interleave);
    const from = map.buffers.parameter + post.parameterAddress;
    const records = isWide ? this.wideRecords(from, filters) : from;
    const bits = this.machine.peArray.accumulatorBits;
    const sums = this.sumsOf(tile);
    this.overflows += kernels.crossChannelSums(
      sums,
      maps,
      post.ratio,
      open,
      pixels,
      records,
      isWide ? 1 : 0,
      bits,
      this.wraps,
    );
    this.groupRecords(records, isWide ? WIDE_RECORD_BYTES : RECORD_BYTES, maps, post.ratio, open);
    const to = [
      sums,
      maps,
      pixels,
      map.records,
      post.low,
      post.high,
      out,
      post.zeroPoint,
      this.rounding,
      tile.elementBytes,
    ] as const;
    if (isWide) kernels.requantiseWide(...to, bits, this.wraps);
    else kernels.requantise(...to);
  }

  /** A record a group, its last filter's without the bias; in order, so that records may be overwritten in place. */
  private groupRecords(from: number, size: number, groups: number, ratio: number, open: number): void {
    const view = new DataView(this.memory.buffer);
    const biasBytes = size === WIDE_RECORD_BYTES ? 8 : 4;
    for (let group = 0; group < groups; group++) {
      const last = Math.floor(group / open) * ratio * open + (ratio - 1) * open + (group % open);
      for (let byte = 0; byte < size; byte++) {
        const value = byte < biasBytes ? 0 : view.getUint8(from + last * size + byte);
        view.setUint8(this.map.records + group * size + byte, value);
      }
    }
  }

  /** Brings streamed maps into the accumulators: one as it is, the operands of a sum scaled. */
  private sumOperands(tile: Tile, count: number, records: number, isWide: boolean): void {
    const view = new DataView(this.memory.buffer);
    const widen = isWide ? this.kernels.widenWide : this.kernels.widen;
    const [stage] = this.map.stages;
    for (let operand = 0; operand < Math.max(1, tile.operands); operand++) {
      let { zeroPoint } = tile;
      let multiplier = 1;
      if (tile.operands > 0) {
        zeroPoint = view.getInt32(records + operand * operandRecordBytes, true);
        multiplier = view.getUint32(records + operand * operandRecordBytes + 4, true);
      }
      this.gather(tile, operand, stage);
      widen(
        stage,
        count,
        tile.elementBytes,
        tile.unsigned,
        zeroPoint,
        multiplier,
        this.map.accumulators,
        operand === 0 ? 0 : 1,
      );
    }
  }

  /** The records as the wide requantiser reads them. */
  private wideRecords(records: number, filters: number): number {
    if (this.hasWideRecords) return records;
    const view = new DataView(this.memory.buffer);
    for (let filter = 0; filter < filters; filter++) {
      const from = records + filter * RECORD_BYTES;
      const to = this.map.records + filter * WIDE_RECORD_BYTES;
      view.setBigInt64(to, BigInt(view.getInt32(from, true)), true);
      view.setUint32(to + 8, view.getUint16(from + 4, true), true);
      view.setUint32(to + 12, view.getUint16(from + 6, true), true);
      view.setUint32(to + 16, view.getUint8(from + 8), true);
    }
    return this.map.records;
  }

  /** Reads what a streamed tile reads of one operand out of the feature buffer. */
  private gather(tile: Tile, operand: number, out: number): void {
    this.kernels.gather(
      this.map.buffers.feature + tile.featureAddress + operand * tile.operandPitch,
      tile.rowPitch,
      tile.planePitch,
      tile.filters,
      tile.outRows,
      tile.outColumns,
      tile.strideRows,
      tile.strideColumns,
      tile.repeatRows,
      tile.repeatColumns,
      -tile.padTop,
      -tile.padLeft,
      tile.elementBytes,
      out,
    );
  }
}
