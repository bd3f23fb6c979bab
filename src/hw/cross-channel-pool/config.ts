/** Parameters of the cross-channel pooling (CCP) unit. */
import { z } from 'zod';

export const crossChannelPoolSchema = z
  .strictObject({
    maximumRatio: z.int().min(2).max(16).describe('Most consecutive maps one group can have'),
    mean: z.boolean().default(false).describe('Whether it can take means besides maxima'),
  })
  .describe(
    'Running maximum or sum over consecutive maps, one value a lane (lanes = rows of the array); null = no such unit',
  );

export type CrossChannelPoolConfig = z.output<typeof crossChannelPoolSchema>;

/** Bytes of the unit's registers: one value a lane, and where means are taken half a byte more for their sum. */
export function crossChannelBytes(
  config: CrossChannelPoolConfig | null,
  lanes: number,
  valueBytes: number,
): number {
  return config === null ? 0 : Math.ceil(lanes * (valueBytes + (config.mean ? 0.5 : 0)));
}
