/**
 * Values with their place in a text file, and their check against a schema.
 *
 * YAML and JSON readers both make a tree of `SourceNode`s; everything a user can get wrong about the values (types,
 * ranges, unknown and missing keys) is then worded here, once, with the line and column of the culprit.
 */
import type { z } from 'zod';
import { InputError, type SourcePosition } from '../core/diagnostics.ts';

/** A place in a document: keys of maps and indices of lists, from the root. */
export type SourcePath = readonly (string | number)[];

/** One value of a document. Maps have `entries`, lists `items`, scalars neither. */
export interface SourceNode {
  /** Plain data: null, booleans, numbers, strings, arrays, and objects without a prototype. */
  readonly value: unknown;
  /** Offset of the first character. */
  readonly offset: number;
  readonly entries?: ReadonlyMap<string, { readonly keyOffset: number; readonly node: SourceNode }>;
  readonly items?: readonly SourceNode[];
}

/** A checked document: its value, and where each part of it stands. */
export interface Located<T> {
  readonly value: T;
  /** Where the value at `path` starts; for a path that is not in the file, its nearest part that is. */
  positionOf(path: SourcePath): SourcePosition;
}

/** A file's text, to turn offsets into positions. */
export interface SourceText {
  readonly file: string;
  readonly text: string;
}

export function positionAt({ file, text }: SourceText, offset: number): SourcePosition {
  const before = text.slice(0, Math.min(offset, text.length));
  const lineStart = before.lastIndexOf('\n') + 1;
  let line = 1;
  for (let i = before.indexOf('\n'); i !== -1; i = before.indexOf('\n', i + 1)) line++;
  return { file, line, column: before.length - lineStart + 1 };
}

/** Text from a user's file in quotes, without line breaks, cut when long: fit for a one-line message. */
export function quote(text: string): string {
  const visible = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  return `'${JSON.stringify(visible).slice(1, -1)}'`;
}

