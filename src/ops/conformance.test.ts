/**
 * What every operator in the list has to hold, on attributes drawn from its own schema. A new operator is covered
 * by being listed.
 */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { InputError } from '../core/diagnostics.ts';
import { product } from '../core/integers.ts';
import { randomStream } from '../core/random.ts';
import { buildGraph } from '../graph/build.ts';
import type { AnyOp, Graph, Node, ParameterValues, Shape } from '../graph/graph.ts';
import { parameterReader, parameterSize } from '../graph/parameters.ts';
import { runFloat } from '../quant/float-reference.ts';
import { findOperator, operators } from './index.ts';

interface JsonSchema {
  readonly type?: string;
  readonly anyOf?: readonly JsonSchema[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly prefixItems?: readonly JsonSchema[];
}

/** Values that a schema allows, mostly small: large ones only make tests slow. */
function fromSchema(schema: JsonSchema): fc.Arbitrary<unknown> {
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(fromSchema));
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const low = schema.minimum ?? 0;
  const high = schema.maximum ?? low + 1;
  switch (schema.type) {
    case 'integer':
      return fc.integer({ min: low, max: Math.min(high, low + 3) });
    case 'number':
      // Sixteenths, which floats hold exactly, so that ties are ties for both rules.
      return fc.integer({ min: 0, max: 16 }).map((part) => low + (Math.min(high - low, 16) * part) / 16);
    case 'boolean':
      return fc.boolean();
    case 'string':
      return fc.constantFrom('elsewhere/a', 'elsewhere/b');
    case 'array':
      return fc.tuple(...(schema.prefixItems ?? []).map(fromSchema));
    case 'object': {
      const fields = Object.entries(schema.properties ?? {});
      return fc.record(Object.fromEntries(fields.map(([name, field]) => [name, fromSchema(field)])), {
        requiredKeys: [...(schema.required ?? [])],
      });
    }
    default:
      throw new Error(`the suite cannot draw from ${JSON.stringify(schema)}`);
  }
}

interface Case {
  readonly node: Node;
  readonly graph: Graph;
  readonly input: Int8Array;
  readonly parameters: ParameterValues;
  readonly seed: number;
}

