/**
 * The commands of fused steps: their bands of rows are interleaved, so that a row is consumed soon after it was made and
 * maps between the steps never leave the chip. Every map between two of them, and the first one's input, lies in a ring
 * of rows in the feature buffer; all weights and records are resident, or the last step's are loaded anew for every band.
 *
 * Which band comes next is decided here, greedily: the deepest step whose input is there and whose output finds room,
 * except that a step does not follow at once on the band it waits for, if another can run meanwhile: the last rows of
 * that band are still on their way through the pipeline.
 */
import { assert } from '../core/diagnostics.ts';
import { sum } from '../core/integers.ts';
import type { DataSettings } from './data-settings.ts';
import { type Emitter, none } from './emit.ts';
import {
  convolvedRowsFor,
  inputRowsFor,
  pieces,
  type RowRange,
  tileRecordBytes,
  tileWeightBytes,
  type ValueSizes,
} from './geometry.ts';
import type { DramLayout, TiledStep } from './layout.ts';
import { placesInDram, ringStretches } from './places.ts';
import { contiguous, TileEmitter } from './tile-emitter.ts';
import { type Tiling, type TilingSizes, tilingSizes } from './tiling.ts';

/** Slots of the output buffer that all fused steps use in turn. */
export const fusedOutputSlots = 2;

/** Slots of a step whose weights and records come anew for every band; see `StepEmitter` for the third of the records. */
export const streamedWeightSlots = 2;
export const streamedParameterSlots = 3;

/** Output rows that a fused step computes before it reads further input: with resident weights those of a tile. */
export function fusedBandRows({ weightsResident, tileRows, bandRows }: Tiling): number {
  return weightsResident ? tileRows : bandRows;
}

class Stage {
  readonly commands: TileEmitter;
  readonly sizes: TilingSizes;
  readonly bands: readonly RowRange[];
  next = 0;
  /** Input rows, of all channels, that are in the ring or on their way. */
  available = 0;
  /** Load or transfer that brings the last of them, by the row behind it. */
  readonly arrivals: { readonly end: number; readonly number: number }[] = [];
  hasConstants = false;
  /** Last load of weights, records and table. */
  constants: number = none;
  /** Compute that last read rows from a band on; for the first stage's loads. */
  readonly lastComputes: number[] = [];
  /** Of a step whose weights come anew for every band: the load of each tile, counted over all bands, and its last compute. */
  readonly streamed: number[] = [];
  readonly streamedComputes: number[] = [];

  constructor(
    readonly tiled: TiledStep,
    readonly index: number,
    emitter: Emitter,
    layout: DramLayout,
    values: ValueSizes,
    settings: DataSettings,
  ) {
    this.commands = new TileEmitter(emitter, tiled, layout, values, settings);
    this.sizes = tilingSizes(tiled.step, tiled.tiling, values);
    this.bands = [...pieces(tiled.step.outputShape[1], fusedBandRows(tiled.tiling))];
  }

  get isStreamed(): boolean {
    return !this.tiled.tiling.weightsResident;
  }

  get isDone(): boolean {
    return this.next === this.bands.length;
  }

  get places() {
    return this.tiled.places ?? placesInDram(0);
  }

  inputRows(band: number): RowRange {
    const { step } = this.tiled;
    return inputRowsFor(step, this.commands.work, convolvedRowsFor(step, this.bands[band]!));
  }

  /** The first input row that is still needed; beyond the map when all bands are out. */
  get firstNeeded(): number {
    return this.isDone ? Number.POSITIVE_INFINITY : this.inputRows(this.next).first;
  }
}

export class FusedEmitter {
  private readonly stages: Stage[];
  private readonly storeOfSlot = new Array<number>(fusedOutputSlots).fill(none);
  private readonly slotBytes: number;
  private finishedTiles = 0;
  private lastLoad = none;
  /** Stage of the band emitted last. */
  private lastStage = -1;

  constructor(
    private readonly emitter: Emitter,
    steps: readonly TiledStep[],
    firstIndex: number,
    private readonly layout: DramLayout,
    private readonly values: ValueSizes,
    settings: DataSettings,
  ) {
    this.stages = steps.map(
      (tiled, index) => new Stage(tiled, firstIndex + index, emitter, layout, values, settings),
    );
    this.slotBytes = Math.max(...this.stages.map((stage) => stage.sizes.outputSlotBytes));
  }

  emit(): void {
    const first = this.stages[0]!;
    if (first.places.inputKept.end > 0) first.available = first.tiled.step.inputShape[1];
    // (Rows at the end that no later step needs are computed all the same, as they would be without fusion.)
    while (this.stages.some((stage) => !stage.isDone)) this.emitBand(this.choose());
    this.emitter.barrier();
  }

