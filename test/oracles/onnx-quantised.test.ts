/**
 * Quantised ONNX models, written from the schema, against ONNX Runtime: scales and zero points as they stand. With
 * powers of two bit for bit, with other scales at most one step.
 */
import { describe, expect, it } from 'vitest';
import { readOnnx } from '../../src/import/onnx/read.ts';
import { layerNetwork } from '../../src/quant/layers.ts';
import { Draw } from './comparison.test-helper.ts';
import { exact, integerDifferences } from './import.test-helper.ts';
import { encodeModel, scalar, tensor } from './onnx-file.test-helper.ts';
import {
  Builder,
  type Drawn,
  inputFor,
  type MapType,
  randomModel,
  type Style,
  start,
} from './onnx-quantised-models.test-helper.ts';

async function compareMany(count: number, seed: number, style: (draw: Draw) => Style) {
  const draw = new Draw(seed);
  const total = { values: 0, different: 0, worst: 0 };
  for (let i = 0; i < count; i++) {
    const { model, input } = randomModel(draw, style(draw));
    const { values, different, worst } = await integerDifferences(model, input);
    total.values += values;
    total.different += different;
    total.worst = Math.max(total.worst, worst);
  }
  return total;
}

const anyType = (draw: Draw): MapType => draw.pick(['int8', 'uint8']);

describe('random quantised models with power-of-two scales', () => {
  it('QuantizeLinear and DequantizeLinear: bit for bit', async () => {
    const total = await compareMany(100, 31, (draw) => ({
      general: false,
      linear: false,
      type: anyType(draw),
    }));
    expect(total.values).toBeGreaterThan(5_000);
    expect(total).toMatchObject({ different: 0 });
  });

  it('QLinear operators: bit for bit', async () => {
    const total = await compareMany(100, 32, (draw) => ({
      general: false,
      linear: true,
      type: anyType(draw),
      evenZeros: true,
    }));
    expect(total.values).toBeGreaterThan(5_000);
    expect(total).toMatchObject({ different: 0 });
  });
});

describe('the comparison', () => {
  it('notices another rounding', async () => {
    const draw = new Draw(31);
    let different = 0;
    for (let i = 0; i < 12; i++) {
      const { model, input } = randomModel(draw, { general: false, linear: false, type: anyType(draw) });
      const other = { ...exact, rounding: 'half-away' } as const;
      different += (await integerDifferences(model, input, other)).different;
    }
    expect(different).toBeGreaterThan(10);
  });
});

/** Single layers: behind one another a difference of a step would be amplified, on both sides alike. */
async function compareLayers(count: number, seed: number, linear: boolean) {
  const draw = new Draw(seed);
  const total = { values: 0, different: 0, worst: 0 };
  for (let i = 0; i < count; i++) {
    const style: Style = { general: true, linear, type: anyType(draw), evenZeros: true };
    const builder = new Builder(draw, style);
    const shape = [4, 10, 10] as const;
    const input = start(builder, shape, !linear);
    const at = draw.pick([
      () => builder.convolution(input),
      () => builder.convolution(input),
      () => builder.matrix(input),
    ])();
    const model = builder.model(input, at, !linear);
    const one = await integerDifferences(model, inputFor(draw, shape, !linear, style.type));
    total.values += one.values;
    total.different += one.different;
    total.worst = Math.max(total.worst, one.worst);
  }
  return total;
}

describe('random layers with any scales', () => {
  it.each([
    ['QuantizeLinear and DequantizeLinear', false],
    ['QLinear operators', true],
  ])('%s: at most one step, in at most 1 of 1,000 values', async (_, linear) => {
    const { values, different, worst } = await compareLayers(120, 33, linear);
    console.log(`general scales: ${different} of ${values} values differ, by at most ${worst} step(s)`);
    expect(values).toBeGreaterThan(10_000);
    expect(worst).toBeLessThanOrEqual(1);
    expect(different / values).toBeLessThan(1e-3);
  });
});

