/** YAML files to checked values, every complaint with its line and column. */
import { type Document, isAlias, isMap, isScalar, isSeq, Lexer, type ParsedNode, parseDocument } from 'yaml';
import type { z } from 'zod';
import { InputError } from '../core/diagnostics.ts';
import { type Located, positionAt, quote, type SourceNode, type SourceText, validate } from './source.ts';

const MAXIMUM_CHARACTERS = 4 * 1024 * 1024;
const MAXIMUM_DEPTH = 64;
/** Words and punctuation: the library takes a minute over four million brackets. */
const MAXIMUM_TOKENS = 200_000;
/** Values in the document with every alias written out: what keeps a few lines of aliases from becoming gigabytes. */
const MAXIMUM_VALUES = 1_000_000;
const TOO_DEEP = `nested too deeply, expected at most ${MAXIMUM_DEPTH} levels`;

/**
 * Reads one YAML document (version 1.2, core schema) and checks it against a schema.
 *
 * `file` is only for messages. Throws an `InputError` with the first thing wrong: syntax, duplicate keys, a second
 * document, keys that are not text, more than 4 Mi characters, 200,000 tokens, 64 levels or a million
 * values (aliases written out), and whatever the schema refuses.
 */
export function parseYaml<S extends z.ZodType>(text: string, file: string, schema: S): Located<z.output<S>> {
  const source = { file, text };
  if (text.length > MAXIMUM_CHARACTERS) {
    throw new InputError(`has ${text.length} characters, expected at most ${MAXIMUM_CHARACTERS}`, { file });
  }
  return validate(source, readTree(source), schema);
}

function readTree(source: SourceText): SourceNode {
  checkTokens(source);
  let document: Document.Parsed;
  try {
    document = parseDocument(source.text, {
      version: '1.2',
      schema: 'core',
      // The library compares every pair of keys, which takes minutes on a hostile file; we look at them below.
      uniqueKeys: false,
      prettyErrors: false,
      merge: false,
      resolveKnownTags: false,
      logLevel: 'error',
    });
  } catch (error) {
    // The library composes nested values recursively.
    if (error instanceof RangeError) throw new InputError(TOO_DEEP, { file: source.file });
    throw error;
  }
  // A warning is a tag that is not understood; ignoring it would be a silent default.
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined) {
    const message =
      problem.code === 'MULTIPLE_DOCS'
        ? 'a second document starts here, expected one document in the file'
        : problem.message.includes('call stack')
          ? TOO_DEEP
          : `not valid YAML: ${problem.message.replace(/\s+/g, ' ')}`;
    throw new InputError(message, positionAt(source, problem.pos[0]));
  }
  if (document.contents === null) return { value: null, offset: 0 };
  return new TreeBuilder(source).build(document.contents, 0).node;
}

/** Refuses a text of too many tokens. Of short ones it is known: no character makes more than a few, markers included. */
function checkTokens({ text, file }: SourceText): void {
  if (4 * text.length < MAXIMUM_TOKENS) return;
  let tokens = 0;
  for (const _ of new Lexer().lex(text)) {
    if (++tokens > MAXIMUM_TOKENS) {
      throw new InputError(`has more than ${MAXIMUM_TOKENS} words and marks, expected fewer`, { file });
    }
  }
}

/** A node and how many values it is with its aliases written out. */
interface Built {
  readonly node: SourceNode;
  readonly values: number;
}

class TreeBuilder {
  private readonly source: SourceText;
  private readonly anchors = new Map<string, Built>();

  constructor(source: SourceText) {
    this.source = source;
  }

  build(parsed: ParsedNode | null, depth: number, fallbackOffset = 0): Built {
    if (parsed === null) return { node: { value: null, offset: fallbackOffset }, values: 1 };
    const offset = parsed.range[0];
    if (depth > MAXIMUM_DEPTH) this.refuse(offset, TOO_DEEP);
    if (isAlias(parsed)) {
      // Anchors count once their value is complete, so that nothing can contain itself.
      const target = this.anchors.get(parsed.source);
      if (target === undefined) {
        this.refuse(
          offset,
          `alias ${quote(parsed.source)} has no complete value in front of it that it could repeat`,
        );
      }
      return target;
    }
    if (parsed.anchor !== undefined) this.anchors.delete(parsed.anchor);
    const built = this.buildValue(parsed, offset, depth);
    if (built.values > MAXIMUM_VALUES) {
      this.refuse(offset, `aliases make this more than ${MAXIMUM_VALUES} values, expected fewer`);
    }
    if (parsed.anchor !== undefined) this.anchors.set(parsed.anchor, built);
    return built;
  }

  private buildValue(parsed: ParsedNode, offset: number, depth: number): Built {
    let values = 1;
    if (isSeq(parsed)) {
      const items: SourceNode[] = [];
      for (const item of parsed.items as (ParsedNode | null)[]) {
        const built = this.build(item, depth + 1, offset);
        items.push(built.node);
        values += built.values;
      }
      return { node: { value: items.map((item) => item.value), offset, items }, values };
    }
    if (isMap(parsed)) {
      const entries = new Map<string, { keyOffset: number; node: SourceNode }>();
      // No prototype: "__proto__" is then a key like any other, and refused like any other unknown one.
      const value: Record<string, unknown> = Object.create(null);
      for (const pair of parsed.items as { key: ParsedNode | null; value: ParsedNode | null }[]) {
        const keyOffset = pair.key?.range[0] ?? offset;
        if (!isScalar(pair.key) || pair.key.value === null || typeof pair.key.value === 'object') {
          this.refuse(keyOffset, 'a key that is not text, expected a word in front of the colon');
        }
        const key = String(pair.key.value);
        if (entries.has(key)) this.refuse(keyOffset, `key ${quote(key)} is here twice, expected it once`);
        const built = this.build(pair.value, depth + 1, keyOffset);
        entries.set(key, { keyOffset, node: built.node });
        value[key] = built.node.value;
        values += built.values;
      }
      return { node: { value, offset, entries }, values };
    }
    return { node: { value: (parsed as { value: unknown }).value, offset }, values };
  }

  private refuse(offset: number, message: string): never {
    throw new InputError(message, positionAt(this.source, offset));
  }
}
