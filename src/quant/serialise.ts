/**
 * The quantised network as a file: everything that decides the integers, so that what was calibrated once runs
 * again bit for bit.
 *
 *     8 bytes   "CNDSQNT1"
 *     4 bytes   length of the header, uint32
 *     n bytes   header, JSON in UTF-8: number formats, tensors, what each layer has
 *     ...       layer after layer, each field if the layer has it, without padding between them:
 *               weights (int8 or int16), biases (float64), positive multipliers, negative multipliers (uint32),
 *               shifts (uint8), table (the activations' container)
 *
 * All numbers are little-endian. How many values there are follows from the network, not from the file: a file whose
 * size differs is refused before anything is allocated.
 */
import { z } from 'zod';
import { InputError } from '../core/diagnostics.ts';
import { type ChannelRequantisation, containerBytes, formatRange, roundings } from '../core/fixed-point.ts';
import { product, sum } from '../core/integers.ts';
import { hashSeed } from '../core/random.ts';
import type { IntegerValues } from '../graph/op.ts';
import { givenMaps, type Layer, type LayeredNetwork } from './layers.ts';
import { numberOptionsSchema } from './numbers.ts';
import type { NumberOptions, QuantisedLayer, QuantisedNetwork, QuantisedTensor } from './quantised.ts';
import { fitsShiftForm } from './requantisation.ts';
import { makeValues, makeWeights } from './values.ts';
import { mayOverflow } from './weights.ts';

const MAGIC = 'CNDSQNT1';
const PREFIX_BYTES = MAGIC.length + 4;
/** A header has a few hundred bytes a layer; longer ones are not ours. */
const MAXIMUM_HEADER_BYTES = 2 ** 24;

const integer = z.int().min(-65535).max(65535);
const scale = z.number().positive();
const headerSchema = z.strictObject({
  network: z.string(),
  /** Hash of the structure: operators, attributes, wiring, shapes. */
  structure: z.string(),
  numbers: numberOptionsSchema,
  tensors: z.array(z.strictObject({ name: z.string(), scale, zeroPoint: integer })),
  layers: z.array(
    z.strictObject({
      name: z.string(),
      output: z.strictObject({
        low: integer,
        high: integer,
        zeroPoint: integer,
        rounding: z.enum(roundings),
      }),
      operandMultipliers: z.array(z.int().min(1).max(65535)).optional(),
      indexScale: scale.optional(),
    }),
  ),
});
type Header = z.output<typeof headerSchema>;
type LayerHeader = Header['layers'][number];

/** The network in the format above. */
export function serialiseQuantised(quantised: QuantisedNetwork): Uint8Array {
  const { network, numbers, tensors, layers } = quantised;
  const header: Header = {
    network: network.graph.name,
    structure: structureHash(network),
    numbers: {
      ...numbers,
      activations: { ...numbers.activations },
      accumulator: { ...numbers.accumulator },
    },
    tensors: [...tensors.values()].map(({ name, scale, zeroPoint }) => ({ name, scale, zeroPoint })),
    layers: layers.map(({ layer, output, operandMultipliers, indexScale }) => ({
      name: layer.name,
      output: { ...output },
      ...(operandMultipliers && { operandMultipliers: [...operandMultipliers] }),
      ...(indexScale !== undefined && { indexScale }),
    })),
  };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const payload = sum(layers.map((one, i) => layerBytes(one.layer, header.layers[i]!, numbers)));
  const bytes = new Uint8Array(PREFIX_BYTES + text.length + payload);
  const cursor = new Cursor(bytes);
  for (const character of MAGIC) cursor.write(1, [character.charCodeAt(0)]);
  cursor.write(4, [text.length]);
  bytes.set(text, PREFIX_BYTES);
  cursor.skip(text.length);
  for (const { weights, channels, table } of layers) {
    if (weights) cursor.write(weights.BYTES_PER_ELEMENT, weights);
    if (channels) {
      cursor.writeDoubles(biasesOf(channels));
      cursor.write(
        4,
        channels.map(({ positiveMultiplier }) => positiveMultiplier),
      );
      cursor.write(
        4,
        channels.map(({ negativeMultiplier }) => negativeMultiplier),
      );
      cursor.write(
        1,
        channels.map(({ shift }) => shift),
      );
    }
    if (table) cursor.write(table.BYTES_PER_ELEMENT, table);
  }
  return bytes;
}

/**
 * The network that `serialiseQuantised` wrote.
 * @param network the layered network that it was quantised from
 * @param file names the file in messages
 * @throws InputError for anything but a complete file of this very network with all numbers in range
 */
