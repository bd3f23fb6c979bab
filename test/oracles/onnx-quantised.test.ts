/**
 * Quantised ONNX models, written from the schema, against ONNX Runtime: scales and zero points as they stand. With
 * powers of two bit for bit, with other scales at most one step.
 */
import { describe, expect, it } from 'vitest';
import { readOnnx } from '../../src/import/onnx/read.ts';
import { layerNetwork } from '../../src/quant/layers.ts';
import { Draw } from './comparison.test-helper.ts';
import { exact, integerDifferences } from './import.test-helper.ts';
import {
  type Attribute,
  type ElementType,
  encodeModel,
  type FileModel,
  type FileNode,
  scalar,
  type TensorFields,
  tensor,
} from './onnx-file.test-helper.ts';

const product = (dims: readonly number[]) => dims.reduce((total, size) => total * size, 1);

type MapType = 'int8' | 'uint8' | 'int16' | 'uint16';
const RANGES: Readonly<Record<MapType, readonly [low: number, high: number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};

interface Style {
  /** Powers of two, or any. */
  readonly general: boolean;
  /** QLinear operators, else QuantizeLinear and DequantizeLinear. */
  readonly linear: boolean;
  readonly type: MapType;
  /** Zero points that are even: `QLinearAdd` rounds with it added, which only moves ties on odd ones. */
  readonly evenZeros?: boolean;
}

/** A quantised value while a model is drawn. */
interface Drawn {
  readonly name: string;
  readonly scale: string;
  readonly zero: string;
  readonly shape: readonly [number, number, number];
}

/** Makes quantised models layer by layer. */
class Builder {
  readonly nodes: FileNode[] = [];
  readonly constants: Record<string, TensorFields> = {};
  private readonly scales = new Map<string, number>();
  private count = 0;

  constructor(
    readonly draw: Draw,
    readonly style: Style,
  ) {}

  fresh(prefix: string): string {
    return `${prefix}${this.count++}`;
  }

  constant(value: TensorFields): string {
    const name = this.fresh('k');
    this.constants[name] = value;
    return name;
  }

  scaleValue(): number {
    const { draw, style } = this;
    return style.general ? Math.fround(draw.real(0.01, 0.06)) : 2 ** draw.integer(-6, -4);
  }

  /** A scale and a zero point. */
  numbers(scale = this.scaleValue(), type: ElementType = this.style.type): { scale: string; zero: string } {
    const [low, high] = RANGES[this.style.type];
    const middle = (low + high + 1) / 2;
    const any = this.draw.integer(middle - 60, middle + 60);
    const zero = this.style.evenZeros ? any & ~1 : any;
    const name = this.constant(scalar('float32', scale));
    this.scales.set(name, scale);
    return { scale: name, zero: this.constant(scalar(type, zero)) };
  }

  op(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain?: string,
  ): string {
    const output = this.fresh('v');
    this.nodes.push({ op, inputs, outputs: [output], attributes, ...(domain && { domain }) });
    return output;
  }

  real({ name, scale, zero }: Drawn): string {
    return this.op('DequantizeLinear', [name, scale, zero]);
  }

  rounded(name: string, shape: Drawn['shape'], { scale, zero } = this.numbers()): Drawn {
    return { name: this.op('QuantizeLinear', [name, scale, zero]), scale, zero, shape };
  }

