/** Seeded damage to files: bytes, values of a document, fields of protocol buffers, chunks of pictures, lines of text. */
import { deflateSync, inflateSync } from 'node:zlib';
import { crc32 } from './crc.test-helper.ts';

/** Uniform 32-bit unsigned integers. */
export type Random = () => number;

const pick = <T>(random: Random, list: readonly T[]): T => list[random() % list.length]!;

/** Numbers that break what was not written with them in mind. */
const NUMBERS = [
  ...[
    0,
    1,
    -1,
    2,
    3,
    7,
    127,
    128,
    255,
    256,
    8192,
    32768,
    65535,
    65536,
    2 ** 24,
    2 ** 28,
    2 ** 31 - 1,
    2 ** 31,
  ],
  ...[2 ** 32, 2 ** 53, 1e18, -(2 ** 31), -65536, 1e300, 0.5, 1e-9, -0.001],
];
const WORDS = [
  ...[
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    '',
    '..',
    '../../x',
    '/etc/passwd',
    'C:\\x',
    '\0',
    'a\nb',
  ],
  ...['image', 'same', 'valid', 'depthwise', 'float32', 'F32', 'I8', 'relu', 'convolution', 'x'.repeat(5000)],
];
const MARKS = [
  ...[
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    "'",
    '&a',
    '*a',
    '!!x',
    '---',
    '\n',
    ' ',
    '\t',
    '#',
    '|',
    '>',
    '-',
    '1e999',
    '.inf',
  ],
  ...[
    'NaN',
    '0x',
    '\ufeff',
    '\u2028',
    '__proto__:',
    '<<: *a',
    '? a',
    '~',
    '-1',
    '99999999999999999999',
    '\\u0000',
  ],
];

/** A few changes most of the time, now and then many. */
function changes(random: Random, most: number): number {
  return random() % 2 === 0 ? 1 : 1 + (random() % most);
}

/**
 * One to eight changes of bytes: set, flipped, left out, put in twice, cut off, taken from another file. Half of the time
 * all bytes stay where they are.
 */
export function mutateBytes(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  let result: Uint8Array = bytes.slice();
  const kinds = random() % 2 === 0 ? 4 : 10;
  for (let left = changes(random, 8); left > 0 && result.length > 0; left--) {
    const at = random() % result.length;
    const length = Math.min(1 + (random() % 16), result.length - at);
    const inserted = (what: Uint8Array): Uint8Array =>
      new Uint8Array(Buffer.concat([result.subarray(0, at), what, result.subarray(at)]));
    switch (random() % kinds) {
      case 0:
        result[at] = random() & 255;
        break;
      case 1:
        result[at]! ^= 1 << (random() % 8);
        break;
      case 2:
        result[at] = pick(random, [0, 1, 0x7f, 0x80, 0xff]);
        break;
      case 3:
        result.fill(pick(random, [0, 0xff, 0x80]), at, at + length);
        break;
      case 4:
        result = new Uint8Array(Buffer.concat([result.subarray(0, at), result.subarray(at + length)]));
        break;
      case 5:
        result = inserted(result.slice(at, at + length));
        break;
      case 6:
        if (random() % 4 === 0) result = result.slice(0, at);
        break;
      case 7: {
        const from = random() % other.length;
        result = inserted(other.subarray(from, from + (random() % 64)));
        break;
      }
      case 8:
        new DataView(result.buffer).setUint8(at, 0xff);
        if (at + 4 <= result.length) {
          new DataView(result.buffer).setUint32(
            at,
            pick(random, [0, 1, 0x7fffffff, 0xffffffff, 65536]),
            random() % 2 === 0,
          );
        }
        break;
      default:
        result = inserted(new TextEncoder().encode(pick(random, random() % 2 === 0 ? MARKS : WORDS)));
    }
  }
  return result;
}

/** A document as a tree whose maps may have any key, any number of times. */
export type Tree = string | number | boolean | null | Tree[] | { entries: [string, Tree][] };