export function parseQuantised(bytes: Uint8Array, network: LayeredNetwork, file: string): QuantisedNetwork {
  const fail = (message: string): never => {
    throw new InputError(message, { file });
  };
  const cursor = new Cursor(bytes);
  const magic = String.fromCharCode(...bytes.subarray(0, MAGIC.length));
  if (bytes.length < PREFIX_BYTES || magic !== MAGIC)
    fail('no quantised network, expected one saved by condensim');
  cursor.skip(MAGIC.length);
  const headerBytes = cursor.read(4, new Float64Array(1))[0]!;
  if (headerBytes > Math.min(MAXIMUM_HEADER_BYTES, bytes.length - PREFIX_BYTES)) {
    fail(`the header has ${headerBytes} bytes, the file ${bytes.length}; is it cut off?`);
  }
  const header = parseHeader(bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + headerBytes), fail);
  cursor.skip(headerBytes);
  const { numbers } = header;
  checkHeader(header, network, fail);

  const expected = PREFIX_BYTES + headerBytes + payloadBytes(network, header);
  if (bytes.length !== expected) fail(`${bytes.length} bytes, expected ${expected}; is the file cut off?`);
  const format = { bits: numbers.activations.bits, signed: numbers.activations.signed };
  const shapes = tensorShapes(network);
  const tensors = new Map<string, QuantisedTensor>(
    header.tensors.map(({ name, scale, zeroPoint }) => [
      name,
      { name, shape: shapes.get(name)!, scale, zeroPoint, format },
    ]),
  );
  const layers = network.layers.map((layer, i) =>
    readLayer(cursor, layer, header.layers[i]!, tensors.get(layer.inputs[0]!)!, numbers, fail),
  );
  return { network, numbers, tensors, layers };
}

type Fail = (message: string) => never;

function parseHeader(bytes: Uint8Array, fail: Fail): Header {
  let raw: unknown;
  try {
    raw = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return fail('the header is no JSON; is the file damaged?');
  }
  const result = headerSchema.safeParse(raw);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  return fail(`header: ${[...issue.path, issue.message].join(': ')}`);
}

/** Refuses a header that is not of this network, or whose numbers are not of its own formats. */
function checkHeader(header: Header, network: LayeredNetwork, fail: Fail): void {
  const { numbers } = header;
  if (header.network !== network.graph.name || header.structure !== structureHash(network)) {
    fail(`saved from network ${header.network}, expected ${network.graph.name} exactly as it is now`);
  }
  const { low, high } = formatRange(numbers.activations);
  const inside = (value: number) => value >= low && value <= high;
  const names = [...tensorShapes(network).keys()];
  if (header.tensors.map(({ name }) => name).join('\n') !== names.join('\n')) {
    fail(`the header lists other tensors than network ${network.graph.name} has`);
  }
  for (const { name, zeroPoint } of header.tensors) {
    if (!inside(zeroPoint)) fail(`tensor ${name}: zero point ${zeroPoint}, expected ${low}..${high}`);
  }
  if (header.layers.length !== network.layers.length) {
    fail(`${header.layers.length} layers, expected ${network.layers.length}`);
  }
  for (const [i, layer] of network.layers.entries()) {
    const one = header.layers[i]!;
    const { output, operandMultipliers, indexScale } = one;
    if (one.name !== layer.name) fail(`layer ${one.name}, expected ${layer.name}`);
    if (
      !(inside(output.low) && inside(output.high) && inside(output.zeroPoint) && output.low <= output.high)
    ) {
      fail(`layer ${layer.name}: output ${output.low}..${output.high}, expected within ${low}..${high}`);
    }
    const operands = layer.work.stage === 'sum' ? layer.inputs.length : undefined;
    if (operandMultipliers?.length !== operands || (indexScale !== undefined) !== hasTable(layer)) {
      fail(`layer ${layer.name}: has not the fields of its stage (${layer.work.stage})`);
    }
  }
}

