/**
 * Operators on constants, computed while the graph is read: the arithmetic on shapes that exporters leave in front of
 * Reshape and Resize, and constants under another shape or type.
 */
import { InputError } from '../../core/diagnostics.ts';
import { product } from '../../core/integers.ts';
import {
  type Constant,
  checkDims,
  dataTypeName,
  depthAbove,
  type ExternalData,
  isReal,
  makeConstant,
  readTensor,
  valuesOf,
} from './constant.ts';
import { axisOf, type OnnxNode } from './node.ts';

/** Most elements of what is computed; shapes have a handful. Constants that only change their shape have no bound. */
const MAXIMUM_FOLDED = 65536;

/** Inputs that a node leaves out are undefined. */
type Inputs = readonly (Constant | undefined)[];
type Fold = (node: OnnxNode, inputs: Inputs) => Constant;

function needed(inputs: Inputs, index: number): Constant {
  const input = inputs[index];
  if (input === undefined) throw new InputError(`lacks input ${index + 1}`);
  return input;
}

function small(node: OnnxNode, inputs: Inputs, elements = 0): void {
  const most = Math.max(elements, ...inputs.map((input) => (input ? product(input.dims) : 0)));
  if (most > MAXIMUM_FOLDED) {
    throw new InputError(
      `${node.opType} of a constant of ${most} elements, expected at most ${MAXIMUM_FOLDED}`,
    );
  }
}

/** The same elements under other dimensions. */
function reshaped(constant: Constant, dims: readonly number[]): Constant {
  if (product(dims) !== product(constant.dims)) {
    throw new InputError(`makes ${dims.join(' x ')} of ${constant.dims.join(' x ')}`);
  }
  // Scales along an axis would need that axis to stay.
  const { dequantisation, ...plain } = constant;
  if (dequantisation === undefined) return { ...plain, dims };
  if (dequantisation.scales.length > 1) return { ...plain, dims };
  const integers = { ...dequantisation.integers, dims };
  return { ...plain, dims, dequantisation: { ...dequantisation, integers } };
}

/** The dimensions that Reshape asks for. */
export function targetSizes(
  node: OnnxNode,
  asked: readonly number[],
  sizes: readonly number[],
): readonly number[] {
  const keepsZeros = node.int('allowzero', 0) !== 0;
  const target = asked.map((size, i) => (size === 0 && !keepsZeros ? (sizes[i] ?? 0) : size));
  const open = target.indexOf(-1);
  const known = product(target.filter((size) => size !== -1));
  if (open !== -1) target[open] = product(sizes) / known;
  if (target.some((size) => !Number.isInteger(size) || size < 0) || product(target) !== product(sizes)) {
    throw new InputError(`cannot make ${asked.join(' x ')} of ${sizes.join(' x ')}`);
  }
  return target;
}

/** Axes of Squeeze, Unsqueeze and reductions: an attribute in older operator sets, an input in newer ones. */
export function axesOf(node: OnnxNode, input: Constant | undefined): readonly number[] | undefined {
  return input === undefined ? node.ints('axes') : valuesOf(input);
}

export function squeezed(sizes: readonly number[], axes: readonly number[] | undefined): number[] {
  const dropped = new Set((axes ?? []).map((axis) => axisOf(axis, sizes.length)));
  if ([...dropped].some((axis) => sizes[axis] !== 1)) {
    throw new InputError(`axes: ${axes?.join(', ')} of ${sizes.join(' x ')}, expected dimensions of 1`);
  }
  return sizes.filter((size, i) => (axes === undefined ? size !== 1 : !dropped.has(i)));
}

export function unsqueezed(sizes: readonly number[], axes: readonly number[] | undefined): number[] {
  const rank = sizes.length + (axes?.length ?? 0);
  const added = new Set((axes ?? []).map((axis) => axisOf(axis, rank)));
  if (axes === undefined || added.size !== axes.length) {
    throw new InputError('axes: missing or twice the same, expected one an added dimension');
  }
  const left = [...sizes];
  return Array.from({ length: rank }, (_, i) => (added.has(i) ? 1 : left.shift()!));
}

