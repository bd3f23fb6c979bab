import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../core/diagnostics.ts';
import { randomStream } from '../core/random.ts';
import { buildGraph } from '../graph/build.ts';
import type { Graph, Shape } from '../graph/graph.ts';
import { findOperator } from '../ops/index.ts';
import { dequantise, quantiseInput } from './input.ts';
import { runInteger } from './integer-executor.ts';
import { layerNetwork } from './layers.ts';
import { cosine, decibelsForJson, maxAbsError, sqnrDb } from './metrics.ts';
import { defaultNumbers } from './numbers.ts';
import { quantise } from './quantise.ts';
import { fitsShiftForm, requantisation } from './requantisation.ts';
import { powerOfTwoAbove, roundHalfEven } from './rounding.ts';
import type { TensorRange } from './tensor-scale.ts';

const forms = ['shift', 'multiplier'] as const;

function network(shape: Shape, ...lines: [op: string, attributes: object][]): Graph {
  return buildGraph({
    name: 'net',
    description: '',
    input: { name: 'in', shape, preparation: { mean: [0], divisor: 1 } },
    nodes: lines.map(([op, attributes], i) => ({
      name: `n${i}`,
      op: findOperator(op)!,
      attributes,
      inputs: [i === 0 ? 'in' : `n${i - 1}`],
    })),
  });
}

const upTo = (largest: number): TensorRange => ({ low: -largest, high: largest });

/** A 1x1 convolution over `channels` channels, one cell: y = w x + b by hand. */
function pointwise(channels: number, filters: number, activation: [string, object][] = []): Graph {
  return network([channels, 1, 1], ['convolution', { filters, kernel: 1 }], ...activation);
}

function parametersOf(weights: number[], bias: number[]): Map<string, Float32Array> {
  return new Map([
    ['n0/filters', Float32Array.from(weights)],
    ['n0/bias', Float32Array.from(bias)],
  ]);
}

describe('rounding', () => {
  it('rounds half to even', () => {
    const values = [0.5, 1.5, 2.5, -0.5, -1.5, 0.49999999999999994, 2.500001, -127.5];
    expect(values.map(roundHalfEven)).toEqual([0, 2, 2, 0, -2, 0, 3, -128]);
  });

  it('finds the smallest power of two that is not below', () => {
    expect([1, 1.01, 2, 0.25, 0.2500001, 3e-9].map(powerOfTwoAbove)).toEqual([1, 2, 2, 0.25, 0.5, 2 ** -28]);
  });
});

