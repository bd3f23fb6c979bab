/** The commands of one tile: settings of post-processing, the tile itself, and where its output goes. */
import { bufferNames, poolKinds, type TrafficKind, trafficKinds } from '../hw/isa/formats.ts';
import type { DataSettings } from './data-settings.ts';
import { type Emitter, none } from './emit.ts';
import {
  convolvedRowsFor,
  type FilterTile,
  type RowRange,
  type ValueSizes,
  type Workload,
  workloadOf,
} from './geometry.ts';
import type { DramLayout, TiledStep } from './layout.ts';
import { ringStretches, splitByKept } from './places.ts';
import { interleaveOf, ratioOf, type Step, tableOf } from './steps.ts';
import { outputMaps } from './tiling.ts';

export const kindCode = (kind: TrafficKind): number => trafficKinds.indexOf(kind);
const outputBuffer = bufferNames.indexOf('output');
const featureBuffer = bufferNames.indexOf('feature');

/** A tile, and where its operands and its output lie. */
export interface PlacedTile {
  readonly tile: FilterTile;
  readonly chunk: RowRange;
  readonly accumulateIn: boolean;
  /** Whether these channels complete the sums, so that they leave for post-processing. */
  readonly isLast: boolean;
  /** Output rows. */
  readonly rows: RowRange;
  /** Input rows that are present. */
  readonly inputRows: RowRange;
  /** Of the first channel read, in its ring or at its first row present. */
  readonly featureAddress: number;
  readonly planePitch: number;
  readonly ringRow: number;
  readonly weightAddress: number;
  readonly parameterAddress: number;
  /** First vector of its partial sums in the accumulator buffer. */
  readonly accumulatorVector: number;
  readonly outputAddress: number;
}

export class TileEmitter {
  readonly work: Workload;
  private readonly step: Step;

  constructor(
    private readonly emitter: Emitter,
    private readonly tiled: TiledStep,
    private readonly layout: DramLayout,
    private readonly values: ValueSizes,
    private readonly settings: DataSettings,
  ) {
    this.step = tiled.step;
    this.work = workloadOf(tiled.step);
  }

  /** Loads rows of some channels of one input; `place` is where the first row goes, as a row of the slot or ring. */
  loadRows(
    input: string,
    rows: RowRange,
    channels: RowRange,
    bufferAddress: number,
    planePitch: number,
    freeAfter: number,
  ): number {
    const { step } = this;
    const [total, , columns] = step.inputShape;
    const { rowStep, rowOffset } = step.reading;
    const rowBytes = total * columns * this.values.elementBytes;
    const count = channels.end - channels.first;
    const common = { kind: kindCode(step.inputKind), buffer: featureBuffer, bufferAddress };
    if (this.layout.planarMaps.has(input)) {
      return this.loadPlanarRows(input, rows, channels, bufferAddress, planePitch, freeAfter);
    }
    return this.emitter.load(
      {
        ...common,
        dramAddress:
          this.layout.maps.get(input)! +
          (rows.first * rowStep + rowOffset) * rowBytes +
          channels.first * columns * this.values.elementBytes,
        segments: rows.end - rows.first,
        dramPitch: rowStep * rowBytes,
        stretchBytes: count * columns * this.values.elementBytes,
        runBytes: columns * this.values.elementBytes,
        bufferSegmentPitch: this.tiled.tiling.rowPitch,
        bufferRunPitch: planePitch,
      },
      freeAfter,
    );
  }

  /** The same of a map that lies [channel][row][column]. */
  private loadPlanarRows(
    input: string,
    rows: RowRange,
    channels: RowRange,
    bufferAddress: number,
    planePitch: number,
    freeAfter: number,
  ): number {
    const { step } = this;
    const { rowPitch } = this.tiled.tiling;
    const { rowStep, rowOffset } = step.reading;
    const rowBytes = step.inputShape[2] * this.values.elementBytes;
    const planeBytes = step.inputShape[1] * rowStep * rowBytes;
    const map = this.layout.maps.get(input)!;
    const count = channels.end - channels.first;
    const bandRows = rows.end - rows.first;
    const common = { kind: kindCode(step.inputKind), buffer: featureBuffer };
    if (rowStep === 1 && rowPitch === rowBytes && bandRows === step.inputShape[1]) {
      const stretchBytes = count * planeBytes;
      return this.emitter.load(
        {
          ...common,
          bufferAddress,
          dramAddress: map + channels.first * planeBytes,
          segments: 1,
          dramPitch: 0,
          stretchBytes,
          runBytes: planePitch === planeBytes ? stretchBytes : planeBytes,
          bufferSegmentPitch: 0,
          bufferRunPitch: planePitch,
        },
        freeAfter,
      );
    }
    const first = map + channels.first * planeBytes + (rows.first * rowStep + rowOffset) * rowBytes;
    if (rowStep === 1) {
      return this.emitter.load(
        {
          ...common,
          bufferAddress,
          dramAddress: first,
          segments: count,
          dramPitch: planeBytes,
          stretchBytes: bandRows * rowBytes,
          runBytes: rowBytes,
          bufferSegmentPitch: planePitch,
          bufferRunPitch: rowPitch,
        },
        freeAfter,
      );
    }
    let load = none;
    for (let channel = 0; channel < count; channel++) {
      load = this.emitter.load(
        {
          ...common,
          bufferAddress: bufferAddress + channel * planePitch,
          dramAddress: first + channel * planeBytes,
          segments: bandRows,
          dramPitch: rowStep * rowBytes,
          stretchBytes: rowBytes,
          runBytes: rowBytes,
          bufferSegmentPitch: rowPitch,
          bufferRunPitch: 0,
        },
        freeAfter,
      );
    }
    return load;
  }

