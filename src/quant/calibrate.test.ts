/** Calibration and what else is measured on pictures. */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../core/diagnostics.ts';
import { randomStream } from '../core/random.ts';
import { buildGraph } from '../graph/build.ts';
import type { Graph, ParameterValues, Shape } from '../graph/graph.ts';
import { findOperator } from '../ops/index.ts';
import { calibrate } from './calibrate.ts';
import { entropy } from './calibration/entropy.ts';
import { addValues, makeHistogram } from './calibration/histogram.ts';
import { meanSquaredError } from './calibration/mean-squared-error.ts';
import { percentile } from './calibration/percentile.ts';
import { correctBias } from './correct-bias.ts';
import { equaliseLayers } from './equalise.ts';
import { runFloat } from './float-reference.ts';
import { runHost } from './host.ts';
import { dequantise, quantiseInput } from './input.ts';
import { runInteger } from './integer-executor.ts';
import { layerNetwork } from './layers.ts';
import { maxAbsError, sqnrDb } from './metrics.ts';
import { defaultNumbers } from './numbers.ts';
import { quantise } from './quantise.ts';
import type { NumberOptions, QuantisedNetwork } from './quantised.ts';
import { seededParameters } from './seeded-weights.ts';
import { tensorNumbers } from './tensor-scale.ts';

beforeAll(async () => {
  const manifest = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json');
  setWasmPaths(`${dirname(manifest)}/dist/`);
  await tf.setBackend('wasm');
});

/** Tells the seeded weights to expect inputs of mean 0 and deviation 1. */
const PREPARATION = { mean: [127.5], divisor: 73.6 };

type Line = [name: string, op: string, input: string, attributes?: object];

function network(shape: Shape, lines: Line[], outputs?: string[]): Graph {
  return buildGraph({
    name: 'net',
    description: '',
    input: { name: 'in', shape, preparation: PREPARATION },
    nodes: lines.map(([name, op, input, attributes]) => ({
      name,
      op: findOperator(op)!,
      attributes: attributes ?? {},
      inputs: [input],
    })),
    outputs,
  });
}

/** Roughly normal values: mean 0, deviation 1. */
function normal(count: number, seed: number): Float32Array {
  const next = randomStream(seed);
  return Float32Array.from({ length: count }, () => {
    let total = -6;
    for (let i = 0; i < 12; i++) total += next() / 2 ** 32;
    return total;
  });
}

function histogramOf(values: Float32Array) {
  const range = {
    low: values.reduce((a, b) => Math.min(a, b)),
    high: values.reduce((a, b) => Math.max(a, b)),
  };
  const histogram = makeHistogram(range);
  addValues(histogram, values);
  return { range, histogram };
}

function meanSquare(
  values: Float32Array,
  range: { low: number; high: number },
  numbers: NumberOptions,
): number {
  const tensor = tensorNumbers('t', range, numbers);
  const back = dequantise(quantiseInput(values, tensor), tensor);
  return values.reduce((total, value, i) => total + (value - back[i]!) ** 2, 0) / values.length;
}

const withBits = (bits: number, more: Partial<NumberOptions['activations']> = {}): NumberOptions => ({
  ...defaultNumbers('multiplier'),
  activations: { bits, signed: true, symmetric: true, ...more },
});

describe('percentile', () => {
  it('keeps the share of magnitudes that it is told to', () => {
    const values = Float32Array.from({ length: 10000 }, (_, i) => (i % 2 === 0 ? 1 : -1) * (i + 1));
    const { histogram } = histogramOf(values);
    for (const percent of [50, 90, 99, 100]) {
      const { low, high } = percentile(histogram, percent);
      expect(Math.abs(high / (percent * 100) - 1)).toBeLessThan(1e-3);
      expect(Math.abs(low + high)).toBeLessThan(2);
    }
    expect(percentile(histogram, 100)).toEqual({ low: -10000, high: 9999 });
  });

  it('takes a tensor of zeros and one of positive values', () => {
    expect(percentile(makeHistogram({ low: 0, high: 0 }), 99)).toEqual({ low: 0, high: 0 });
    const { histogram } = histogramOf(Float32Array.of(1, 2, 3, 4, 100));
    const { low, high } = percentile(histogram, 80);
    expect(low).toBe(1);
    expect(high).toBeGreaterThanOrEqual(4);
    expect(high).toBeLessThan(4.1);
  });
});