describe('requantisation', () => {
  it("carries a slope in eight fraction bits in 'shift' form", () => {
    const linear = requantisation('l', 5, 2 ** -7, { negativeSlope: 1 }, defaultNumbers('shift'));
    expect(linear).toEqual({ bias: 5, positiveMultiplier: 1, negativeMultiplier: 1, shift: 7 });
    const rectified = requantisation('l', 0, 2 ** -7, { negativeSlope: 0 }, defaultNumbers('shift'));
    expect(rectified).toEqual({ bias: 0, positiveMultiplier: 1, negativeMultiplier: 0, shift: 7 });
    const leaky = requantisation('l', 0, 2 ** -7, { negativeSlope: 0.1 }, defaultNumbers('shift'));
    expect(leaky).toEqual({ bias: 0, positiveMultiplier: 256, negativeMultiplier: 26, shift: 15 });
    const coarse = requantisation('l', 0, 2 ** 10, { negativeSlope: 0.1 }, defaultNumbers('shift'));
    expect(coarse).toEqual({ bias: 0, positiveMultiplier: 1024, negativeMultiplier: 4 * 26, shift: 0 });
  });

  it("makes only what a shift can do in 'shift' form", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -31, max: 15 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 8, max: 31 }),
        (exponent, slope, multiplierBits) => {
          fc.pre(exponent < multiplierBits);
          const settings = { form: 'shift' as const, multiplierBits };
          const made = requantisation('l', 0, 2 ** exponent, { negativeSlope: slope }, settings);
          expect(fitsShiftForm(made)).toBe(true);
          expect(made.positiveMultiplier / 2 ** made.shift).toBe(2 ** exponent);
          const error = made.negativeMultiplier / made.positiveMultiplier - slope;
          expect(Math.abs(error)).toBeLessThanOrEqual(2 ** -Math.min(9, multiplierBits));
        },
      ),
      { seed: 58, numRuns: 1000 },
    );
    const channel = { bias: 0, shift: 0 };
    for (const [positiveMultiplier, negativeMultiplier] of [
      [3, 0],
      [0, 0],
      [1024, 102],
      [4, 5],
    ] as const) {
      expect(fitsShiftForm({ ...channel, positiveMultiplier, negativeMultiplier })).toBe(false);
    }
  });

  it("stays within 2^-16 of the ratio in 'multiplier' form", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -31.9, max: 15.9, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (exponent, slope) => {
          const ratio = 2 ** exponent;
          const { positiveMultiplier, negativeMultiplier, shift } = requantisation(
            'l',
            0,
            ratio,
            { negativeSlope: slope },
            defaultNumbers('multiplier'),
          );
          expect(positiveMultiplier).toBeGreaterThanOrEqual(32768);
          expect(positiveMultiplier).toBeLessThanOrEqual(65535);
          expect(Number.isInteger(shift) && shift >= 0 && shift <= 47).toBe(true);
          expect(Math.abs(positiveMultiplier / 2 ** shift / ratio - 1)).toBeLessThanOrEqual(2 ** -16);
          expect(Math.abs(negativeMultiplier - slope * positiveMultiplier)).toBeLessThanOrEqual(0.5);
        },
      ),
      { seed: 3, numRuns: 3000 },
    );
  });

  it('refuses ratios beyond the multiplier', () => {
    for (const form of forms) {
      expect(() => requantisation('conv', 0, 2 ** 16, { negativeSlope: 1 }, defaultNumbers(form))).toThrow(
        /^conv: accumulators are 65536/,
      );
      expect(() => requantisation('conv', 0, Number.NaN, { negativeSlope: 1 }, defaultNumbers(form))).toThrow(
        InputError,
      );
    }
  });
});