  /**
   * Emits the tile, which needs load `load` and transfer `store`; returns its number and that of its last transfer. A late
   * tile's output waits in the output buffer until `emitTransfers` is called.
   */
  emit(
    placed: PlacedTile,
    load: number,
    store: number,
    operandPitch: number,
    isLate = false,
  ): { compute: number; transfer: number } {
    if (placed.isLast) this.emitPostProcess(placed);
    const compute = this.emitCompute(placed, load, store, operandPitch);
    return { compute, transfer: placed.isLast && !isLate ? this.emitTransfers(placed, compute) : none };
  }

  private emitCompute(placed: PlacedTile, load: number, store: number, operandPitch: number): number {
    const { step, work } = this;
    const { tile, chunk, isLast, inputRows } = placed;
    const { tiling, places } = this.tiled;
    const convolved = convolvedRowsFor(step, placed.rows);
    const isStream = step.convolution === undefined;
    const streamed = tile.groups * tile.filters;
    return this.emitter.compute(
      {
        stream: isStream ? 1 : 0,
        accumulateIn: placed.accumulateIn ? 1 : 0,
        accumulateOut: isLast ? 0 : 1,
        elementBytes: this.values.elementBytes,
        unsigned: this.settings.isUnsigned ? 1 : 0,
        zeroPoint: this.settings.zeroPoint(step.inputs[0]!, step),
        weightBytes: this.values.weightBytes,
        watch: this.settings.mayOverflow(step.requantised) ? 1 : 0,
        operands: work.operands > 1 ? work.operands : 0,
        operandPitch: work.operands > 1 ? operandPitch : 0,
        repeatRows: work.repeatRows,
        repeatColumns: work.repeatColumns,
        featureAddress: placed.featureAddress,
        rowPitch: tiling.rowPitch,
        planePitch: placed.planePitch,
        rows: inputRows.end - inputRows.first,
        columns: step.inputShape[2],
        groups: isStream ? 1 : tile.groups,
        channels: isStream ? streamed : chunk.end - chunk.first,
        filters: isStream ? streamed : tile.filters,
        kernelRows: work.kernelRows,
        kernelColumns: work.kernelColumns,
        strideRows: work.strideRows,
        strideColumns: work.strideColumns,
        dilationRows: work.dilationRows,
        dilationColumns: work.dilationColumns,
        padTop:
          work.padTop + inputRows.first - Math.floor((convolved.first * work.strideRows) / work.repeatRows),
        padLeft: work.padLeft,
        outRows: convolved.end - convolved.first,
        outColumns: step.convolvedShape[2],
        weightAddress: placed.weightAddress,
        accumulatorAddress: placed.accumulatorVector,
        ringRows: places?.ringRows ?? 0,
        ringRow: placed.ringRow,
        depthwise: tiling.isDepthwise ? 1 : 0,
      },
      load,
      store,
    );
  }