export function treeOf(value: unknown): Tree {
  if (Array.isArray(value)) return value.map(treeOf);
  if (typeof value === 'object' && value !== null) {
    return { entries: Object.entries(value).map(([key, one]) => [key, treeOf(one)]) };
  }
  return value as Tree;
}

/** JSON, which is YAML too. */
export function treeText(tree: Tree): string {
  if (Array.isArray(tree)) return `[${tree.map(treeText).join(', ')}]`;
  if (typeof tree === 'object' && tree !== null) {
    return `{${tree.entries.map(([key, one]) => `${JSON.stringify(key)}: ${treeText(one)}`).join(', ')}}`;
  }
  return JSON.stringify(tree);
}

/** One to four changes of a document: values, keys, entries left out, twice, exchanged, nested. */
export function mutateTree(tree: Tree, random: Random): Tree {
  let root = structuredClone(tree);
  for (let left = changes(random, 4); left > 0; left--) {
    const places = placesOf(root);
    const { get, set, parent, at } = pick(random, places);
    const value = get();
    switch (random() % 9) {
      case 0:
        set(pick(random, NUMBERS));
        break;
      case 1:
        set(pick(random, WORDS));
        break;
      case 2:
        set(pick(random, [null, true, false, [], { entries: [] }] as Tree[]));
        break;
      case 3:
        set(structuredClone(pick(random, places).get()));
        break;
      case 4:
        if (Array.isArray(parent)) parent.splice(at, 1);
        else if (parent !== undefined) (parent as { entries: unknown[] }).entries.splice(at, 1);
        break;
      case 5:
        if (Array.isArray(parent)) parent.splice(at, 0, structuredClone(value));
        else if (parent !== undefined) {
          const { entries } = parent as { entries: [string, Tree][] };
          entries.splice(at, 0, [entries[at]![0], structuredClone(value)]);
        }
        break;
      case 6:
        if (parent !== undefined && !Array.isArray(parent)) {
          const { entries } = parent as { entries: [string, Tree][] };
          entries[at]![0] = random() % 2 === 0 ? pick(random, WORDS) : pick(random, entries)[0];
        }
        break;
      case 7: {
        let nested: Tree = value;
        for (let depth = random() % (random() % 8 === 0 ? 200 : 4); depth > 0; depth--) nested = [nested];
        set(nested);
        break;
      }
      default:
        if (typeof value === 'number') set(value + pick(random, [1, -1, 0.5, 2 ** 16]));
        else if (Array.isArray(value)) set([...value, ...structuredClone(value)]);
        else if (typeof value === 'object' && value !== null) {
          value.entries.push([pick(random, WORDS), structuredClone(pick(random, places).get())]);
        }
    }
    if (placesOf(root).length > 3000) break;
  }
  return root;

  function placesOf(from: Tree): Place[] {
    const found: Place[] = [];
    const visit = (place: Place): void => {
      found.push(place);
      const value = place.get();
      if (Array.isArray(value)) {
        value.forEach((_, i) => {
          visit({
            get: () => value[i]!,
            set: (one) => {
              value[i] = one;
            },
            parent: value,
            at: i,
          });
        });
      } else if (typeof value === 'object' && value !== null) {
        value.entries.forEach((_, i) => {
          visit({
            get: () => value.entries[i]![1],
            set: (one) => {
              value.entries[i]![1] = one;
            },
            parent: value,
            at: i,
          });
        });
      }
    };
    visit({
      get: () => from,
      set: (one) => {
        root = one;
      },
      parent: undefined,
      at: 0,
    });
    return found;
  }
}

interface Place {
  readonly get: () => Tree;
  readonly set: (value: Tree) => void;
  readonly parent: Tree | undefined;
  readonly at: number;
}

/** A field of a protocol buffer: a message where its bytes read as one. */
interface Field {
  number: number;
  wire: number;
  varint?: bigint;
  bytes?: Uint8Array;
  message?: Field[];
}

