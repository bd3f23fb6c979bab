/** Where a filter's values stand: TensorFlow puts the filters last, the machine reads them filter by filter. */
import type { ConvolutionGeometry } from '../../graph/op.ts';

/**
 * [rows, columns, channels per group, filters] to [filters][channels per group][rows][columns]. A depthwise
 * tensor [rows, columns, channels, 1] has the same values in the same order as [rows, columns, 1, filters].
 */
export function filtersFirst(
  values: Float32Array,
  geometry: ConvolutionGeometry,
  channels: number,
): Float32Array {
  const { filters } = geometry;
  const taps = geometry.kernel[0] * geometry.kernel[1];
  const result = new Float32Array(values.length);
  // Blocks of filters and channels, so that both sides of the transposition stay within the cache.
  const block = 32;
  for (let firstFilter = 0; firstFilter < filters; firstFilter += block) {
    const endFilter = Math.min(filters, firstFilter + block);
    for (let firstChannel = 0; firstChannel < channels; firstChannel += block) {
      const endChannel = Math.min(channels, firstChannel + block);
      for (let tap = 0; tap < taps; tap++) {
        for (let channel = firstChannel; channel < endChannel; channel++) {
          const from = (tap * channels + channel) * filters;
          const to = channel * taps + tap;
          for (let filter = firstFilter; filter < endFilter; filter++) {
            result[filter * channels * taps + to] = values[from + filter]!;
          }
        }
      }
    }
  }
  return result;
}

/**
 * TensorFlow's filters with every value multiplied by inputs[channel it is applied to] * outputs[its filter].
 * @param channels of the whole input, all groups
 */
export function rescaleFilters(
  values: Float32Array,
  { groups, filters }: ConvolutionGeometry,
  channels: number,
  inputs: Float64Array,
  outputs: Float64Array,
): Float32Array {
  const groupChannels = channels / groups;
  const groupFilters = filters / groups;
  return values.map((value, i) => {
    const filter = i % filters;
    const channel =
      Math.floor(filter / groupFilters) * groupChannels + (Math.floor(i / filters) % groupChannels);
    return value * inputs[channel]! * outputs[filter]!;
  });
}
