/**
 * One step's commands. Its tiles are emitted in loop order (bands, filter tiles, chunks, rows); the loads of the next
 * tile that needs any go out before the current tile's compute, so that transfers overlap.
 */
import { bufferNames, poolKinds, type TrafficKind, trafficKinds } from '../hw/isa/formats.ts';
import type { DataSettings } from './data-settings.ts';
import { type Emitter, none } from './emit.ts';
import {
  convolvedRowsFor,
  type FilterTile,
  inputRowsFor,
  pieces,
  type RowRange,
  tileRecordBytes,
  tileWeightBytes,
  type ValueSizes,
  type Workload,
  workloadOf,
} from './geometry.ts';
import type { DramLayout, TiledStep } from './layout.ts';
import { ratioOf, type Step, tableOf } from './steps.ts';
import { outputMaps, type TilingSizes, tilingSizes } from './tiling.ts';

/** One compute command and what must be on chip for it. */
interface Item {
  readonly band: number;
  readonly tile: number;
  readonly chunk: number;
  /** Output rows. */
  readonly rows: RowRange;
}

const kindCode = (kind: TrafficKind): number => trafficKinds.indexOf(kind);
const feature = bufferNames.indexOf('feature');
const weight = bufferNames.indexOf('weight');
const parameter = bufferNames.indexOf('parameter');
const output = bufferNames.indexOf('output');
const table = bufferNames.indexOf('table');

/** Slots of a buffer that are filled in turn, and which piece lies in each. */
class SlotRing {
  private readonly pieces: string[];
  /** Number of the last compute that used the slot. */
  private readonly lastUse: number[];
  private next = 0;

  constructor(count: number) {
    this.pieces = new Array<string>(count).fill('');
    this.lastUse = new Array<number>(count).fill(none);
  }

  /** The slot that holds `piece`, or -1. */
  find(piece: string): number {
    return this.pieces.indexOf(piece);
  }

  /** Gives `piece` the next slot in turn; `freeAfter` is the compute that used it last. */
  claim(piece: string): { slot: number; freeAfter: number } {
    const slot = this.next;
    this.next = (this.next + 1) % this.pieces.length;
    this.pieces[slot] = piece;
    return { slot, freeAfter: this.lastUse[slot]! };
  }

  use(slot: number, compute: number): void {
    this.lastUse[slot] = compute;
  }
}

/** What an item reads, once its loads are planned. */
interface Operands {
  readonly inputSlot: number;
  readonly weightSlot: number;
  readonly parameterSlot: number;
  /** Number of the last load that must be complete. */
  readonly load: number;
}

export class StepEmitter {
  private readonly step: Step;
  private readonly work: Workload;
  private readonly sizes: TilingSizes;
  private readonly items: Item[];
  private readonly firstCompute: number;
  private readonly inputs: SlotRing;
  private readonly weights: SlotRing;
  private readonly parameters: SlotRing;
  private readonly loadedInputs = new Set<string>();
  private readonly operands: Operands[] = [];
  private readonly storeOfSlot: number[];
  private lastLoad = none;
  private finishedTiles = 0;
  private isTableLoaded = false;

  constructor(
    private readonly emitter: Emitter,
    private readonly tiled: TiledStep,
    private readonly stepIndex: number,
    private readonly layout: DramLayout,
    private readonly values: ValueSizes,
    private readonly settings: DataSettings,
  ) {
    const { step, tiling } = tiled;
    this.step = step;
    this.work = workloadOf(step);
    this.sizes = tilingSizes(step, tiling, values);
    this.items = [...this.listItems()];
    this.firstCompute = emitter.nextCompute;
    this.inputs = new SlotRing(tiling.inputSlots);
    this.weights = new SlotRing(tiling.weightSlots);
    this.parameters = new SlotRing(tiling.parameterSlots);
    this.storeOfSlot = new Array<number>(tiling.outputSlots).fill(none);
  }

