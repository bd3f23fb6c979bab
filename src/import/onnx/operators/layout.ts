/** Operators that move no value, or only repeat, pad or join: shapes, orders, edges, channels side by side. */
import { InputError } from '../../../core/diagnostics.ts';
import { product } from '../../../core/integers.ts';
import { concat } from '../../../ops/concat/concat.ts';
import { spaceToDepth } from '../../../ops/space-to-depth/space-to-depth.ts';
import { upsampleNearest } from '../../../ops/upsample-nearest/upsample-nearest.ts';
import { dataTypeName, isReal, valuesOf } from '../constant.ts';
import { type Conversion, paddingMessage, pair, sameNumbers } from '../conversion.ts';
import { axesOf, flattened, permutation, shapeOf, squeezed, targetSizes, unsqueezed } from '../fold.ts';
import { axisOf, type OnnxNode } from '../node.ts';
import { type Edges, type MapValue, noEdges } from '../value.ts';
import { CHANNELS, isPlain, isWhole, reshapeView, sameView, sizesOf } from '../view.ts';
import type { Handler, Handlers } from './handler.ts';

/** The sizes as ONNX sees them, padding included. */
function paddedSizes({ view, padding }: MapValue): number[] {
  const sizes = sizesOf(view);
  if (padding !== undefined) {
    sizes[2]! += padding.edges.top + padding.edges.bottom;
    sizes[3]! += padding.edges.left + padding.edges.right;
  }
  return sizes;
}

function reshape(value: MapValue, sizes: readonly number[]): MapValue {
  if (value.padding !== undefined) throw new InputError(paddingMessage);
  const view = reshapeView(value.view, sizes);
  if (view === undefined) {
    throw new InputError(
      `makes ${sizes.join(' x ')} of ${sizesOf(value.view).join(' x ')}, which cuts across rows, columns or channels`,
    );
  }
  return { ...value, view };
}

/** Another shape, by a rule on the sizes. */
const shaped =
  (rule: (node: OnnxNode, sizes: readonly number[], conversion: Conversion) => readonly number[]): Handler =>
  (node, conversion) => {
    const value = conversion.view(node, 0);
    return reshape(value, rule(node, sizesOf(value.view), conversion));
  };

const optionalAxes = (node: OnnxNode, conversion: Conversion) =>
  axesOf(node, conversion.optionalConstant(node, 1, 'axes'));

function dropOut(node: OnnxNode, conversion: Conversion) {
  const value = conversion.value(node, 0);
  if (node.opset >= 12) {
    const mode = conversion.optionalConstant(node, 2, 'training_mode');
    if (mode !== undefined && mode.reader()(0) !== 0) {
      throw new InputError('runs in training mode, expected a trained network');
    }
  }
  return value;
}

function pad(node: OnnxNode, conversion: Conversion): MapValue {
  const value = conversion.view(node, 0);
  const mode = node.string('mode', 'constant');
  if (mode !== 'constant') throw new InputError(`mode: ${mode}, expected constant`);
  const older = node.opset < 11;
  const pads = older ? node.ints('pads') : valuesOf(conversion.constant(node, 1, 'pads'));
  const filling = older ? undefined : conversion.optionalConstant(node, 2, 'the value');
  const fill = older ? node.float('value', 0) : filling === undefined ? 0 : filling.reader()(0);
  const rank = value.view.length;
  const named = older ? undefined : conversion.optionalConstant(node, 3, 'axes');
  const axes =
    named === undefined
      ? Array.from({ length: rank }, (_, i) => i)
      : valuesOf(named).map((axis) => axisOf(axis, rank));
  if (pads === undefined || pads.length !== 2 * axes.length) {
    throw new InputError(`pads: ${pads?.length ?? 0} numbers, expected ${2 * axes.length}`);
  }
  const cells = (axis: number, end: 0 | 1): number => {
    const at = axes.indexOf(axis);
    return at === -1 ? 0 : pads[at + end * axes.length]!;
  };
  const all = axes.flatMap((axis) => [cells(axis, 0), cells(axis, 1)]);
  if (all.every((count) => count === 0)) return value;
  if (all.some((count) => !Number.isSafeInteger(count) || count < 0 || count > 4095)) {
    throw new InputError(`pads: ${pads.join(', ')}, expected 0..4095`);
  }
  const outside = axes.some((axis) => axis < 2 && cells(axis, 0) + cells(axis, 1) !== 0);
  if (rank !== 4 || outside || !isPlain(value.view, conversion.shapeOf(value.tensor))) {
    throw new InputError('pads other than the rows and columns of a map, expected those');
  }
  const before = value.padding?.edges ?? noEdges;
  if (value.padding !== undefined && value.padding.value !== fill) {
    throw new InputError('pads a map that is padded with another value, expected the same');
  }
  const edges: Edges = {
    top: before.top + cells(2, 0),
    bottom: before.bottom + cells(2, 1),
    left: before.left + cells(3, 0),
    right: before.right + cells(3, 1),
  };
  return { ...value, padding: { edges, value: fill } };
}