  private choose(): Stage {
    let fallback: Stage | undefined;
    for (let index = this.stages.length - 1; index >= 0; index--) {
      const stage = this.stages[index]!;
      if (stage.isDone || !this.canRun(index)) continue;
      // Its input was completed by the band emitted last, and is still in the pipeline.
      const follows = index > 0 && this.lastStage === index - 1 && this.needsLatest(index);
      if (!follows) return stage;
      fallback ??= stage;
    }
    assert(fallback !== undefined, 'fused steps wait for each other: a ring is too short');
    return fallback;
  }

  private needsLatest(index: number): boolean {
    const producer = this.stages[index - 1]!;
    const latest = producer.bands[producer.next - 1]!;
    const stage = this.stages[index]!;
    return stage.inputRows(stage.next).end > latest.first;
  }

  private canRun(index: number): boolean {
    const stage = this.stages[index]!;
    const band = stage.bands[stage.next]!;
    if (index > 0 && stage.inputRows(stage.next).end > stage.available) return false;
    const consumer = this.stages[index + 1];
    if (consumer === undefined) return true;
    const { ringRows } = consumer.places;
    // Rows that are overwritten must be behind what the consumer's next band reads.
    return ringRows === 0 || band.end - ringRows <= consumer.firstNeeded;
  }

  private emitBand(stage: Stage): void {
    this.loadConstants(stage);
    if (stage === this.stages[0]) {
      this.loadRowsFor(stage, stage.next);
      if (stage.next + 1 < stage.bands.length) this.loadRowsFor(stage, stage.next + 1);
    }
    const { emitter, stages } = this;
    const { tiling } = stage.tiled;
    const { places, sizes } = stage;
    const { work } = stage.commands;
    const rows = stage.bands[stage.next]!;
    const inputRows = stage.inputRows(stage.next);
    const isFirst = stage === stages[0];
    const arrival = stage.arrivals.find(({ end }) => end >= inputRows.end)?.number ?? none;
    const { planePitch } = places;
    const firstPlace = places.ringRows > 0 ? 0 : inputRows.first * tiling.rowPitch;
    let transfer = none;
    const streamedBefore = stage.next * sizes.tiles.length;
    for (const [tileIndex, tile] of sizes.tiles.entries()) {
      const firstChannel = tile.firstGroup * work.channelsPerGroup;
      const piece = stage.isStreamed ? streamedBefore + tileIndex : tileIndex;
      if (stage.isStreamed) this.streamUpTo(stage, piece + 1);
      const constants = stage.isStreamed ? stage.streamed[piece]! : stage.constants;
      for (const part of pieces(rows.end - rows.first, tiling.tileRows)) {
        const slot = this.finishedTiles++ % fusedOutputSlots;
        const done = stage.commands.emit(
          {
            tile,
            chunk: sizes.chunks[0]!,
            accumulateIn: false,
            isLast: true,
            rows: { first: rows.first + part.first, end: rows.first + part.end },
            inputRows,
            featureAddress: places.featureBase + firstChannel * planePitch + firstPlace,
            planePitch,
            ringRow: places.ringRows > 0 ? inputRows.first % places.ringRows : 0,
            weightAddress: places.weightBase + (piece % tiling.weightSlots) * sizes.weightSlotBytes,
            parameterAddress:
              places.parameterBase + (piece % tiling.parameterSlots) * sizes.parameterSlotBytes,
            accumulatorVector: 0,
            outputAddress: slot * this.slotBytes,
          },
          isFirst ? Math.max(arrival, constants) : constants,
          Math.max(this.storeOfSlot[slot]!, isFirst ? none : arrival),
          0,
        );
        this.storeOfSlot[slot] = done.transfer;
        transfer = done.transfer;
        stage.streamedComputes[piece] = done.compute;
      }
    }
    stage.lastComputes.push(emitter.nextCompute - 1);
    stage.next++;
    this.lastStage = stages.indexOf(stage);
    const consumer = stages[this.lastStage + 1];
    if (consumer !== undefined) {
      consumer.available = rows.end;
      consumer.arrivals.push({ end: rows.end, number: transfer });
    }
  }