describe('single quantised operators', () => {
  const draw = new Draw(5);
  const linear: Style = { general: false, linear: true, type: 'uint8', evenZeros: true };
  const around: Style = { general: false, linear: false, type: 'int8' };

  /** An operator between DequantizeLinear and QuantizeLinear. */
  const between = async (
    make: (builder: Builder, real: string) => string,
    options: Partial<{ shape: Drawn['shape']; out: Drawn['shape']; scale: number; behindConv: boolean }> = {},
  ) => {
    const { shape = [4, 6, 6], out = shape, scale = 2 ** -6, behindConv = false } = options;
    const builder = new Builder(draw, around);
    const first = start(builder, shape, true);
    const input = behindConv ? builder.convolved(first) : first;
    const made = make(builder, builder.real(input));
    const last = builder.rounded(made, out, builder.numbers(scale));
    const model = builder.model(first, last, true);
    const differences = await integerDifferences(model, inputFor(draw, shape, true, 'int8'));
    return { ...differences, imported: readOnnx(encodeModel(model), 'test.onnx') };
  };

  it.each(['Sigmoid', 'Tanh', 'HardSwish'])('%s as a table', async (op) => {
    expect(await between((builder, real) => builder.op(op, [real]))).toMatchObject({ different: 0 });
    const behind = await between((builder, real) => builder.op(op, [real]), { behindConv: true });
    expect(behind).toMatchObject({ different: 0 });
  });

  it('SiLU as a table', async () => {
    const result = await between((builder, real) => builder.op('Mul', [real, builder.op('Sigmoid', [real])]));
    expect(result).toMatchObject({ different: 0 });
  });

  it('LeakyRelu with a slope of a power of two, rounded twice as the file has it', async () => {
    const result = await between(
      (builder, real) => builder.op('LeakyRelu', [real], { alpha: { float: 0.125 } }),
      {
        behindConv: true,
        scale: 2 ** -5,
      },
    );
    expect(result).toMatchObject({ different: 0 });
    const { graph, given } = result.imported;
    expect(layerNetwork(graph, given!.apart).layers.length).toBe(2);
  });

  it('LeakyRelu with slope 0.1: at most one step', async () => {
    const result = await between((builder, real) =>
      builder.op('LeakyRelu', [real], { alpha: { float: 0.1 } }),
    );
    expect(result.worst).toBeLessThanOrEqual(1);
  });

  it('ReLU6 and requantisation to other numbers', async () => {
    const result = await between(
      (builder, real) =>
        builder.op('Clip', [
          real,
          builder.constant(scalar('float32', 0)),
          builder.constant(scalar('float32', 1)),
        ]),
      { behindConv: true, scale: 2 ** -4 },
    );
    expect(result).toMatchObject({ different: 0 });
  });

  it('QuantizeLinear behind DequantizeLinear alone requantises', async () => {
    const builder = new Builder(draw, around);
    const first = start(builder, [3, 4, 4], true);
    const conv = builder.convolved(first);
    const again = builder.rounded(builder.real(conv), conv.shape, builder.numbers(2 ** -3));
    const model = builder.model(first, again, true);
    expect(await integerDifferences(model, inputFor(draw, [3, 4, 4], true, 'int8'))).toMatchObject({
      different: 0,
    });
  });

  it('means over all cells, a power of two of them and not', async () => {
    const pooled = (builder: Builder, real: string) => builder.op('GlobalAveragePool', [real]);
    const whole = await between(pooled, { shape: [6, 4, 8], out: [6, 1, 1] });
    expect(whole).toMatchObject({ different: 0 });
    const seven = await between(pooled, { shape: [16, 7, 7], out: [16, 1, 1] });
    expect(seven.worst).toBeLessThanOrEqual(1);
  });

  it('a cross-channel mean with an odd zero point rounds as the file does', async () => {
    const mean = (builder: Builder, real: string) =>
      builder.op(
        'ReduceMean',
        [builder.op('Reshape', [real, builder.constant(tensor('int64', [5], [1, 2, 2, 6, 6]))])],
        { axes: [2], keepdims: 0 },
      );
    for (let i = 0; i < 6; i++) {
      expect(await between(mean, { out: [2, 6, 6] })).toMatchObject({ different: 0 });
    }
  });

  it('Pad between, with a zero point', async () => {
    const builder = new Builder(draw, linear);
    const first = start(builder, [2, 5, 5], false);
    const pads = builder.constant(tensor('int64', [8], [0, 0, 1, 1, 0, 0, 1, 1]));
    const padded = builder.op('Pad', [first.name, pads, first.zero]);
    const weights = builder.weights([4, 2, 3, 3], 0);
    const numbers = builder.numbers();
    const name = builder.op('QLinearConv', [
      ...[padded, first.scale, first.zero, weights.name, weights.scale, weights.zero],
      ...[numbers.scale, numbers.zero],
    ]);
    const model = builder.model(first, { name, ...numbers, shape: [4, 5, 5] }, false);
    const input = inputFor(draw, [2, 5, 5], false, 'uint8');
    expect(await integerDifferences(model, input)).toMatchObject({ different: 0 });
  });

  it('QLinearGlobalAveragePool, QLinearLeakyRelu, QLinearSigmoid', async () => {
    const shape = [4, 4, 4] as const;
    for (const [op, attributes, out] of [
      ['QLinearGlobalAveragePool', {}, [4, 1, 1]],
      ['QLinearLeakyRelu', { alpha: { float: 0.25 } }, shape],
      ['QLinearSigmoid', {}, shape],
    ] as const) {
      const builder = new Builder(draw, linear);
      const first = start(builder, shape, false);
      const numbers = builder.numbers(2 ** -6);
      const inputs = [first.name, first.scale, first.zero, numbers.scale, numbers.zero];
      const name = builder.op(op, inputs, attributes, 'com.microsoft');
      const model = builder.model(first, { name, ...numbers, shape: out }, false);
      const differences = await integerDifferences(model, inputFor(draw, shape, false, 'uint8'));
      expect(differences, op).toMatchObject({ different: 0 });
    }
  });

  it('16-bit feature maps', async () => {
    const builder = new Builder(draw, { general: false, linear: false, type: 'int16' });
    const first = start(builder, [2, 5, 5], true);
    const last = builder.convolved(first);
    const model = builder.model(first, last, true);
    expect(await integerDifferences(model, inputFor(draw, [2, 5, 5], true, 'int16'))).toMatchObject({
      different: 0,
    });
  });

  it('a machine of shifts: bit for bit as well, and refused where a scale is no power of two', async () => {
    const shifts = { ...exact, form: 'shift', multiplierBits: 16 } as const;
    const { model, input } = randomModel(new Draw(8), { general: false, linear: false, type: 'int8' });
    expect(await integerDifferences(model, input, shifts)).toMatchObject({ different: 0 });
    const other = randomModel(new Draw(8), { general: true, linear: false, type: 'int8' });
    await expect(integerDifferences(other.model, other.input, shifts)).rejects.toThrow(
      /no power of two, expected a machine with multipliers/,
    );
  });
});