function join(node: OnnxNode, conversion: Conversion): MapValue {
  const values = node.inputs.map((_, i) => conversion.read(conversion.view(node, i)));
  return joinMaps(node, conversion, values);
}

/** Maps one after the other along the channels, under whatever order of dimensions they share. */
export function joinMaps(node: OnnxNode, conversion: Conversion, values: readonly MapValue[]): MapValue {
  const [first] = values;
  if (first === undefined) throw new InputError('has no inputs, expected at least one');
  if (values.length === 1) return first;
  if (values.some(({ padding }) => padding !== undefined)) throw new InputError(paddingMessage);
  const rank = first.view.length;
  const axis = axisOf(node.int('axis', 1), rank);
  const others = (view: MapValue['view']) => view.filter((_, i) => i !== axis);
  for (const { view, tensor } of values) {
    const along = view[axis];
    const fits =
      view.length === rank &&
      along !== undefined &&
      isWhole(along, CHANNELS, conversion.shapeOf(tensor)) &&
      sameView(others(view), others(first.view));
    if (!fits) {
      throw new InputError(
        `joins ${values.map((one) => sizesOf(one.view).join(' x ')).join(' and ')} along axis ${axis}, expected whole maps along the channels`,
      );
    }
  }
  const integer = values.some(({ domain }) => domain === 'integer');
  if (integer) {
    const numbers = values.map(({ tensor }) => conversion.numbers.get(tensor));
    if (
      values.some(({ domain }) => domain !== 'integer') ||
      numbers.some((one) => !sameNumbers(one!, numbers[0]!))
    ) {
      throw new InputError('joins integers of different scales, expected the same');
    }
  }
  const made = conversion.emit(
    node.name,
    concat,
    {},
    values.map(({ tensor }) => tensor),
  );
  const channels = made.shape[0];
  const view = first.view.map((parts, i) =>
    i === axis ? [{ axis: CHANNELS, size: channels, step: 1 } as const] : parts,
  );
  return conversion.madeView(made, view, integer ? first : undefined);
}

/** Upsample, and Resize where it comes down to repeating cells. */
function resize(node: OnnxNode, conversion: Conversion): MapValue {
  const value = conversion.read(conversion.view(node, 0));
  if (value.padding !== undefined) throw new InputError(paddingMessage);
  const sizes = sizesOf(value.view);
  const rank = sizes.length;
  const isResize = node.opType === 'Resize';
  const numbers = (index: number, name: string): readonly number[] | undefined => {
    const constant = conversion.optionalConstant(node, index, name);
    return constant === undefined || product(constant.dims) === 0 ? undefined : valuesOf(constant);
  };
  const attributeScales = !isResize && node.opset < 9 ? node.floats('scales') : undefined;
  const scalesInput = isResize && node.opset >= 11 ? 2 : 1;
  const scales = attributeScales ?? numbers(scalesInput, 'scales');
  const target = isResize && node.opset >= 11 ? numbers(3, 'sizes') : undefined;
  const given = target ?? scales;
  if (given === undefined) throw new InputError('has neither scales nor sizes, expected one of them');
  const axes = (node.ints('axes') ?? Array.from({ length: rank }, (_, i) => i)).map((axis) =>
    axisOf(axis, rank),
  );
  if (given.length !== axes.length) {
    throw new InputError(`${given.length} ${target ? 'sizes' : 'scales'}, expected ${axes.length}`);
  }
  const policy = node.string('keep_aspect_ratio_policy', 'stretch');
  if (target !== undefined && policy !== 'stretch') {
    throw new InputError(`keep_aspect_ratio_policy: ${policy}, expected stretch`);
  }
  const factors = sizes.map((size, axis) => {
    const at = axes.indexOf(axis);
    if (at === -1) return 1;
    return target === undefined ? given[at]! : given[at]! / size;
  });
  if (factors.every((factor) => factor === 1)) return value;
  if (rank !== 4 || factors[0] !== 1 || factors[1] !== 1) {
    throw new InputError(`resizes by ${factors.join(', ')}, expected rows and columns only`);
  }
  const mode = node.string('mode', 'nearest');
  if (mode !== 'nearest') throw new InputError(`mode: ${mode}, expected nearest`);
  const tensor = conversion.map(value);
  const [, rows, columns] = conversion.shapeOf(tensor);
  const rule = isResize && node.opset >= 11 ? nearestRule(node) : asymmetricFloor;
  for (const [size, factor] of [
    [rows, factors[2]!],
    [columns, factors[3]!],
  ] as const) {
    if (!Number.isInteger(factor) || factor < 1 || factor > 64 || !repeats(rule, size, factor)) {
      throw new InputError(
        `resizes ${size} cells by ${factor}, expected whole factors 1..64 and a rule that repeats every cell`,
      );
    }
  }
  const attributes = { factor: pair([factors[2]!, factors[3]!]) };
  return conversion.made(conversion.emit(node.name, upsampleNearest, attributes, [tensor]), value);
}