describe.each(forms)('quantise, %s form', (form) => {
  it('stays within the error that its steps allow', () => {
    const activations: [string, object, (x: number) => number][] = [
      ['relu', {}, (x) => Math.max(0, x)],
      ['leakyRelu', { slope: 0.1 }, (x) => (x < 0 ? 0.1 * x : x)],
      ['clippedRelu', { maximum: 1 }, (x) => Math.min(1, Math.max(0, x))],
    ];
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(...activations), (seed, [op, attributes, activate]) => {
        const next = randomStream(seed);
        const uniform = () => next() / 2 ** 31 - 1;
        const [channels, filters] = [8, 5];
        const weights = Float32Array.from({ length: channels * filters }, uniform);
        const bias = Float32Array.from({ length: filters }, uniform);
        const input = Float32Array.from({ length: channels }, uniform);
        const expected = Float32Array.from({ length: filters }, (_, f) => {
          let total = bias[f]!;
          for (let c = 0; c < channels; c++) total += input[c]! * weights[c * filters + f]!;
          return activate(total);
        });
        const range = (values: Float32Array) => Math.max(...values.map(Math.abs));
        const graph = pointwise(channels, filters, [[op, attributes]]);
        const quantised = quantise(
          layerNetwork(graph),
          new Map([
            ['n0/filters', weights],
            ['n0/bias', bias],
          ]),
          new Map([
            ['in', upTo(range(input))],
            ['n1', upTo(range(expected))],
          ]),
          defaultNumbers(form),
        );
        const inputTensor = quantised.tensors.get('in')!;
        const outputTensor = quantised.tensors.get('n1')!;
        expect(quantised.layers[0]!.output.high).toBeLessThanOrEqual(127);
        const result = runInteger(quantised, quantiseInput(input, inputTensor)).tensors.get('n1')!;
        // Half an output step, and half a step of every input and weight with its partner's size; slope's own error.
        const weightStep = (form === 'shift' ? 2 : 1) / 127;
        const bound =
          0.5 * outputTensor.scale +
          channels * 0.5 * (inputTensor.scale + weightStep) * 1.1 +
          0.001 * channels;
        expect(maxAbsError(expected, dequantise(result, outputTensor))).toBeLessThanOrEqual(bound);
        if (form === 'shift') expect(Number.isInteger(Math.log2(outputTensor.scale))).toBe(true);
      }),
      { seed: 5, numRuns: 200 },
    );
  });

  it('lets a dead filter pass its bias through', () => {
    const graph = pointwise(2, 2);
    const ranges = new Map([
      ['in', upTo(1)],
      ['n0', upTo(3)],
    ]);
    const quantised = quantise(
      layerNetwork(graph),
      parametersOf([0, 1, 0, 1], [-2.25, 0]),
      ranges,
      defaultNumbers(form),
    );
    const result = runInteger(quantised, Int8Array.of(100, -50)).tensors.get('n0')!;
    const { scale } = quantised.tensors.get('n0')!;
    expect(quantised.layers[0]!.weights![0]).toBe(0);
    expect(Math.abs(result[0]! * scale + 2.25)).toBeLessThanOrEqual(scale / 2 + 1e-3);
  });

  it('takes a filter that is all but dead next to its bias', () => {
    const graph = pointwise(1, 1, [['leakyRelu', {}]]);
    const ranges = new Map([
      ['in', upTo(1)],
      ['n1', upTo(3)],
    ]);
    const quantised = quantise(layerNetwork(graph), parametersOf([1e-20], [2]), ranges, defaultNumbers(form));
    const { scale } = quantised.tensors.get('n1')!;
    const result = runInteger(quantised, Int8Array.of(100)).tensors.get('n1')!;
    expect(Math.abs(result[0]! * scale - 2)).toBeLessThanOrEqual(scale / 2 + 1e-3);
  });

  it('takes a tensor that is zero throughout', () => {
    const graph = pointwise(1, 1);
    const ranges = new Map([
      ['in', upTo(0)],
      ['n0', upTo(0)],
    ]);
    const quantised = quantise(layerNetwork(graph), parametersOf([1e-3], [0]), ranges, defaultNumbers(form));
    expect([...runInteger(quantised, Int8Array.of(0)).tensors.get('n0')!]).toEqual([0]);
  });

  it('refuses what the datapath cannot hold', () => {
    const graph = layerNetwork(pointwise(1, 1));
    const ranges = new Map([
      ['in', upTo(1)],
      ['n0', upTo(1)],
    ]);
    const attempt = (weight: number, bias: number, given: Map<string, TensorRange> = ranges) =>
      quantise(graph, parametersOf([weight], [bias]), given, defaultNumbers(form));
    expect(() => attempt(1, 1e30)).toThrow(/^n0: accumulators are .* as coarse as the output/);
    expect(() => attempt(1e30, 0)).toThrow(InputError);
    expect(() => attempt(Number.NaN, 0)).toThrow(/^n0: filter 0 or its bias is not a finite number$/);
    expect(() => attempt(1, Number.POSITIVE_INFINITY)).toThrow(InputError);
    expect(() => attempt(1, 0, new Map([['in', upTo(1)]]))).toThrow(/^tensor n0 was not calibrated$/);
    expect(() => attempt(1, 0, new Map([...ranges, ['n0', upTo(Number.NaN)]]))).toThrow(InputError);
    expect(() => quantise(graph, new Map(), ranges, defaultNumbers(form))).toThrow(
      /^n0: no weights called n0\/filters$/,
    );
    expect(() => quantise(graph, parametersOf([1, 2], [0]), ranges, defaultNumbers(form))).toThrow(
      /have 2 elements, expected 1/,
    );
  });

  it('watches sums that may leave the accumulator', () => {
    const graph = network([65536, 2, 2], ['convolution', { filters: 1, kernel: 2 }]);
    const parameters = new Map([
      ['n0/filters', new Float32Array(65536 * 4).fill(1.5)],
      ['n0/bias', new Float32Array(1)],
    ]);
    const ranges = new Map([
      ['in', upTo(1)],
      ['n0', upTo(1)],
    ]);
    const quantised = quantise(layerNetwork(graph), parameters, ranges, defaultNumbers(form));
    expect(quantised.layers[0]!.mayOverflow).toBe(true);
    const { overflows, tensors } = runInteger(quantised, new Int8Array(65536 * 4).fill(127));
    expect(overflows).toBeGreaterThan(0);
    expect(tensors.get('n0')![0]).toBe(127);
    const calm = quantise(
      layerNetwork(pointwise(1, 1)),
      parametersOf([1], [0]),
      ranges,
      defaultNumbers(form),
    );
    expect(calm.layers[0]!.mayOverflow).toBe(false);
  });

  it('folds batch norm', () => {
    const folded = network(
      [1, 1, 1],
      ['convolution', { filters: 1, kernel: 1, bias: false }],
      ['batchNormalization', { epsilon: 1 }],
    );
    const values = new Map(
      Object.entries({
        'n0/filters': 3,
        'n1/gamma': 2,
        'n1/beta': 0.5,
        'n1/mean': 0.25,
        'n1/variance': 3,
      }).map(([name, value]) => [name, Float32Array.of(value)]),
    );
    // 2 * (3 x - 0.25) / sqrt(3 + 1) + 0.5 = 3 x + 0.25
    const ranges = new Map([
      ['in', upTo(1)],
      ['n1', upTo(4)],
    ]);
    const quantised = quantise(layerNetwork(folded), values, ranges, defaultNumbers(form));
    const { scale } = quantised.tensors.get('n1')!;
    const inputScale = quantised.tensors.get('in')!.scale;
    const result = runInteger(quantised, Int8Array.of(60)).tensors.get('n1')!;
    expect(Math.abs(result[0]! * scale - (180 * inputScale + 0.25))).toBeLessThanOrEqual(scale / 2 + 1e-2);
  });

  it('runs lone activations and keeps the scale of poolings and maxima', () => {
    const graph = network(
      [4, 4, 4],
      ['leakyRelu', { slope: 0.5 }],
      ['maxPool', { window: 2 }],
      ['crossChannelPool', { ratio: 2 }],
    );
    const ranges = new Map([
      ['in', upTo(1)],
      ['n0', upTo(1)],
    ]);
    const quantised = quantise(layerNetwork(graph), new Map(), ranges, defaultNumbers(form));
    const scales = ['in', 'n0', 'n1', 'n2'].map((name) => quantised.tensors.get(name)!.scale);
    expect(new Set(scales).size).toBe(1);
    const input = Int8Array.from({ length: 64 }, (_, i) => i * 4 - 128);
    const { tensors: result } = runInteger(quantised, input);
    expect([...result.get('n0')!]).toEqual([...input].map((value) => (value < 0 ? value / 2 : value)));
    expect(result.get('n2')!.length).toBe(8);
    expect(() => runInteger(quantised, new Int8Array(63))).toThrow(/63 values, expected 64/);
  });
});