describe('mean squared error', () => {
  it('is not above that of minimum and maximum', () => {
    const options = fc.record({
      bits: fc.integer({ min: 2, max: 10 }),
      signed: fc.boolean(),
      symmetric: fc.boolean(),
      form: fc.constantFrom('shift' as const, 'multiplier' as const),
      shift: fc.integer({ min: -2, max: 4 }),
      tail: fc.boolean(),
    });
    fc.assert(
      fc.property(options, fc.nat(), ({ bits, signed, symmetric, form, shift, tail }, seed) => {
        const numbers = { ...defaultNumbers(form), activations: { bits, signed, symmetric } };
        const values = normal(2000, seed).map((value) => (tail ? value ** 3 : value) + shift);
        const { range, histogram } = histogramOf(values);
        const chosen = meanSquaredError(histogram, numbers);
        // The histogram knows values to one bin.
        const most = meanSquare(values, range, numbers);
        expect(meanSquare(values, chosen, numbers)).toBeLessThanOrEqual(most * 1.02 + 1e-12);
      }),
      { seed: 31, numRuns: 80 },
    );
  });

  it('clips a normal distribution where theory does', () => {
    const values = normal(200000, 7);
    values[0] = 20;
    const { histogram } = histogramOf(values);
    // The best uniform quantiser of 15 levels clips next to 2.7 deviations (Gray and Neuhoff: 2.65 to 2.8).
    const { high } = meanSquaredError(histogram, withBits(4));
    expect(high).toBeGreaterThan(2.3);
    expect(high).toBeLessThan(3.1);
    expect(meanSquaredError(histogram, withBits(16))).toEqual(histogram.range);
  });
});

describe('entropy', () => {
  it('cuts a long tail off and keeps a flat distribution', () => {
    const bulk = normal(100000, 3);
    bulk[0] = 60;
    const { histogram } = histogramOf(bulk);
    const cut = entropy(histogram, withBits(8));
    expect(cut.high).toBeGreaterThan(2);
    expect(cut.high).toBeLessThan(8);
    const next = randomStream(1);
    const flat = Float32Array.from({ length: 200000 }, () => next() / 2 ** 31 - 1);
    expect(entropy(histogramOf(flat).histogram, withBits(8)).high).toBeGreaterThan(0.97);
  });

  it('takes what has more levels than bins, or nothing but zeros', () => {
    const { histogram, range } = histogramOf(normal(1000, 3));
    expect(entropy(histogram, withBits(13))).toEqual(range);
    expect(entropy(makeHistogram({ low: 0, high: 0 }), withBits(8))).toEqual({ low: 0, high: 0 });
    const negative = histogramOf(Float32Array.of(-1, -2)).histogram;
    expect(entropy(negative, withBits(8, { signed: false }))).toEqual({ low: -2, high: -1 });
  });
});

describe('calibrate', () => {
  const graph = network(
    [2, 4, 4],
    [
      ['a', 'convolution', 'in', { filters: 3, kernel: 3 }],
      ['b', 'relu', 'a'],
    ],
  );
  const parameters = seededParameters(graph, 1);
  const pictures = [1, 2, 3].map((seed) => normal(32, seed));

  it('takes all pictures in and reports how far it is', () => {
    for (const [method, passes] of [
      [{ kind: 'min-max' }, 1],
      [{ kind: 'percentile', percent: 99.99 }, 2],
      [{ kind: 'mean-squared-error', numbers: withBits(4) }, 2],
      [{ kind: 'entropy', numbers: withBits(4) }, 2],
    ] as const) {
      const steps: string[] = [];
      const progress = (done: number, total: number) => steps.push(`${done}/${total}`);
      const ranges = calibrate(tf, graph, parameters, pictures, { method, progress });
      expect(steps).toEqual(Array.from({ length: 3 * passes }, (_, i) => `${i + 1}/${3 * passes}`));
      const all = pictures.flatMap((picture) => [...picture]);
      const whole = { low: Math.min(...all), high: Math.max(...all) };
      const { low, high } = ranges.get('in')!;
      if (method.kind === 'min-max') expect({ low, high }).toEqual(whole);
      expect(low >= whole.low && high <= whole.high).toBe(true);
      expect([...ranges.keys()]).toEqual(['in', 'a', 'b']);
    }
    expect(tf.memory().numTensors).toBe(0);
  });

  it('refuses what it cannot measure', () => {
    expect(() => calibrate(tf, graph, parameters, [])).toThrow(/^calibration needs at least one picture$/);
    expect(() => calibrate(tf, graph, parameters, [new Float32Array(31)])).toThrow(/31 values, expected 32/);
    for (const broken of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const picture = new Float32Array(32);
      picture[7] = broken;
      expect(() => calibrate(tf, graph, parameters, [picture])).toThrow(/^in: the float network makes/);
    }
    const method = { kind: 'percentile', percent: 101 } as const;
    expect(() => calibrate(tf, graph, parameters, pictures, { method })).toThrow(InputError);
  });
});

