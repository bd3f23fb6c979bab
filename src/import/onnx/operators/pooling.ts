/** Poolings over cells and over channels, spelt as poolings or as reductions. */
import { InputError } from '../../../core/diagnostics.ts';
import { formatRange } from '../../../core/fixed-point.ts';
import { averagePool } from '../../../ops/average-pool/average-pool.ts';
import { crossChannelPool } from '../../../ops/cross-channel-pool/cross-channel-pool.ts';
import { globalAveragePool } from '../../../ops/global-average-pool/global-average-pool.ts';
import { maxPool } from '../../../ops/max-pool/max-pool.ts';
import { type Conversion, paddingAttribute, pair } from '../conversion.ts';
import { axesOf } from '../fold.ts';
import { axisOf, type OnnxNode } from '../node.ts';
import type { MapValue } from '../value.ts';
import {
  CHANNELS,
  COLUMNS,
  consecutiveChannels,
  isPlain,
  isWhole,
  poolChannels,
  ROWS,
  type View,
} from '../view.ts';
import type { Handler, Handlers } from './handler.ts';
import { zeroOf } from './products.ts';
import { isNeverNegative } from './sign.ts';
import { type Window, windowOf } from './window.ts';

type Kind = 'maximum' | 'mean';

/** MaxPool or AveragePool, over cells or, of a map turned or regrouped, over channels. */
export function pool(kind: Kind, node: OnnxNode, conversion: Conversion, value: MapValue): MapValue {
  const acrossChannels = channelWindow(kind, node, conversion, value);
  if (acrossChannels !== undefined) return acrossChannels;
  const tensor = conversion.paddedMap(value);
  const input = conversion.shapeOf(tensor);
  const window = windowOf(node, [input[1], input[2]], value.padding?.edges);
  if (window.dilation.some((step) => step !== 1)) {
    throw new InputError(`dilations: ${window.dilation.join(', ')}, expected 1`);
  }
  const ceil = node.int('ceil_mode', 0) !== 0;
  const places = {
    window: pair(window.kernel),
    ...(window.kernel.join() === window.stride.join() ? {} : { stride: pair(window.stride) }),
    padding: paddingAttribute(window.padding),
    ...(ceil ? { ceil } : {}),
  };
  if (kind === 'maximum') {
    if (value.padding !== undefined) checkMaximumPadding(conversion, value);
    return conversion.made(conversion.emit(node.name, maxPool, places, [tensor]), value);
  }
  const counts = countsPadding(node, value);
  if (ceil && counts) checkCountedCells(window, input);
  const attributes = { ...places, ...(counts ? { countIncludesPadding: true } : {}) };
  return conversion.made(conversion.emit(node.name, averagePool, attributes, [tensor]), value);
}

/** Whether the mean is over the whole window; a Pad in front makes it so for its own cells. */
function countsPadding(node: OnnxNode, value: MapValue): boolean {
  const counts = node.int('count_include_pad', 0) !== 0;
  if (value.padding === undefined) return counts;
  if (value.padding.value !== 0) throw new InputError('reads a map padded with other than zeros');
  if (!counts && (node.ints('pads') ?? []).some((cells) => cells !== 0)) {
    throw new InputError(
      'counts the cells of the Pad in front but not its own padding, expected one of them',
    );
  }
  return true;
}

/**
 * Windows that hang over the padding as well: whether the cells there count depends on the version of the standard,
 * and on the implementation.
 */
function checkCountedCells({ kernel, stride, padding }: Window, [, rows, columns]: readonly number[]): void {
  const overhangs = (size: number, k: number, step: number) => (size - k) % step !== 0;
  if (
    overhangs(rows! + padding.top + padding.bottom, kernel[0], stride[0]) ||
    overhangs(columns! + padding.left + padding.right, kernel[1], stride[1])
  ) {
    throw new InputError(
      'ceil_mode and count_include_pad with windows that leave the padded map, expected one of them',
    );
  }
}

/** Zeros around a map are as good as nothing where no value is negative. */
function checkMaximumPadding(conversion: Conversion, value: MapValue): void {
  const { value: padded } = value.padding!;
  const lowest =
    value.domain === 'integer' ? formatRange(conversion.numbers.get(value.tensor)!.format).low : LOWEST;
  const isHarmlessZero = padded === zeroOf(conversion, value) && isNeverNegative(conversion, value);
  if (padded > lowest && !isHarmlessZero) {
    throw new InputError(
      `takes the maximum of a map padded with ${padded}, expected padding with the lowest value, or with 0 behind a ReLU`,
    );
  }
}

/** What float32 has next to minus infinity. */
const LOWEST = -3.4e38;