/** One to four changes of a protocol buffer's fields, whatever its schema; lengths are right again afterwards. */
export function mutateProtobuf(bytes: Uint8Array, random: Random): Uint8Array {
  const root = fieldsOf(bytes, 0);
  if (root === undefined) return bytes;
  for (let left = changes(random, 4); left > 0; left--) {
    const lists: Field[][] = [];
    const visit = (list: Field[]): void => {
      lists.push(list);
      for (const { message } of list) if (message !== undefined) visit(message);
    };
    visit(root);
    const list = pick(random, lists);
    if (list.length === 0) continue;
    const at = random() % list.length;
    const field = list[at]!;
    switch (random() % 16) {
      case 0:
        list.splice(at, 1);
        break;
      case 1:
        list.splice(random() % list.length, 0, structuredClone(field));
        break;
      case 2: {
        const to = random() % list.length;
        [list[at], list[to]] = [list[to]!, field];
        break;
      }
      case 3:
        field.number = 1 + (random() % 24);
        break;
      case 4: {
        const from = pick(random, lists);
        if (from.length > 0) list.splice(at, 0, structuredClone(pick(random, from)));
        break;
      }
      default:
        if (field.varint !== undefined) {
          const small = BigInt(random() % 20);
          const huge = pick(random, [
            2n ** 31n,
            2n ** 32n,
            2n ** 63n,
            2n ** 64n - 1n,
            2n ** 28n,
            65536n,
            8192n,
          ]);
          field.varint = random() % 2 === 0 ? small : huge;
        } else if (field.bytes !== undefined && field.message === undefined) {
          field.bytes =
            random() % 2 === 0
              ? new TextEncoder().encode(pick(random, WORDS))
              : mutateBytes(field.bytes, bytes, random);
        } else if (field.message !== undefined && random() % 4 === 0) {
          field.message = [];
        }
    }
  }
  return encodeFields(root);
}

function fieldsOf(bytes: Uint8Array, depth: number): Field[] | undefined {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint | undefined => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) return undefined;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    return undefined;
  };
  while (at < bytes.length) {
    const tag = varint();
    if (tag === undefined || tag >> 3n === 0n || tag >> 3n > 100n) return undefined;
    const field: Field = { number: Number(tag >> 3n), wire: Number(tag & 7n) };
    if (field.wire === 0) {
      const value = varint();
      if (value === undefined) return undefined;
      field.varint = value;
    } else {
      const length =
        field.wire === 1 ? 8 : field.wire === 5 ? 4 : field.wire === 2 ? Number(varint() ?? -1n) : -1;
      if (length < 0 || at + length > bytes.length) return undefined;
      field.bytes = bytes.slice(at, at + length);
      at += length;
      // Names read as messages now and then; damage to those would hit nothing else.
      const isText = field.bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
      const mayBeMessage = field.wire === 2 && !isText && depth < 8;
      const inner = mayBeMessage ? fieldsOf(field.bytes, depth + 1) : undefined;
      if (inner !== undefined) field.message = inner;
    }
    fields.push(field);
  }
  return fields;
}

function encodeFields(fields: readonly Field[]): Uint8Array {
  const varint = (value: bigint): Uint8Array => {
    const bytes: number[] = [];
    for (let left = value; ; left >>= 7n) {
      bytes.push(Number(left & 127n) | (left > 127n ? 128 : 0));
      if (left <= 127n) return Uint8Array.from(bytes);
    }
  };
  const parts = fields.flatMap(({ number, wire, varint: value, bytes, message }) => {
    const tag = varint(BigInt(number) * 8n + BigInt(wire));
    if (value !== undefined) return [tag, varint(value)];
    const content = message === undefined ? bytes! : encodeFields(message);
    return wire === 2 ? [tag, varint(BigInt(content.length)), content] : [tag, content];
  });
  return new Uint8Array(Buffer.concat(parts));
}