export function flattened(sizes: readonly number[], axis: number): number[] {
  const at = axis < 0 ? axis + sizes.length : axis;
  if (!(at >= 0 && at <= sizes.length)) throw new InputError(`axis: ${axis}, expected one of the input's`);
  return [product(sizes.slice(0, at)), product(sizes.slice(at))];
}

export function permutation(node: OnnxNode, rank: number): readonly number[] {
  const order = node.ints('perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  if ([...order].sort((a, b) => a - b).join() !== Array.from({ length: rank }, (_, i) => i).join()) {
    throw new InputError(`perm: ${order.join(', ')}, expected the ${rank} axes in some order`);
  }
  return order;
}

function transposed(constant: Constant, order: readonly number[]): Constant {
  const { dims, dequantisation } = constant;
  const strides = dims.map((_, i) => product(dims.slice(i + 1)));
  const target = order.map((axis) => dims[axis]!);
  const steps = order.map((axis) => strides[axis]!);
  const lookUp = (one: Constant): Constant => ({
    kind: 'constant',
    dims: target,
    type: one.type,
    depth: depthAbove(one),
    reader() {
      const read = one.reader();
      return (index) => {
        let rest = index;
        let at = 0;
        for (let i = target.length - 1; i >= 0; i--) {
          at += (rest % target[i]!) * steps[i]!;
          rest = Math.floor(rest / target[i]!);
        }
        return read(at);
      };
    },
  });
  if (dequantisation === undefined) return lookUp(constant);
  const integers = lookUp(dequantisation.integers);
  const axis = order.indexOf(dequantisation.axis);
  return { ...lookUp(constant), dequantisation: { ...dequantisation, integers, axis } };
}

function cast(node: OnnxNode, input: Constant): Constant {
  const type = dataTypeName(node.int('to', 0));
  if (type === undefined) throw new InputError('to: a type that is not read, expected a number type');
  return {
    kind: 'constant',
    dims: input.dims,
    type,
    depth: depthAbove(input),
    reader() {
      const read = input.reader();
      if (type === 'float32') return (index) => Math.fround(read(index));
      return isReal(type) ? read : (index) => Math.trunc(read(index));
    },
  };
}

/** Elementwise, with ONNX's (numpy's) broadcasting. */
function elementwise(rule: (a: number, b: number, whole: boolean) => number): Fold {
  return (node, inputs) => {
    const [a, b] = [needed(inputs, 0), needed(inputs, 1)];
    const rank = Math.max(a.dims.length, b.dims.length);
    const padded = [a, b].map(({ dims }) => [...new Array<number>(rank - dims.length).fill(1), ...dims]);
    const dims = padded[0]!.map((size, i) => {
      const other = padded[1]![i]!;
      if (size !== other && size !== 1 && other !== 1) {
        throw new InputError(`combines ${a.dims.join(' x ')} and ${b.dims.join(' x ')}`);
      }
      return size === 1 ? other : size;
    });
    checkDims('the result', dims);
    small(node, inputs, product(dims));
    const [readA, readB] = [a.reader(), b.reader()];
    const values = Array.from({ length: product(dims) }, (_, index) => {
      let rest = index;
      const at = [0, 0];
      const step = [1, 1];
      for (let i = rank - 1; i >= 0; i--) {
        const position = rest % dims[i]!;
        rest = Math.floor(rest / dims[i]!);
        for (const k of [0, 1]) {
          if (padded[k]![i] !== 1) at[k]! += position * step[k]!;
          step[k]! *= padded[k]![i]!;
        }
      }
      const value = rule(readA(at[0]!), readB(at[1]!), !isReal(a.type));
      return a.type === 'float32' ? Math.fround(value) : value;
    });
    return makeConstant(dims, a.type, values);
  };
}