/** Which input cell an output cell shows. */
type NearestRule = (index: number, factor: number, inputs: number) => number;

const asymmetricFloor: NearestRule = (index, factor) => Math.floor(index / factor);

function nearestRule(node: OnnxNode): NearestRule {
  const transformation = node.string('coordinate_transformation_mode', 'half_pixel');
  const rounding = node.string('nearest_mode', 'round_prefer_floor');
  const place = PLACES.get(transformation);
  const round = ROUNDINGS.get(rounding);
  if (place === undefined) {
    throw new InputError(
      `coordinate_transformation_mode: ${transformation}, expected one of ${[...PLACES.keys()].join(', ')}`,
    );
  }
  if (round === undefined) {
    throw new InputError(`nearest_mode: ${rounding}, expected one of ${[...ROUNDINGS.keys()].join(', ')}`);
  }
  return (index, factor, inputs) => Math.min(inputs - 1, Math.max(0, round(place(index, factor, inputs))));
}

const halfPixel: NearestRule = (index, factor) => (index + 0.5) / factor - 0.5;

/** Where an output cell lies on the input; for whole factors the symmetric rule is the plain one. */
const PLACES: ReadonlyMap<string, NearestRule> = new Map<string, NearestRule>(
  Object.entries<NearestRule>({
    half_pixel: halfPixel,
    half_pixel_symmetric: halfPixel,
    pytorch_half_pixel: (index, factor, inputs) =>
      factor * inputs > 1 ? halfPixel(index, factor, inputs) : 0,
    tf_half_pixel_for_nn: (index, factor) => (index + 0.5) / factor,
    asymmetric: (index, factor) => index / factor,
    align_corners: (index, factor, inputs) =>
      factor * inputs === 1 ? 0 : (index * (inputs - 1)) / (factor * inputs - 1),
  }),
);

const ROUNDINGS: ReadonlyMap<string, (x: number) => number> = new Map(
  Object.entries({
    round_prefer_floor: (x: number) => Math.ceil(x - 0.5),
    round_prefer_ceil: (x: number) => Math.floor(x + 0.5),
    floor: Math.floor,
    ceil: Math.ceil,
  }),
);

function repeats(rule: NearestRule, inputs: number, factor: number): boolean {
  // Larger maps than any picture; not worth the time that looking at all of their cells would take.
  if (inputs * factor > 2 ** 20) return false;
  for (let index = 0; index < inputs * factor; index++) {
    if (rule(index, factor, inputs) !== Math.floor(index / factor)) return false;
  }
  return true;
}

function toDepth(node: OnnxNode, conversion: Conversion): MapValue {
  const value = conversion.read(conversion.view(node, 0));
  const block = node.int('blocksize', 0);
  return conversion.made(conversion.emit(node.name, spaceToDepth, { block }, [conversion.map(value)]), value);
}

/** Between kinds of real numbers nothing happens; whole numbers can be pixels only. */
function cast(node: OnnxNode, conversion: Conversion): MapValue {
  const value = conversion.view(node, 0);
  const to = dataTypeName(node.int('to', 0));
  const pixels = value.tensor === conversion.input.name && value.type === 'uint8';
  if (to === undefined || !isReal(to) || !(value.domain !== 'integer' || pixels)) {
    throw new InputError(
      `to: ${to ?? 'no number type'}, expected real numbers of real numbers, or of pixels`,
    );
  }
  return { ...value, domain: value.domain === 'integer' ? 'real' : value.domain, type: to };
}

export const layout: Handlers = {
  Identity: (node, conversion) => conversion.value(node, 0),
  Dropout: dropOut,
  Cast: cast,
  Shape: (node, conversion) => shapeOf(node, paddedSizes(conversion.view(node, 0))),
  Reshape: shaped((node, sizes, conversion) => {
    const asked =
      node.opset < 5 ? (node.ints('shape') ?? []) : valuesOf(conversion.constant(node, 1, 'the shape'));
    return targetSizes(node, asked, sizes);
  }),
  Flatten: shaped((node, sizes) => flattened(sizes, node.int('axis', 1))),
  Squeeze: shaped((node, sizes, conversion) => squeezed(sizes, optionalAxes(node, conversion))),
  Unsqueeze: shaped((node, sizes, conversion) => unsqueezed(sizes, optionalAxes(node, conversion))),
  Transpose(node, conversion) {
    const value = conversion.view(node, 0);
    if (value.padding !== undefined) throw new InputError(paddingMessage);
    const order = permutation(node, value.view.length);
    return { ...value, view: order.map((axis) => value.view[axis]!) };
  },
  Pad: pad,
  Concat: join,
  Resize: resize,
  Upsample: resize,
  SpaceToDepth: toDepth,
};