function attempt(op: AnyOp, attributes: unknown, shape: Shape, seed: number): Case | undefined {
  const [least, most] = typeof op.inputs === 'number' ? [op.inputs, op.inputs] : op.inputs;
  const count = Math.min(most, least + (seed % 3));
  // A second tensor for those that read several: what is positive of the input.
  const other = { name: 'other', op: findOperator('relu')!, inputs: ['in'] };
  const inputs = Array.from({ length: count }, (_, i) => (i % 2 === 0 ? 'in' : 'other'));
  let graph: Graph;
  try {
    graph = buildGraph({
      name: 'case',
      description: '',
      input: { name: 'in', shape, preparation: { mean: [0], divisor: 1 } },
      nodes: [...(count > 1 ? [other] : []), { name: 'node', op, attributes, inputs }],
    });
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
  const node = graph.nodes.at(-1)!;
  const next = randomStream(seed);
  const input = Int8Array.from({ length: product(shape) }, () => (next() % 256) - 128);
  const parameters = new Map(
    node.parameters.map((parameter) => [
      parameter.name,
      Float32Array.from({ length: parameterSize(parameter) }, () =>
        // A variance cannot be negative.
        parameter.initial.kind === 'variance' ? 1 + (next() % 7) : (next() % 255) - 127,
      ),
    ]),
  );
  return { node, graph, input, parameters, seed };
}

const shapes = fc.tuple(
  fc.integer({ min: 1, max: 12 }),
  fc.integer({ min: 1, max: 9 }),
  fc.integer({ min: 1, max: 9 }),
);

/** Runs `check` on cases that the operator accepts, and makes sure that those are not few. */
function forCases(op: AnyOp, check: (one: Case) => void): void {
  const schema = z.toJSONSchema(op.attributes, { io: 'input' }) as JsonSchema;
  let accepted = 0;
  fc.assert(
    fc.property(fromSchema(schema), shapes, fc.nat(), (attributes, shape, seed) => {
      const one = attempt(op, attributes, shape, seed);
      if (one === undefined) return;
      accepted += 1;
      check(one);
    }),
    { seed: 20240607, numRuns: 400 },
  );
  expect(accepted).toBeGreaterThan(40);
}

beforeAll(async () => {
  const manifest = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json');
  setWasmPaths(`${dirname(manifest)}/dist/`);
  await tf.setBackend('wasm');
});

it('names every operator once and finds it', () => {
  expect(new Set(operators.map((op) => op.name)).size).toBe(operators.length);
  for (const op of operators) expect(findOperator(op.name)).toBe(op);
  expect(findOperator('toString')).toBeUndefined();
});

describe.each(operators.map((op) => [op.name, op] as const))('%s', (_name, op) => {
  it('describes itself and every attribute', () => {
    expect(op.summary).toMatch(/\.$/);
    const { properties } = z.toJSONSchema(op.attributes, { io: 'input' });
    for (const field of Object.values(properties ?? {})) {
      expect((field as { description?: string }).description).toBeTruthy();
    }
  });

  it('refuses unknown attributes and takes its own defaults again', () => {
    expect(op.attributes.safeParse({ nonsense: 1 }).success).toBe(false);
    forCases(op, ({ node }) => expect(op.attributes.parse(node.attributes)).toEqual(node.attributes));
  });

  it('declares parameters under its own short names', () => {
    forCases(op, ({ node }) => {
      const names = node.parameters.map((parameter) => parameter.shortName);
      expect(new Set(names).size).toBe(names.length);
      for (const { name, shortName } of node.parameters) {
        expect([`node/${shortName}`, 'elsewhere/a', 'elsewhere/b']).toContain(name);
      }
    });
  });

  it('infers the shape that the float rule makes, and leaves its input alone', () => {
    forCases(op, ({ node, graph, input, parameters }) => {
      const before = Float32Array.from(input);
      const given = before.slice();
      const result = runFloat(tf, graph, parameters, given, () => true);
      expect(result.get('node')!.length).toBe(product(node.outputShape));
      expect(result.get('in')).toEqual(before);
      expect(given).toEqual(before);
    });
    expect(tf.memory().numTensors).toBe(0);
  });

  it('has a rule for the machine that agrees with the float rule', () => {
    forCases(op, ({ node, graph, input, parameters }) => {
      const float = runFloat(tf, graph, parameters, Float32Array.from(input), () => true).get('node')!;
      const before = input.slice();
      const exact = machineReference(node, input, parameters);
      if (exact === undefined) return;
      expect(input).toEqual(before);
      expect(exact.values.length).toBe(float.length);
      for (let i = 0; i < float.length; i++) {
        const error = Math.abs(float[i]! - exact.values[i]!);
        if (!(error <= exact.tolerance(float[i]!))) {
          expect.fail(`cell ${i}: float ${float[i]}, machine ${exact.values[i]}`);
        }
      }
    });
  });

  it('sums the same in a wide accumulator that is watched', () => {
    forCases(op, ({ node, input, parameters }) => {
      const { machine } = op;
      if (machine.stage !== 'array') return;
      const read = parameterReader(node, parameters);
      const { weights } = machine.weights(node.attributes, node.inputShapes[0]!, read);
      const map = { shape: node.inputShapes[0]!, data: input, zeroPoint: 3, rounding: 'half-even' as const };
      const run = (bits: number, mayOverflow: boolean) => {
        const overflows = { count: 0 };
        const array = {
          weights: wholeWeights(weights).integers,
          accumulator: { bits, overflow: 'wrap' as const },
          mayOverflow,
          overflows,
        };
        return { sums: op.integer!(node.attributes, [map], node.outputShape, array), overflows };
      };
      const fast = run(32, false).sums;
      for (const bits of [32, 48]) {
        const watched = run(bits, true);
        expect([...watched.sums]).toEqual([...fast]);
        expect(watched.overflows.count).toBe(0);
      }
      // Wrapping is arithmetic modulo 2^bits, so that the order does not show.
      expect([...run(12, true).sums]).toEqual(Array.from(fast, (sum) => (sum << 20) >> 20));
    });
  });

  it('rescales its parameters as it says', () => {
    forCases(op, ({ node, parameters, seed }) => {
      const { machine } = op;
      if (machine.stage !== 'array' || machine.rescale === undefined) return;
      const shape = node.inputShapes[0]!;
      const next = randomStream(seed);
      const factors = (count: number) => Float64Array.from({ length: count }, () => 2 ** ((next() % 5) - 2));
      const [inputs, outputs] = [factors(shape[0]), factors(node.outputShape[0])];
      const read = parameterReader(node, parameters);
      const before = machine.weights(node.attributes, shape, read);
      const scaled = machine.rescale(node.attributes, shape, read, inputs, outputs);
      const after = machine.weights(node.attributes, shape, (name) => scaled.get(name)!);
      const { groups, filters, kernel } = machine.convolution(node.attributes, shape, node.outputShape);
      const groupChannels = shape[0] / groups;
      const taps = kernel[0] * kernel[1];
      before.weights.forEach((weight, i) => {
        const f = Math.floor(i / taps / groupChannels);
        const c = Math.floor((f * groups) / filters) * groupChannels + (Math.floor(i / taps) % groupChannels);
        if (after.weights[i] !== weight * inputs[c]! * outputs[f]!) expect.fail(`weight ${i}`);
      });
      expect([...after.bias]).toEqual([...before.bias].map((value, f) => value * outputs[f]!));
    });
  });
});

/** Float weights as int8: as they are, or (fractions, all of one size) brought to 1. */
function wholeWeights(weights: Float32Array): { integers: Int8Array; unit: number } {
  const unit = weights.every(Number.isInteger) ? 1 : Math.abs(weights[0]!);
  return { integers: Int8Array.from(weights, (weight) => Math.round(weight / unit)), unit };
}

/** What the operator tells the machine, computed plainly, and how far the float rule may be from it. */
function machineReference(
  node: Node,
  data: Int8Array,
  parameters: ParameterValues,
): { values: ArrayLike<number>; tolerance: (float: number) => number } | undefined {
  const shape = node.inputShapes[0]!;
  const { op, attributes, outputShape } = node;
  const { machine } = op;
  const read = parameterReader(node, parameters);
  const cells = outputShape[1] * outputShape[2];
  const map = { shape, data, zeroPoint: 0, rounding: 'half-even' as const };
  const maps = node.inputs.map((name) => (name === 'in' ? data : data.map((value) => Math.max(0, value))));
  switch (machine.stage) {
    case 'affine': {
      const { scale, offset } = machine.affine(attributes, read);
      const values = Float64Array.from(data, (value, i) => {
        const c = Math.floor(i / cells);
        return scale[c]! * value + offset[c]!;
      });
      return { values, tolerance: (float) => 1e-2 + 1e-5 * Math.abs(float) };
    }
    case 'array': {
      const { weights, bias } = machine.weights(attributes, shape, read);
      const { integers, unit } = wholeWeights(weights);
      const array = {
        weights: integers,
        accumulator: { bits: 32, overflow: 'wrap' as const },
        mayOverflow: false,
        overflows: { count: 0 },
      };
      const sums = Array.from(op.integer!(attributes, [map], outputShape, array));
      const values = sums.map((value, i) => unit * value + bias[Math.floor(i / cells)]!);
      return { values, tolerance: () => (unit === 1 ? 0 : 1e-3) };
    }
    case 'activation': {
      const { negativeSlope, upper = Number.POSITIVE_INFINITY } = machine.activation(attributes);
      const values = Array.from(data, (x) => Math.min(upper, x < 0 ? negativeSlope * x : x));
      return { values, tolerance: () => 1e-4 };
    }
    case 'table': {
      const values = Array.from(data, (x) => machine.evaluate(attributes, x));
      return { values, tolerance: () => 1e-4 };
    }
    case 'sum': {
      const values = Array.from(data, (_, i) => maps.reduce((total, one) => total + one[i]!, 0));
      return { values, tolerance: () => 0 };
    }
    case 'join':
      return { values: maps.flatMap((one) => [...one]), tolerance: () => 0 };
    case 'host':
      return undefined;
    case 'given':
      return { values: machine.values(attributes), tolerance: () => 0 };
    case 'crossChannel':
    case 'pool':
    case 'rearrange': {
      const values = op.integer!(attributes, [map], outputShape, undefined);
      // Where the float result is a whole number there is nothing to round.
      const whole = (float: number) => Math.abs(float - Math.round(float)) < 1e-4;
      return { values, tolerance: (float) => (whole(float) ? 1e-4 : 0.5001) };
    }
  }
}
