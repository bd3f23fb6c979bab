/** One layer of a layers model: its configuration, read with positions. */
import { quote } from '../../config/source.ts';
import { InputError, type SourcePosition } from '../../core/diagnostics.ts';

export class KerasLayer {
  constructor(
    readonly className: string,
    readonly name: string,
    private readonly config: Readonly<Record<string, unknown>>,
    /** Where a key of the configuration stands; the layer itself without a key. */
    readonly positionOf: (key?: string) => SourcePosition,
  ) {}

  get title(): string {
    return `layer ${quote(this.name)} (${this.className})`;
  }

  /** A value as it stands there; null is what Keras writes for nothing. */
  raw(key: string): unknown {
    return this.config[key] ?? undefined;
  }

  refuse(key: string, expected: string): never {
    const value = JSON.stringify(this.raw(key)) ?? 'nothing';
    throw new InputError(
      `${this.title}: ${key}: ${value.length > 60 ? `${value.slice(0, 57)}...` : value} is not read here, expected ${expected}`,
      this.positionOf(key),
    );
  }

  number(key: string, otherwise: number | undefined, least: number, most: number): number {
    const value = this.raw(key) ?? otherwise;
    if (typeof value === 'number' && value >= least && value <= most) return value;
    return this.refuse(key, `a number from ${least} to ${most}`);
  }

  integer(key: string, otherwise: number | undefined, least: number, most: number): number {
    const value = this.raw(key) ?? otherwise;
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most)
      return value as number;
    return this.refuse(key, `an integer from ${least} to ${most}`);
  }

  /** A side for rows and columns, or one for each. */
  pair(key: string, otherwise: readonly [number, number] | undefined): readonly [number, number] {
    const value = this.raw(key) ?? otherwise;
    const sides = Array.isArray(value) ? value : [value, value];
    const fits =
      sides.length === 2 && sides.every((side) => Number.isInteger(side) && side >= 1 && side <= 64);
    return fits ? [sides[0], sides[1]] : this.refuse(key, 'one or two integers from 1 to 64');
  }

  flag(key: string, otherwise: boolean): boolean {
    const value = this.raw(key) ?? otherwise;
    return typeof value === 'boolean' ? value : this.refuse(key, 'true or false');
  }

  word<T extends string>(key: string, otherwise: T, choices: readonly T[]): T {
    const value = this.raw(key) ?? otherwise;
    const found = choices.find((choice) => choice === value);
    return found ?? this.refuse(key, choices.length === 1 ? choices[0]! : `one of ${choices.join(', ')}`);
  }

  /** Refuses maps whose channels come first. */
  checkChannelsLast(): void {
    this.word('data_format', 'channels_last', ['channels_last']);
  }
}
