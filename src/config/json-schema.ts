/** JSON Schemas of our file formats, so that an editor completes and checks them while one writes. */
import { z } from 'zod';

/** What a schema file is published under. */
export interface SchemaTitle {
  /** File name in `schema/`, also the end of its `$id`. */
  readonly file: string;
  readonly title: string;
}

/** The text of a schema file: JSON Schema (draft 2020-12) of what a user may write, defaults optional. */
export function jsonSchemaText({ file, title }: SchemaTitle, schema: z.ZodType): string {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' });
  // A relative reference: the schema stands wherever the package was put.
  return `${JSON.stringify({ $schema, $id: file, title, ...rest }, undefined, 2)}\n`;
}