/** The candidate a misspelt word was most likely meant to be; undefined when none is close. */
export function closestWord(word: string, candidates: readonly string[]): string | undefined {
  // Long words are not typing slips, and the distance below costs time with the product of the lengths.
  if (word.length > 60) return undefined;
  let best: string | undefined;
  let bestDistance = Math.floor(Math.max(word.length, 3) / 3) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/**
 * Checks a document against a schema.
 *
 * Throws an `InputError` with the first thing wrong in the file. What a map has goes before what it lacks: a
 * misspelt key is both unknown and missing, and a wrong kind explains why other keys were expected.
 */
export function validate<S extends z.ZodType>(
  source: SourceText,
  root: SourceNode,
  schema: S,
): Located<z.output<S>> {
  const result = schema.safeParse(root.value, {
    // The issue itself does not say which keys there are; its message is the one thing that is ours to fill.
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? Object.keys(shapeOf(issue.inst)).join('\n') : undefined,
  });
  if (!result.success) {
    const problems = result.error.issues.flatMap((issue) => explain(root, issue, []));
    const spoilt = new Set(problems.filter((p) => p.kind !== 'missing').map((p) => p.map));
    let first: Problem | undefined;
    for (const problem of problems) {
      if (problem.kind === 'missing' && spoilt.has(problem.map)) continue;
      if (first === undefined || problem.offset < first.offset) first = problem;
    }
    throw new InputError(first!.message, positionAt(source, first!.offset));
  }
  return {
    value: result.data,
    positionOf: (path) => positionAt(source, find(root, path).offset),
  };
}

interface Problem {
  readonly kind: 'unknown' | 'missing' | 'wrong';
  readonly offset: number;
  readonly message: string;
  /** The map that has the key, or lacks it. */
  readonly map?: SourceNode;
}

/** One issue of zod's as problems with our words and offsets; `prefix` leads to the value a union was tried on. */
function explain(root: SourceNode, issue: z.core.$ZodIssue, prefix: SourcePath): Problem[] {
  const path = [...prefix, ...(issue.path as (string | number)[])];
  const { node, offset, parent } = find(root, path);

  if (issue.code === 'unrecognized_keys') {
    const known = issue.message.split('\n');
    const unknown = new Set(issue.keys);
    for (const [key, entry] of node?.entries ?? []) {
      if (!unknown.has(key)) continue;
      const message = `unknown key ${quote(key)}, expected one of ${known.join(', ')}${didYouMean(key, known)}`;
      return [{ kind: 'unknown', offset: entry.keyOffset, message, map: node! }];
    }
  }
  if (issue.code === 'invalid_union') {
    // An alternative that fits the value at its root is what the user meant; its own complaints say most.
    const meant = issue.errors.find((issues) => !issues.some(refusesRoot));
    if (meant !== undefined) return meant.flatMap((inner) => explain(root, inner, path));
  }

  const wanted = expectation(issue);
  if (node === undefined) {
    const message = `missing key ${quote(String(path.at(-1)))}${wanted === undefined ? '' : `, expected ${wanted}`}`;
    return [{ kind: 'missing', offset, message, ...(parent === undefined ? {} : { map: parent }) }];
  }
  const label = labelOf(path);
  const what =
    wanted === undefined
      ? issue.message
      : `expected ${wanted}, got ${describe(node.value, issue)}${suggestion(node.value, issue)}`;
  const message = label === '' ? what : `${label}: ${what}`;
  return [{ kind: 'wrong', offset, message, ...(parent === undefined ? {} : { map: parent }) }];
}

function refusesRoot(issue: z.core.$ZodIssue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value');
}

/** What the schema wants, to stand after "expected"; undefined when the issue's own message is the better one. */
function expectation(issue: z.core.$ZodIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return TYPE_NAMES[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return listOf(issue.values);
    case 'too_small':
      return `${issue.exact ? 'exactly' : issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unitOf(issue.origin)}`;
    case 'too_big':
      return `${issue.exact ? 'exactly' : issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${unitOf(issue.origin)}`;
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`;
    case 'invalid_format':
      return issue.pattern === undefined ? `text of the form ${issue.format}` : `text like ${issue.pattern}`;
    case 'invalid_union': {
      const options = 'options' in issue ? issue.options : undefined;
      if (options !== undefined) return listOf(options);
      const wants = issue.errors.map((issues) => expectation(issues.find(refusesRoot) ?? issues[0]!));
      const distinct = [...new Set(wants.filter((want) => want !== undefined))];
      return distinct.length === 0 ? undefined : distinct.join(' or ');
    }
    default:
      return undefined;
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  number: 'a number',
  int: 'an integer',
  string: 'a string',
  boolean: 'true or false',
  null: 'nothing',
  array: 'a list',
  tuple: 'a list',
  object: 'a map',
  record: 'a map',
};

function listOf(values: readonly unknown[]): string {
  return values.length === 1 ? String(values[0]) : `one of ${values.join(', ')}`;
}

function unitOf(origin: string): string {
  return origin === 'string' ? ' characters' : origin === 'array' ? ' entries' : '';
}

/** The value a user wrote, to stand after "got". */
function describe(value: unknown, issue: z.core.$ZodIssue): string {
  const sized = issue.code === 'too_small' || issue.code === 'too_big';
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return sized ? `${value.length}` : 'a list';
  if (typeof value === 'string') return sized ? `${value.length}` : `a string ${quote(value)}`;
  if (typeof value === 'object') return 'a map';
  return String(value);
}

function suggestion(value: unknown, issue: z.core.$ZodIssue): string {
  return typeof value === 'string' ? didYouMean(value, choicesOf(issue)) : '';
}

function choicesOf(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  if (issue.code !== 'invalid_union') return [];
  const options = 'options' in issue ? (issue.options ?? []) : [];
  return [...options.map(String), ...issue.errors.flat().flatMap(choicesOf)];
}

function didYouMean(word: string, candidates: readonly string[]): string {
  const close = closestWord(word, candidates);
  return close === undefined ? '' : `; did you mean '${close}'?`;
}

/** `key` or `key[2][0]`: the last key on the path and the indices behind it. */
function labelOf(path: SourcePath): string {
  const key = path.findLastIndex((part) => typeof part === 'string');
  return path
    .slice(Math.max(key, 0))
    .map((part) => (typeof part === 'string' ? part : `[${part}]`))
    .join('');
}

/** Follows a path. Where it leaves the document, `node` is undefined and `offset` is that of the map left. */
function find(
  root: SourceNode,
  path: SourcePath,
): { node: SourceNode | undefined; offset: number; parent?: SourceNode } {
  let node = root;
  let offset = root.offset;
  let parent: SourceNode | undefined;
  for (const part of path) {
    const entry = node.entries?.get(String(part));
    const next = typeof part === 'number' ? node.items?.[part] : entry?.node;
    if (next === undefined) return { node: undefined, offset, parent: node };
    [parent, node] = [node, next];
    // "key:" with nothing behind it: the key is easier to see than the nothing.
    offset = next.value === null && entry !== undefined ? entry.keyOffset : next.offset;
  }
  return { node, offset, ...(parent === undefined ? {} : { parent }) };
}

function shapeOf(schema: unknown): object {
  return (schema as { _zod?: { def?: { shape?: object } } } | undefined)?._zod?.def?.shape ?? {};
}

/** Insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, rows[i - 2]![j - 2]! + 1);
      }
      row.push(cost);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
