/** One damaged file after the other through a reader; what ends otherwise than in a value or an InputError is a finding. */
import { InputError } from '../../src/core/diagnostics.ts';
import { hashSeed, randomStream } from '../../src/core/random.ts';
import { type FuzzedFormat, fuzzedFormats } from './formats.test-helper.ts';
import { mutateBytes } from './mutate.test-helper.ts';

/** CPU time that a file of a few kilobytes may take, in microseconds. */
const maximumCpuMicroseconds = 5_000_000;

export interface FuzzResult {
  /** Files that were read, and that were refused in one line. */
  read: number;
  refused: number;
}

/** Runs file after file of a format; a seed and a number make the same file everywhere. */
export class Fuzzer {
  readonly result: FuzzResult = { read: 0, refused: 0 };
  private readonly format: FuzzedFormat;

  constructor(
    private readonly name: string,
    private readonly seed: number,
  ) {
    const format = fuzzedFormats[name]!();
    // Writers hand over Buffers, whose slices are not copies: damage to one file would stay in all behind it.
    this.format = { ...format, seeds: format.seeds.map((seed) => Uint8Array.from(seed)) };
  }

  /** The file of a number: half of them are damaged in their bytes, half in their structure, some in both. */
  file(index: number): Uint8Array {
    const random = randomStream(hashSeed(`${this.name} ${index}`, this.seed));
    const { seeds } = this.format;
    const chosen = seeds[random() % seeds.length]!;
    const other = seeds[random() % seeds.length]!;
    const kind = random() % 8;
    if (kind < 4) return mutateBytes(chosen, other, random);
    const changed = this.format.mutate(chosen, random);
    return kind === 7 ? mutateBytes(changed, other, random) : changed;
  }

  /** @throws Error that names the file, for a crash, for pollution, for a message of several lines, for a reader that is slow */
  async run(index: number): Promise<void> {
    const bytes = this.file(index);
    const before = process.cpuUsage();
    let problem: string | undefined;
    try {
      await this.format.read(bytes);
      this.result.read++;
    } catch (error) {
      this.result.refused++;
      if (!(error instanceof InputError)) {
        problem = `threw ${error instanceof Error ? error.stack : String(error)}`;
      } else if (/[\r\n]/.test(error.message) || error.message.length > 20_000) {
        problem = `complained in more than a line: ${error.message.slice(0, 500)}`;
      }
    }
    const { user } = process.cpuUsage(before);
    if (user > maximumCpuMicroseconds) problem ??= `took ${user} microseconds of CPU time`;
    problem ??= pollution();
    if (problem !== undefined) throw new Error(`${this.name}, seed ${this.seed}, file ${index}: ${problem}`);
  }
}

const prototypes = { Object: Object.prototype, Array: Array.prototype, Map: Map.prototype };
const clean = new Map(Object.entries(prototypes).map(([name, one]) => [name, shapeOf(one)]));

function shapeOf(prototype: object): string {
  return Reflect.ownKeys(prototype)
    .map((key) => {
      const { value, get, set } = Object.getOwnPropertyDescriptor(prototype, key)!;
      return `${String(key)} ${typeof value} ${typeof get} ${typeof set}`;
    })
    .join();
}

function pollution(): string | undefined {
  for (const [name, prototype] of Object.entries(prototypes)) {
    if (shapeOf(prototype) !== clean.get(name)) return `changed ${name}.prototype`;
  }
  return undefined;
}
