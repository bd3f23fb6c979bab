/**
 * `[section]`s of `key=value` lines, in their order; `#` and `;` start comments: Darknet's networks, SCALE-Sim's
 * configurations.
 *
 * Both tools take misspelt keys for absent ones, and Darknet reads numbers as far as they go; here that is refused, with line
 * and column.
 */
import { closestWord, quote } from '../config/source.ts';
import { InputError, type SourcePosition } from '../core/diagnostics.ts';

const MAXIMUM_SECTIONS = 2000;
const MAXIMUM_ENTRIES = 100;
const MAXIMUM_LIST = 1000;

interface Entry {
  readonly value: string;
  readonly key: SourcePosition;
  readonly at: SourcePosition;
}

/** One section. Keys are asked for by name; `finish` refuses those that nobody asked for. */
export class Section {
  readonly #entries = new Map<string, Entry>();
  readonly #asked = new Set<string>();

  constructor(
    readonly name: string,
    readonly position: SourcePosition,
  ) {}

  add(key: string, entry: Entry): void {
    if (this.#entries.has(key)) {
      throw new InputError(`key ${quote(key)} is here twice in [${this.name}], expected it once`, entry.key);
    }
    if (this.#entries.size >= MAXIMUM_ENTRIES) {
      throw new InputError(`[${this.name}] has more than ${MAXIMUM_ENTRIES} keys`, entry.key);
    }
    this.#entries.set(key, entry);
  }

  #entry(key: string): Entry | undefined {
    this.#asked.add(key);
    return this.#entries.get(key);
  }

  /** Where a key's value stands; the section's head if it has none. */
  positionOf(key: string): SourcePosition {
    return this.#entries.get(key)?.at ?? this.position;
  }

  has(key: string): boolean {
    return this.#entry(key) !== undefined;
  }

  integer(key: string, otherwise: number | undefined, least: number, most: number): number {
    const entry = this.#entry(key);
    if (entry === undefined) {
      if (otherwise === undefined) {
        throw new InputError(
          `[${this.name}] lacks '${key}', expected ${key}=<${least} to ${most}>`,
          this.position,
        );
      }
      return otherwise;
    }
    const value = /^[+-]?\d{1,9}$/.test(entry.value) ? Number(entry.value) : Number.NaN;
    if (!(value >= least && value <= most)) {
      throw new InputError(
        `${key}: expected an integer from ${least} to ${most}, got ${quote(entry.value)}`,
        entry.at,
      );
    }
    return value;
  }

  /** 0 or 1 for each of the keys; the values given are the defaults. */
  switches<K extends string>(defaults: Readonly<Record<K, boolean>>): Record<K, boolean> {
    const read = Object.entries<boolean>(defaults).map(([key, otherwise]) => [
      key,
      this.integer(key, otherwise ? 1 : 0, 0, 1) === 1,
    ]);
    return Object.fromEntries(read);
  }

  word(key: string, otherwise: string): string {
    return this.#entry(key)?.value ?? otherwise;
  }

  /** Numbers between commas; a comma at the end is allowed, as many files have it. */
  numbers(key: string): number[] | undefined {
    const entry = this.#entry(key);
    if (entry === undefined) return undefined;
    const parts = entry.value.replace(/,$/, '').split(',', MAXIMUM_LIST + 1);
    const values = parts.map((part) =>
      /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(part) ? Number(part) : Number.NaN,
    );
    if (parts.length > MAXIMUM_LIST || values.some((value) => !(Math.abs(value) <= 1e6))) {
      throw new InputError(`${key}: expected numbers between commas, got ${quote(entry.value)}`, entry.at);
    }
    return values;
  }

  integers(key: string): number[] | undefined {
    const values = this.numbers(key);
    if (values?.some((value) => !Number.isInteger(value))) {
      throw new InputError(`${key}: expected integers between commas`, this.positionOf(key));
    }
    return values;
  }

  /** Keys that must have the one value that is run here, if they are given. */
  only(values: Readonly<Record<string, number>>): void {
    for (const [key, wanted] of Object.entries(values)) {
      const entry = this.#entry(key);
      if (entry !== undefined && Number(entry.value) !== wanted) {
        throw new InputError(`${key}: ${quote(entry.value)} is not read here, expected ${wanted}`, entry.at);
      }
    }
  }

  /**
   * Refuses keys that nobody asked for.
   * @param training keys that matter to training alone
   */
  finish(training: readonly string[] = []): void {
    const known = [...this.#asked, ...training];
    for (const [key, entry] of this.#entries) {
      if (known.includes(key)) continue;
      const close = closestWord(key, known);
      throw new InputError(
        `unknown key ${quote(key)} in [${this.name}], expected one of ${known.join(', ')}${close === undefined ? '' : `; did you mean '${close}'?`}`,
        entry.key,
      );
    }
  }

  /** Refuses keys that look like one of those that were asked for, and leaves the others. */
  finishLoosely(): void {
    for (const [key, entry] of this.#entries) {
      if (this.#asked.has(key)) continue;
      const close = closestWord(key, [...this.#asked]);
      if (close === undefined) continue;
      throw new InputError(
        `unknown key ${quote(key)} in [${this.name}]; did you mean '${close}'?`,
        entry.key,
      );
    }
  }
}

/** How a format writes its lines. */
export interface CfgStyle {
  /** What stands between a key and its value. */
  readonly separator: RegExp;
  /** The spelling under which a key is looked for. */
  spell(key: string): string;
}

const DARKNET: CfgStyle = { separator: /=/, spell: (key) => key };

/** The sections of a file's text. @throws InputError with line and column */
export function parseCfg(text: string, file: string, { separator, spell } = DARKNET): Section[] {
  const sections: Section[] = [];
  for (const [index, raw] of text.split(/\r\n|\r|\n/).entries()) {
    const line = raw.replace(/[#;].*$/, '').replace(/\s+$/, '');
    const indent = /^[\s\ufeff]*/.exec(line)![0].length;
    const content = line.slice(indent);
    if (content === '') continue;
    const position = { file, line: index + 1, column: indent + 1 };
    if (content.startsWith('[')) {
      const name = /^\[\s*([A-Za-z0-9_]+)\s*\]$/.exec(content)?.[1];
      if (name === undefined) {
        throw new InputError(`${quote(content)} is no section, expected [name]`, position);
      }
      if (sections.length > MAXIMUM_SECTIONS) {
        throw new InputError(`has more than ${MAXIMUM_SECTIONS} layers`, position);
      }
      sections.push(new Section(name, position));
      continue;
    }
    const equals = content.search(separator);
    const key = spell(content.slice(0, Math.max(equals, 0)).trim());
    if (!/^[A-Za-z0-9_.-]{1,100}$/.test(key)) {
      throw new InputError(`${quote(content)} is neither [section] nor key=value`, position);
    }
    const section = sections.at(-1);
    if (section === undefined) {
      throw new InputError(
        `${quote(key)} stands in front of the first section, expected [section]`,
        position,
      );
    }
    const behind = content.slice(equals + 1);
    const value = behind.replace(/\s+/g, '');
    const gap = /^\s*/.exec(behind)![0].length;
    const at = { ...position, column: indent + equals + 2 + gap };
    if (value === '') throw new InputError(`${key}: expected a value`, position);
    section.add(key, { value, key: position, at });
  }
  return sections;
}
