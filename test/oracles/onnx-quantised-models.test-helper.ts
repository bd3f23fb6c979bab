/** Quantised ONNX models, drawn layer by layer: QuantizeLinear and DequantizeLinear around operators, or QLinear operators. */
import type { Draw } from './comparison.test-helper.ts';
import {
  type Attribute,
  type ElementType,
  type FileModel,
  type FileNode,
  scalar,
  type TensorFields,
  tensor,
} from './onnx-file.test-helper.ts';

const product = (dims: readonly number[]) => dims.reduce((total, size) => total * size, 1);

export type MapType = 'int8' | 'uint8' | 'int16' | 'uint16';
const RANGES: Readonly<Record<MapType, readonly [low: number, high: number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};

export interface Style {
  /** Powers of two, or any. */
  readonly general: boolean;
  /** QLinear operators, else QuantizeLinear and DequantizeLinear. */
  readonly linear: boolean;
  readonly type: MapType;
  /** Zero points that are even: `QLinearAdd` rounds with it added, which only moves ties on odd ones. */
  readonly evenZeros?: boolean;
  /** Operator set; else one that has the type. */
  readonly opset?: number;
}

/** A quantised value while a model is drawn. */
export interface Drawn {
  readonly name: string;
  readonly scale: string;
  readonly zero: string;
  readonly shape: readonly [number, number, number];
}

/** Makes quantised models layer by layer. */
export class Builder {
  readonly nodes: FileNode[] = [];
  readonly constants: Record<string, TensorFields> = {};
  private readonly scales = new Map<string, number>();
  private count = 0;

  constructor(
    readonly draw: Draw,
    readonly style: Style,
  ) {}

