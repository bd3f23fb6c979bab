/** Where the maps of a step lie in the feature buffer, if more than the slots it is loaded into. */
import { alignUp } from '../core/integers.ts';
import type { RowRange } from './geometry.ts';

/** A map, or some channels of it, that a step leaves in the feature buffer for the next one. */
export interface KeptMap {
  /** Channels that stay; the others go to DRAM. */
  readonly channels: RowRange;
  /** Where channel 0 lies, or would. */
  readonly address: number;
  /** Bytes from row to row and from channel to channel. */
  readonly rowPitch: number;
  readonly planePitch: number;
  /** Rows of a channel that are used in turn; 0: every row has its own place. */
  readonly ringRows: number;
  /** Channels whose places are used in turn, whole tiles of them; 0: every channel has its own place. */
  readonly ringChannels: number;
}

export interface Places {
  /** Passes between two barriers are numbered; steps of one pass are fused. */
  readonly pass: number;
  /** What the fused steps of a pass interleave: bands of rows, or groups of channels; absent in a pass of one step. */
  readonly fusedBy?: 'rows' | 'channels';
  /** First byte of the input's slots, of its ring, or of the whole map. */
  readonly featureBase: number;
  /** Rows of the input's ring; 0: none. */
  readonly ringRows: number;
  /** Bytes from channel to channel of the whole map or the ring; 0: as the tiling's bands need. */
  readonly planePitch: number;
  /** Channels of the input that are there already; the others are loaded. */
  readonly inputKept: RowRange;
  readonly output: KeptMap | undefined;
  /** Maps of the output, whole tiles of them, whose places are the input's until the last tile has read it. */
  readonly lateMaps?: RowRange;
  /** First byte of the weights and of the records, which fused steps share the buffers for. */
  readonly weightBase: number;
  readonly parameterBase: number;
  /** Number of the first vector of its partial sums in the accumulator buffer. */
  readonly accumulatorVector: number;
}

export const nothingKept: RowRange = { first: 0, end: 0 };

/** Of a step whose maps all lie in DRAM. */
export function placesInDram(pass: number): Places {
  return {
    pass,
    featureBase: 0,
    ringRows: 0,
    planePitch: 0,
    inputKept: nothingKept,
    output: undefined,
    weightBase: 0,
    parameterBase: 0,
    accumulatorVector: 0,
  };
}

/** Rows [first, end) as stretches that do not go round the end of a ring; `place` is where a stretch begins. */
export function* ringStretches(
  { first, end }: RowRange,
  ringRows: number,
): Generator<{ row: number; rows: number; place: number }> {
  if (ringRows === 0) {
    if (end > first) yield { row: first, rows: end - first, place: first };
    return;
  }
  for (let row = first; row < end; ) {
    const rows = Math.min(end, alignUp(row + 1, ringRows)) - row;
    yield { row, rows, place: row % ringRows };
    row += rows;
  }
}

/** Channels [first, end) cut where they begin or end to be among `kept`. */
export function* splitByKept(
  { first, end }: RowRange,
  kept: RowRange,
): Generator<RowRange & { readonly isKept: boolean }> {
  const cuts = [
    first,
    Math.min(Math.max(kept.first, first), end),
    Math.min(Math.max(kept.end, first), end),
    end,
  ];
  for (const [index, isKept] of [false, true, false].entries()) {
    const part = { first: cuts[index]!, end: cuts[index + 1]! };
    if (part.end > part.first) yield { ...part, isKept };
  }
}