  /** Integer weights with a scale, or one a filter. */
  weights(
    dims: readonly number[],
    axis: 0 | 1,
  ): { name: string; scale: string; zero: string; scales: number[] } {
    const { draw, style } = this;
    const filters = dims[axis]!;
    // ONNX Runtime has no QLinearConv of signed maps and unsigned weights.
    const unsigned = draw.chance() && !(style.linear && style.type === 'int8');
    const perFilter = draw.chance();
    // A filter's sum should come out at a few hundred steps.
    const size = product(dims) / filters;
    const fine = () =>
      style.general
        ? Math.fround(draw.real(0.2, 1) / size / 8)
        : 2 ** (-Math.round(Math.log2(size)) - 3 + draw.integer(-1, 1));
    const scales = Array.from({ length: perFilter ? filters : 1 }, fine);
    const type = unsigned ? 'uint8' : 'int8';
    const zero = unsigned ? 128 : 0;
    const values = Array.from({ length: product(dims) }, () => draw.integer(...RANGES[type]));
    const list = perFilter ? [filters] : [];
    const name = this.constant(tensor(type, dims, values));
    const scale = this.constant(tensor('float32', list, scales));
    const zeros = this.constant(
      tensor(
        type,
        list,
        scales.map(() => zero),
      ),
    );
    return {
      name,
      scale,
      zero: zeros,
      scales: Array.from({ length: filters }, (_, f) => scales[f] ?? scales[0]!),
    };
  }

  /** A bias in units of the accumulator. */
  bias(input: Drawn, scales: readonly number[]): { integers: string; scale: string; zero: string } {
    const units = scales.map((scale) => Math.fround(this.scales.get(input.scale)! * scale));
    const values = units.map(() => this.draw.integer(-2000, 2000));
    return {
      integers: this.constant(tensor('int32', [values.length], values)),
      scale: this.constant(tensor('float32', [values.length], units)),
      zero: this.constant(
        tensor(
          'int32',
          [values.length],
          values.map(() => 0),
        ),
      ),
    };
  }

  convolution(input: Drawn, relu = this.draw.chance()): Drawn {
    const { draw, style } = this;
    const [channels, rows, columns] = input.shape;
    const depthwise = draw.integer(0, 3) === 0;
    const filters = depthwise ? channels : 2 * draw.integer(1, 4);
    const [kh, kw] = [draw.integer(1, 3), draw.integer(1, 3)];
    const strides = [draw.integer(1, 2), draw.integer(1, 2)];
    const pads = [kh - 1, draw.integer(0, kw - 1), draw.integer(0, kh - 1), kw - 1];
    const shape = [
      filters,
      Math.floor((rows + pads[0]! + pads[2]! - kh) / strides[0]!) + 1,
      Math.floor((columns + pads[1]! + pads[3]! - kw) / strides[1]!) + 1,
    ] as const;
    const weights = this.weights([filters, depthwise ? 1 : channels, kh, kw], 0);
    const bias = draw.chance() ? this.bias(input, weights.scales) : undefined;
    const attributes = { strides, pads, group: depthwise ? channels : 1 };
    if (style.linear) {
      const numbers = this.numbers();
      const name = this.op(
        'QLinearConv',
        [
          ...[input.name, input.scale, input.zero, weights.name, weights.scale, weights.zero],
          ...[numbers.scale, numbers.zero, ...(bias ? [bias.integers] : [])],
        ],
        attributes,
      );
      return { name, ...numbers, shape };
    }
    const perFilter = (this.constants[weights.scale]!.dims as readonly number[]).length > 0;
    const real = this.op(
      'DequantizeLinear',
      [weights.name, weights.scale, weights.zero],
      perFilter ? { axis: 0 } : {},
    );
    const inputs = [this.real(input), real];
    if (bias) inputs.push(this.op('DequantizeLinear', [bias.integers, bias.scale, bias.zero], { axis: 0 }));
    const made = this.op('Conv', inputs, attributes);
    return this.rounded(relu ? this.op('Relu', [made]) : made, shape);
  }

