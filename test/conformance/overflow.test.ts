/** The ends of the accumulator: where sums are still proven to fit, and how often they leave it where they are not. */
import { describe, expect, it } from 'vitest';
import type { MachineConfig } from '../../src/hw/machine/config.ts';
import { readMachineFile } from '../../src/import/machine-yaml.ts';
import { readModel } from '../../src/import/model-yaml.ts';
import { createMemory, FIRST_FREE_ADDRESS, loadKernels, scratchBytes } from '../../src/kernels/kernels.ts';
import { runInteger, sumProducts } from '../../src/quant/integer-executor.ts';
import { layerNetwork } from '../../src/quant/layers.ts';
import { defaultNumbers } from '../../src/quant/numbers.ts';
import type { NumberOptions, QuantisedLayer, QuantisedNetwork } from '../../src/quant/quantised.ts';
import { integerMap } from '../../src/quant/values.ts';
import { mayOverflow } from '../../src/quant/weights.ts';
import { compileProgram } from '../../src/schedule/program.ts';
import { runProgram } from '../../src/schedule/run.ts';
import { expectedOverflows, expectTensors } from './check-run.test-helper.ts';
import { randomInput, randomIntegers } from './random-networks.test-helper.ts';

const edge = readMachineFile('hw-configs/edge-1024.yaml');

describe('no overflow is possible', () => {
  /** The most products of -127 and -128 that an int32 holds: 2359 channels of a 7x8 kernel. */
  const PRODUCTS = Math.floor((2 ** 31 - 1) / (127 * 128));
  const [channels, rows, columns] = [PRODUCTS / 56, 7, 8] as const;
  const numbers = defaultNumbers('multiplier');
  const tensor = { zeroPoint: 0, format: { bits: 8, signed: true }, scale: 1 };

  const weightsOf = (products: number) =>
    Int8Array.from({ length: 2 * products }, (_, i) => (i < products ? -127 : 127));

  it('for exactly as many products as it says', () => {
    expect(mayOverflow(weightsOf(PRODUCTS), [0, 0], tensor, numbers)).toBe(false);
    expect(mayOverflow(weightsOf(PRODUCTS + 1), [0, 0], tensor, numbers)).toBe(true);
    const left = 2 ** 31 - 1 - PRODUCTS * 127 * 128;
    expect(mayOverflow(weightsOf(PRODUCTS), [left, -left], tensor, numbers)).toBe(false);
    expect(mayOverflow(weightsOf(PRODUCTS), [0, -left - 1], tensor, numbers)).toBe(true);
  });

  const network = layerNetwork(
    readModel(
      `name: full\ninput: { shape: [${channels}, ${rows}, ${columns}] }\nlayers:\n  - { op: convolution, name: sum, filters: 2, kernel: [7, 8] }\n`,
      'full.yaml',
    ),
  );
  // The sums' highest 8 bits.
  const channel = { bias: 0, positiveMultiplier: 1, negativeMultiplier: 1, shift: 24 };
  const layer: QuantisedLayer = {
    layer: network.layers[0]!,
    weights: weightsOf(PRODUCTS),
    channels: [channel, channel],
    output: { low: -128, high: 127, zeroPoint: 0, rounding: 'truncate' },
    mayOverflow: false,
  };
  const shape = [channels, rows, columns] as const;
  const tensors = [
    { name: 'image', shape, ...tensor },
    { name: 'sum', shape: [2, 1, 1] as const, ...tensor },
  ];
  const quantised: QuantisedNetwork = {
    network,
    numbers: { ...numbers, rounding: 'truncate' },
    tensors: new Map(tensors.map((one) => [one.name, one])),
    layers: [layer],
  };

  it.each([-128, 127])('on a map of nothing but %i, in the kernels', async (value) => {
    const input = new Int8Array(PRODUCTS).fill(value);
    const map = integerMap(tensors[0]!, input, quantised.numbers);
    const overflows = { count: 0 };
    const sums = sumProducts({ ...layer, mayOverflow: true }, [map], quantised.numbers, overflows);
    expect(overflows.count).toBe(0);
    expect([...sums]).toEqual([value * -127 * PRODUCTS, value * 127 * PRODUCTS]);
    expect([...sumProducts(layer, [map], quantised.numbers, overflows)]).toEqual([...sums]);

    const geometry = {
      channels,
      filters: 2,
      ...{ kernelRows: rows, kernelColumns: columns, strideRows: 1, strideColumns: 1 },
      ...{ dilationRows: 1, dilationColumns: 1, outRows: 1, outColumns: 1 },
    };
    const features = FIRST_FREE_ADDRESS;
    const weights = features + PRODUCTS;
    const accumulators = weights + 2 * PRODUCTS + 16;
    const scratch = accumulators + 16;
    const memory = createMemory(scratch + scratchBytes(geometry));
    const bytes = new Int8Array(memory.buffer);
    bytes.set(input, features);
    for (let i = 0; i < PRODUCTS; i++) bytes.set([-127, 127], weights + 2 * i);
    for (const simd of [true, false]) {
      const kernels = await loadKernels(memory, { simd });
      kernels.convolve(
        ...([features, columns, rows * columns, rows, columns, channels, 0, 0] as const),
        ...([rows, columns, 1, 1, 1, 1, 1, 1, 2, weights, accumulators, 0, scratch, 0, 0] as const),
      );
      const view = new DataView(memory.buffer);
      expect([view.getInt32(accumulators, true), view.getInt32(accumulators + 4, true)]).toEqual([...sums]);
    }
  });

  it.each([-128, 127])('on a map of nothing but %i, on machines', async (value) => {
    const input = new Int8Array(PRODUCTS).fill(value);
    const reference = runInteger(quantised, input);
    expect([...reference.tensors.get('sum')!]).toEqual(value < 0 ? [127, -128] : [-127, 126]);
    const requantise = { ...edge.postProcessing.requantise, rounding: 'truncate' as const };
    const postProcessing = { ...edge.postProcessing, requantise };
    // All at once, and in chunks whose partial sums leave the array.
    for (const isChunked of [false, true]) {
      const feature = { bytes: isChunked ? 4096 : 2 ** 20, banks: 64 };
      const accumulator = { bytes: isChunked ? 4096 : 1 };
      const buffers = { ...edge.buffers, feature, accumulator, weight: { bytes: 2 ** 20 } };
      const machine: MachineConfig = { ...edge, buffers, postProcessing };
      const options = { virtualFeatureMaps: true, numbers: quantised.numbers };
      const program = compileProgram(network, machine, options, quantised);
      expect(program.commands.filter(({ op }) => op === 'compute').length > 1).toBe(isChunked);
      const run = await runProgram(program, machine, { data: { quantised, input } });
      expectTensors(run, program, reference.tensors);
      expect(run.overflows).toBe(0);
    }
  });
});

