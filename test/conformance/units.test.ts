/** What every hardware unit's configuration must offer: a meaning for each field, bounds, a schema that editors can use. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { machineFileSchema } from '../../src/hw/machine/config.ts';
import { readMachine, readMachineFile } from '../../src/import/machine-yaml.ts';

type JsonSchema = {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Record<string, JsonSchema>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
};

const schema = z.toJSONSchema(machineFileSchema, { io: 'input' }) as JsonSchema;
const files = readdirSync('hw-configs').filter((file) => file.endsWith('.yaml'));

const alternatives = (node: JsonSchema) => [...(node.anyOf ?? []), ...(node.oneOf ?? [])];

/** Every field of the schema, nested ones and those behind alternatives too. */
function* fieldsOf(node: JsonSchema, path = ''): Generator<{ path: string; field: JsonSchema }> {
  for (const [name, field] of Object.entries(node.properties ?? {})) {
    const at = path === '' ? name : `${path}.${name}`;
    yield { path: at, field };
    yield* fieldsOf(field, at);
  }
  for (const alternative of alternatives(node)) yield* fieldsOf(alternative, path);
}

const isDescribed = (field: JsonSchema): boolean =>
  (field.description ?? '') !== '' || alternatives(field).some(isDescribed);

/** What of `value` the schema refuses; enough of JSON Schema for the machine's. */
function* refusals(node: JsonSchema, value: unknown, path = 'machine'): Generator<string> {
  const options = alternatives(node);
  if (options.length > 0) {
    const fits = options.some((option) => [...refusals(option, value, path)].length === 0);
    if (!fits) yield `${path}: fits no alternative`;
    return;
  }
  if ('const' in node && value !== node.const) yield `${path}: not ${String(node.const)}`;
  if (node.enum !== undefined && !node.enum.includes(value)) yield `${path}: not one of ${node.enum.join()}`;
  if (node.type === 'null' && value !== null) yield `${path}: not null`;
  if (node.type === 'string') {
    if (typeof value !== 'string') yield `${path}: no text`;
    else if (
      value.length < (node.minLength ?? 0) ||
      value.length > (node.maxLength ?? Number.POSITIVE_INFINITY)
    ) {
      yield `${path}: too long or too short`;
    }
  }
  if (node.type === 'integer' || node.type === 'number') {
    if (typeof value !== 'number') yield `${path}: no number`;
    else {
      if (node.type === 'integer' && !Number.isInteger(value)) yield `${path}: no whole number`;
      if (value < node.minimum! || value > node.maximum!) yield `${path}: out of bounds`;
    }
  }
  if (node.type !== 'object') return;
  if (typeof value !== 'object' || value === null) {
    yield `${path}: no object`;
    return;
  }
  for (const name of node.required ?? []) if (!(name in value)) yield `${path}.${name}: missing`;
  for (const [name, inner] of Object.entries(value)) {
    const property = node.properties?.[name];
    if (property === undefined) yield `${path}.${name}: unknown`;
    else yield* refusals(property, inner, `${path}.${name}`);
  }
}

describe('machine schema', () => {
  const fields = [...fieldsOf(schema)];

  it('has the units', () => {
    expect(fields.length).toBeGreaterThan(30);
    for (const unit of ['peArray', 'buffers', 'postProcessing', 'dma', 'sequencer', 'dram']) {
      expect(fields.map(({ path }) => path)).toContain(unit);
    }
  });

  it.each(fields)('$path says what it is', ({ field }) => {
    expect(isDescribed(field)).toBe(true);
  });

  it.each(fields.filter(({ field }) => field.type === 'integer'))('$path is bounded', ({ field }) => {
    // Without bounds of ours zod writes those of safe integers.
    expect(field.minimum).toBeGreaterThanOrEqual(0);
    expect(field.maximum).toBeLessThan(2 ** 31);
  });

  it('refuses what it does not know, everywhere', () => {
    const objects = [schema, ...fields.flatMap(({ field }) => [field, ...alternatives(field)])].filter(
      (node) => node.type === 'object',
    );
    expect(objects.length).toBeGreaterThan(10);
    for (const node of objects) expect(node.additionalProperties).toBe(false);
  });
});

describe.each(files)('%s', (file) => {
  const path = `hw-configs/${file}`;
  const written: unknown = parse(readFileSync(path, 'utf8'));

  it('is a machine, named as its file', () => {
    const machine = readMachineFile(path);
    expect(`${machine.name}.yaml`).toBe(file);
    expect(machine.description).not.toBe('');
  });

  it('is what the JSON Schema describes', () => {
    expect([...refusals(schema, written)]).toEqual([]);
  });

  it('would be refused with a field missing, unknown or out of bounds', () => {
    const machine = written as Record<string, object>;
    const wrong: object[] = [
      { ...machine, postProcessing: undefined },
      { ...machine, extra: 1 },
      { ...machine, clockMHz: 0 },
      { ...machine, peArray: { ...machine.peArray, rows: 257 } },
      { ...machine, dram: { ...machine.dram, kind: 'magic' } },
      { ...machine, postProcessing: { ...machine.postProcessing, crossChannelPool: { maximumRatio: 1 } } },
    ];
    for (const one of wrong) {
      expect([...refusals(schema, one)].length).toBeGreaterThan(0);
      expect(machineFileSchema.safeParse(one).success).toBe(false);
    }
  });

  it.each([
    'buffers',
    'dma',
    'sequencer',
    'dram',
  ])('needs %s, unless its memory is ideal and infinite', (name) => {
    const rest = Object.entries(written as object).filter(([section]) => section !== name);
    const text = stringify(Object.fromEntries(rest));
    expect(() => readMachine(text, path)).toThrow(`${name}: missing, expected this section unless memory is`);
    expect(readMachine(`memory: ideal-infinite\n${text}`, path).memory).toBe('ideal-infinite');
  });
});
