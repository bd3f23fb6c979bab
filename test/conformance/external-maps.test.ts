/** Maps from outside the network: every executor and the machine read the same values, in whatever order layers run. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { product } from '../../src/core/integers.ts';
import { modelFiles } from '../../src/export/model/model.ts';
import { writeFloatOnnx } from '../../src/export/onnx/float.ts';
import { buildGraph, type NodeDescription } from '../../src/graph/build.ts';
import type { Graph, Shape } from '../../src/graph/graph.ts';
import { readMachineFile } from '../../src/import/machine-yaml.ts';
import { readModel } from '../../src/import/model-yaml.ts';
import { findOperator } from '../../src/ops/index.ts';
import { numbersOn } from '../../src/pipeline.ts';
import { runInteger } from '../../src/quant/integer-executor.ts';
import { layerNetwork } from '../../src/quant/layers.ts';
import { seededParameters } from '../../src/quant/seeded-weights.ts';
import { parseQuantised, serialiseQuantised } from '../../src/quant/serialise.ts';
import { compileProgram } from '../../src/schedule/program.ts';
import { runProgram } from '../../src/schedule/run.ts';
import { projectFile } from '../cli/command-line.ts';
import { expectKernelsAgree, expectTensors, expectTraffic } from './check-run.test-helper.ts';
import { randomInput, randomIntegers } from './random-networks.test-helper.ts';

const machine = readMachineFile(projectFile('hw-configs/edge-64.yaml'));

interface Part {
  readonly shape: Shape;
  readonly filters: number;
  readonly kernel: number;
  /** The network's input is read here, too. */
  readonly joins: boolean;
}

const part: fc.Arbitrary<Part> = fc.record({
  shape: fc.tuple(
    fc.integer({ min: 1, max: 9 }),
    fc.integer({ min: 3, max: 14 }),
    fc.integer({ min: 3, max: 14 }),
  ),
  filters: fc.integer({ min: 1, max: 12 }),
  kernel: fc.integer({ min: 1, max: 3 }),
  joins: fc.boolean(),
});

const inputShape: Shape = [3, 11, 10];

/** Convolutions that each read a map of their own; the network's input is read by the last layer, and where they join it. */
function graphOf(parts: readonly Part[]): Graph {
  const op = (name: string) => findOperator(name)!;
  const nodes = parts.flatMap(({ shape, filters, kernel, joins }, i): NodeDescription[] => {
    const outside = {
      name: `map${i}`,
      op: op('externalMap'),
      attributes: { shape: joins ? inputShape : shape, seed: i },
      inputs: [],
    };
    const convolution = { name: `conv${i}`, op: op('convolution'), attributes: { filters, kernel } };
    if (!joins) return [outside, { ...convolution, inputs: [outside.name] }];
    const sum = { name: `sum${i}`, op: op('add'), inputs: ['image', outside.name] };
    return [outside, sum, { ...convolution, inputs: [sum.name] }];
  });
  return buildGraph({
    name: 'parts',
    description: '',
    input: { name: 'image', shape: inputShape, preparation: { mean: [0, 0, 0], divisor: 255 } },
    nodes: [...nodes, { name: 'last', op: op('relu'), inputs: ['image'] }],
  });
}

describe('external maps', () => {
  it('are read alike by all executors and the machine, fused or not', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        fc.nat(),
        async (parts, fusion, seed) => {
          const graph = graphOf(parts);
          const network = layerNetwork(graph);
          expect(network.externalMaps.map(({ name }) => name)).toEqual(parts.map((_, i) => `map${i}`));
          const numbers = numbersOn(machine);
          const quantised = randomIntegers(network, numbers, seed);
          const input = randomInput(quantised, seed);
          const reference = runInteger(quantised, input);
          await expectKernelsAgree(quantised, input, reference);
          const program = compileProgram(
            network,
            machine,
            { numbers, virtualFeatureMaps: true, fusion },
            quantised,
          );
          const run = await runProgram(program, machine, { data: { quantised, input }, keep: () => true });
          expectTensors(run, program, reference.tensors);
          expectTraffic(run.result, program);
          // All given maps are alive at the start.
          const given =
            product(inputShape) +
            network.externalMaps.reduce((all, { outputShape }) => all + product(outputShape), 0);
          expect(program.peakFeatureMapBytes).toBeGreaterThan(given);
          const again = runInteger(parseQuantised(serialiseQuantised(quantised), network, 'n'), input);
          expect(again).toEqual(reference);
        },
      ),
      { seed: 7, numRuns: 25 },
    );
  });

  it('keep their shape and seed in a model file', () => {
    const graph = graphOf([{ shape: [2, 5, 4], filters: 3, kernel: 2, joins: false }]);
    const { text } = modelFiles({ graph }, 'm.safetensors');
    expect(text).toContain('- { op: externalMap, name: map0, shape: [ 2, 5, 4 ], seed: 0 }');
    expect(readModel(text, 'm.yaml')).toEqual(graph);
  });

  it('have to be read, beside the input, by layers of the machine', () => {
    const read = (layers: string) => () =>
      layerNetwork(readModel(`name: n\ninput: { shape: [3, 4, 4] }\nlayers:\n${layers}`, 'm.yaml'));
    const outside = '  - { op: externalMap, name: far, shape: [3, 4, 4] }\n';
    expect(read(`${outside}  - { op: relu }\n`)).toThrow(
      "image: no layer reads the network's input, expected one that does",
    );
    expect(read(`  - { op: relu }\n${outside}outputs: [relu1, far]\n`)).toThrow(
      'far: externalMap comes from outside; expected a layer that reads it',
    );
    expect(read(`  - { op: relu }\n${outside}  - { op: softmax, name: s }\noutputs: [relu1, s]\n`)).toThrow(
      /s: softmax runs on the host.*expected a layer in front of it/,
    );
    expect(read('  - { op: externalMap, from: image, shape: [3, 4, 4] }\n')).toThrow(
      'm.yaml:4:5: externalMap1: externalMap reads 0 tensor(s), got 1',
    );
    expect(read('  - { op: externalMap, shape: [65536, 65536, 1] }\n  - { op: relu }\n')).toThrow(
      /m\.yaml:4:5: .*65536 x 65536 x 1/,
    );
  });

  it('are no part of an ONNX model', () => {
    const graph = graphOf([{ shape: [2, 5, 4], filters: 3, kernel: 2, joins: true }]);
    expect(() => writeFloatOnnx(graph, seededParameters(graph, 1))).toThrow(
      'map0: externalMap cannot be written as ONNX, expected a network of one input',
    );
  });
});
