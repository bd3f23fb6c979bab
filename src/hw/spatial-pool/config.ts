/** Parameters of the spatial pooling unit. */
import { z } from 'zod';

export const spatialPoolSchema = z
  .strictObject({
    maximumWindow: z.int().min(1).max(32).describe('Most rows and columns of a pooling window'),
    average: z.boolean().default(true).describe('Whether it can take averages besides maxima'),
  })
  .describe('Spatial pooling with a line buffer; null = no such unit');

export type SpatialPoolConfig = z.output<typeof spatialPoolSchema>;