  emit(): void {
    // The last tile whose loads are out. They run ahead of the computes by one tile that needs any, never more:
    // the load queue must not fill up with transfers that wait for computes behind them.
    // (The operands of a sum may be more than a queue holds: with one slot for them they would all wait like that.)
    const runsAhead = this.work.operands === 1 || this.tiled.tiling.inputSlots > 1;
    let loadedUpTo = -1;
    this.items.forEach((item, index) => {
      if (this.operands.length <= index) this.emitLoads(index);
      if (runsAhead && loadedUpTo <= index) {
        const commands = this.emitter.commands.length;
        while (this.operands.length < this.items.length && this.emitter.commands.length === commands) {
          this.emitLoads(this.operands.length);
        }
        loadedUpTo = this.operands.length - 1;
      }
      this.emitTile(item, index);
    });
    this.emitter.barrier();
  }

  private *listItems(): Generator<Item> {
    const { tiling } = this.tiled;
    for (const [band, bandRows] of this.sizes.bands.entries()) {
      for (const tile of this.sizes.tiles.keys()) {
        for (const chunk of this.sizes.chunks.keys()) {
          for (const rows of pieces(bandRows.end - bandRows.first, tiling.tileRows)) {
            yield {
              band,
              tile,
              chunk,
              rows: { first: bandRows.first + rows.first, end: bandRows.first + rows.end },
            };
          }
        }
      }
    }
  }

  private bandInput(band: number): RowRange {
    return inputRowsFor(this.step, this.work, convolvedRowsFor(this.step, this.sizes.bands[band]!));
  }

  private emitLoads(index: number): void {
    const item = this.items[index]!;
    const compute = this.firstCompute + index;
    const { tiling } = this.tiled;
    const { step, sizes } = this;
    const tile = sizes.tiles[item.tile]!;
    const chunk = sizes.chunks[item.chunk]!;

    // Resident inputs share a slot per band, filled chunk by chunk as the first filter tile needs them.
    const slotPiece = tiling.inputResident ? `${item.band}` : `${item.band}/${item.tile}/${item.chunk}`;
    // (All at once if there are groups: a chunk of one group is no contiguous part of the others' rows.)
    const isChunkOfAll = tiling.inputResident && this.work.groups === 1;
    const inputPiece = isChunkOfAll ? `${item.band}/${item.chunk}` : slotPiece;
    let inputSlot = this.inputs.find(slotPiece);
    let freeAfter = none;
    if (inputSlot < 0) {
      ({ slot: inputSlot, freeAfter } = this.inputs.claim(slotPiece));
    }
    if (!this.loadedInputs.has(inputPiece)) {
      this.loadedInputs.add(inputPiece);
      this.loadInput(item, tile, chunk, inputSlot, freeAfter);
    }
    this.inputs.use(inputSlot, compute);

    let parameterSlot = 0;
    if (step.requantised !== undefined) {
      const piece = tiling.weightsResident ? `${item.tile}` : `${item.band}/${item.tile}`;
      parameterSlot = this.parameters.find(piece);
      if (parameterSlot < 0) {
        const claimed = this.parameters.claim(piece);
        parameterSlot = claimed.slot;
        this.loadTableOnce();
        this.loadParameters(item, tile, parameterSlot, claimed.freeAfter);
      }
      // A tile's columns drain while the next compute runs; only when that one is done are the records free.
      this.parameters.use(parameterSlot, compute + 1);
    }
    let weightSlot = 0;
    if (step.convolution !== undefined) {
      const piece = tiling.weightsResident
        ? `${item.tile}/${item.chunk}`
        : `${item.band}/${item.tile}/${item.chunk}`;
      weightSlot = this.weights.find(piece);
      if (weightSlot < 0) {
        const claimed = this.weights.claim(piece);
        weightSlot = claimed.slot;
        this.loadWeights(item, tile, chunk, weightSlot, claimed.freeAfter);
      }
      this.weights.use(weightSlot, compute);
    }
    this.operands.push({ inputSlot, weightSlot, parameterSlot, load: this.lastLoad });
  }