  matrix(input: Drawn): Drawn {
    const inputs = product(input.shape);
    const units = this.draw.integer(1, 6);
    const { style } = this;
    const shape = [units, 1, 1] as const;
    if (style.linear) {
      const flat = this.op('Flatten', [input.name]);
      const transposed = this.draw.chance();
      const weights = this.weights(transposed ? [units, inputs] : [inputs, units], transposed ? 0 : 1);
      const numbers = this.numbers();
      const flatInput = [flat, input.scale, input.zero, weights.name, weights.scale, weights.zero];
      if (transposed || this.draw.chance()) {
        const bias = this.bias(input, weights.scales);
        const name = this.op(
          'QGemm',
          [...flatInput, bias.integers, numbers.scale, numbers.zero],
          { transB: transposed ? 1 : 0 },
          'com.microsoft',
        );
        return { name, ...numbers, shape };
      }
      return {
        name: this.op('QLinearMatMul', [...flatInput, numbers.scale, numbers.zero]),
        ...numbers,
        shape,
      };
    }
    const weights = this.weights([units, inputs], 0);
    const perFilter = (this.constants[weights.scale]!.dims as readonly number[]).length > 0;
    const real = this.op(
      'DequantizeLinear',
      [weights.name, weights.scale, weights.zero],
      perFilter ? { axis: 0 } : {},
    );
    const flat = this.op('Flatten', [this.real(input)]);
    return this.rounded(this.op('Gemm', [flat, real], { transB: 1 }), shape);
  }

  add(a: Drawn, b: Drawn): Drawn {
    if (!this.style.linear) return this.rounded(this.op('Add', [this.real(a), this.real(b)]), a.shape);
    const numbers = this.numbers();
    const inputs = [
      ...[a, b].flatMap(({ name, scale, zero }) => [name, scale, zero]),
      numbers.scale,
      numbers.zero,
    ];
    return { name: this.op('QLinearAdd', inputs, {}, 'com.microsoft'), ...numbers, shape: a.shape };
  }

  concat(parts: readonly Drawn[]): Drawn {
    const [, rows, columns] = parts[0]!.shape;
    const shape = [parts.reduce((total, one) => total + one.shape[0], 0), rows, columns] as const;
    if (!this.style.linear) {
      return this.rounded(
        this.op(
          'Concat',
          parts.map((one) => this.real(one)),
          { axis: 1 },
        ),
        shape,
      );
    }
    const numbers = this.numbers();
    const inputs = [
      numbers.scale,
      numbers.zero,
      ...parts.flatMap(({ name, scale, zero }) => [name, scale, zero]),
    ];
    return { name: this.op('QLinearConcat', inputs, { axis: 1 }, 'com.microsoft'), ...numbers, shape };
  }

  maximum(input: Drawn): Drawn {
    const [channels, rows, columns] = input.shape;
    const shape = [channels, Math.floor(rows / 2), Math.floor(columns / 2)] as const;
    const attributes = { kernel_shape: [2, 2], strides: [2, 2] };
    if (this.style.linear || this.draw.chance()) {
      return { ...input, name: this.op('MaxPool', [input.name], attributes), shape };
    }
    const made = this.op('MaxPool', [this.real(input)], attributes);
    return this.rounded(made, shape, this.draw.chance() ? input : this.numbers());
  }

  average(input: Drawn): Drawn {
    const [channels, rows, columns] = input.shape;
    const shape = [channels, Math.floor(rows / 2), Math.floor(columns / 2)] as const;
    const attributes = { kernel_shape: [2, 2], strides: [2, 2] };
    const numbers = this.draw.chance() ? { scale: input.scale, zero: input.zero } : this.numbers();
    if (!this.style.linear) {
      return this.rounded(this.op('AveragePool', [this.real(input)], attributes), shape, numbers);
    }
    const inputs = [input.name, input.scale, input.zero, numbers.scale, numbers.zero];
    return { name: this.op('QLinearAveragePool', inputs, attributes, 'com.microsoft'), ...numbers, shape };
  }

  /** Cross-channel maximum, spelt as a maximum over groups. */
  condense(input: Drawn): Drawn {
    const [channels, rows, columns] = input.shape;
    const shape = [channels / 2, rows, columns] as const;
    const groups = this.constant(tensor('int64', [5], [1, channels / 2, 2, rows, columns]));
    const reduced = (name: string) =>
      this.op('ReduceMax', [this.op('Reshape', [name, groups])], { axes: [2], keepdims: 0 });
    if (this.style.linear) return { ...input, name: reduced(input.name), shape };
    const numbers = this.draw.chance() ? input : this.numbers();
    return this.rounded(reduced(this.real(input)), shape, numbers);
  }