function gather(node: OnnxNode, inputs: Inputs): Constant {
  const [data, indices] = [needed(inputs, 0), needed(inputs, 1)];
  const axis = axisOf(node.int('axis', 0), data.dims.length);
  const inner = product(data.dims.slice(axis + 1));
  const size = data.dims[axis]!;
  const dims = [...data.dims.slice(0, axis), ...indices.dims, ...data.dims.slice(axis + 1)];
  checkDims('the result', dims);
  small(node, inputs, product(dims));
  const picked = valuesOf(indices).map((index) => axisOf(index, size));
  const read = data.reader();
  const values: number[] = [];
  for (let o = 0; o < product(data.dims.slice(0, axis)); o++) {
    for (const index of picked) {
      for (let i = 0; i < inner; i++) values.push(read((o * size + index) * inner + i));
    }
  }
  return makeConstant(dims, data.type, values);
}

function concatenate(node: OnnxNode, inputs: Inputs): Constant {
  const parts = inputs.map((_, i) => needed(inputs, i));
  const [first] = parts;
  if (first === undefined) throw new InputError('has no inputs, expected at least one');
  small(
    node,
    inputs,
    parts.reduce((total, { dims }) => total + product(dims), 0),
  );
  const axis = axisOf(node.int('axis', 0), first.dims.length);
  const rest = (dims: readonly number[]) => dims.filter((_, i) => i !== axis).join();
  const odd = parts.find(
    (one) => rest(one.dims) !== rest(first.dims) || one.dims.length !== first.dims.length,
  );
  if (odd !== undefined) throw new InputError(`joins ${first.dims.join(' x ')} and ${odd.dims.join(' x ')}`);
  const values: number[] = [];
  const readers = parts.map((one) => one.reader());
  for (let o = 0; o < product(first.dims.slice(0, axis)); o++) {
    for (const [k, { dims }] of parts.entries()) {
      const run = product(dims.slice(axis));
      for (let i = 0; i < run; i++) values.push(readers[k]!(o * run + i));
    }
  }
  const dims = first.dims.map((size, i) =>
    i === axis ? parts.reduce((total, one) => total + one.dims[axis]!, 0) : size,
  );
  return makeConstant(dims, first.type, values);
}

/** Of vectors, which is what shapes are. */
function slice(node: OnnxNode, inputs: Inputs): Constant {
  const data = needed(inputs, 0);
  small(node, inputs);
  const list = (name: string, index: number): readonly number[] | undefined =>
    node.opset < 10 ? node.ints(name) : inputs[index] && valuesOf(inputs[index]);
  const [start, ...more] = list('starts', 1) ?? [];
  const [end] = list('ends', 2) ?? [];
  const [axis = 0] = list('axes', 3) ?? [];
  const [step = 1] = list('steps', 4) ?? [];
  if (data.dims.length !== 1 || start === undefined || end === undefined || more.length > 0) {
    throw new InputError('of a constant that is no vector, expected arithmetic on shapes');
  }
  axisOf(axis, 1);
  if (!Number.isInteger(step) || step === 0) throw new InputError(`steps: ${step}, expected none of 0`);
  const size = data.dims[0]!;
  const bound = (at: number): number => {
    const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
    return Math.min(Math.max(at < 0 ? at + size : at, low), high);
  };
  const values: number[] = [];
  const read = data.reader();
  const last = bound(end);
  for (let i = bound(start); step > 0 ? i < last : i > last; i += step) values.push(read(i));
  return makeConstant([values.length], data.type, values);
}

function filled(node: OnnxNode, inputs: Inputs, external: ExternalData): Constant {
  const dims = valuesOf(needed(inputs, 0));
  checkDims('the result', dims);
  small(node, inputs, product(dims));
  const tensor = node.tensor('value');
  const value = tensor && readTensor(tensor, external);
  if (value !== undefined && product(value.dims) !== 1) {
    throw new InputError('value: expected one element');
  }
  const values = new Array<number>(product(dims)).fill(value?.reader()(0) ?? 0);
  return makeConstant(dims, value?.type ?? 'float32', values);
}

const unary =
  (rule: (x: number) => number): Fold =>
  (node, inputs) => {
    const input = needed(inputs, 0);
    small(node, inputs);
    return makeConstant(input.dims, input.type, valuesOf(input).map(rule));
  };

