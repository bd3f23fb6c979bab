/** What the stages of the machine are in ONNX: float and quantised graphs share it. */
import type { Shape } from '../../graph/graph.ts';
import type {
  ConvolutionGeometry,
  CrossChannelReduction,
  PoolingGeometry,
  Rearrangement,
  RequantisableActivation,
} from '../../graph/op.ts';
import { type OnnxBuilder, padsOf } from './builder.ts';

export function writeConvolution(
  builder: OnnxBuilder,
  inputs: readonly string[],
  name: string,
  { groups, kernel, stride, dilation, padding }: ConvolutionGeometry,
): string {
  return builder.node('Conv', inputs, name, {
    kernel_shape: kernel,
    strides: stride,
    dilations: dilation,
    pads: padsOf(padding),
    group: groups,
  });
}

/** The padding is all there, whatever rounding of sizes it was made from. */
export function writePooling(
  builder: OnnxBuilder,
  input: string,
  name: string,
  { kind, window, stride, padding, countIncludesPadding }: PoolingGeometry,
): string {
  const places = { kernel_shape: window, strides: stride, pads: padsOf(padding) };
  return kind === 'maximum'
    ? builder.node('MaxPool', [input], name, places)
    : builder.node('AveragePool', [input], name, {
        ...places,
        count_include_pad: countIncludesPadding ? 1 : 0,
      });
}

/** Groups of channels as a dimension of their own, and the maximum (or mean) over it: any ONNX runtime has that. */
export function writeCrossChannelPooling(
  builder: OnnxBuilder,
  input: string,
  name: string,
  { kind, ratio }: CrossChannelReduction,
  [channels, rows, columns]: Shape,
): string {
  const shape = builder.wholeNumbers(`${name}/groups/shape`, [1, channels, ratio, rows, columns]);
  const groups = builder.node('Reshape', [input, shape], `${name}/groups`);
  const op = kind === 'maximum' ? 'ReduceMax' : 'ReduceMean';
  // Version 18 made the axes an input.
  if (builder.opset < 18) return builder.node(op, [groups], name, { axes: [2], keepdims: 0 });
  return builder.node(op, [groups, builder.wholeNumbers(`${name}/axes`, [2])], name, { keepdims: 0 });
}

export function writeRearrangement(
  builder: OnnxBuilder,
  input: string,
  name: string,
  rearrangement: Rearrangement,
  shape: Shape,
): string {
  if (rearrangement.kind === 'blocksToChannels') {
    return builder.node('SpaceToDepth', [input], name, { blocksize: rearrangement.block });
  }
  if (rearrangement.kind === 'flatBlocksToChannels') {
    const { block } = rearrangement;
    const [channels, rows, columns] = shape;
    const reshaped = (from: string, to: string, sizes: readonly number[]) =>
      builder.node('Reshape', [from, builder.wholeNumbers(`${to}/shape`, [1, ...sizes])], to);
    const wide = reshaped(input, `${name}/wide`, [channels / block ** 2, rows * block, columns * block]);
    const deep = builder.node('SpaceToDepth', [wide], `${name}/deep`, { blocksize: block });
    return reshaped(deep, name, [channels * block ** 2, rows / block, columns / block]);
  }
  const [rows, columns] = rearrangement.factor;
  const scales = builder.initialiser(`${name}/scales`, [4], Float32Array.of(1, 1, rows, columns));
  return builder.node('Resize', [input, '', scales], name, {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  });
}

export function writeActivation(
  builder: OnnxBuilder,
  input: string,
  name: string,
  { negativeSlope, upper }: RequantisableActivation,
): string {
  if (upper !== undefined) {
    const low = builder.number(`${name}/minimum`, 0);
    const high = builder.number(`${name}/maximum`, upper);
    return builder.node('Clip', [input, low, high], name);
  }
  return negativeSlope === 0
    ? builder.node('Relu', [input], name)
    : builder.node('LeakyRelu', [input], name, { alpha: { float: negativeSlope } });
}