  get opset(): number {
    return this.style.opset ?? (this.style.type.endsWith('16') ? 21 : 17);
  }

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
    // DequantizeLinear has an axis from set 13 on.
    const perFilter = draw.chance() && (style.linear || this.opset >= 13);
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
  bias(
    input: Drawn,
    scales: readonly number[],
  ): { integers: string; scale: string; zero: string; perFilter: boolean } {
    const units = scales.map((scale) => Math.fround(this.scales.get(input.scale)! * scale));
    const values = units.map(() => this.draw.integer(-2000, 2000));
    const perFilter = this.opset >= 13;
    const dims = perFilter ? [values.length] : [];
    const listed = perFilter ? units : units.slice(0, 1);
    return {
      integers: this.constant(tensor('int32', [values.length], values)),
      scale: this.constant(tensor('float32', dims, listed)),
      zero: this.constant(
        tensor(
          'int32',
          dims,
          listed.map(() => 0),
        ),
      ),
      perFilter,
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
    if (bias) {
      const axis = bias.perFilter ? { axis: 0 } : {};
      inputs.push(this.op('DequantizeLinear', [bias.integers, bias.scale, bias.zero], axis));
    }
    const made = this.op('Conv', inputs, attributes);
    return this.rounded(relu ? this.op('Relu', [made]) : made, shape);
  }

  matrix(input: Drawn): Drawn {
    if (this.style.linear) return this.draw.chance() ? this.gemm(input) : this.product(input);
    const inputs = product(input.shape);
    const units = this.draw.integer(1, 6);
    const weights = this.weights([units, inputs], 0);
    const perFilter = (this.constants[weights.scale]!.dims as readonly number[]).length > 0;
    const real = this.op(
      'DequantizeLinear',
      [weights.name, weights.scale, weights.zero],
      perFilter ? { axis: 0 } : {},
    );
    const flat = this.op('Flatten', [this.real(input)]);
    // The bias may be left out from set 11 on.
    const bias = this.opset < 11 ? [this.constant(tensor('float32', [1], [0]))] : [];
    return this.rounded(this.op('Gemm', [flat, real, ...bias], { transB: 1 }), [units, 1, 1]);
  }

  /** A flattened map, integer weights, and all their numbers. */
  private operands(input: Drawn, transposed: boolean) {
    const inputs = product(input.shape);
    const units = this.draw.integer(1, 6);
    const weights = this.weights(transposed ? [units, inputs] : [inputs, units], transposed ? 0 : 1);
    const flat = this.op('Flatten', [input.name]);
    const names = [flat, input.scale, input.zero, weights.name, weights.scale, weights.zero];
    return { names, weights, shape: [units, 1, 1] as const };
  }

  /** ONNX Runtime's QGemm. */
  gemm(input: Drawn): Drawn {
    const transposed = this.draw.chance();
    const { names, weights, shape } = this.operands(input, transposed);
    const numbers = this.numbers();
    const bias = this.bias(input, weights.scales);
    const inputs = [...names, bias.integers, numbers.scale, numbers.zero];
    return this.microsoftOf('QGemm', inputs, numbers, shape, { transB: transposed ? 1 : 0 });
  }

  /** QLinearMatMul. */
  product(input: Drawn): Drawn {
    const { names, shape } = this.operands(input, false);
    const numbers = this.numbers();
    return { name: this.op('QLinearMatMul', [...names, numbers.scale, numbers.zero]), ...numbers, shape };
  }

  /** One of ONNX Runtime's operators on one map. */
  microsoft(
    op: string,
    input: Drawn,
    shape = input.shape,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Drawn {
    const numbers = this.numbers(2 ** -6);
    const inputs = [input.name, input.scale, input.zero, numbers.scale, numbers.zero];
    return this.microsoftOf(op, inputs, numbers, shape, attributes);
  }

  private microsoftOf(
    op: string,
    inputs: readonly string[],
    numbers: Pick<Drawn, 'scale' | 'zero'>,
    shape: Drawn['shape'],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Drawn {
    return { name: this.op(op, inputs, attributes, 'com.microsoft'), ...numbers, shape };
  }

  /** The same shape with other numbers. */
  convolved(input: Drawn): Drawn {
    const { name, scale, zero, shape } = input;
    const weights = this.weights([shape[0], 1, 1, 1], 0);
    const numbers = this.numbers();
    if (this.style.linear) {
      const made = this.op(
        'QLinearConv',
        [name, scale, zero, weights.name, weights.scale, weights.zero, numbers.scale, numbers.zero],
        { group: shape[0] },
      );
      return { name: made, ...numbers, shape };
    }
    const perFilter = (this.constants[weights.scale]!.dims as readonly number[]).length > 0;
    const real = this.op(
      'DequantizeLinear',
      [weights.name, weights.scale, weights.zero],
      perFilter ? { axis: 0 } : {},
    );
    return this.rounded(this.op('Conv', [this.real(input), real], { group: shape[0] }), shape, numbers);
  }

  add(a: Drawn, b: Drawn): Drawn {
    if (!this.style.linear) return this.rounded(this.op('Add', [this.real(a), this.real(b)]), a.shape);
    const numbers = this.numbers();
    const inputs = [
      ...[a, b].flatMap(({ name, scale, zero }) => [name, scale, zero]),
      numbers.scale,
      numbers.zero,
    ];
    return this.microsoftOf('QLinearAdd', inputs, numbers, a.shape);
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
    return this.microsoftOf('QLinearConcat', inputs, numbers, shape, { axis: 1 });
  }

  maximum(input: Drawn): Drawn {
    const [channels, rows, columns] = input.shape;
    const shape = [channels, Math.floor(rows / 2), Math.floor(columns / 2)] as const;
    const attributes = { kernel_shape: [2, 2], strides: [2, 2] };
    // On integers from set 12 on.
    if (this.opset >= 12 && (this.style.linear || this.draw.chance())) {
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
    return this.microsoftOf('QLinearAveragePool', inputs, numbers, shape, attributes);
  }

  /** Cross-channel maximum, spelt as a maximum over groups. */
  condense(input: Drawn): Drawn {
    const [channels, rows, columns] = input.shape;
    const shape = [channels / 2, rows, columns] as const;
    const groups = this.constant(tensor('int64', [5], [1, channels / 2, 2, rows, columns]));
    const reduced = (name: string) => {
      const grouped = this.op('Reshape', [name, groups]);
      if (this.opset < 18) return this.op('ReduceMax', [grouped], { axes: [2], keepdims: 0 });
      const axes = this.constant(tensor('int64', [1], [2]));
      return this.op('ReduceMax', [grouped, axes], { keepdims: 0 });
    };
    if (this.style.linear && this.opset >= 12) return { ...input, name: reduced(input.name), shape };
    const numbers = this.draw.chance() ? input : this.numbers();
    return this.rounded(reduced(this.real(input)), shape, numbers);
  }

  upsample(input: Drawn): Drawn {
    const [channels, rows, columns] = input.shape;
    const scales = this.constant(tensor('float32', [4], [1, 1, 2, 2]));
    const region = this.opset < 13 ? this.constant(tensor('float32', [0], [])) : '';
    const shape = [channels, 2 * rows, 2 * columns] as const;
    const of = (name: string) =>
      this.op('Resize', this.opset === 10 ? [name, scales] : [name, region, scales]);
    // Its kernels of sets 10 and 11 know few types.
    if (this.opset >= 13) return { ...input, name: of(input.name), shape };
    return this.rounded(of(this.real(input)), shape, input);
  }

  model(input: Drawn, last: Drawn, realInput: boolean): FileModel {
    const dims = [1, ...input.shape];
    const end = realInput ? this.real(last) : last.name;
    return {
      opset: this.opset,
      nodes: this.nodes,
      constants: this.constants,
      inputs: { x: [realInput ? 'float32' : this.style.type, dims] },
      outputs: { [end]: realInput ? 'float32' : this.style.type },
    };
  }
}

export function start(builder: Builder, shape: Drawn['shape'], realInput: boolean): Drawn {
  const numbers = builder.numbers(builder.style.general ? 0.02 : 2 ** -6);
  if (!realInput) return { name: 'x', ...numbers, shape };
  return builder.rounded('x', shape, numbers);
}

export function inputFor(
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

export function randomModel(draw: Draw, style: Style) {
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
    else if (step === 5) at = builder.add(at, draw.chance() ? at : builder.convolved(at));
    else if (step === 6) at = builder.concat([at, builder.convolved(at)]);
    else if (step === 7 && channels % 2 === 0) at = builder.condense(at);
    else if (step === 8 && rows <= 8) at = builder.upsample(at);
  }
  if (draw.chance()) at = builder.matrix(at);
  const model = builder.model(input, at, realInput);
  return { model, input: inputFor(draw, shape, realInput, style.type) };
}