describe('a layer without a proof', () => {
  it('is watched like one that may overflow', async () => {
    const numbers: NumberOptions = {
      ...defaultNumbers('multiplier'),
      accumulator: { bits: 14, overflow: 'saturate' },
    };
    const machine: MachineConfig = { ...edge, peArray: { ...edge.peArray, accumulatorBits: 14 } };
    const model =
      'name: bare\ninput: { shape: [4, 9, 9] }\nlayers:\n  - { op: convolution, filters: 4, kernel: 3 }\n';
    const network = layerNetwork(readModel(model, 'bare.yaml'));
    const proven = randomIntegers(network, numbers, 3);
    const { mayOverflow: _, ...bare } = proven.layers[0]!;
    const unproven = { ...proven, layers: [bare] };
    const input = randomInput(proven, 4);
    const reference = runInteger(unproven, input);
    const program = compileProgram(network, machine, { virtualFeatureMaps: true, numbers }, unproven);
    const run = await runProgram(program, machine, { data: { quantised: unproven, input } });
    expectTensors(run, program, reference.tensors);
    expect(reference.overflows).toBeGreaterThan(20);
    expect(run.overflows).toBe(reference.overflows);
  });
});

describe('overflows of rows that overlapping pools share', () => {
  const numbers: NumberOptions = {
    ...defaultNumbers('multiplier'),
    accumulator: { bits: 14, overflow: 'wrap' },
  };
  const machine: MachineConfig = {
    ...edge,
    peArray: { ...edge.peArray, accumulatorBits: 14, accumulatorOverflow: 'wrap' },
    buffers: { ...edge.buffers, output: { bytes: 128 } },
  };

  it.each([
    ['twice', 3, 2],
    ['or not at all', 1, 2],
  ])('are counted as often as they are computed: %s', async (_name, window, stride) => {
    const model = [
      'name: shared',
      'input: { shape: [4, 15, 15] }',
      'layers:',
      '  - { op: convolution, name: conv, filters: 8, kernel: 3, padding: 1 }',
      `  - { op: maxPool, name: pool, window: ${window}, stride: ${stride} }`,
    ].join('\n');
    const network = layerNetwork(readModel(`${model}\n`, 'shared.yaml'));
    const quantised = randomIntegers(network, numbers, 3);
    const input = randomInput(quantised, 4);
    const reference = runInteger(quantised, input);
    const program = compileProgram(network, machine, { virtualFeatureMaps: true, numbers }, quantised);
    const run = await runProgram(program, machine, { data: { quantised, input } });
    expectTensors(run, program, reference.tensors);
    expect(reference.overflows).toBeGreaterThan(100);
    expect(run.overflows).toBe(expectedOverflows(program, quantised, input, reference));
    if (window > stride) expect(run.overflows).toBeGreaterThan(reference.overflows);
    else expect(run.overflows).toBeLessThan(reference.overflows);
  });
});
