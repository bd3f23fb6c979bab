/** Networks of ours as ONNX files: read back they are the same, and ONNX Runtime computes the same with them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writeFloatOnnx } from '../../src/export/onnx/float.ts';
import { writeQuantisedOnnx } from '../../src/export/onnx/quantised.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { readModel, readModelFile } from '../../src/import/model-yaml.ts';
import { readOnnx } from '../../src/import/onnx/read.ts';
import { loadTensorflow } from '../../src/import/tensorflow.ts';
import { calibrate } from '../../src/quant/calibrate.ts';
import { runFloat } from '../../src/quant/float-reference.ts';
import { quantiseGiven } from '../../src/quant/given.ts';
import { dequantise, quantiseInput } from '../../src/quant/input.ts';
import { runInteger } from '../../src/quant/integer-executor.ts';
import { layerNetwork } from '../../src/quant/layers.ts';
import { defaultNumbers } from '../../src/quant/numbers.ts';
import { quantise } from '../../src/quant/quantise.ts';
import type { NumberOptions, QuantisedNetwork } from '../../src/quant/quantised.ts';
import { seededParameters } from '../../src/quant/seeded-weights.ts';
import { buildNetwork, networkRecipe } from '../conformance/random-networks.test-helper.ts';
import { Draw } from './comparison.test-helper.ts';
import { relativeError } from './import.test-helper.ts';
import { runModel } from './onnx-file.test-helper.ts';

/** The same for every test that asks, whatever ran before it. */
const inputOf = ({ input: { shape } }: Graph, seed = 91) => {
  const draw = new Draw(seed);
  return Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, () => draw.real(-1, 1));
};

