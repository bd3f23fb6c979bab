/** What a model of ours needs and ONNX has no place for: kept in the file's metadata, under a key of ours. */
import { z } from 'zod';
import { InputError } from '../../core/diagnostics.ts';
import type { DetectorHead, InputPreparation } from '../../graph/graph.ts';
import { detector } from '../model-yaml.ts';
import type { ModelProto } from './schema.ts';

export const METADATA_KEY = 'condensim';

export interface Annotations {
  readonly name?: string | undefined;
  readonly description: string;
  readonly preparation?: InputPreparation | undefined;
  readonly detector?: DetectorHead | undefined;
}

const annotationsSchema = z.strictObject({
  name: z
    .string()
    .max(100)
    .regex(/^[A-Za-z_][A-Za-z0-9_./-]*$/)
    .optional(),
  description: z.string().max(2000).default(''),
  preparation: z
    .strictObject({
      mean: z.array(z.number().min(-1e6).max(1e6)).min(1).max(8192),
      divisor: z.number().min(1e-6).max(1e6),
      placement: z.enum(['corner', 'centre']).optional(),
      surround: z.number().min(0).max(255).optional(),
    })
    .optional(),
  detector: detector.optional(),
});

/** @throws InputError for annotations that are none of ours */
export function readAnnotations({ metadata_props: entries }: ModelProto): Annotations {
  const text = entries.find(({ key }) => key === METADATA_KEY)?.value;
  if (text === undefined) return { description: '' };
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw new InputError(`metadata ${METADATA_KEY}: is no JSON, expected what condensim wrote`);
  }
  const result = annotationsSchema.safeParse(raw);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new InputError(`metadata ${METADATA_KEY}: ${[...issue.path.map(String), issue.message].join(': ')}`);
}