function readLayer(
  cursor: Cursor,
  layer: Layer,
  header: LayerHeader,
  input: QuantisedTensor,
  numbers: NumberOptions,
  fail: Fail,
): QuantisedLayer {
  const { output, operandMultipliers, indexScale } = header;
  const check = (what: string, values: ArrayLike<number>, low: number, high: number) => {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (!(Number.isInteger(value) && value >= low && value <= high)) {
        fail(`layer ${layer.name}: ${what} ${value}, expected ${low}..${high}`);
      }
    }
  };
  const weightCount = weightsOf(layer);
  let weights: Int8Array | Int16Array | undefined;
  if (weightCount > 0) {
    weights = makeWeights(numbers.weightBits, weightCount);
    cursor.read(weights.BYTES_PER_ELEMENT, weights);
    const { low, high } = formatRange({ bits: numbers.weightBits, signed: true });
    // Weights that were quantised here are symmetric; those of other makers use the format's last value too.
    if (numbers.weightBits === 1) check('weight', weights, -1, 1);
    else check('weight', weights, low, high);
    if (numbers.weightBits === 1 && weights.includes(0))
      fail(`layer ${layer.name}: weight 0, expected -1 or 1`);
  }
  const channelCount = channelsOf(layer);
  let channels: ChannelRequantisation[] | undefined;
  if (channelCount > 0) {
    const biases = cursor.readDoubles(channelCount);
    const positive = cursor.read(4, new Float64Array(channelCount));
    const negative = cursor.read(4, new Float64Array(channelCount));
    const shifts = cursor.read(1, new Float64Array(channelCount));
    const half = 2 ** (numbers.accumulator.bits - 1);
    const largest = 2 ** numbers.multiplierBits - 1;
    check('bias', biases, -half, half - 1);
    check('multiplier', positive, 0, largest);
    check('multiplier', negative, 0, largest);
    check('shift', shifts, 0, 62);
    channels = Array.from(biases, (bias, c) => ({
      bias,
      positiveMultiplier: positive[c]!,
      negativeMultiplier: negative[c]!,
      shift: shifts[c]!,
    }));
    if (numbers.form === 'shift' && !channels.every(fitsShiftForm)) {
      fail(
        `layer ${layer.name}: multipliers that are no power of two and a slope, expected what a shift can do`,
      );
    }
  }
  let table: IntegerValues | undefined;
  if (hasTable(layer)) {
    const { low, high } = formatRange(numbers.activations);
    table = makeValues(numbers.activations, output.high - output.low + 1);
    cursor.read(table.BYTES_PER_ELEMENT, table);
    check('table entry', table, low, high);
  }
  return {
    layer,
    output,
    ...(weights && { weights }),
    ...(channels && { channels }),
    ...(operandMultipliers && { operandMultipliers }),
    ...(table && { table }),
    ...(indexScale !== undefined && { indexScale }),
    // Not taken on trust: the fast loops rely on it.
    ...(weights && channels && { mayOverflow: mayOverflow(weights, biasesOf(channels), input, numbers) }),
  };
}

function biasesOf(channels: readonly ChannelRequantisation[]): number[] {
  return channels.map(({ bias }) => bias);
}

function payloadBytes({ layers }: LayeredNetwork, header: Header): number {
  return sum(layers.map((layer, i) => layerBytes(layer, header.layers[i]!, header.numbers)));
}

function layerBytes(layer: Layer, { output }: LayerHeader, numbers: NumberOptions): number {
  const table = hasTable(layer) ? output.high - output.low + 1 : 0;
  return (
    weightsOf(layer) * containerBytes(numbers.weightBits) +
    channelsOf(layer) * (8 + 4 + 4 + 1) +
    table * containerBytes(numbers.activations.bits)
  );
}

/** Weights of a layer; 0 but for array layers. */
function weightsOf({ work, inputShapes }: Layer): number {
  if (work.stage !== 'array') return 0;
  const { filters, groups, kernel } = work.convolution;
  return filters * (inputShapes[0]![0] / groups) * product(kernel);
}

/** Requantised channels of a layer; 0 where values pass as they are. */
function channelsOf({ work, outputShape }: Layer): number {
  return ['array', 'activation', 'sum', 'join'].includes(work.stage) ? outputShape[0] : 0;
}

function hasTable({ work }: Layer): boolean {
  return 'table' in work && work.table !== undefined;
}

/** The tensors of the quantised network in its order: the maps that are given, then every layer's output. */
function tensorShapes(network: LayeredNetwork): Map<string, Layer['outputShape']> {
  return new Map([
    ...givenMaps(network).map(({ name, shape }) => [name, shape] as const),
    ...network.layers.map(({ output, outputShape }) => [output, outputShape] as const),
  ]);
}

/** 64 bits over all that decides what a layer is; a guard against mix-ups, not against forgery. */
function structureHash({ graph }: LayeredNetwork): string {
  const text = JSON.stringify([
    graph.input.name,
    graph.input.shape,
    graph.outputs,
    graph.nodes.map(({ name, op, attributes, inputs }) => [name, op.name, attributes, inputs]),
  ]);
  return [0, 1].map((seed) => hashSeed(text, seed).toString(16).padStart(8, '0')).join('');
}

/** Little-endian numbers one after the other; whoever reads has checked that there are enough bytes. */
class Cursor {
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  write(size: number, values: ArrayLike<number>): void {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (size === 1) this.#view.setUint8(this.#at, value);
      else if (size === 2) this.#view.setUint16(this.#at, value, true);
      else this.#view.setUint32(this.#at, value, true);
      this.#at += size;
    }
  }

  writeDoubles(values: readonly number[]): void {
    for (const value of values) {
      this.#view.setFloat64(this.#at, value, true);
      this.#at += 8;
    }
  }

  /** Fills `into`. */
  read<T extends IntegerValues | Float64Array>(size: number, into: T): T {
    for (let i = 0; i < into.length; i++) {
      // A signed array turns the bits above its range into the sign.
      if (size === 1) into[i] = this.#view.getUint8(this.#at);
      else if (size === 2) into[i] = this.#view.getUint16(this.#at, true);
      else into[i] = this.#view.getUint32(this.#at, true);
      this.#at += size;
    }
    return into;
  }

  readDoubles(count: number): Float64Array {
    const values = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      values[i] = this.#view.getFloat64(this.#at, true);
      this.#at += 8;
    }
    return values;
  }
}