describe('metrics', () => {
  it('measures in decibels, and carries the infinities through JSON', () => {
    expect(sqnrDb([10, 0], [9, 0])).toBeCloseTo(20, 12);
    expect(sqnrDb([1, 2], [1, 2])).toBe(Number.POSITIVE_INFINITY);
    expect(sqnrDb([0], [1])).toBe(Number.NEGATIVE_INFINITY);
    for (const value of [12.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(Number(JSON.parse(JSON.stringify(decibelsForJson(value))))).toBe(value);
    }
  });

  it('measures angles and the largest difference', () => {
    expect(cosine([1, 0], [0, 2])).toBe(0);
    expect(cosine([1, 2], [2, 4])).toBeCloseTo(1, 12);
    expect(cosine([0], [0])).toBe(1);
    expect(maxAbsError([1, -2], [0.5, 1])).toBe(3);
  });
});

describe('quantiseInput', () => {
  it('rounds half to even and saturates', () => {
    const values = Float32Array.of(0.25, 0.75, -0.25, 1e9, -1e9, 63.75);
    const format = { bits: 8, signed: true };
    const tensor = { scale: 0.5, zeroPoint: 0, format };
    expect([...quantiseInput(values, tensor)]).toEqual([0, 2, 0, 127, -128, 127]);
    expect([...quantiseInput(values, { ...tensor, zeroPoint: 3 })]).toEqual([3, 5, 3, 127, -128, 127]);
  });
});
