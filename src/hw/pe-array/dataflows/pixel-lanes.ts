/** Reads of consecutive output pixels, one value of one channel each: how to place a map for them, and what they cost. */
import { ceilDiv, greatestCommonDivisor } from '../../../core/integers.ts';
import type { Placement } from './dataflow.ts';

/** Whether lanes that wrap from one output row to the next go on in the bank after the last one. */
export function isWrapClean(
  { rowPitch, strideRows, strideColumns, outColumns }: Omit<Placement, 'planePitch'>,
  banks: number,
): boolean {
  return (rowPitch * strideRows - outColumns * strideColumns) % banks === 0;
}

/** About how many cycles a read of `lanes` pixels takes: a stride meets banks more often, and so do lanes that wrap. */
export function meanPixelConflict(placement: Placement, lanes: number, banks: number): number {
  const { strideColumns, outColumns } = placement;
  const distinct = banks / greatestCommonDivisor(strideColumns, banks);
  const within = ceilDiv(Math.min(lanes, outColumns), distinct);
  return within + (isWrapClean(placement, banks) ? 0 : Math.min(1, lanes / outColumns));
}