/** PNG chunks left out, twice, exchanged and changed, their checksums right again. */
export function mutatePng(bytes: Uint8Array, random: Random): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Uint8Array[] = [];
  for (let at = 8; at + 12 <= bytes.length; at += 12 + view.getUint32(at)) {
    chunks.push(bytes.slice(at + 4, at + 8 + view.getUint32(at)));
  }
  for (let left = changes(random, 3); left > 0; left--) {
    const at = random() % chunks.length;
    const chunk = chunks[at]!;
    const kind = random() % 6;
    if (kind === 0) chunks.splice(at, 1);
    else if (kind === 1) chunks.splice(random() % chunks.length, 0, chunk.slice());
    else if (chunk.length > 4) {
      const to = 4 + (random() % Math.min(chunk.length - 4, kind < 4 ? 13 : chunk.length));
      chunk[to] = pick(random, [0, 1, 2, 3, 4, 6, 8, 16, 0x1f, 0x20, 0x7f, 0xff]);
      if (kind === 2 && to + 4 <= chunk.length) {
        new DataView(chunk.buffer).setUint32(to, pick(random, [0, 1, 8192, 8191, 2 ** 31, 100]));
      }
    }
    if (chunks.length === 0) break;
  }
  const parts: Uint8Array[] = [bytes.slice(0, 8)];
  const data = chunks.find((chunk) => String.fromCharCode(...chunk.subarray(0, 4)) === 'IDAT');
  if (data !== undefined && random() % 2 === 0) {
    try {
      const rows = inflateSync(data.subarray(4), { maxOutputLength: 2 ** 20 });
      const changed = deflateSync(mutateBytes(new Uint8Array(rows), bytes, random));
      chunks[chunks.indexOf(data)] = new Uint8Array(
        Buffer.concat([data.subarray(0, 4), new Uint8Array(changed)]),
      );
    } catch {
      // Damaged already.
    }
  }
  for (const chunk of chunks) {
    const frame = new Uint8Array(8 + chunk.length);
    const out = new DataView(frame.buffer);
    out.setUint32(0, chunk.length - 4);
    frame.set(chunk, 4);
    out.setUint32(4 + chunk.length, crc32(chunk));
    parts.push(frame);
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** JPEG segments left out, twice and exchanged, and numbers in their heads changed. */
export function mutateJpeg(bytes: Uint8Array, random: Random): Uint8Array {
  const starts: number[] = [];
  for (let i = 0; i + 1 < bytes.length; i++) {
    if (bytes[i] === 0xff && bytes[i + 1]! >= 0xc0) starts.push(i);
  }
  const parts = starts.map((start, i) => bytes.slice(start, starts[i + 1] ?? bytes.length));
  for (let left = changes(random, 3); left > 0 && parts.length > 0; left--) {
    const at = random() % parts.length;
    const part = parts[at]!;
    const kind = random() % 5;
    if (kind === 0) parts.splice(at, 1);
    else if (kind === 1) parts.splice(random() % parts.length, 0, part.slice());
    else if (part.length > 4) {
      const to = 2 + (random() % Math.min(part.length - 2, 24));
      part[to] = pick(random, [0, 1, 2, 3, 4, 0x11, 0x1f, 0x20, 0x22, 0x44, 0x80, 0xff, random() & 255]);
    }
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** Lines left out, twice, exchanged; their words replaced. */
export function mutateLines(text: string, random: Random): string {
  const lines = text.split('\n');
  for (let left = changes(random, 4); left > 0 && lines.length > 0; left--) {
    const at = random() % lines.length;
    const words = lines[at]!.split(' ');
    switch (random() % 6) {
      case 0:
        lines.splice(at, 1);
        break;
      case 1:
        lines.splice(random() % lines.length, 0, lines[at]!);
        break;
      case 2:
        lines[at] = lines[random() % lines.length]!;
        break;
      default:
        words[random() % words.length] = String(
          pick<string | number>(random, random() % 2 === 0 ? NUMBERS : [...WORDS, ...MARKS]),
        );
        lines[at] = words.join(' ');
    }
  }
  return lines.join(random() % 8 === 0 ? '\r\n' : '\n');
}
