/** The order in which the filters of a tile leave the array, where groups of maps take turns. */
import { interleaveOf, ratioOf, type Step } from './steps.ts';

/**
 * For each place the filter that leaves there, of a tile's `filters` filters of one group of the convolution. Of d groups
 * that are open at once the first members come first, then the second ones: vectors v and v + d belong to one group, and
 * maps are finished in their order.
 */
export function filterOrder(step: Step, filters: number): Int32Array {
  const open = interleaveOf(step, filters);
  const ratio = ratioOf(step);
  return Int32Array.from({ length: filters }, (_, place) => {
    const turn = place % (open * ratio);
    const firstGroup = (place - turn) / ratio;
    return (firstGroup + (turn % open)) * ratio + Math.floor(turn / open);
  });
}
