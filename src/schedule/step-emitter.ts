/**
 * One step's commands. Its tiles are emitted in loop order (bands, filter tiles, chunks, rows); the loads of the next
 * tile that needs any go out before the current tile's compute, so that transfers overlap.
 */
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
import { nothingKept, splitByKept } from './places.ts';
import type { Step } from './steps.ts';
import { contiguous, type PlacedTile, TileEmitter, tileMaps } from './tile-emitter.ts';
import { type TilingSizes, tilingSizes } from './tiling.ts';

/** One compute command and what must be on chip for it. */
interface Item {
  readonly band: number;
  readonly tile: number;
  readonly chunk: number;
  /** Output rows. */
  readonly rows: RowRange;
}

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

/** Commands that come between a step's own, one compute for each of its finished tiles. */
export interface Follower {
  /** Computes of the follower that come before the first one of filter tile `tile`. */
  computesBefore(tile: number): number;
  /** Called behind the commands of a filter tile; `transfer` is the number of its last transfer. */
  tileDone(tile: number, transfer: number): void;
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
  private readonly commands: TileEmitter;
  private readonly featureBase: number;
  private readonly planePitch: number;
  /** By piece: the input row up to which it is loaded. */
  private readonly loadedRows = new Map<string, number>();
  private readonly operands: Operands[] = [];
  private readonly storeOfSlot: number[];
  private lastLoad = none;
  private finishedTiles = 0;
  /** Tiles whose output waits in the output buffer: its place is read until the last tile is computed. */
  private readonly late: PlacedTile[] = [];
  private isTableLoaded = false;

  constructor(
    private readonly emitter: Emitter,
    private readonly tiled: TiledStep,
    private readonly stepIndex: number,
    private readonly layout: DramLayout,
    private readonly values: ValueSizes,
    settings: DataSettings,
    private readonly follower?: Follower,
  ) {
    const { step, tiling } = tiled;
    this.step = step;
    this.work = workloadOf(step);
    this.commands = new TileEmitter(emitter, tiled, layout, values, settings);
    this.featureBase = tiled.places?.featureBase ?? 0;
    this.sizes = tilingSizes(step, tiling, values);
    this.planePitch = tiled.places?.planePitch || this.sizes.planePitch;
    this.items = [...this.listItems()];
    this.firstCompute = emitter.nextCompute;
    this.inputs = new SlotRing(tiling.inputSlots);
    this.weights = new SlotRing(tiling.weightSlots);
    this.parameters = new SlotRing(tiling.parameterSlots);
    this.storeOfSlot = new Array<number>(tiling.outputSlots).fill(none);
  }

  emit(): void {
    this.emitTiles();
    this.emitter.barrier();
  }

  /** All but the barrier. */
  emitTiles(): void {
    // The last tile whose loads are out. They run ahead of the computes by one tile that needs any, never more:
    // the load queue must not fill up with transfers that wait for computes behind them.
    // (The operands of a sum, and the channels of a band of a map that lies plane by plane, may be more than a queue holds: with
    // one slot for them they would all wait like that.)
    const isManyLoads = this.work.operands > 1 || (this.isPlanar && this.sizes.bands.length > 1);
    const runsAhead = !isManyLoads || this.tiled.tiling.inputSlots > 1;
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
  }

