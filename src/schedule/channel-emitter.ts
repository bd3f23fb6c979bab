/**
 * The commands of two steps fused by channels: the second one reads the maps of a tile of the first one as soon as they
 * are finished, as a chunk of its input's channels, and adds them to its partial sums. The map between the two never exists
 * as a whole: it is a ring of two tiles' maps in the feature buffer.
 *
 * Order: a tile of the first step, then the chunk of the tile before it, whose last rows came through the pipeline meanwhile.
 * A tile's maps enter the ring behind the tile's end, and the chunk that read the places before lies before that tile.
 */
import type { DataSettings } from './data-settings.ts';
import { type Emitter, none } from './emit.ts';
import {
  convolvedRowsFor,
  inputRowsFor,
  tileRecordBytes,
  tileWeightBytes,
  type ValueSizes,
} from './geometry.ts';
import type { DramLayout, TiledStep } from './layout.ts';
import { type Follower, StepEmitter } from './step-emitter.ts';
import { contiguous, TileEmitter } from './tile-emitter.ts';
import { type TilingSizes, tilingSizes } from './tiling.ts';

/** Tiles of the first step whose maps the ring between the two has room for. */
export const ringTiles = 2;

/** Slots for the second step's weights of a chunk. */
export const chunkWeightSlots = 2;

export class ChannelEmitter implements Follower {
  private readonly writer: StepEmitter;
  private readonly reader: TileEmitter;
  private readonly sizes: TilingSizes;
  private readonly tiled: TiledStep;
  private constants = none;
  /** Last load of each chunk's weights, the transfer that brings its maps, and the compute that read it. */
  private readonly weights: number[] = [];
  private readonly arrivals: number[] = [];
  private readonly computes: number[] = [];

  constructor(
    private readonly emitter: Emitter,
    [writer, reader]: readonly TiledStep[],
    private readonly firstIndex: number,
    private readonly layout: DramLayout,
    private readonly values: ValueSizes,
    settings: DataSettings,
  ) {
    this.tiled = reader!;
    this.sizes = tilingSizes(reader!.step, reader!.tiling, values);
    this.reader = new TileEmitter(emitter, reader!, layout, values, settings);
    this.writer = new StepEmitter(emitter, writer!, firstIndex, layout, values, settings, this);
  }

  emit(): void {
    this.writer.emitTiles();
    this.readChunk(this.sizes.chunks.length - 1);
    this.emitter.barrier();
  }

  computesBefore(tile: number): number {
    return Math.max(0, tile - 1);
  }

  tileDone(tile: number, transfer: number): void {
    this.arrivals.push(transfer);
    this.loadConstants(tile);
    if (tile > 0) this.readChunk(tile - 1);
  }

  /** The weights of a chunk; with the first ones table and records. */
  private loadConstants(chunkIndex: number): void {
    const { step, places } = this.tiled;
    const { emitter, sizes } = this;
    const { work } = this.reader;
    const index = this.firstIndex + 1;
    const tile = sizes.tiles[0]!;
    const chunk = sizes.chunks[chunkIndex]!;
    if (chunkIndex === 0) {
      const table = this.layout.tables[index];
      if (table !== undefined) {
        const bytes = this.values.tableEntries * this.values.elementBytes;
        emitter.load(contiguous('weights', 'table', table, 0, bytes), none);
      }
      const address = this.layout.recordBlocks[index]![0]!;
      const bytes = tileRecordBytes(step, work, tile.filters, this.values);
      this.constants = emitter.load(
        contiguous('weights', 'parameter', address, places!.parameterBase, bytes),
        none,
      );
    }
    const bytes = tileWeightBytes(step, work, tile, chunk.end - chunk.first, this.values);
    const address = this.layout.weightBlocks[index]![chunkIndex]!;
    this.weights.push(
      emitter.load(
        contiguous('weights', 'weight', address, this.weightAddress(chunkIndex), bytes),
        this.computes[chunkIndex - chunkWeightSlots] ?? none,
      ),
    );
  }

  private weightAddress(chunk: number): number {
    return this.tiled.places!.weightBase + (chunk % chunkWeightSlots) * this.sizes.weightSlotBytes;
  }

  private readChunk(index: number): void {
    const { step, places, tiling } = this.tiled;
    const { sizes } = this;
    const chunk = sizes.chunks[index]!;
    const isLast = index === sizes.chunks.length - 1;
    const { planePitch, featureBase, parameterBase, accumulatorVector } = places!;
    const ringChannels = ringTiles * tiling.channelsPerChunk;
    const rows = { first: 0, end: step.outputShape[1] };
    const { compute } = this.reader.emit(
      {
        tile: sizes.tiles[0]!,
        chunk,
        accumulateIn: index > 0,
        isLast,
        rows,
        inputRows: inputRowsFor(step, this.reader.work, convolvedRowsFor(step, rows)),
        featureAddress: featureBase + (chunk.first % ringChannels) * planePitch,
        planePitch,
        ringRow: 0,
        weightAddress: this.weightAddress(index),
        parameterAddress: parameterBase,
        accumulatorVector,
        // All slots of the output buffer are free when the last maps have arrived.
        outputAddress: 0,
      },
      Math.max(this.constants, this.weights[index]!),
      this.arrivals[index]!,
      0,
    );
    this.computes.push(compute);
  }
}
