/** The contents of DRAM before a run: weights in the order the tiles read them, records, tables, the maps that are given. */
import { assert } from '../core/diagnostics.ts';
import type { Shape } from '../graph/graph.ts';
import type { IntegerValues } from '../graph/op.ts';
import { operandRecordBytes, writeOperandRecords } from '../hw/requantise/parameters.ts';
import { WIDE_RECORD_BYTES } from '../kernels/kernels.ts';
import { writeParameterRecords } from '../kernels/records.ts';
import { givenValues } from '../quant/input.ts';
import type { QuantisedLayer, QuantisedNetwork } from '../quant/quantised.ts';
import { workloadOf } from './geometry.ts';
import { filterOrder } from './interleave.ts';
import type { TiledStep } from './layout.ts';
import type { Program } from './program.ts';
import { tilingSizes } from './tiling.ts';

/**
 * Writes weights, records and tables into `dram`, which starts at DRAM address 0.
 *
 * A block of weights is [group][channel][kernel row][kernel column][filter] of one filter tile and channel chunk; a
 * block of records has those of a sum's operands, then those of the tile's filters.
 */
export function writeConstants(dram: Uint8Array, program: Program, quantised: QuantisedNetwork): void {
  const byLayer = new Map(quantised.layers.map((layer) => [layer.layer, layer]));
  program.steps.forEach((tiled, index) => {
    const { requantised, convolution } = tiled.step;
    if (requantised === undefined) return;
    const layer = byLayer.get(requantised);
    assert(layer !== undefined, `layer '${requantised.name}' was not quantised`);
    writeRecords(dram, program, tiled, index, layer, quantised);
    if (convolution !== undefined) writeWeights(dram, program, tiled, index, layer);
    const table = program.layout.tables[index];
    if (table !== undefined) {
      assert(layer.table !== undefined, `layer '${requantised.name}' has no table`);
      dram.set(bytesOf(layer.table), table);
    }
  });
}

function writeRecords(
  dram: Uint8Array,
  { layout, values }: Program,
  { step, tiling }: TiledStep,
  index: number,
  layer: QuantisedLayer,
  quantised: QuantisedNetwork,
): void {
  const { channels, operandMultipliers } = layer;
  assert(channels !== undefined, `layer '${step.name}' has no requantisation`);
  const view = new DataView(dram.buffer, dram.byteOffset, dram.byteLength);
  const work = workloadOf(step);
  // A pass that writes a part of the output has the records of its channels.
  const firstChannel = step.outputChannels.first;
  tilingSizes(step, tiling, values).tiles.forEach((tile, tileIndex) => {
    let at = layout.recordBlocks[index]![tileIndex]!;
    if (work.operands > 1) {
      const operands = step.inputs.map((input, operand) => ({
        zeroPoint: quantised.tensors.get(input)!.zeroPoint,
        multiplier: operandMultipliers![operand]!,
      }));
      writeOperandRecords(view, at, operands);
      at += operands.length * operandRecordBytes;
    }
    const first = firstChannel + tile.firstGroup * work.filtersPerGroup + tile.firstFilter;
    const order = filterOrder(step, tile.filters);
    const records = Array.from({ length: tile.groups * tile.filters }, (_, place) => {
      const group = place - (place % tile.filters);
      return channels[first + group + order[place % tile.filters]!]!;
    });
    writeParameterRecords(view, at, records, values.recordBytes === WIDE_RECORD_BYTES);
  });
}

function writeWeights(
  dram: Uint8Array,
  { layout, values }: Program,
  { step, tiling }: TiledStep,
  index: number,
  { weights }: QuantisedLayer,
): void {
  assert(weights !== undefined, `layer '${step.name}' has no weights`);
  const work = workloadOf(step);
  const { tiles, chunks } = tilingSizes(step, tiling, values);
  const taps = work.kernelRows * work.kernelColumns;
  const filterWeights = work.channelsPerGroup * taps;
  const { weightBytes } = values;
  tiles.forEach((tile, tileIndex) => {
    const order = filterOrder(step, tile.filters);
    chunks.forEach((chunk, chunkIndex) => {
      let at = layout.weightBlocks[index]![tileIndex * chunks.length + chunkIndex]!;
      for (let group = tile.firstGroup; group < tile.firstGroup + tile.groups; group++) {
        const firstFilter = group * work.filtersPerGroup + tile.firstFilter;
        for (let channel = chunk.first; channel < chunk.end; channel++) {
          for (let tap = 0; tap < taps; tap++) {
            const from = (firstFilter * work.channelsPerGroup + channel) * taps + tap;
            for (let place = 0; place < tile.filters; place++) {
              const weight = weights[from + order[place]! * filterWeights]!;
              dram[at++] = weight;
              if (weightBytes === 2) dram[at++] = weight >> 8;
            }
          }
        }
      }
    });
  });
}

function bytesOf(values: IntegerValues): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/**
 * Writes the maps that lie in `dram` before a run: the network's input and the external maps.
 * @param input of the input tensor's format
 */
export function writeGivenMaps(
  dram: Uint8Array,
  { layout }: Program,
  quantised: QuantisedNetwork,
  input: IntegerValues,
): void {
  for (const [name, values] of givenValues(quantised, input)) {
    const address = layout.maps.get(name);
    assert(address !== undefined, `map '${name}' has no place`);
    const { shape } = quantised.tensors.get(name)!;
    writeMap(dram, address, layout.planarMaps.has(name) ? flat(shape) : shape, values);
  }
}

/** A planar map is one whose rows are one. */
export function flat([channels, rows, columns]: Shape): Shape {
  return [channels, 1, rows * columns];
}

/** Writes a map given as [channel][row][column] into its place [row][channel][column]. */
function writeMap(dram: Uint8Array, address: number, shape: Shape, map: IntegerValues): void {
  const [channels, rows, columns] = shape;
  const source = bytesOf(map);
  const rowBytes = columns * map.BYTES_PER_ELEMENT;
  for (let row = 0; row < rows; row++) {
    for (let channel = 0; channel < channels; channel++) {
      const from = (channel * rows + row) * rowBytes;
      dram.set(source.subarray(from, from + rowBytes), address + (row * channels + channel) * rowBytes);
    }
  }
}

/** Reads a map of values of `elementBytes` from its place as [channel][row][column] bytes. */
export function readMap(dram: Uint8Array, address: number, shape: Shape, elementBytes: number): Uint8Array {
  const [channels, rows, columns] = shape;
  const rowBytes = columns * elementBytes;
  const map = new Uint8Array(channels * rows * rowBytes);
  for (let row = 0; row < rows; row++) {
    for (let channel = 0; channel < channels; channel++) {
      const from = address + (row * channels + channel) * rowBytes;
      map.set(dram.subarray(from, from + rowBytes), (channel * rows + row) * rowBytes);
    }
  }
  return map;
}
