/** Number formats other than symmetric int8: what has to hold for all of them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../core/diagnostics.ts';
import { formatRange, roundings } from '../core/fixed-point.ts';
import { randomStream } from '../core/random.ts';
import { buildGraph } from '../graph/build.ts';
import type { Graph, ParameterValues, Shape } from '../graph/graph.ts';
import type { IntegerValues } from '../graph/op.ts';
import { findOperator } from '../ops/index.ts';
import { dequantise, quantiseInput, quantiseValue } from './input.ts';
import { runInteger } from './integer-executor.ts';
import { layerNetwork } from './layers.ts';
import { checkNumbers, defaultNumbers } from './numbers.ts';
import { quantise } from './quantise.ts';
import type { NumberOptions, QuantisedNetwork } from './quantised.ts';
import { seededParameters } from './seeded-weights.ts';
import { type TensorRange, tensorNumbers } from './tensor-scale.ts';

const forms = ['shift', 'multiplier'] as const;

const numbersOf: fc.Arbitrary<NumberOptions> = fc
  .record({
    activations: fc.record({
      bits: fc.integer({ min: 2, max: 16 }),
      signed: fc.boolean(),
      symmetric: fc.boolean(),
    }),
    weightBits: fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 8, 16),
    weightScales: fc.constantFrom('per channel' as const, 'per tensor' as const),
    form: fc.constantFrom(...forms),
    multiplierBits: fc.integer({ min: 8, max: 32 }),
    rounding: fc.constantFrom(...roundings),
    accumulator: fc.record({
      bits: fc.integer({ min: 8, max: 48 }),
      overflow: fc.constantFrom('saturate' as const, 'wrap' as const),
    }),
  })
  .map((numbers) => ({
    ...numbers,
    multiplierBits: Math.min(numbers.multiplierBits, 64 - numbers.accumulator.bits),
  }));

type Line = [name: string, op: string, inputs: string[], attributes?: object];

function network(shape: Shape, lines: Line[]): Graph {
  return buildGraph({
    name: 'net',
    description: '',
    input: { name: 'in', shape, preparation: { mean: [0], divisor: 1 } },
    nodes: lines.map(([name, op, inputs, attributes]) => ({
      name,
      op: findOperator(op)!,
      attributes: attributes ?? {},
      inputs,
    })),
  });
}

const NONE: ParameterValues = new Map();
const range = (low: number, high: number): TensorRange => ({ low, high });
const wide = (names: string[]) => new Map(names.map((name) => [name, range(-1, 1)]));

/** A network's result in real numbers, from real numbers. */
function run(quantised: QuantisedNetwork, input: Float32Array, output: string) {
  const { tensors } = quantised;
  const result = runInteger(quantised, quantiseInput(input, tensors.get('in')!));
  return dequantise(result.tensors.get(output)!, tensors.get(output)!);
}

describe('tensor formats', () => {
  const ranges = fc
    .tuple(fc.double({ min: -1e4, max: 1e4, noNaN: true }), fc.double({ min: 1e-4, max: 1e4, noNaN: true }))
    .map(([low, span]) => range(low, low + span));

  it('come back within half a step, or a whole one at the ends of a zero point, and 0.0 exactly', () => {
    fc.assert(
      fc.property(numbersOf, ranges, fc.double({ min: 0, max: 1, noNaN: true }), (numbers, seen, part) => {
        const tensor = { name: 't', shape: [1, 1, 1] as const, ...tensorNumbers('t', seen, numbers) };
        const { low, high } = formatRange(tensor.format);
        expect(tensor.zeroPoint >= low && tensor.zeroPoint <= high).toBe(true);
        if (numbers.activations.symmetric) expect(tensor.zeroPoint).toBe(0);
        if (numbers.form === 'shift') expect(Number.isInteger(Math.log2(tensor.scale))).toBe(true);
        expect(quantiseValue(0, tensor)).toBe(tensor.zeroPoint);
        expect([...dequantise(quantiseInput(Float32Array.of(0), tensor), tensor)]).toEqual([0]);
        const value = seen.low + part * (seen.high - seen.low);
        if (numbers.activations.symmetric && !numbers.activations.signed && value < 0) return;
        const back = (quantiseValue(value, tensor) - tensor.zeroPoint) * tensor.scale;
        const steps = numbers.activations.symmetric ? 0.5 : 1;
        expect(Math.abs(back - value)).toBeLessThanOrEqual(steps * tensor.scale * (1 + 1e-9));
      }),
      { seed: 21, numRuns: 3000 },
    );
  });

  it('refuse ranges without a scale', () => {
    const attempt = (low: number, high: number) => () =>
      tensorNumbers('t', range(low, high), defaultNumbers('multiplier'));
    expect(attempt(1, -1)).toThrow(/^tensor t: range 1\.\.-1, expected finite numbers, low to high$/);
    expect(attempt(Number.NaN, 1)).toThrow(InputError);
    expect(attempt(0, Number.POSITIVE_INFINITY)).toThrow(InputError);
    expect(attempt(0, 5e-324)).toThrow(/^tensor t: range 0\.\.5e-324 gives a scale of 0/);
  });

  it('are refused out of bounds', () => {
    const base = defaultNumbers('shift');
    const { activations, accumulator } = base;
    for (const bits of [1, 17, 2.5]) {
      const numbers = { ...base, activations: { ...activations, bits } };
      expect(() => checkNumbers(numbers)).toThrow(/^number format: activations: bits: /);
    }
    for (const weightBits of [0, 9, 15, 17]) {
      expect(() => checkNumbers({ ...base, weightBits })).toThrow(/^number format: weightBits: /);
    }
    for (const multiplierBits of [7, 33])
      expect(() => checkNumbers({ ...base, multiplierBits })).toThrow(InputError);
    for (const bits of [7, 49]) {
      expect(() => checkNumbers({ ...base, accumulator: { ...accumulator, bits } })).toThrow(InputError);
    }
    const long = { ...base, multiplierBits: 32, accumulator: { ...accumulator, bits: 33 } };
    expect(() =>
      quantise(layerNetwork(network([1, 1, 1], [['a', 'relu', ['in']]])), NONE, new Map(), long),
    ).toThrow(/^number format: accumulator\.bits and multiplierBits exceed 64 together$/);
  });
});