  upsample(input: Drawn): Drawn {
    const [channels, rows, columns] = input.shape;
    const scales = this.constant(tensor('float32', [4], [1, 1, 2, 2]));
    const name = this.op('Resize', [input.name, '', scales]);
    return { ...input, name, shape: [channels, 2 * rows, 2 * columns] };
  }

  model(input: Drawn, last: Drawn, realInput: boolean): FileModel {
    const dims = [1, ...input.shape];
    const end = realInput ? this.real(last) : last.name;
    return {
      opset: this.style.type.endsWith('16') ? 21 : 17,
      nodes: this.nodes,
      constants: this.constants,
      inputs: { x: [realInput ? 'float32' : this.style.type, dims] },
      outputs: { [end]: realInput ? 'float32' : this.style.type },
    };
  }
}

function start(builder: Builder, shape: Drawn['shape'], realInput: boolean): Drawn {
  const numbers = builder.numbers(builder.style.general ? 0.02 : 2 ** -6);
  if (!realInput) return { name: 'x', ...numbers, shape };
  return builder.rounded('x', shape, numbers);
}

function inputFor(
  draw: Draw,
  shape: readonly number[],
  realInput: boolean,
  type: MapType,
): ArrayLike<number> {
  const size = product(shape);
  if (realInput) return Float32Array.from({ length: size }, () => draw.real(-2.5, 2.5));
  const values = Array.from({ length: size }, () => draw.integer(...RANGES[type]));
  return type === 'uint8' ? Uint8Array.from(values) : Int8Array.from(values);
}

function randomModel(draw: Draw, style: Style) {
  const builder = new Builder(draw, style);
  const realInput = !style.linear || draw.chance();
  const shape = [2 * draw.integer(1, 3), draw.integer(6, 12), draw.integer(6, 12)] as const;
  const input = start(builder, shape, realInput);
  let at = builder.convolution(input);
  for (let i = draw.integer(1, 6); i > 0; i--) {
    const [channels, rows, columns] = at.shape;
    const large = rows >= 2 && columns >= 2;
    const step = draw.integer(0, 8);
    if (step <= 2) at = builder.convolution(at);
    else if (step === 3 && large) at = builder.maximum(at);
    else if (step === 4 && large) at = builder.average(at);
    else if (step === 5) at = builder.add(at, draw.chance() ? at : pointwise(builder, at));
    else if (step === 6) at = builder.concat([at, pointwise(builder, at)]);
    else if (step === 7 && channels % 2 === 0) at = builder.condense(at);
    else if (step === 8 && rows <= 8) at = builder.upsample(at);
  }
  if (draw.chance()) at = builder.matrix(at);
  const model = builder.model(input, at, realInput);
  return { model, input: inputFor(draw, shape, realInput, style.type) };
}

/** The same shape with other numbers. */
function pointwise(builder: Builder, { name, scale, zero, shape }: Drawn): Drawn {
  const weights = builder.weights([shape[0], 1, 1, 1], 0);
  const numbers = builder.numbers();
  if (builder.style.linear) {
    const made = builder.op(
      'QLinearConv',
      [name, scale, zero, weights.name, weights.scale, weights.zero, numbers.scale, numbers.zero],
      { group: shape[0] },
    );
    return { name: made, ...numbers, shape };
  }
  const perFilter = (builder.constants[weights.scale]!.dims as readonly number[]).length > 0;
  const real = builder.op(
    'DequantizeLinear',
    [weights.name, weights.scale, weights.zero],
    perFilter ? { axis: 0 } : {},
  );
  const made = builder.op('Conv', [builder.real({ name, scale, zero, shape }), real], { group: shape[0] });
  return builder.rounded(made, shape, numbers);
}

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
    const input = behindConv ? pointwise(builder, first) : first;
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
    const conv = pointwise(builder, first);
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
    const last = pointwise(builder, first);
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
