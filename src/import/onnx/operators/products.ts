/** Conv, Gemm and MatMul, on real numbers; their quantised kin share what is behind the inputs. */
import { InputError } from '../../../core/diagnostics.ts';
import { product } from '../../../core/integers.ts';
import { convolution } from '../../../ops/convolution/convolution.ts';
import { fullyConnected } from '../../../ops/fully-connected/fully-connected.ts';
import type { Constant } from '../constant.ts';
import { type Conversion, type ConvertedNode, paddingAttribute, pair } from '../conversion.ts';
import { type OnnxNode, refuseFlag } from '../node.ts';
import type { MapValue } from '../value.ts';
import { channelsLastOrder, type View } from '../view.ts';
import type { Handlers } from './handler.ts';
import { windowOf } from './window.ts';

/** A convolution with these weights, of real numbers or integers with scales. */
export function convolve(
  node: OnnxNode,
  conversion: Conversion,
  value: MapValue,
  weights: Constant,
  bias: Constant | undefined,
): ConvertedNode {
  const [filters, channels, rows, columns, ...more] = weights.dims;
  if (rows === undefined || columns === undefined || more.length > 0) {
    throw new InputError(
      `weights of ${weights.dims.join(' x ')}, expected four dimensions (filters, channels, rows, columns)`,
    );
  }
  if (product(weights.dims) === 0) throw new InputError('weights without elements, expected some');
  const tensor = conversion.paddedMap(value);
  const input = conversion.shapeOf(tensor);
  const groups = node.int('group', 1);
  if (groups < 1 || input[0] !== channels! * groups) {
    throw new InputError(
      `weights for ${channels! * groups} channels in ${groups} group(s), expected ${input[0]} channels`,
    );
  }
  if (value.padding !== undefined && value.padding.value !== zeroOf(conversion, value)) {
    throw new InputError(`reads a map padded with ${value.padding.value}, expected zeros`);
  }
  const { kernel, stride, dilation, padding } = windowOf(node, [input[1], input[2]], value.padding?.edges, [
    rows,
    columns,
  ]);
  const depthwise = groups > 1 && groups === input[0] && filters === input[0];
  const made = conversion.emit(
    node.name,
    convolution,
    {
      ...(depthwise ? { groups: 'depthwise' } : { filters, groups }),
      kernel: pair(kernel),
      stride: pair(stride),
      dilation: pair(dilation),
      padding: paddingAttribute(padding),
      bias: bias !== undefined,
    },
    [tensor],
  );
  const taps = rows * columns;
  conversion.setFilters(
    made,
    {
      constant: weights,
      filters: filters!,
      channels: channels!,
      taps,
      index: (f, c, tap) => (f * channels! + c) * taps + tap,
      filterAxis: 0,
      factor: 1,
    },
    bias,
  );
  return made;
}

/** What stands for real zero in the value's own domain. */
export function zeroOf(conversion: Conversion, { domain, tensor }: MapValue): number {
  return domain === 'integer' ? conversion.numbers.get(tensor)!.zeroPoint : 0;
}

interface MatrixOptions {
  /** Whether the weights are [units, inputs]. */
  readonly transposed: boolean;
  readonly factor: number;
  readonly bias: { readonly constant: Constant; readonly factor: number } | undefined;
}

/** A row vector times a matrix. */
export function multiply(
  node: OnnxNode,
  conversion: Conversion,
  value: MapValue,
  weights: Constant,
  { transposed, factor, bias }: MatrixOptions,
): MapValue {
  if (value.padding !== undefined) throw new InputError('reads a padded map, expected none');
  const [first, second, ...more] = weights.dims;
  if (second === undefined || more.length > 0) {
    throw new InputError(`weights of ${weights.dims.join(' x ')}, expected two dimensions`);
  }
  const [units, inputs] = transposed ? [first!, second] : [second, first!];
  const outer = value.view.slice(0, -1);
  const shape = conversion.shapeOf(value.tensor);
  if (value.view.length < 2 || outer.some((parts) => parts.length > 0)) {
    throw new InputError('multiplies several rows, expected one (a flattened map)');
  }
  if (product(shape) !== inputs) {
    throw new InputError(`weights for ${inputs} inputs, expected ${product(shape)} (${shape.join(' x ')})`);
  }
  const made = conversion.emit(node.name, fullyConnected, { units, bias: bias !== undefined }, [
    value.tensor,
  ]);
  const channels = shape[0];
  const taps = shape[1] * shape[2];
  let places: Int32Array | undefined;
  conversion.setFilters(
    made,
    {
      constant: weights,
      filters: units,
      channels,
      taps,
      index(f, c, tap) {
        places ??= inverse(channelsLastOrder(value.view, shape));
        const place = places[tap * channels + c]!;
        return transposed ? f * inputs + place : place * units + f;
      },
      filterAxis: transposed ? 0 : 1,
      factor,
    },
    bias?.constant,
    bias?.factor,
  );
  const view: View = [...outer, units === 1 ? [] : [{ axis: 0, size: units, step: 1 }]];
  return conversion.madeView(made, view);
}

function inverse(order: Int32Array): Int32Array {
  const result = new Int32Array(order.length);
  for (let i = 0; i < order.length; i++) result[order[i]!] = i;
  return result;
}

export const products: Handlers = {
  Conv(node, conversion) {
    const value = conversion.real(node, 0);
    const weights = conversion.constant(node, 1, 'the weights');
    const bias = conversion.optionalConstant(node, 2, 'the bias');
    return conversion.made(convolve(node, conversion, value, weights, bias));
  },
  Gemm(node, conversion) {
    refuseFlag(node, 'transA');
    const bias = conversion.optionalConstant(node, 2, 'the bias');
    return multiply(node, conversion, conversion.real(node, 0), conversion.constant(node, 1, 'the weights'), {
      transposed: node.int('transB', 0) !== 0,
      factor: node.float('alpha', 1),
      bias: bias && { constant: bias, factor: node.float('beta', 1) },
    });
  },
  MatMul: (node, conversion) =>
    multiply(node, conversion, conversion.real(node, 0), conversion.constant(node, 1, 'the weights'), {
      transposed: false,
      factor: 1,
      bias: undefined,
    }),
};