  /** Loads weights and records of a stage's tiles up to number `last`, counted over all bands, into the slots in turn. */
  private streamUpTo(stage: Stage, last: number): void {
    const { tiled, sizes, places, index, commands, streamed, streamedComputes } = stage;
    const { step } = tiled;
    const { emitter, layout, values } = this;
    const count = stage.bands.length * sizes.tiles.length;
    while (streamed.length <= Math.min(last, count - 1)) {
      const piece = streamed.length;
      const tileIndex = piece % sizes.tiles.length;
      const tile = sizes.tiles[tileIndex]!;
      const weights = emitter.load(
        contiguous(
          'weights',
          'weight',
          layout.weightBlocks[index]![tileIndex]!,
          places.weightBase + (piece % streamedWeightSlots) * sizes.weightSlotBytes,
          tileWeightBytes(step, commands.work, tile, commands.work.channelsPerGroup, values),
        ),
        streamedComputes[piece - streamedWeightSlots] ?? none,
      );
      // A tile's last columns leave while the next one begins: when that one's first compute is done, its records are free.
      const freed = streamedComputes[piece - streamedParameterSlots];
      const records = emitter.load(
        contiguous(
          'weights',
          'parameter',
          layout.recordBlocks[index]![tileIndex]!,
          places.parameterBase + (piece % streamedParameterSlots) * sizes.parameterSlotBytes,
          tileRecordBytes(step, commands.work, tile.groups * tile.filters, values),
        ),
        freed === undefined ? none : freed + 1,
      );
      this.lastLoad = Math.max(weights, records);
      streamed.push(this.lastLoad);
    }
  }

  /** Weights, records and the table of a stage, once, and those of the stage behind it ahead of their time. */
  private loadConstants(stage: Stage): void {
    const at = this.stages.indexOf(stage);
    for (const each of this.stages.slice(at, at + 2)) {
      if (each.hasConstants) continue;
      each.hasConstants = true;
      const { step } = each.tiled;
      const { places, sizes, index, commands } = each;
      const table = this.layout.tables[index];
      if (table !== undefined) {
        const bytes = this.values.tableEntries * this.values.elementBytes;
        each.constants = this.lastLoad = this.emitter.load(
          contiguous('weights', 'table', table, 0, bytes),
          none,
        );
      }
      if (each.isStreamed) continue;
      if (step.requantised !== undefined) {
        const bytes = sum(
          sizes.tiles.map((tile) =>
            tileRecordBytes(step, commands.work, tile.groups * tile.filters, this.values),
          ),
        );
        const address = this.layout.recordBlocks[index]![0]!;
        each.constants = this.lastLoad = this.emitter.load(
          contiguous('weights', 'parameter', address, places.parameterBase, bytes),
          none,
        );
      }
      if (step.convolution !== undefined) {
        const bytes = step.convolution.filters * this.weightsPerFilter(each) * this.values.weightBytes;
        const address = this.layout.weightBlocks[index]![0]!;
        each.constants = this.lastLoad = this.emitter.load(
          contiguous('weights', 'weight', address, places.weightBase, bytes),
          none,
        );
      }
    }
  }

  private weightsPerFilter({ commands }: Stage): number {
    const { channelsPerGroup, kernelRows, kernelColumns } = commands.work;
    return channelsPerGroup * kernelRows * kernelColumns;
  }

  /** Loads the rows of the first stage's input that a band needs and that are not there, as soon as their places are free. */
  private loadRowsFor(stage: Stage, band: number): void {
    const needed = stage.inputRows(band);
    const { step, tiling } = stage.tiled;
    const { places, sizes } = stage;
    const from = Math.max(stage.available, stage.inputRows(0).first);
    if (needed.end <= from) return;
    const { ringRows } = places;
    const overwritten = needed.end - ringRows;
    // The bands that read rows which go; a band is emitted, or the next to be.
    let freeAfter = none;
    if (ringRows > 0) {
      let last = -1;
      while (last + 1 < stage.bands.length && stage.inputRows(last + 1).first < overwritten) last++;
      // Not before the present band is computed can a place that it reads be given away.
      if (last > stage.next || (last === stage.next && band === stage.next)) {
        assert(band > stage.next, 'the first ring is too short for a band');
        return;
      }
      if (last >= 0) {
        freeAfter = stage.lastComputes[last] ?? this.emitter.nextCompute + sizes.tiles.length - 1;
      }
    }
    for (const stretch of ringStretches({ first: from, end: needed.end }, ringRows)) {
      this.lastLoad = stage.commands.loadRows(
        step.inputs[0]!,
        { first: stretch.row, end: stretch.row + stretch.rows },
        { first: 0, end: step.inputShape[0] },
        places.featureBase + stretch.place * tiling.rowPitch,
        places.planePitch,
        freeAfter,
      );
    }
    stage.available = needed.end;
    stage.arrivals.push({ end: needed.end, number: this.lastLoad });
  }
}