describe('every format', () => {
  const graph = network(
    [3, 6, 6],
    [
      ['a', 'convolution', ['in'], { filters: 4, kernel: 3, padding: 1 }],
      ['b', 'leakyRelu', ['a']],
      ['c', 'convolution', ['b'], { groups: 'depthwise', kernel: 3, padding: 1 }],
      ['d', 'silu', ['c']],
      ['e', 'add', ['b', 'd', 'b']],
      ['f', 'clippedRelu', ['e'], { maximum: 1 }],
      ['g', 'concat', ['f', 'd', 'd']],
      ['h', 'crossChannelPool', ['g'], { ratio: 2, kind: 'mean' }],
      ['i', 'averagePool', ['h'], { window: 3, stride: 2, padding: 1, countIncludesPadding: true }],
      ['j', 'upsampleNearest', ['i'], { factor: 2 }],
      ['k', 'spaceToDepth', ['j'], { block: 2 }],
      ['l', 'sigmoid', ['k']],
      ['m', 'globalAveragePool', ['l']],
      ['n', 'fullyConnected', ['l'], { units: 5 }],
    ],
  );
  const layered = layerNetwork(graph);
  const parameters = seededParameters(graph, 1);
  const next = randomStream(5);
  const input = Float32Array.from({ length: 108 }, () => next() / 2 ** 31 - 1);
  const ranges = new Map([
    ['in', range(-1, 1)],
    ...graph.nodes.map(({ name }) => [name, range(-2, 3)] as const),
  ]);

  it('runs, stays in range, and promises no overflow only where there is none', () => {
    fc.assert(
      fc.property(numbersOf, (numbers) => {
        const quantised = quantise(layered, parameters, ranges, numbers);
        const watched = {
          ...quantised,
          layers: quantised.layers.map((layer) => ({ ...layer, mayOverflow: true })),
        };
        const integers = quantiseInput(input, quantised.tensors.get('in')!);
        const { tensors, overflows } = runInteger(quantised, integers);
        expect(runInteger(watched, integers)).toEqual({ tensors, overflows });
        const { low, high } = formatRange(numbers.activations);
        for (const [name, values] of tensors) {
          expect(
            values.every((value: number) => value >= low && value <= high),
            name,
          ).toBe(true);
        }
        for (const { weights, channels } of quantised.layers) {
          const most = numbers.weightBits === 1 ? 1 : 2 ** (numbers.weightBits - 1) - 1;
          if (numbers.weightBits === 1) expect(weights?.includes(0) ?? false).toBe(false);
          expect(weights?.every((weight: number) => Math.abs(weight) <= most) ?? true).toBe(true);
          for (const { positiveMultiplier, negativeMultiplier, shift } of channels ?? []) {
            expect(Math.max(positiveMultiplier, negativeMultiplier)).toBeLessThan(
              2 ** numbers.multiplierBits,
            );
            expect(shift >= 0 && shift <= 62).toBe(true);
          }
        }
      }),
      { seed: 22, numRuns: 150 },
    );
  });

  it.each(forms)('gets closer with more bits in %s form', (form) => {
    const reference = (bits: number, symmetric: boolean, signed: boolean) => {
      const numbers: NumberOptions = {
        ...defaultNumbers(form),
        activations: { bits, signed, symmetric },
        weightBits: bits > 8 ? 16 : bits,
        accumulator: { bits: 48, overflow: 'saturate' },
      };
      return run(quantise(layered, parameters, ranges, numbers), input, 'n');
    };
    const exact = reference(16, true, true);
    const distance = (values: Float32Array) => Math.hypot(...values.map((value, i) => value - exact[i]!));
    expect(distance(reference(16, false, false))).toBeLessThan(2e-3);
    expect(distance(reference(8, false, true))).toBeLessThan(0.3);
    expect(distance(reference(8, false, false))).toBeLessThan(distance(reference(4, false, false)));
  });
});

