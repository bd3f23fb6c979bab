/** Cases with whatever scales the product chooses for float weights and ranges, requantised by multiplier and shift. */
import { product } from '../../src/core/integers.ts';
import { buildGraph } from '../../src/graph/build.ts';
import type { Shape } from '../../src/graph/graph.ts';
import { findOperator } from '../../src/ops/index.ts';
import { foldedWeights } from '../../src/quant/fold.ts';
import { runLayer } from '../../src/quant/integer-executor.ts';
import { layerNetwork } from '../../src/quant/layers.ts';
import { defaultNumbers } from '../../src/quant/numbers.ts';
import { quantise } from '../../src/quant/quantise.ts';
import type { NumberOptions } from '../../src/quant/quantised.ts';
import { quantiseFilters } from '../../src/quant/weights.ts';
import { type Draw, fedMap, mapOf, type OracleCase, scalar, scales } from './comparison.test-helper.ts';
import { elementType } from './onnx-model.test-helper.ts';

/** 16 x 32 x 32 outputs. */
const SHAPE: Shape = [8, 32, 32];
const FILTERS = 16;

/**
 * `QLinearConv` as the product quantises a 3 x 3 convolution of random weights, a scale a filter,
 * activations with zero points. ONNX Runtime gets the scales as float32, which is part of what is measured.
 */
export function generalConvolutionCase(draw: Draw, multiplierBits: number): OracleCase {
  const attributes = { filters: FILTERS, kernel: 3, padding: 'same' };
  const graph = buildGraph({
    name: 'case',
    description: '',
    input: { name: 'x', shape: SHAPE, preparation: { mean: [0], divisor: 1 } },
    nodes: [{ name: 'y', op: findOperator('convolution')!, attributes, inputs: ['x'] }],
  });
  const taps = SHAPE[0] * 9;
  const low = -draw.real(0, 2);
  const high = draw.real(1, 4);
  // Weights, and inputs all over their range, are uniform: this is the deviation of their sum.
  const spread = Math.sqrt(taps * (1 / 3) * ((high ** 3 - low ** 3) / (3 * (high - low))));
  const parameters = new Map([
    ['y/filters', Float32Array.from({ length: taps * FILTERS }, () => draw.real(-1, 1))],
    ['y/bias', Float32Array.from({ length: FILTERS }, () => draw.real(-spread, spread))],
  ]);
  const ranges = new Map([
    ['x', { low, high }],
    ['y', { low: -draw.real(1, 3) * spread, high: draw.real(1, 3) * spread }],
  ]);
  const numbers: NumberOptions = {
    ...defaultNumbers('multiplier'),
    activations: { bits: 8, signed: draw.chance(), symmetric: false },
    multiplierBits,
  };
  const { layers, tensors } = quantise(layerNetwork(graph), parameters, ranges, numbers);
  const quantised = layers[0]!;
  const input = tensors.get('x')!;
  const output = tensors.get('y')!;
  // The scales of the filters are nowhere in the quantised network: asked for again.
  const { weights, bias } = foldedWeights(quantised.layer, parameters);
  const filters = quantiseFilters('y', weights, bias, input.scale, output.scale, numbers);
  const data = draw.values(input.format, product(SHAPE));
  return {
    name: `QLinearConv, ${multiplierBits}-bit multipliers, ${input.scale} to ${output.scale}`,
    node: {
      op: 'QLinearConv',
      attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] },
      inputs: [
        fedMap(data, SHAPE),
        scales(input.scale),
        scalar(input.format, input.zeroPoint),
        { data: quantised.weights!, dims: [FILTERS, SHAPE[0], 3, 3] },
        scales(...filters.scales),
        { data: new Int8Array(FILTERS) },
        scales(output.scale),
        scalar(output.format, output.zeroPoint),
        { data: Int32Array.from(filters.biases) },
      ],
      output: elementType(data),
    },
    ours: (alteration) => {
      const map = mapOf(SHAPE, data, input, alteration);
      return runLayer(quantised, [map], output, numbers, { count: 0 });
    },
  };
}