  private loadInput(item: Item, tile: FilterTile, chunk: RowRange, slot: number, freeAfter: number): void {
    const { step, work, sizes } = this;
    const { tiling } = this.tiled;
    const [channels, , columns] = step.inputShape;
    const rows = this.bandInput(item.band);
    const first = tiling.inputResident
      ? work.groups > 1
        ? 0
        : chunk.first
      : tile.firstGroup * work.channelsPerGroup + chunk.first;
    const count = tiling.inputResident
      ? work.groups > 1
        ? channels
        : chunk.end - chunk.first
      : tile.groups * (chunk.end - chunk.first);
    const slotChannel = tiling.inputResident ? first : 0;
    const { rowStep, rowOffset } = step.reading;
    const { elementBytes } = this.values;
    const rowBytes = channels * columns * elementBytes;
    step.inputs.forEach((input, operand) => {
      const row = rows.first * rowStep + rowOffset;
      this.lastLoad = this.emitter.load(
        {
          kind: kindCode(step.inputKind),
          buffer: feature,
          dramAddress: this.layout.maps.get(input)! + row * rowBytes + first * columns * elementBytes,
          segments: rows.end - rows.first,
          dramPitch: rowStep * rowBytes,
          stretchBytes: count * columns * elementBytes,
          runBytes: columns * elementBytes,
          bufferAddress:
            slot * sizes.inputSlotBytes + operand * sizes.operandBytes + slotChannel * sizes.planePitch,
          bufferSegmentPitch: tiling.rowPitch,
          bufferRunPitch: sizes.planePitch,
        },
        freeAfter,
      );
    });
  }

  /** The table is the same for all tiles: it is loaded with the first records. */
  private loadTableOnce(): void {
    const address = this.layout.tables[this.stepIndex];
    if (address === undefined || this.isTableLoaded) return;
    this.isTableLoaded = true;
    const bytes = this.values.tableEntries * this.values.elementBytes;
    this.lastLoad = this.emitter.load(contiguous('weights', table, address, 0, bytes), none);
  }

  private loadParameters(item: Item, tile: FilterTile, slot: number, freeAfter: number): void {
    const address = this.layout.recordBlocks[this.stepIndex]![item.tile]!;
    const bytes = tileRecordBytes(this.step, this.work, tile.groups * tile.filters, this.values);
    this.lastLoad = this.emitter.load(
      contiguous('weights', parameter, address, slot * this.sizes.parameterSlotBytes, bytes),
      freeAfter,
    );
  }

  private loadWeights(item: Item, tile: FilterTile, chunk: RowRange, slot: number, freeAfter: number): void {
    const { step, work, sizes } = this;
    const address = this.layout.weightBlocks[this.stepIndex]![item.tile * sizes.chunks.length + item.chunk]!;
    const bytes = tileWeightBytes(step, work, tile, chunk.end - chunk.first, this.values);
    this.lastLoad = this.emitter.load(
      contiguous('weights', weight, address, slot * sizes.weightSlotBytes, bytes),
      freeAfter,
    );
  }

