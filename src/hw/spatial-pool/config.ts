/** Parameters of the spatial pooling unit. */
import { z } from 'zod';

export const spatialPoolSchema = z
  .strictObject({
    maximumWindow: z.int().min(1).max(32).describe('Most rows and columns of a pooling window'),
  })
  .describe('Maximum and average pooling with a line buffer; null = no such unit');

export type SpatialPoolConfig = z.output<typeof spatialPoolSchema>;
