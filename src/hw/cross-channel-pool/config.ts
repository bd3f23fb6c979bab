/** Parameters of the cross-channel pooling (CCP) unit. */
import { z } from 'zod';

export const crossChannelPoolSchema = z
  .strictObject({
    maximumRatio: z.int().min(2).max(16).describe('Most consecutive maps one group can have'),
  })
  .describe(
    'Running maximum over consecutive maps, one byte a lane (lanes = rows of the array); null = no such unit',
  );

export type CrossChannelPoolConfig = z.output<typeof crossChannelPoolSchema>;

/** Bytes of the unit's registers: one running maximum a lane. */
export function crossChannelBytes(config: CrossChannelPoolConfig | null, lanes: number): number {
  return config === null ? 0 : lanes;
}
