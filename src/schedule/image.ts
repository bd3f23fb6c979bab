/** The contents of DRAM before a run: weights in the order the tiles read them, parameter records, the input picture. */
import { assert } from '../core/diagnostics.ts';
import type { Shape } from '../graph/graph.ts';
import { writeParameterRecords } from '../hw/requantise/parameters.ts';
import type { QuantisedNetwork } from '../quant/quantised.ts';
import { workloadOf } from './geometry.ts';
import type { Program } from './program.ts';
import { tilingSizes } from './tiling.ts';

/**
 * Writes weights and parameter records into `dram`, which starts at DRAM address 0.
 *
 * A block is int8 [group][channel][kernel row][kernel column][filter] of one filter tile and channel chunk.
 */
export function writeConstants(dram: Uint8Array, program: Program, quantised: QuantisedNetwork): void {
  const byLayer = new Map(quantised.layers.map((layer) => [layer.layer, layer]));
  const view = new DataView(dram.buffer, dram.byteOffset, dram.byteLength);
  program.steps.forEach(({ step, tiling }, index) => {
    if (step.requantised === undefined) return;
    const quantisedLayer = byLayer.get(step.requantised);
    assert(quantisedLayer?.channels !== undefined, `layer '${step.name}' has no requantisation`);
    writeParameterRecords(view, program.layout.parameters[index]!, quantisedLayer.channels);
    const { weights } = quantisedLayer;
    if (step.convolution === undefined || weights === undefined) return;

    const work = workloadOf(step);
    const { tiles, chunks } = tilingSizes(step, tiling);
    const taps = work.kernelRows * work.kernelColumns;
    const source = new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength);
    tiles.forEach((tile, tileIndex) => {
      chunks.forEach((chunk, chunkIndex) => {
        let at = program.layout.weightBlocks[index]![tileIndex * chunks.length + chunkIndex]!;
        for (let group = tile.firstGroup; group < tile.firstGroup + tile.groups; group++) {
          const firstFilter = group * work.filtersPerGroup + tile.firstFilter;
          for (let channel = chunk.first; channel < chunk.end; channel++) {
            for (let tap = 0; tap < taps; tap++) {
              let from = (firstFilter * work.channelsPerGroup + channel) * taps + tap;
              for (let filter = 0; filter < tile.filters; filter++) {
                dram[at++] = source[from]!;
                from += work.channelsPerGroup * taps;
              }
            }
          }
        }
      });
    });
  });
}

/** Writes a map given as [channel][row][column] into its place [row][channel][column]. */
export function writeMap(dram: Uint8Array, address: number, shape: Shape, map: Int8Array): void {
  const [channels, rows, columns] = shape;
  const source = new Uint8Array(map.buffer, map.byteOffset, map.byteLength);
  for (let row = 0; row < rows; row++) {
    for (let channel = 0; channel < channels; channel++) {
      const from = (channel * rows + row) * columns;
      dram.set(source.subarray(from, from + columns), address + (row * channels + channel) * columns);
    }
  }
}

/** Reads a map from its place as [channel][row][column]. */
export function readMap(dram: Uint8Array, address: number, shape: Shape): Int8Array {
  const [channels, rows, columns] = shape;
  const map = new Uint8Array(channels * rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let channel = 0; channel < channels; channel++) {
      const from = address + (row * channels + channel) * columns;
      map.set(dram.subarray(from, from + columns), (channel * rows + row) * columns);
    }
  }
  return new Int8Array(map.buffer);
}