/** Convolutions in pairs with everything between them that equalisation looks through. */
function pairs(): Graph {
  return network(
    [3, 12, 12],
    [
      ['a', 'convolution', 'in', { filters: 8, kernel: 3 }],
      ['b', 'batchNormalization', 'a'],
      ['c', 'leakyRelu', 'b'],
      ['d', 'maxPool', 'c', { window: 2 }],
      ['e', 'convolution', 'd', { kernel: 3, groups: 'depthwise', padding: 1, bias: false }],
      ['f', 'convolution', 'e', { filters: 12, kernel: 1 }],
      ['g', 'relu', 'f'],
      ['h', 'crossChannelPool', 'g', { ratio: 3 }],
      ['i', 'averagePool', 'h', { window: 2, stride: 1, padding: 'same' }],
      ['j', 'convolution', 'i', { filters: 6, kernel: 3, groups: 2, padding: 1 }],
      ['k', 'relu', 'j'],
      ['l', 'fullyConnected', 'k', { units: 4 }],
    ],
  );
}

/** Seeded parameters with filters of very different sizes. */
function unevenParameters(graph: Graph): ParameterValues {
  const next = randomStream(9);
  const values = new Map(seededParameters(graph, 2));
  for (const node of graph.nodes) {
    for (const { name, initial, shape } of node.parameters) {
      if (initial.kind !== 'weights') continue;
      const filters = shape.at(-1)! === 1 ? shape.at(-2)! : shape.at(-1)!;
      const sizes = Array.from({ length: filters }, () => 2 ** ((next() % 9) - 4));
      values.set(
        name,
        values.get(name)!.map((value, i) => value * sizes[i % filters]!),
      );
    }
  }
  return values;
}

describe('equaliseLayers', () => {
  const graph = pairs();
  const layered = layerNetwork(graph);
  const before = unevenParameters(graph);

  it('leaves the network as it is', () => {
    const after = equaliseLayers(layered, before);
    expect(after.get('a/filters')).toEqual(before.get('a/filters'));
    for (const name of ['b/gamma', 'e/filters', 'f/filters', 'f/bias', 'j/filters', 'l/weights']) {
      expect(after.get(name), name).not.toEqual(before.get(name));
    }
    for (const seed of [1, 2]) {
      const picture = normal(432, seed);
      const keep = (name: string) => name === 'l';
      const was = runFloat(tf, graph, before, picture, keep).get('l')!;
      const is = runFloat(tf, graph, after, picture, keep).get('l')!;
      const size = Math.max(...was.map(Math.abs));
      expect(maxAbsError(was, is) / size).toBeLessThan(1e-4);
    }
  });

  it('makes weights with one scale a tensor far better', () => {
    const small = network(
      [4, 5, 5],
      [
        ['a', 'convolution', 'in', { filters: 8, kernel: 1 }],
        ['b', 'relu', 'a'],
        ['c', 'convolution', 'b', { filters: 4, kernel: 1 }],
      ],
    );
    const uneven = new Map(seededParameters(small, 2));
    const scale = (name: string, by: (i: number) => number) =>
      uneven.set(
        name,
        uneven.get(name)!.map((value, i) => value * by(i)),
      );
    // Filter f is 2^f larger, and its channel that much smaller behind.
    scale('a/filters', (i) => 2 ** (i % 8));
    scale('a/bias', (f) => 2 ** f);
    scale('c/filters', (i) => 2 ** -Math.floor(i / 4));
    const numbers: NumberOptions = { ...defaultNumbers('multiplier'), weightScales: 'per tensor' };
    const pictures = [1, 2].map((seed) => normal(100, seed));
    const quality = (parameters: ParameterValues) => {
      const ranges = calibrate(tf, small, parameters, pictures);
      const quantised = quantise(layerNetwork(small), parameters, ranges, numbers);
      const float = runFloat(tf, small, parameters, pictures[0]!, (name) => name === 'c').get('c')!;
      return sqnrDb(float, results(quantised, pictures[0]!, 'c'));
    };
    expect(quality(equaliseLayers(layerNetwork(small), uneven))).toBeGreaterThan(quality(uneven) + 10);
  });

  it('keeps its hands off what is not homogeneous, shared, or read elsewhere', () => {
    const conv = { filters: 4, kernel: 1 };
    const between = (lines: Line[], outputs?: string[]) => {
      const one = network([4, 3, 3], [['a', 'convolution', 'in', conv], ...lines], outputs);
      const values = unevenParameters(one);
      return [...equaliseLayers(layerNetwork(one), values)].every(
        ([name, value]) => value === values.get(name),
      );
    };
    expect(between([['b', 'convolution', 'a', conv]])).toBe(false);
    expect(
      between([
        ['b', 'clippedRelu', 'a'],
        ['c', 'convolution', 'b', conv],
      ]),
    ).toBe(true);
    expect(
      between([
        ['b', 'silu', 'a'],
        ['c', 'convolution', 'b', conv],
      ]),
    ).toBe(true);
    expect(
      between([
        ['b', 'globalAveragePool', 'a'],
        ['c', 'convolution', 'b', conv],
      ]),
    ).toBe(true);
    expect(between([['b', 'convolution', 'a', conv]], ['a', 'b'])).toBe(true);
    expect(between([['b', 'convolution', 'a', { ...conv, weightNames: { filters: 'a/filters' } }]])).toBe(
      true,
    );
    expect(
      between([
        ['b', 'convolution', 'a', conv],
        ['c', 'maxPool', 'a', { window: 1 }],
      ]),
    ).toBe(true);
  });
});