  /** Emits a tile, and its store when it is complete. */
  private emitTile(item: Item, index: number): void {
    const { step, work, sizes, emitter } = this;
    const { tiling } = this.tiled;
    const operands = this.operands[index]!;
    const tile = sizes.tiles[item.tile]!;
    const chunk = sizes.chunks[item.chunk]!;
    const isLast = item.chunk === sizes.chunks.length - 1;
    const convolved = convolvedRowsFor(step, item.rows);
    const bandRows = this.bandInput(item.band);
    const outputSlot = this.finishedTiles % tiling.outputSlots;
    const outputAddress = outputSlot * sizes.outputSlotBytes;
    const isStream = step.convolution === undefined;
    const streamed = tile.groups * tile.filters;
    const firstChannel = tiling.inputResident ? tile.firstGroup * work.channelsPerGroup + chunk.first : 0;

    if (isLast) this.emitPostProcess(item, convolved, operands, outputAddress);
    const compute = emitter.compute(
      {
        stream: isStream ? 1 : 0,
        accumulateIn: item.chunk > 0 ? 1 : 0,
        accumulateOut: isLast ? 0 : 1,
        elementBytes: this.values.elementBytes,
        unsigned: this.settings.isUnsigned ? 1 : 0,
        zeroPoint: this.settings.zeroPoint(step.inputs[0]!, step),
        weightBytes: this.values.weightBytes,
        watch: this.settings.mayOverflow(step.requantised) ? 1 : 0,
        operands: work.operands > 1 ? work.operands : 0,
        operandPitch: work.operands > 1 ? sizes.operandBytes : 0,
        repeatRows: work.repeatRows,
        repeatColumns: work.repeatColumns,
        featureAddress: operands.inputSlot * sizes.inputSlotBytes + firstChannel * sizes.planePitch,
        rowPitch: tiling.rowPitch,
        planePitch: sizes.planePitch,
        rows: bandRows.end - bandRows.first,
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
          work.padTop + bandRows.first - Math.floor((convolved.first * work.strideRows) / work.repeatRows),
        padLeft: work.padLeft,
        outRows: convolved.end - convolved.first,
        outColumns: step.convolvedShape[2],
        weightAddress: operands.weightSlot * sizes.weightSlotBytes,
        accumulatorAddress: 0,
      },
      operands.load,
      isLast ? this.storeOfSlot[outputSlot]! : none,
    );
    if (!isLast) return;
    this.finishedTiles++;

    const { first, total } = step.outputChannels;
    const rowBytes = step.outputShape[2] * this.values.elementBytes;
    const maps = outputMaps(step, tile);
    const firstMap = first + (tile.firstGroup * work.filtersPerGroup + tile.firstFilter) / ratioOf(step);
    const rows = item.rows.end - item.rows.first;
    this.storeOfSlot[outputSlot] = emitter.store(
      {
        kind: kindCode(step.outputKind),
        buffer: output,
        dramAddress: this.layout.maps.get(step.output)! + (item.rows.first * total + firstMap) * rowBytes,
        segments: rows,
        dramPitch: total * rowBytes,
        stretchBytes: maps * rowBytes,
        runBytes: rowBytes,
        bufferAddress: outputAddress,
        bufferSegmentPitch: rowBytes,
        bufferRunPitch: rows * rowBytes,
      },
      compute,
    );
  }

  private emitPostProcess(item: Item, convolved: RowRange, operands: Operands, outputAddress: number): void {
    const { step } = this;
    const { pooling, requantised } = step;
    const range = this.settings.output(requantised ?? step.layers[0]!);
    const zeroPoint =
      requantised === undefined ? this.settings.zeroPoint(step.inputs[0]!, step) : range.zeroPoint;
    this.emitter.postProcess({
      requantise: requantised === undefined ? 0 : 1,
      parameterAddress: operands.parameterSlot * this.sizes.parameterSlotBytes,
      low: range.low,
      high: range.high,
      zeroPoint,
      lookup: tableOf(step) === undefined ? 0 : 1,
      unsigned: this.settings.isUnsigned ? 1 : 0,
      ratio: ratioOf(step),
      mean: step.reduction?.kind === 'mean' ? 1 : 0,
      poolKind: poolKinds.indexOf(pooling?.kind ?? 'off'),
      windowRows: pooling?.window[0] ?? 0,
      windowColumns: pooling?.window[1] ?? 0,
      strideRows: pooling?.stride[0] ?? 0,
      strideColumns: pooling?.stride[1] ?? 0,
      padTop:
        pooling === undefined
          ? 0
          : convolved.first - item.rows.first * pooling.stride[0] + pooling.padding.top,
      padLeft: pooling?.padding.left ?? 0,
      countPadding: pooling?.countIncludesPadding === true ? 1 : 0,
      outRows: item.rows.end - item.rows.first,
      outColumns: step.outputShape[2],
      outputAddress,
    });
  }
}

function contiguous(
  kind: TrafficKind,
  buffer: number,
  dramAddress: number,
  bufferAddress: number,
  bytes: number,
) {
  return {
    kind: kindCode(kind),
    buffer,
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