  private *listItems(): Generator<Item> {
    const { tiling } = this.tiled;
    for (const [band, bandRows] of this.sizes.bands.entries()) {
      for (const tile of this.tileOrder()) {
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

  /** Filter tiles; those that must wait for the others come last. */
  private tileOrder(): number[] {
    const tiles = [...this.sizes.tiles.keys()];
    return [...tiles.filter((tile) => !this.isLate(tile)), ...tiles.filter((tile) => this.isLate(tile))];
  }

  private isLate(tile: number): boolean {
    const late = this.tiled.places?.lateMaps;
    const maps = tileMaps(this.step, this.work, this.sizes.tiles[tile]!);
    return late !== undefined && maps.first >= late.first && maps.end <= late.end;
  }

  /** Whether an input lies in DRAM plane by plane. */
  private get isPlanar(): boolean {
    return this.step.inputs.some((input) => this.layout.planarMaps.has(input));
  }

  private bandInput(band: number): RowRange {
    return inputRowsFor(this.step, this.work, convolvedRowsFor(this.step, this.sizes.bands[band]!));
  }

  private emitLoads(index: number): void {
    const item = this.items[index]!;
    const compute = this.firstCompute + index + (this.follower?.computesBefore(item.tile) ?? 0);
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
    this.loadInput(item, inputPiece, inputSlot, freeAfter);
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

  /** Loads what an item reads of a piece of the input and is not there yet. */
  private loadInput(item: Item, piece: string, slot: number, freeAfter: number): void {
    const { step, work, sizes } = this;
    const { tiling, places } = this.tiled;
    const band = this.bandInput(item.band);
    const loaded = this.loadedRows.get(piece) ?? band.first;
    const end = this.rowsWanted(item, band);
    if (end <= loaded) return;
    this.loadedRows.set(piece, end);
    const rows = { first: loaded, end };
    const tile = sizes.tiles[item.tile]!;
    const chunk = sizes.chunks[item.chunk]!;
    const [channels] = step.inputShape;
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
    step.inputs.forEach((input, operand) => {
      const base = this.featureBase + slot * sizes.inputSlotBytes + operand * sizes.operandBytes;
      for (const part of splitByKept({ first, end: first + count }, places?.inputKept ?? nothingKept)) {
        // What the step before left on chip is there already.
        if (part.isKept) continue;
        const slotChannel = tiling.inputResident ? part.first : part.first - first;
        this.lastLoad = this.commands.loadRows(
          input,
          rows,
          part,
          base + slotChannel * this.planePitch + (rows.first - band.first) * tiling.rowPitch,
          this.planePitch,
          rows.first === band.first ? freeAfter : none,
        );
      }
    });
  }

  /**
   * The input row up to which a band is loaded for an item. Where the array waits for the load, at the start of a step and with
   * one slot, rows come in portions for 1, 2, 4.. tiles of rows, so that it waits for the first alone; else all at once.
   */
  private rowsWanted(item: Item, band: RowRange): number {
    const { tiling } = this.tiled;
    const isFirst = item.band === 0 && (tiling.inputResident || (item.tile === 0 && item.chunk === 0));
    if (!(isFirst || tiling.inputSlots === 1) || this.isPlanar || this.work.operands > 1) return band.end;
    const output = this.sizes.bands[item.band]!;
    const tilesBefore = (item.rows.first - output.first) / tiling.tileRows;
    const tiles = 2 ** Math.floor(Math.log2(tilesBefore + 1) + 1) - 1;
    const last = Math.min(output.end, output.first + tiles * tiling.tileRows);
    if (last === output.end) return band.end;
    return inputRowsFor(this.step, this.work, convolvedRowsFor(this.step, { first: output.first, end: last }))
      .end;
  }

  /** The table is the same for all tiles: it is loaded with the first records. */
  private loadTableOnce(): void {
    const address = this.layout.tables[this.stepIndex];
    if (address === undefined || this.isTableLoaded) return;
    this.isTableLoaded = true;
    const bytes = this.values.tableEntries * this.values.elementBytes;
    this.lastLoad = this.emitter.load(contiguous('weights', 'table', address, 0, bytes), none);
  }

  private loadParameters(item: Item, tile: FilterTile, slot: number, freeAfter: number): void {
    const address = this.layout.recordBlocks[this.stepIndex]![item.tile]!;
    const bytes = tileRecordBytes(this.step, this.work, tile.groups * tile.filters, this.values);
    this.lastLoad = this.emitter.load(
      contiguous('weights', 'parameter', address, slot * this.sizes.parameterSlotBytes, bytes),
      freeAfter,
    );
  }

  private loadWeights(item: Item, tile: FilterTile, chunk: RowRange, slot: number, freeAfter: number): void {
    const { step, work, sizes } = this;
    const address = this.layout.weightBlocks[this.stepIndex]![item.tile * sizes.chunks.length + item.chunk]!;
    const bytes = tileWeightBytes(step, work, tile, chunk.end - chunk.first, this.values);
    this.lastLoad = this.emitter.load(
      contiguous('weights', 'weight', address, slot * sizes.weightSlotBytes, bytes),
      freeAfter,
    );
  }

  /** Emits a tile, and the transfer of its output when it is complete. */
  private emitTile(item: Item, index: number): void {
    const { step, work, sizes } = this;
    const { tiling } = this.tiled;
    const operands = this.operands[index]!;
    const tile = sizes.tiles[item.tile]!;
    const chunk = sizes.chunks[item.chunk]!;
    const isLast = item.chunk === sizes.chunks.length - 1;
    const outputSlot = this.finishedTiles % tiling.outputSlots;
    const firstChannel = tiling.inputResident ? tile.firstGroup * work.channelsPerGroup + chunk.first : 0;
    const isLate = isLast && this.isLate(item.tile);
    const inputRows = inputRowsFor(step, work, convolvedRowsFor(step, item.rows));
    const firstRow = inputRows.first - this.bandInput(item.band).first;
    const placed: PlacedTile = {
      tile,
      chunk,
      accumulateIn: item.chunk > 0,
      isLast,
      rows: item.rows,
      inputRows,
      featureAddress:
        this.featureBase +
        operands.inputSlot * sizes.inputSlotBytes +
        firstChannel * this.planePitch +
        firstRow * tiling.rowPitch,
      planePitch: this.planePitch,
      ringRow: 0,
      weightAddress: operands.weightSlot * sizes.weightSlotBytes,
      parameterAddress: operands.parameterSlot * sizes.parameterSlotBytes,
      accumulatorVector: this.tiled.places?.accumulatorVector ?? 0,
      outputAddress: outputSlot * sizes.outputSlotBytes,
    };
    const { compute, transfer } = this.commands.emit(
      placed,
      operands.load,
      isLast ? this.storeOfSlot[outputSlot]! : none,
      sizes.operandBytes,
      isLate,
    );
    if (!isLast) return;
    this.finishedTiles++;
    if (isLate) this.late.push(placed);
    if (index === this.items.length - 1) {
      for (const waiting of this.late) this.commands.emitTransfers(waiting, compute);
    }
    this.storeOfSlot[outputSlot] = transfer;
    this.follower?.tileDone(item.tile, transfer);
  }
}
