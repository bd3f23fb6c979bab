/**
 * Where maps that stay on chip lie. A kept map lies at the low or the high end of the feature buffer, the next one at the
 * other end, so that a step's input and output never meet.
 */
import type { RowRange } from './geometry.ts';
import { type KeptMap, nothingKept } from './places.ts';

/** A map as the step that reads it lays it out in the feature buffer. */
export interface WholeMap {
  readonly channels: number;
  readonly rowPitch: number;
  readonly planePitch: number;
  readonly bytes: number;
}

export type End = 'low' | 'high';

/** The map in front of a step: `kept` channels are on chip, at one end of the buffer; 0: none. */
export interface Held {
  readonly kept: number;
  readonly end: End;
}

export const nothing: Held = { kept: 0, end: 'low' };

/** Where a whole map at one end of a feature buffer of `featureBytes` lies. */
export function addressOf(map: WholeMap, end: End, featureBytes: number): number {
  return end === 'low' ? 0 : featureBytes - map.bytes;
}

/** The kept channels of a map: the ones that lie at the very end of the buffer. */
export function keptChannels(map: WholeMap, { kept, end }: Held): RowRange {
  if (kept === 0) return nothingKept;
  return end === 'low' ? { first: 0, end: kept } : { first: map.channels - kept, end: map.channels };
}

/** The same as places; undefined if nothing is kept. */
export function keptMapOf(map: WholeMap, held: Held, featureBytes: number): KeptMap | undefined {
  if (held.kept === 0) return undefined;
  return {
    channels: keptChannels(map, held),
    address: addressOf(map, held.end, featureBytes),
    rowPitch: map.rowPitch,
    planePitch: map.planePitch,
    ringRows: 0,
    ringChannels: 0,
  };
}