describe('accumulators', () => {
  const graph = layerNetwork(network([8, 1, 1], [['a', 'convolution', ['in'], { filters: 1, kernel: 1 }]]));
  const parameters = new Map([
    ['a/filters', new Float32Array(8).fill(1)],
    ['a/bias', Float32Array.of(0.5)],
  ]);
  const ranges = new Map([
    ['in', range(-1, 1)],
    ['a', range(-8, 8)],
  ]);
  const attempt = (overflow: 'saturate' | 'wrap', bits: number) => {
    const numbers: NumberOptions = { ...defaultNumbers('multiplier'), accumulator: { bits, overflow } };
    const quantised = quantise(graph, parameters, ranges, numbers);
    return { quantised, ...runInteger(quantised, new Int8Array(8).fill(127)) };
  };

  it('count what does not fit, and saturate or wrap', () => {
    // 8 * 127 * 127 needs 18 bits; 16 hold the first two products.
    const saturated = attempt('saturate', 16);
    expect(saturated.quantised.layers[0]!.mayOverflow).toBe(true);
    // Six products and the bias.
    expect(saturated.overflows).toBe(7);
    const full = attempt('saturate', 20);
    expect([full.overflows, full.quantised.layers[0]!.mayOverflow]).toEqual([0, false]);
    expect(full.tensors.get('a')![0]).toBe(127);
    expect(saturated.tensors.get('a')![0]).toBeLessThan(40);
    const wrapped = attempt('wrap', 16);
    expect(wrapped.overflows).toBeGreaterThan(0);
    expect(wrapped.tensors.get('a')![0]).not.toBe(saturated.tensors.get('a')![0]);
  });

  it('take biases that they can hold', () => {
    for (const weightBits of [1, 8]) {
      for (const bits of [8, 12, 16, 48]) {
        const numbers: NumberOptions = {
          ...defaultNumbers('multiplier'),
          weightBits,
          accumulator: { bits, overflow: 'saturate' },
        };
        const values = new Map([...parameters, ['a/bias', Float32Array.of(7)]]);
        const { bias } = quantise(graph, values, ranges, numbers).layers[0]!.channels![0]!;
        expect(Math.abs(bias)).toBeLessThan(2 ** (bits - 1));
      }
    }
  });
});

describe('1-bit weights', () => {
  it('are signs times the mean magnitude', () => {
    const graph = layerNetwork(network([4, 1, 1], [['a', 'convolution', ['in'], { filters: 2, kernel: 1 }]]));
    const parameters = new Map([
      // [channel][filter]
      ['a/filters', Float32Array.of(0.5, 0, -1.5, 0, 1, 0, 0, 0)],
      ['a/bias', Float32Array.of(0.25, -0.5)],
    ]);
    const ranges = new Map([
      ['in', range(-1, 1)],
      ['a', range(-4, 4)],
    ]);
    const numbers: NumberOptions = { ...defaultNumbers('multiplier'), weightBits: 1 };
    const quantised = quantise(graph, parameters, ranges, numbers);
    expect([...quantised.layers[0]!.weights!]).toEqual([1, -1, 1, 1, 1, 1, 1, 1]);
    // mean |w| = 0.75: 0.75 * (1 - 0.5 + 1 + 0.25) + 0.25; a filter of zeros is its bias.
    const result = run(quantised, Float32Array.of(1, 0.5, 1, 0.25), 'a');
    expect(Math.abs(result[0]! - 1.5625)).toBeLessThan(0.04);
    expect(Math.abs(result[1]! + 0.5)).toBeLessThan(0.02);
  });
});

