import { z } from 'zod';

/** Tensor names end up in reports, dumps and file names: no spaces, nothing that needs quoting. */
export const tensorName = z
  .string()
  .max(100)
  .regex(/^[A-Za-z_][A-Za-z0-9_./-]*$/);