  /** Stores the maps of a tile that leave the chip and moves those that stay, when compute `compute` is done. */
  emitTransfers({ tile, rows, outputAddress }: PlacedTile, compute: number): number {
    const { step, work, emitter } = this;
    const { first, total } = step.outputChannels;
    const rowBytes = step.outputShape[2] * this.values.elementBytes;
    const rowCount = rows.end - rows.first;
    const mapBytes = rowCount * rowBytes;
    const maps = tileMaps(step, work, tile);
    const firstMap = maps.first;
    const kept = this.tiled.places?.output;
    let transfer = none;
    for (const part of splitByKept(maps, kept?.channels ?? { first: 0, end: 0 })) {
      const source = outputAddress + (part.first - firstMap) * mapBytes;
      const runs = part.end - part.first;
      if (!part.isKept) {
        const isPlanar = this.layout.planarMaps.has(step.output);
        const planeBytes = step.outputShape[1] * rowBytes;
        const isWhole = mapBytes === planeBytes;
        transfer = emitter.store(
          {
            kind: kindCode(step.outputKind),
            buffer: outputBuffer,
            bufferAddress: source,
            ...(isPlanar
              ? {
                  dramAddress:
                    this.layout.maps.get(step.output)! +
                    (first + part.first) * planeBytes +
                    rows.first * rowBytes,
                  segments: isWhole ? 1 : runs,
                  dramPitch: isWhole ? 0 : planeBytes,
                  stretchBytes: isWhole ? runs * mapBytes : mapBytes,
                  runBytes: isWhole ? runs * mapBytes : mapBytes,
                  bufferSegmentPitch: isWhole ? 0 : mapBytes,
                  bufferRunPitch: 0,
                }
              : {
                  dramAddress:
                    this.layout.maps.get(step.output)! + (rows.first * total + first + part.first) * rowBytes,
                  segments: rowCount,
                  dramPitch: total * rowBytes,
                  stretchBytes: runs * rowBytes,
                  runBytes: rowBytes,
                  bufferSegmentPitch: rowBytes,
                  bufferRunPitch: mapBytes,
                }),
          },
          compute,
        );
        continue;
      }
      const { address, rowPitch, planePitch, ringRows, ringChannels } = kept!;
      const place = ringChannels > 0 ? part.first % ringChannels : part.first;
      for (const stretch of ringStretches(rows, ringRows)) {
        // Rows that follow each other on both sides are one piece.
        const isOnePiece = rowPitch === rowBytes;
        transfer = emitter.move(
          {
            segments: isOnePiece ? 1 : stretch.rows,
            runs,
            runBytes: isOnePiece ? stretch.rows * rowBytes : rowBytes,
            sourceAddress: source + (stretch.row - rows.first) * rowBytes,
            sourceSegmentPitch: isOnePiece ? 0 : rowBytes,
            sourceRunPitch: mapBytes,
            targetAddress: address + place * planePitch + stretch.place * rowPitch,
            targetSegmentPitch: isOnePiece ? 0 : rowPitch,
            targetRunPitch: planePitch,
          },
          compute,
        );
      }
    }
    return transfer;
  }

  private emitPostProcess({ tile, rows, parameterAddress, outputAddress }: PlacedTile): void {
    const { step } = this;
    const { pooling, requantised } = step;
    const open = interleaveOf(step, tile.filters);
    const convolved = convolvedRowsFor(step, rows);
    const range = this.settings.output(requantised ?? step.layers[0]!);
    const zeroPoint =
      requantised === undefined ? this.settings.zeroPoint(step.inputs[0]!, step) : range.zeroPoint;
    this.emitter.postProcess({
      requantise: requantised === undefined ? 0 : 1,
      parameterAddress,
      low: range.low,
      high: range.high,
      zeroPoint,
      lookup: tableOf(step) === undefined ? 0 : 1,
      unsigned: this.settings.isUnsigned ? 1 : 0,
      ratio: ratioOf(step),
      mean: step.reduction?.kind === 'mean' ? 1 : 0,
      interleave: open > 1 ? open : 0,
      poolKind: poolKinds.indexOf(pooling?.kind ?? 'off'),
      windowRows: pooling?.window[0] ?? 0,
      windowColumns: pooling?.window[1] ?? 0,
      strideRows: pooling?.stride[0] ?? 0,
      strideColumns: pooling?.stride[1] ?? 0,
      padTop:
        pooling === undefined ? 0 : convolved.first - rows.first * pooling.stride[0] + pooling.padding.top,
      padLeft: pooling?.padding.left ?? 0,
      countPadding: pooling?.countIncludesPadding === true ? 1 : 0,
      outRows: rows.end - rows.first,
      outColumns: step.outputShape[2],
      outputAddress,
    });
  }
}

/** The maps a tile writes. */
export function tileMaps(step: Step, work: Workload, tile: FilterTile): RowRange {
  const first = (tile.firstGroup * work.filtersPerGroup + tile.firstFilter) / ratioOf(step);
  return { first, end: first + outputMaps(step, tile) };
}

/** Fields of a load of contiguous bytes. */
export function contiguous(
  kind: TrafficKind,
  buffer: 'weight' | 'parameter' | 'table',
  dramAddress: number,
  bufferAddress: number,
  bytes: number,
) {
  return {
    kind: kindCode(kind),
    buffer: bufferNames.indexOf(buffer),
    dramAddress,
    segments: 1,
    dramPitch: 0,
    stretchBytes: bytes,
    runBytes: bytes,
    bufferAddress,
    bufferSegmentPitch: 0,
    bufferRunPitch: 0,
  };
}