/** What ONNX Runtime makes of a file; undefined for poolings that it refuses (more padding than window). */
async function runtime({ input }: Graph, bytes: Uint8Array, values: Float32Array) {
  try {
    const dims = [1, ...input.shape];
    return Object.values(await runModel(bytes, { [input.name]: { type: 'float32', dims, data: values } }));
  } catch (error) {
    if (/pad should be smaller than kernel|pads\[/i.test(String(error))) return undefined;
    throw error;
  }
}

/** All that decides what a graph computes, however its attributes were written. */
function meaningOf(graph: Graph) {
  return {
    name: graph.name,
    description: graph.description,
    input: graph.input,
    outputs: graph.outputs,
    detector: graph.detector,
    nodes: graph.nodes.map(({ name, op, attributes, inputs, inputShapes, outputShape, parameters }) => {
      const { machine } = op;
      const [input] = inputShapes;
      return {
        name,
        op: op.name,
        inputs,
        inputShapes,
        outputShape,
        parameters: parameters.map((one) => [one.name, one.shape]),
        ...(machine.stage === 'array' && { geometry: machine.convolution(attributes, input!, outputShape) }),
        ...(machine.stage === 'pool' && { geometry: machine.pooling(attributes, input!, outputShape) }),
        ...(machine.stage === 'activation' && { activation: machine.activation(attributes) }),
        ...(machine.stage === 'crossChannel' && { reduction: machine.reduction(attributes) }),
        ...(machine.stage === 'rearrange' && {
          rearrangement: machine.rearrangement(attributes, input!, outputShape),
        }),
      };
    }),
  };
}

/** Repeats no cell: a node that reading back leaves out. */
const repeatsNothing = ({ inputShapes, outputShape, op }: Graph['nodes'][number]) =>
  op.machine.stage === 'rearrange' && inputShapes[0]!.join() === outputShape.join();

const graphs = fc
  .sample(networkRecipe, { seed: 4, numRuns: 80 })
  .map(buildNetwork)
  .filter(({ nodes }) => !nodes.some(repeatsNothing))
  .slice(0, 60);

/** With a map that a layer sees under another shape. */
const flat = readModel(
  `name: flat
input: { shape: [3, 8, 12] }
layers:
  - { op: convolution, name: a, filters: 8, kernel: 3, padding: same }
  - { op: leakyRelu, name: b, slope: 0.125 }
  - { op: reorg, name: r, stride: 2 }
  - { op: convolution, name: c, filters: 5, kernel: 1 }
`,
  'flat.yaml',
);

describe('float networks', () => {
  it('60 random ones come back the same, weights included, and ONNX Runtime agrees within 1e-4', async () => {
    const tf = await loadTensorflow();
    let compared = 0;
    for (const [i, graph] of graphs.entries()) {
      const parameters = seededParameters(graph, i);
      const bytes = writeFloatOnnx(graph, parameters);
      const back = readOnnx(bytes, 'random.onnx');
      expect(meaningOf(back.graph)).toEqual(meaningOf(graph));
      const values = back.parameters!();
      for (const [name, expected] of parameters) expect(values.get(name)).toEqual(expected);
      expect(writeFloatOnnx(back.graph, values)).toEqual(bytes);

      const input = inputOf(graph);
      const theirs = await runtime(graph, bytes, input);
      if (theirs === undefined) continue;
      const ours = runFloat(tf, graph, parameters, input, () => true);
      for (const [o, { data }] of theirs.entries()) {
        expect(relativeError(ours.get(graph.outputs[o]!)!, data)).toBeLessThan(1e-4);
      }
      compared++;
    }
    expect(compared).toBeGreaterThan(45);
  });

  it.each([
    'condensation-net',
    'tiny-yolov2',
    'tiny-face-detector',
    'separable-tiny-yolov2-face',
  ])('%s comes back the same, its detector included', (name) => {
    const graph = readModelFile(`models/${name}.yaml`);
    const parameters = seededParameters(graph, 1);
    const back = readOnnx(writeFloatOnnx(graph, parameters), 'model.onnx');
    const { nodes, ...rest } = meaningOf(back.graph);
    const { nodes: expected, ...others } = meaningOf(graph);
    expect(rest).toEqual(others);
    // Names of manifest entries are the YAML file's own business.
    const plain = (all: typeof nodes) =>
      all.map(({ parameters: list, ...one }) => [one, list.map(([, s]) => s)]);
    expect(plain(nodes)).toEqual(plain(expected));
  });

  it('Condensation-Net runs in ONNX Runtime, cross-channel pooling and all', async () => {
    const graph = readModelFile('models/condensation-net.yaml');
    const parameters = seededParameters(graph, 1);
    const input = inputOf(graph);
    const [theirs] = (await runtime(graph, writeFloatOnnx(graph, parameters), input))!;
    const ours = runFloat(
      await loadTensorflow(),
      graph,
      parameters,
      input,
      (name) => name === graph.outputs[0],
    );
    expect(relativeError(ours.get(graph.outputs[0]!)!, theirs!.data)).toBeLessThan(1e-4);
  });
});

describe('a map that a layer sees under another shape', () => {
  it('comes back the same, and ONNX Runtime agrees', async () => {
    const parameters = seededParameters(flat, 1);
    const bytes = writeFloatOnnx(flat, parameters);
    expect(meaningOf(readOnnx(bytes, 'flat.onnx').graph)).toEqual(meaningOf(flat));
    const input = inputOf(flat);
    const [theirs] = (await runtime(flat, bytes, input))!;
    const ours = runFloat(await loadTensorflow(), flat, parameters, input, (name) => name === 'c');
    expect(relativeError(ours.get('c')!, theirs!.data)).toBeLessThan(1e-4);
  });

  it('quantised: bit for bit', async () => {
    const mine = await quantised(flat, defaultNumbers('shift'), 1);
    const bytes = writeQuantisedOnnx(mine, seededParameters(flat, 1));
    const input = inputOf(flat);
    const { scale, zeroPoint } = mine.tensors.get('c')!;
    const { tensors } = runInteger(mine, quantiseInput(input, mine.tensors.get('image')!));
    const [theirs] = (await runtime(flat, bytes, input))!;
    expect(Array.from(theirs!.data)).toEqual(Array.from(dequantise(tensors.get('c')!, { scale, zeroPoint })));
    const back = readOnnx(bytes, 'flat.onnx');
    expect(back.graph.nodes.some(({ op }) => op.name === 'reorg')).toBe(true);
  });
});

async function quantised(graph: Graph, numbers: NumberOptions, seed: number): Promise<QuantisedNetwork> {
  const parameters = seededParameters(graph, seed);
  const ranges = calibrate(await loadTensorflow(), graph, parameters, [inputOf(graph, 92)]);
  return quantise(layerNetwork(graph), parameters, ranges, numbers);
}

/** Averages of an even number of values round ties by the zero point's side in ONNX, by the integers here. */
function hasMeans({ graph }: QuantisedNetwork['network']): boolean {
  return graph.nodes.some(({ op, attributes, inputShapes, outputShape }) => {
    const { machine } = op;
    return (
      (machine.stage === 'pool' &&
        machine.pooling(attributes, inputShapes[0]!, outputShape).kind === 'average') ||
      (machine.stage === 'crossChannel' && machine.reduction(attributes).kind === 'mean')
    );
  });
}

const formats = {
  'shifts, asymmetric': {
    ...defaultNumbers('shift'),
    activations: { bits: 8, signed: false, symmetric: false },
  },
  'shifts, signed': defaultNumbers('shift'),
  multipliers: {
    ...defaultNumbers('multiplier'),
    activations: { bits: 8, signed: false, symmetric: false },
  },
  '16 bits': {
    ...defaultNumbers('shift'),
    activations: { bits: 16, signed: true, symmetric: true },
    accumulator: { bits: 40, overflow: 'saturate' },
  },
} as const satisfies Record<string, NumberOptions>;

describe('quantised networks', () => {
  it.each(
    Object.entries(formats),
  )('%s: come back bit for bit, and ONNX Runtime agrees', async (name, numbers) => {
    let [values, different, worst, exact, networks] = [0, 0, 0, 0, 0];
    for (const [i, graph] of graphs.slice(0, 40).entries()) {
      const mine = await quantised(graph, numbers, i);
      const parameters = seededParameters(graph, i);
      const bytes = writeQuantisedOnnx(mine, parameters);
      const means = hasMeans(mine.network);
      const input = inputOf(graph);
      const { tensors } = runInteger(mine, quantiseInput(input, mine.tensors.get(graph.input.name)!));

      const back = readOnnx(bytes, 'random.onnx');
      const again = quantiseGiven(
        layerNetwork(back.graph, back.given!.apart),
        back.parameters!(),
        back.given!,
        numbers,
      );
      const theirsHere = runInteger(
        again,
        quantiseInput(input, again.tensors.get(graph.input.name)!),
      ).tensors;
      const machineOutputs = mine.network.machineOutputs.filter((tensor) => tensors.has(tensor));
      if (!means) {
        for (const tensor of machineOutputs) {
          expect(Array.from(theirsHere.get(tensor)!), `${graph.name} ${i} ${tensor}`).toEqual(
            Array.from(tensors.get(tensor)!),
          );
        }
      }

      const theirs = await runtime(graph, bytes, input);
      if (theirs === undefined) continue;
      networks++;
      let own = 0;
      for (const [o, { data }] of theirs.entries()) {
        const tensor = mine.tensors.get(graph.outputs[o]!);
        const integers = tensors.get(graph.outputs[o]!);
        // What the host makes in float is no integer.
        if (tensor === undefined || integers === undefined) continue;
        const real = dequantise(integers, { ...tensor, scale: Math.fround(tensor.scale) });
        for (let at = 0; at < data.length; at++) {
          const steps = Math.round(Math.abs(real[at]! - data[at]!) / tensor.scale);
          values++;
          if (steps > 0) own++;
          if (!means) worst = Math.max(worst, steps);
        }
      }
      if (own === 0) exact++;
      if (!means) different += own;
    }
    expect(networks).toBeGreaterThan(30);
    expect(worst).toBeLessThanOrEqual(1);
    // Sums of 16-bit products are more than a float32 holds, which is what ONNX Runtime sums them in.
    expect(different / values).toBeLessThanOrEqual(name === '16 bits' ? 2e-4 : 0);
    console.log(
      `${name}: ${networks} networks, ${exact} equal bit for bit; without means ${different} of ${values} values differ, by at most ${worst}`,
    );
  });
});
