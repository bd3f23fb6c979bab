/** Parameters of the cross-channel pooling (CCP) unit, and what follows from them. */
import { z } from 'zod';
import { containerBytes } from '../../core/fixed-point.ts';
import type { PeArrayConfig } from '../pe-array/config.ts';

export const crossChannelPoolSchema = z
  .strictObject({
    maximumRatio: z
      .int()
      .min(2)
      .max(16)
      .describe('Most consecutive maps one group can have; of a tree, the columns it takes: a power of two'),
    mean: z.boolean().default(false).describe('Whether it can take means besides maxima'),
    form: z
      .enum(['running', 'tree'])
      .default('running')
      .describe(
        'running: a register a lane, over columns that leave the array one after the other; tree: over neighbouring columns, which leave in one cycle',
      ),
    position: z
      .enum(['after', 'before'])
      .default('after')
      .describe(
        'Behind the requantiser, on activations; or in front of it, on sums with their bias: then the filters of a group share a scale',
      ),
    depth: z
      .int()
      .min(1)
      .max(16)
      .default(1)
      .describe('Groups a lane keeps open at once: filters of so many groups take turns'),
  })
  .superRefine(({ maximumRatio, mean, form, position, depth }, context) => {
    const refuse = (path: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [path], message });
    };
    if (form === 'tree') {
      if (!Number.isInteger(Math.log2(maximumRatio))) {
        refuse('maximumRatio', `${maximumRatio} with form: tree, expected a power of two`);
      }
      if (depth > 1) refuse('depth', `${depth} with form: tree, which keeps no group open, expected 1`);
      if (mean) refuse('mean', 'true with form: tree, which takes maxima alone, expected false');
    }
    if (position === 'before' && mean) {
      refuse('mean', 'true with position: before, where only a maximum is the same, expected false');
    }
  })
  .describe(
    'Maxima (or means) over consecutive maps, in the pipe behind the array (lanes = rows of the array); null = no such unit',
  );

export type CrossChannelPoolConfig = z.output<typeof crossChannelPoolSchema>;

/** Bits of a value in the unit, as its bytes are counted: of the stored activation, or of the accumulator. */
export function crossChannelValueBits(
  { position }: CrossChannelPoolConfig,
  { activationBits, accumulatorBits }: PeArrayConfig,
): number {
  return position === 'before' ? accumulatorBits : 8 * containerBytes(activationBits);
}

/** Maxima the unit keeps: one a lane and open group; a tree keeps none. */
export function crossChannelEntries(
  { form, depth }: CrossChannelPoolConfig,
  { rows }: PeArrayConfig,
): number {
  return form === 'tree' ? 0 : rows * depth;
}

/**
 * Bytes of the unit's registers: a value for each lane and open group, and where means are taken half a byte more for
 * their sum.
 */
export function crossChannelBytes(config: CrossChannelPoolConfig | null, peArray: PeArrayConfig): number {
  if (config === null) return 0;
  const bits = crossChannelValueBits(config, peArray) + (config.mean ? 4 : 0);
  return Math.ceil((crossChannelEntries(config, peArray) * bits) / 8);
}

/** Columns that leave the array in one cycle for a group of `ratio` maps. */
export function columnsAtOnce(config: CrossChannelPoolConfig | null, ratio: number): number {
  return config?.form === 'tree' ? ratio : 1;
}

/**
 * Columns that the chain of a machine can hand over in one cycle: those of the largest group its tree takes, which must
 * share out the array's columns evenly; 1 without a tree.
 */
export function handoverColumns(config: CrossChannelPoolConfig | null, arrayColumns: number): number {
  if (config?.form !== 'tree') return 1;
  let most = config.maximumRatio;
  while (arrayColumns % most !== 0) most /= 2;
  return most;
}

/**
 * Groups of maps whose filters take turns in a tile of `maps` maps (a group of filters of the convolution): the largest
 * divisor of them that the unit keeps open.
 */
export function openGroups(
  { form, depth }: Pick<CrossChannelPoolConfig, 'form' | 'depth'>,
  maps: number,
): number {
  let open = Math.min(form === 'running' ? depth : 1, maps);
  while (maps % open !== 0) open--;
  return open;
}

/** What the unit is, in words, for reports. */
export function describeCrossChannelPool(config: CrossChannelPoolConfig, peArray: PeArrayConfig): string {
  const { form, position, depth, maximumRatio } = config;
  const bits = crossChannelValueBits(config, peArray);
  const bytes = crossChannelBytes(config, peArray);
  const what =
    form === 'tree'
      ? `a tree over up to ${maximumRatio} columns at once, ${peArray.rows} rows of them`
      : `a running maximum, ${peArray.rows} lanes`;
  const held = form === 'tree' ? '' : `, depth ${depth}`;
  return `Cross-channel pooling: ${what}${held}, ${bits} bits, ${position === 'before' ? 'before' : 'behind'} the requantiser; ${bytes} bytes of registers.`;
}