const folds: ReadonlyMap<string, Fold> = new Map<string, Fold>([
  ['Identity', (_, inputs) => needed(inputs, 0)],
  ['Cast', (node, inputs) => cast(node, needed(inputs, 0))],
  [
    'Reshape',
    (node, inputs) => {
      const data = needed(inputs, 0);
      const asked = node.opset < 5 ? (node.ints('shape') ?? []) : valuesOf(needed(inputs, 1));
      return reshaped(data, targetSizes(node, asked, data.dims));
    },
  ],
  [
    'Squeeze',
    (node, inputs) => {
      const data = needed(inputs, 0);
      return reshaped(data, squeezed(data.dims, axesOf(node, inputs[1])));
    },
  ],
  [
    'Unsqueeze',
    (node, inputs) => {
      const data = needed(inputs, 0);
      return reshaped(data, unsqueezed(data.dims, axesOf(node, inputs[1])));
    },
  ],
  [
    'Flatten',
    (node, inputs) => {
      const data = needed(inputs, 0);
      return reshaped(data, flattened(data.dims, node.int('axis', 1)));
    },
  ],
  [
    'Transpose',
    (node, inputs) => {
      const data = needed(inputs, 0);
      return transposed(data, permutation(node, data.dims.length));
    },
  ],
  ['Shape', (node, inputs) => shapeOf(node, needed(inputs, 0).dims)],
  ['Gather', gather],
  ['Concat', concatenate],
  ['Slice', slice],
  ['Add', elementwise((a, b) => a + b)],
  ['Sub', elementwise((a, b) => a - b)],
  ['Mul', elementwise((a, b) => a * b)],
  ['Div', elementwise((a, b, whole) => (whole ? Math.trunc(a / b) : a / b))],
  ['Floor', unary(Math.floor)],
  ['Ceil', unary(Math.ceil)],
  ['Neg', unary((x) => -x)],
  ['Sqrt', unary(Math.sqrt)],
]);

/** The sizes as a constant; newer operator sets can ask for some of them. */
export function shapeOf(node: OnnxNode, sizes: readonly number[]): Constant {
  const start = node.int('start', 0);
  const end = node.has('end') ? node.int('end', 0) : undefined;
  const picked = sizes.slice(start, end);
  return makeConstant([picked.length], 'int64', picked);
}

/** A constant that stands in a node itself. */
function constantOf(node: OnnxNode, external: ExternalData): Constant {
  const tensor = node.tensor('value');
  if (tensor !== undefined) return readTensor(tensor, external);
  const floats = node.floats('value_floats');
  const ints = node.ints('value_ints');
  if (node.has('value_float')) return makeConstant([], 'float32', [node.float('value_float', 0)]);
  if (node.has('value_int')) return makeConstant([], 'int64', [node.int('value_int', 0)]);
  if (floats !== undefined) return makeConstant([floats.length], 'float32', floats);
  if (ints !== undefined) return makeConstant([ints.length], 'int64', ints);
  throw new InputError('has no value that is a tensor or numbers');
}

/**
 * What a node makes of constants.
 * @returns undefined when it is none of the operators above
 * @throws InputError without position for what does not fit
 */
export function foldNode(node: OnnxNode, inputs: Inputs, external: ExternalData): Constant | undefined {
  if (node.domain !== '') return undefined;
  if (node.opType === 'Constant') return constantOf(node, external);
  if (node.opType === 'ConstantOfShape') return filled(node, inputs, external);
  return folds.get(node.opType)?.(node, inputs);
}

/** Whether what a node makes of constants is read through them, so that it holds no elements of its own. */
export function readsThrough({ opType }: OnnxNode): boolean {
  return ['Constant', 'Identity', 'Cast', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten', 'Transpose'].includes(
    opType,
  );
}

/** Operators that are read on constants only. */
export const foldedOperators: readonly string[] = [...folds.keys(), 'Constant', 'ConstantOfShape'];