describe('stages', () => {
  it.each(forms)('sums operands of different scales in %s form', (form) => {
    const graph = layerNetwork(
      network(
        [2, 2, 2],
        [
          ['a', 'leakyRelu', ['in'], { slope: 0.25 }],
          ['b', 'add', ['in', 'a', 'in']],
          ['c', 'relu', ['b']],
        ],
      ),
    );
    const ranges = new Map([
      ['in', range(-1, 1)],
      ['a', range(-0.25, 1)],
      ['c', range(0, 3)],
    ]);
    for (const symmetric of [true, false]) {
      const numbers: NumberOptions = {
        ...defaultNumbers(form),
        activations: { bits: 8, signed: true, symmetric },
      };
      const quantised = quantise(graph, NONE, ranges, numbers);
      const multipliers = quantised.layers[1]!.operandMultipliers!;
      expect(multipliers.every((one) => Number.isInteger(one) && one >= 1 && one <= 65535)).toBe(true);
      const input = Float32Array.of(1, -1, 0.5, -0.5, 0, 0.125, 0.75, -0.1);
      const result = run(quantised, input, 'c');
      input.forEach((x, i) => {
        const expected = Math.max(0, 2 * x + (x < 0 ? 0.25 * x : x));
        expect(Math.abs(result[i]! - expected)).toBeLessThan(0.06);
      });
    }
  });

  it('passes values through concatenation as they are where the numbers agree', () => {
    const graph = layerNetwork(
      network(
        [1, 2, 2],
        [
          ['a', 'leakyRelu', ['in'], { slope: 1 }],
          ['b', 'concat', ['in', 'a']],
        ],
      ),
    );
    const ranges = new Map([
      ['in', range(-1, 1)],
      ['a', range(-3, 1)],
      ['b', range(-1, 1)],
    ]);
    const quantised = quantise(graph, NONE, ranges, defaultNumbers('multiplier'));
    const [same, other] = quantised.layers[1]!.channels!;
    expect(same).toEqual({ bias: 0, positiveMultiplier: 1, negativeMultiplier: 1, shift: 0 });
    expect(other!.positiveMultiplier).toBeGreaterThan(1);
    const { tensors } = runInteger(quantised, Int8Array.of(-128, 127, 3, -50));
    expect([...tensors.get('b')!.subarray(0, 4)]).toEqual([-128, 127, 3, -50]);
    expect(Math.abs(tensors.get('b')![7]! + 50)).toBeLessThanOrEqual(2);
  });

  it('looks functions up on the calibrated tensor in front', () => {
    const graph = layerNetwork(
      network(
        [1, 1, 4],
        [
          ['a', 'tanh', ['in']],
          ['b', 'convolution', ['a'], { filters: 1, kernel: 1 }],
          ['c', 'sigmoid', ['b']],
        ],
      ),
    );
    const parameters = new Map([
      ['b/filters', Float32Array.of(2)],
      ['b/bias', Float32Array.of(-0.5)],
    ]);
    const ranges = new Map([
      ['in', range(-3, 3)],
      ['a', range(-1, 1)],
      ['b', range(-2.5, 1.5)],
      ['c', range(0.07, 0.82)],
    ]);
    const numbers: NumberOptions = {
      ...defaultNumbers('multiplier'),
      activations: { bits: 10, signed: false, symmetric: false },
    };
    const quantised = quantise(graph, parameters, ranges, numbers);
    expect(quantised.layers.map(({ table }) => table!.length)).toEqual([1024, 1024]);
    // The lone function's index is its input as it is.
    expect(quantised.layers[0]!.indexScale).toBe(quantised.tensors.get('in')!.scale);
    const input = Float32Array.of(-3, -0.4, 0, 2.5);
    const result = run(quantised, input, 'c');
    input.forEach((x, i) => {
      expect(Math.abs(result[i]! - 1 / (1 + Math.exp(0.5 - 2 * Math.tanh(x))))).toBeLessThan(0.005);
    });
    expect(() =>
      quantise(graph, parameters, new Map([...ranges].filter(([name]) => name !== 'b')), numbers),
    ).toThrow(/^tensor b was not calibrated$/);
  });

  it('averages padding as real zero', () => {
    const pool = { window: 2, stride: 2, padding: { left: 1, right: 1 } };
    const at = (attributes: object, data: IntegerValues) => {
      const graph = layerNetwork(
        network([1, 2, 2], [['a', 'averagePool', ['in'], { ...pool, ...attributes }]]),
      );
      const numbers: NumberOptions = {
        ...defaultNumbers('multiplier'),
        activations: { bits: 8, signed: false, symmetric: false },
        rounding: 'truncate',
      };
      const quantised = quantise(graph, NONE, wide(['in']), numbers);
      expect(quantised.tensors.get('in')!.zeroPoint).toBe(128);
      return [...runInteger(quantised, data).tensors.get('a')!];
    };
    const data = Uint8Array.of(10, 20, 13, 255);
    expect(at({}, data)).toEqual([11, 137]);
    expect(at({ countIncludesPadding: true }, data)).toEqual([69, 132]);
  });
});
