/** JSON files of other tools to checked values, every complaint with its line and column. */
import type { z } from 'zod';
import { InputError } from '../core/diagnostics.ts';
import { type Located, positionAt, quote, type SourceNode, type SourceText, validate } from './source.ts';

const MAXIMUM_CHARACTERS = 4 * 1024 * 1024;
const MAXIMUM_DEPTH = 64;

const SPACE = /[ \t\n\r]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them inside strings, and this is where we say so.
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORD = /true|false|null/y;

/**
 * Reads one JSON document and checks it against a schema.
 *
 * `file` is only for messages. Throws an `InputError` with the first thing wrong: syntax, duplicate keys, more than
 * 4 Mi characters or 64 levels, and whatever the schema refuses. (`JSON.parse` knows no positions and keeps the
 * last of two equal keys.)
 */
export function parseJson<S extends z.ZodType>(text: string, file: string, schema: S): Located<z.output<S>> {
  const source = { file, text };
  return validate(source, jsonTree(source), schema);
}

/** The values of a JSON text with their places, unchecked; for documents that say themselves what they are. */
export function jsonTree(source: SourceText, maximumCharacters = MAXIMUM_CHARACTERS): SourceNode {
  const { file, text } = source;
  if (text.length > maximumCharacters) {
    throw new InputError(`has ${text.length} characters, expected at most ${maximumCharacters}`, { file });
  }
  return new JsonReader(source).document();
}

class JsonReader {
  private readonly source: SourceText;
  private offset = 0;

  constructor(source: SourceText) {
    this.source = source;
    if (source.text.startsWith('\ufeff')) this.offset = 1;
  }

  document(): SourceNode {
    const root = this.value(0);
    if (this.offset < this.source.text.length) this.refuse('the end of the file');
    return root;
  }

  private value(depth: number): SourceNode {
    this.take(SPACE);
    const offset = this.offset;
    if (depth > MAXIMUM_DEPTH) this.refuse(`at most ${MAXIMUM_DEPTH} levels`);
    const node = this.map(offset, depth) ?? this.list(offset, depth) ?? this.scalar(offset);
    this.take(SPACE);
    return node;
  }

  private map(offset: number, depth: number): SourceNode | undefined {
    if (!this.takeMark('{')) return undefined;
    const entries = new Map<string, { keyOffset: number; node: SourceNode }>();
    const value: Record<string, unknown> = Object.create(null);
    this.take(SPACE);
    if (!this.takeMark('}')) {
      do {
        this.take(SPACE);
        const keyOffset = this.offset;
        const raw = this.take(STRING) ?? this.refuse('a key in double quotes');
        const key = JSON.parse(raw) as string;
        if (entries.has(key)) {
          throw new InputError(
            `key ${quote(key)} is here twice, expected it once`,
            positionAt(this.source, keyOffset),
          );
        }
        this.take(SPACE);
        if (!this.takeMark(':')) this.refuse("':'");
        const node = this.value(depth + 1);
        entries.set(key, { keyOffset, node });
        value[key] = node.value;
      } while (this.takeMark(','));
      if (!this.takeMark('}')) this.refuse("',' or '}'");
    }
    return { value, offset, entries };
  }

  private list(offset: number, depth: number): SourceNode | undefined {
    if (!this.takeMark('[')) return undefined;
    const items: SourceNode[] = [];
    this.take(SPACE);
    if (!this.takeMark(']')) {
      do items.push(this.value(depth + 1));
      while (this.takeMark(','));
      if (!this.takeMark(']')) this.refuse("',' or ']'");
    }
    return { value: items.map((item) => item.value), offset, items };
  }

  private scalar(offset: number): SourceNode {
    const raw = this.take(STRING) ?? this.take(NUMBER) ?? this.take(WORD) ?? this.refuse('a value');
    return { value: JSON.parse(raw), offset };
  }

  private take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.offset;
    const raw = pattern.exec(this.source.text)?.[0];
    this.offset += raw?.length ?? 0;
    return raw;
  }

  private takeMark(mark: string): boolean {
    if (this.source.text[this.offset] !== mark) return false;
    this.offset++;
    return true;
  }

  private refuse(expected: string): never {
    const found = this.source.text[this.offset];
    throw new InputError(
      `not valid JSON: ${found === undefined ? 'the file ends' : `${quote(found)} stands`} here, expected ${expected}`,
      positionAt(this.source, this.offset),
    );
  }
}
