import { describe, expect, it } from 'vitest';
import { InputError } from '../core/diagnostics.ts';
import { buildGraph } from '../graph/build.ts';
import { findOperator } from '../ops/index.ts';
import { quantiseInput } from './input.ts';
import { runInteger } from './integer-executor.ts';
import { type LayeredNetwork, layerNetwork } from './layers.ts';
import { defaultNumbers } from './numbers.ts';
import { quantise } from './quantise.ts';
import type { NumberOptions } from './quantised.ts';
import { seededParameters } from './seeded-weights.ts';
import { parseQuantised, serialiseQuantised } from './serialise.ts';

function network(slope: number): LayeredNetwork {
  const node = (name: string, op: string, inputs: string[], attributes = {}) => ({
    name,
    op: findOperator(op)!,
    attributes,
    inputs,
  });
  return layerNetwork(
    buildGraph({
      name: 'net',
      description: '',
      input: { name: 'in', shape: [2, 4, 4], preparation: { mean: [0], divisor: 1 } },
      nodes: [
        node('a', 'convolution', ['in'], { filters: 2, kernel: 3, padding: 1 }),
        node('b', 'leakyRelu', ['a'], { slope }),
        node('c', 'tanh', ['b']),
        node('d', 'add', ['in', 'c']),
        node('e', 'concat', ['d', 'c']),
        node('f', 'maxPool', ['e'], { window: 2 }),
        node('g', 'convolution', ['f'], { kernel: 1, groups: 'depthwise' }),
        node('h', 'softmax', ['g']),
      ],
    }),
  );
}

const layered = network(0.1);
const ranges = new Map(
  ['in', ...layered.graph.nodes.map(({ name }) => name)].map((name) => [name, { low: -2, high: 3 }]),
);
const narrow: NumberOptions = {
  activations: { bits: 5, signed: false, symmetric: false },
  weightBits: 1,
  weightScales: 'per tensor',
  form: 'shift',
  multiplierBits: 16,
  rounding: 'half-away',
  accumulator: { bits: 9, overflow: 'wrap' },
};
const wide: NumberOptions = {
  ...defaultNumbers('multiplier'),
  activations: { bits: 12, signed: true, symmetric: true },
  weightBits: 16,
  accumulator: { bits: 48, overflow: 'saturate' },
};
const all: [string, NumberOptions][] = [
  ['int8', defaultNumbers('multiplier')],
  ['narrow', narrow],
  ['wide', wide],
];

const make = (numbers: NumberOptions) =>
  quantise(layered, seededParameters(layered.graph, 3), ranges, numbers);
const parse = (bytes: Uint8Array, into = layered) => parseQuantised(bytes, into, 'net.cqn');

/** The file with its header changed as `change` does to the text, the length put right. */
function withHeader(bytes: Uint8Array, change: (text: string) => string): Uint8Array {
  const length = new DataView(bytes.buffer).getUint32(8, true);
  const text = change(new TextDecoder().decode(bytes.subarray(12, 12 + length)));
  const header = new TextEncoder().encode(text);
  const result = new Uint8Array(bytes.length - length + header.length);
  result.set(bytes.subarray(0, 8));
  new DataView(result.buffer).setUint32(8, header.length, true);
  result.set(header, 12);
  result.set(bytes.subarray(12 + length), 12 + header.length);
  return result;
}

describe.each(all)('serialiseQuantised, %s', (_name, numbers) => {
  const quantised = make(numbers);
  const bytes = serialiseQuantised(quantised);

  it('comes back bit for bit', () => {
    const back = parse(bytes);
    expect(back).toEqual(quantised);
    expect(serialiseQuantised(back)).toEqual(bytes);
    const picture = Float32Array.from({ length: 32 }, (_, i) => Math.sin(i));
    const input = quantiseInput(picture, quantised.tensors.get('in')!);
    expect(runInteger(back, input)).toEqual(runInteger(quantised, input));
    // Wherever in a larger buffer the file lies.
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(parse(shifted.subarray(3))).toEqual(quantised);
  });

  it('is refused cut off or with something behind', () => {
    for (let length = 0; length < bytes.length; length += length < 16 || bytes.length - length < 9 ? 1 : 64) {
      expect(() => parse(bytes.subarray(0, length)), `${length} bytes`).toThrow(InputError);
    }
    expect(() => parse(bytes.subarray(0, bytes.length - 1))).toThrow(/^net\.cqn: .*cut off/);
    expect(() => parse(new Uint8Array([...bytes, 0]))).toThrow(/^net\.cqn: .*expected/);
  });

  it('says so in one line, or runs, whatever byte is damaged', () => {
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at]! ^= 0x91;
      try {
        parse(damaged);
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
        expect((error as Error).message).not.toContain('\n');
      }
    }
  });
});

describe('parseQuantised', () => {
  const bytes = serialiseQuantised(make(defaultNumbers('multiplier')));

  it('refuses other files, other networks, other versions of this one', () => {
    expect(() => parse(Uint8Array.from({ length: 100 }, () => 32))).toThrow(
      /^net\.cqn: no quantised network/,
    );
    expect(() => parse(bytes, network(0.2))).toThrow(
      /^net\.cqn: saved from network net, expected net exactly/,
    );
  });

  it.each<[string, (text: string) => string, RegExp]>([
    ['a huge table', (text) => text.replace('"high":127', '"high":65535'), /output -128\.\.65535/],
    ['a scale of zero', (text) => text.replace(/"scale":[\d.]+/, '"scale":0'), /header: tensors: 0: scale: /],
    ['a zero point', (text) => text.replace('"zeroPoint":0', '"zeroPoint":200'), /zero point 200/],
    ['a missing tensor', (text) => text.replace(/\{"name":"in".*?\},/, ''), /other tensors/],
    [
      'a missing layer',
      (text) => text.replace(/,\{"name":"g","output".*?\}\}/, ''),
      /5 layers|layers, expected/,
    ],
    ['no table', (text) => text.replace(/,"indexScale":[\d.]+/, ''), /has not the fields of its stage/],
    ['a width', (text) => text.replace('"weightBits":8', '"weightBits":12'), /header: numbers: weightBits/],
    ['an unknown field', (text) => text.replace('{', '{"more":1,'), /header: .*more/],
    ['no JSON', () => '{', /the header is no JSON/],
  ])('refuses %s', (_what, change, message) => {
    expect(() => parse(withHeader(bytes, change))).toThrow(message);
    expect(() => parse(withHeader(bytes, change))).toThrow(InputError);
  });
});
