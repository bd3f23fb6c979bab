/**
 * Protocol buffers by the tables of `schema.ts`, on protobufjs' reader and writer.
 *
 * Bytes are views into the file, never copies. What is made of a file besides is bounded by a number of values, and
 * nothing is nested deeper than the schema.
 */
import type protobuf from 'protobufjs/minimal.js';
import { InputError } from '../../core/diagnostics.ts';
import { lazyPackage } from '../lazy-package.ts';
import type { Decoded, Encodable, Field, Message, Scalar } from './schema.ts';

const protocolBuffers = lazyPackage<typeof protobuf>('protobufjs/minimal.js');

/** Most messages, strings and numbers in a file, data of tensors apart: a large network has some ten thousand. */
const MAXIMUM_VALUES = 2 ** 20;

/** Wire types. */
const VARINT = 0;
const LENGTH = 2;
const FIXED32 = 5;

const wireTypes: Readonly<Record<Scalar, number>> = {
  int64: VARINT,
  float: FIXED32,
  string: LENGTH,
  bytes: LENGTH,
  packed: LENGTH,
};

type Entry = readonly [key: string, field: Field];

/** A message's fields by their numbers; made once a message. */
const fieldsByNumber = new Map<Message, ReadonlyMap<number, Entry>>();

function fieldsOf(message: Message): ReadonlyMap<number, Entry> {
  let fields = fieldsByNumber.get(message);
  if (fields === undefined) {
    fields = new Map(Object.entries(message.fields).map((entry) => [entry[1].number, entry]));
    fieldsByNumber.set(message, fields);
  }
  return fields;
}

/**
 * Reads a message.
 * @throws InputError `file: byte N: ...` for bytes that are none, are cut off, or hold too many values
 */
export function decode<M extends Message>(bytes: Uint8Array, message: M, file: string): Decoded<M> {
  return new Decoder(bytes, file).message(message, bytes.length) as Decoded<M>;
}

class Decoder {
  readonly #reader: protobuf.Reader;
  readonly #file: string;
  #values = 0;

  constructor(bytes: Uint8Array, file: string) {
    this.#reader = protocolBuffers().Reader.create(bytes);
    this.#file = file;
  }

  message(message: Message, end: number): Record<string, unknown> {
    const reader = this.#reader;
    const fields = fieldsOf(message);
    const result: Record<string, unknown> = {};
    for (const [key, { repeated }] of fields.values()) result[key] = repeated ? [] : undefined;
    while (reader.pos < end) {
      const start = reader.pos;
      try {
        const tag = reader.tag();
        const entry = fields.get(tag >>> 3);
        if (entry === undefined) reader.skipType(tag & 7, undefined, tag >>> 3);
        else this.field(result, entry, tag & 7, end);
      } catch (error) {
        if (error instanceof InputError) throw error;
        // protobufjs complains of bytes behind the end, and of numbers and tags that are none.
        throw this.broken(start, message, error instanceof RangeError);
      }
      if (reader.pos > end) throw this.broken(start, message, true);
    }
    return result;
  }

  private field(
    result: Record<string, unknown>,
    [key, { type, repeated }]: Entry,
    wireType: number,
    end: number,
  ): void {
    const reader = this.#reader;
    const start = reader.pos;
    const expected = typeof type === 'string' ? wireTypes[type] : LENGTH;
    const list = repeated ? (result[key] as unknown[]) : undefined;
    // A repeated number comes one by one or packed; readers have to take both.
    const packed = list !== undefined && (type === 'int64' || type === 'float') && wireType === LENGTH;
    if (wireType !== expected && !packed) {
      const detail = type === 'packed' ? ' (unpacked numbers are not read)' : '';
      throw this.fail(start, `${key} is stored as wire type ${wireType}, expected ${expected}${detail}`);
    }
    let last = 0;
    if (expected === LENGTH || packed) {
      const length = reader.size();
      last = reader.pos + length;
      if (last > end) {
        throw this.fail(start, `${key} is cut off (${length} bytes, ${end - reader.pos} left)`);
      }
    }
    if (packed) {
      while (reader.pos < last) list.push(this.count(this.number(type)));
      return;
    }
    const value = this.count(
      typeof type !== 'string'
        ? this.message(type, last)
        : type === 'int64' || type === 'float'
          ? this.number(type)
          : this.bytes(type, last),
    );
    if (list === undefined) result[key] = value;
    else list.push(value);
  }

  private number(type: 'int64' | 'float'): number {
    if (type === 'float') return this.#reader.float();
    // A number, or an object of the package long where that is installed.
    return Number(String(this.#reader.int64()));
  }

  private bytes(type: 'string' | 'bytes' | 'packed', end: number): string | Uint8Array {
    const reader = this.#reader;
    const view = reader.buf.subarray(reader.pos, end);
    reader.pos = end;
    return type === 'string' ? new TextDecoder().decode(view) : view;
  }

  private count<T>(value: T): T {
    if (++this.#values > MAXIMUM_VALUES) {
      throw this.fail(this.#reader.pos, `more than ${MAXIMUM_VALUES} values up to here, expected a network`);
    }
    return value;
  }

  private broken(at: number, { name }: Message, short: boolean): InputError {
    return this.fail(at, `${name} is ${short ? 'cut off' : 'damaged'} here, expected a whole ONNX model`);
  }

  private fail(at: number, message: string): InputError {
    return new InputError(`byte ${at}: ${message}`, { file: this.#file });
  }
}

/** Writes a message. */
export function encode<M extends Message>(value: Encodable<M>, message: M): Uint8Array {
  const writer = protocolBuffers().Writer.create();
  writeMessage(writer, value, message);
  return writer.finish();
}

function writeMessage(writer: protobuf.Writer, value: object, message: Message): void {
  for (const [key, field] of Object.entries(message.fields)) {
    const content = (value as Readonly<Record<string, unknown>>)[key];
    if (content === undefined) continue;
    for (const item of field.repeated ? (content as readonly unknown[]) : [content]) {
      writeField(writer, item, field);
    }
  }
}

function writeField(writer: protobuf.Writer, value: unknown, { number, type }: Field): void {
  if (typeof type !== 'string') {
    writer.uint32((number << 3) | LENGTH).fork();
    writeMessage(writer, value as object, type);
    writer.ldelim();
    return;
  }
  writer.uint32((number << 3) | wireTypes[type]);
  if (type === 'int64') writer.int64(value as number);
  else if (type === 'float') writer.float(value as number);
  else if (type === 'string') writer.string(value as string);
  else writer.bytes(value as Uint8Array);
}