/** A window along one dimension that holds channels: cross-channel pooling. */
function channelWindow(
  kind: Kind,
  node: OnnxNode,
  conversion: Conversion,
  value: MapValue,
): MapValue | undefined {
  const { view } = value;
  const shape = conversion.shapeOf(value.tensor);
  if (view.length < 3 || (view.length === 4 && isPlain(view, shape))) return undefined;
  const kernel = node.ints('kernel_shape') ?? [];
  const strides = node.ints('strides') ?? kernel.map(() => 1);
  const windows = kernel.flatMap((size, i) => (size === 1 ? [] : [i]));
  const [at, ...more] = windows;
  const plain =
    kernel.length === view.length - 2 &&
    strides.length === kernel.length &&
    (node.ints('pads') ?? []).every((cells) => cells === 0) &&
    (node.ints('dilations') ?? []).every((step) => step === 1) &&
    value.padding === undefined &&
    strides.every((step, i) => step === kernel[i] || (i !== at && step === 1));
  if (!plain || at === undefined || more.length > 0) return undefined;
  const ratio = kernel[at]!;
  const last = view[at + 2]!.at(-1);
  if (last?.axis !== CHANNELS || last.step !== 1 || last.size % ratio !== 0) return undefined;
  return acrossChannels(kind, node, conversion, value, ratio, view);
}

function acrossChannels(
  kind: Kind,
  node: OnnxNode,
  conversion: Conversion,
  value: MapValue,
  ratio: number,
  view: View,
): MapValue {
  const pooled = poolChannels(view, ratio);
  if (pooled === undefined) throw new InputError('pools groups of channels that the map has apart');
  const attributes = { ratio, ...(kind === 'mean' ? { kind } : {}) };
  return conversion.madeView(
    conversion.emit(node.name, crossChannelPool, attributes, [value.tensor]),
    pooled,
    value,
  );
}

/** ReduceMax or ReduceMean: over consecutive channels, or over all cells. */
function reduce(kind: Kind): Handler {
  return (node, conversion) => {
    const value = conversion.view(node, 0);
    const axes = axesOf(node, conversion.optionalConstant(node, 1, 'axes'));
    if (!axes?.length && node.int('noop_with_empty_axes', 0) !== 0) return value;
    conversion.read(value);
    if (kind === 'mean' && value.domain === 'integer') {
      throw new InputError('takes the mean of integers, expected DequantizeLinear in front');
    }
    if (value.padding !== undefined) throw new InputError('reads a padded map, expected none');
    const { view, tensor } = value;
    if (axes === undefined || axes.length === 0) throw new InputError('axes: none, expected those to reduce');
    const reduced = new Set(axes.map((axis) => axisOf(axis, view.length)));
    const keeps = node.int('keepdims', 1) !== 0;
    const without = (from: View): View =>
      from.flatMap((parts, i) => (reduced.has(i) ? (keeps ? [[]] : []) : [parts]));
    const shape = conversion.shapeOf(tensor);
    const parts = [...reduced].flatMap((axis) => view[axis]!);
    // A dimension of 1 is a group of one channel.
    const ratio = parts.length === 0 && reduced.size === 1 ? 1 : consecutiveChannels(parts);
    if (ratio !== undefined) {
      const result = acrossChannels(kind, node, conversion, value, ratio, view);
      return { ...result, view: without(result.view) };
    }
    const cells = new Set(parts.map(({ axis }) => axis));
    const all =
      !cells.has(CHANNELS) &&
      ([ROWS, COLUMNS] as const).every((axis) =>
        isWhole(
          parts.filter((part) => part.axis === axis),
          axis,
          shape,
        ),
      );
    if (!all) {
      throw new InputError(
        `axes: ${axes.join(', ')}, expected those of all cells of a map, or of consecutive channels (groups of them behind a Reshape)`,
      );
    }
    return conversion.madeView(globalPool(kind, node, conversion, tensor), without(view), value);
  };
}

function globalPool(kind: Kind, node: OnnxNode, conversion: Conversion, tensor: string) {
  if (kind === 'mean') return conversion.emit(node.name, globalAveragePool, {}, [tensor]);
  const [, rows, columns] = conversion.shapeOf(tensor);
  return conversion.emit(node.name, maxPool, { window: pair([rows, columns]) }, [tensor]);
}

const overAll =
  (kind: Kind): Handler =>
  (node, conversion) => {
    const value = conversion.read(conversion.view(node, 0));
    if (kind === 'mean' && value.domain === 'integer') {
      throw new InputError('takes the mean of integers, expected DequantizeLinear in front');
    }
    return conversion.made(globalPool(kind, node, conversion, conversion.map(value)), value);
  };

export const poolings: Handlers = {
  MaxPool: (node, conversion) => pool('maximum', node, conversion, conversion.read(conversion.view(node, 0))),
  AveragePool: (node, conversion) => pool('mean', node, conversion, conversion.real(node, 0)),
  GlobalMaxPool: overAll('maximum'),
  GlobalAveragePool: overAll('mean'),
  ReduceMax: reduce('maximum'),
  ReduceMean: reduce('mean'),
};