function results(quantised: QuantisedNetwork, picture: Float32Array, name: string): Float32Array {
  const input = quantiseInput(picture, quantised.tensors.get('in')!);
  return dequantise(runInteger(quantised, input).tensors.get(name)!, quantised.tensors.get(name)!);
}

describe('correctBias', () => {
  const graph = pairs();
  const parameters = seededParameters(graph, 4);
  const pictures = [1, 2, 3].map((seed) => normal(432, seed));

  it.each(['shift', 'multiplier'] as const)('brings the means back in %s form', (form) => {
    const numbers: NumberOptions = { ...defaultNumbers(form), weightBits: 3 };
    const ranges = calibrate(tf, graph, parameters, pictures);
    const quantised = quantise(layerNetwork(graph), parameters, ranges, numbers);
    const steps: number[] = [];
    const corrected = correctBias(tf, quantised, parameters, pictures, (done, total) => {
      expect(total).toBe(3 + quantised.layers.length);
      steps.push(done);
    });
    expect(steps).toEqual(Array.from({ length: 3 + quantised.layers.length }, (_, i) => i + 1));
    const meanError = (one: QuantisedNetwork) => {
      const errors = new Float64Array(4);
      for (const picture of pictures) {
        const float = runFloat(tf, graph, parameters, picture, (name) => name === 'l').get('l')!;
        results(one, picture, 'l').forEach((value, i) => {
          errors[i]! += (value - float[i]!) / pictures.length;
        });
      }
      return Math.hypot(...errors);
    };
    expect(meanError(corrected)).toBeLessThan(meanError(quantised) / 2);
    expect(tf.memory().numTensors).toBe(0);
    for (const [i, { weights }] of corrected.layers.entries())
      expect(weights).toBe(quantised.layers[i]!.weights);
  });

  it('sees through the table to the scale in front of it', () => {
    const one = network(
      [4, 3, 3],
      [
        ['a', 'convolution', 'in', { filters: 3, kernel: 3 }],
        ['b', 'sigmoid', 'a'],
      ],
    );
    const values = seededParameters(one, 1);
    const inputs = [normal(36, 1)];
    const numbers: NumberOptions = { ...defaultNumbers('multiplier'), weightBits: 2 };
    const quantised = quantise(layerNetwork(one), values, calibrate(tf, one, values, inputs), numbers);
    const float = runFloat(tf, one, values, inputs[0]!, (name) => name === 'b').get('b')!;
    const error = (given: QuantisedNetwork) => maxAbsError(float, results(given, inputs[0]!, 'b'));
    const corrected = correctBias(tf, quantised, values, inputs);
    expect(error(corrected)).toBeLessThan(0.01);
    expect(error(quantised)).toBeGreaterThan(0.02);
    expect(() => correctBias(tf, quantised, values, [])).toThrow(InputError);
  });
});

describe('runHost', () => {
  it('computes the last nodes from what the machine hands back', () => {
    const graph = network(
      [2, 2, 2],
      [
        ['a', 'convolution', 'in', { filters: 4, kernel: 1 }],
        ['b', 'softmax', 'a'],
      ],
    );
    const layered = layerNetwork(graph);
    const parameters = seededParameters(graph, 1);
    const float = runFloat(tf, graph, parameters, normal(8, 1), () => true);
    const host = runHost(tf, layered, parameters, new Map([['a', float.get('a')!]]));
    expect(maxAbsError(float.get('b')!, host.get('b')!)).toBeLessThan(1e-6);
    expect(() => runHost(tf, layered, parameters, new Map())).toThrow(/^b: got no values of a, expected 16$/);
    expect(tf.memory().numTensors).toBe(0);
  });
});
