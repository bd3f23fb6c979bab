/** One operator of an ONNX graph, with typed access to its attributes. */
import { quote } from '../../config/source.ts';
import { InputError } from '../../core/diagnostics.ts';
import type { AttributeProto, NodeProto, TensorProto } from './schema.ts';

/** Domain of ONNX Runtime's own operators. */
export const MICROSOFT = 'com.microsoft';

/** Words of the standard are shorter. */
const LONGEST_WORD = 60;

export class OnnxNode {
  readonly opType: string;
  /** '' for the standard's operators. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Version of the operator set that the node belongs to. */
  readonly opset: number;
  readonly #given: string;
  readonly #attributes: ReadonlyMap<string, AttributeProto>;

  /** @param opsets versions by domain */
  constructor(proto: NodeProto, opsets: ReadonlyMap<string, number>) {
    const domain = proto.domain ?? '';
    this.opType = proto.op_type ?? '';
    this.domain = domain === 'ai.onnx' ? '' : domain;
    this.opset = opsets.get(this.domain) ?? 1;
    this.inputs = proto.input;
    this.outputs = proto.output;
    this.#given = proto.name ?? '';
    this.#attributes = new Map(proto.attribute.map((one) => [one.name ?? '', one]));
    if (this.#attributes.size < proto.attribute.length) {
      throw new InputError(`${this.title}: has an attribute twice, expected each once`);
    }
  }

  /** The node's name; nameless ones have that of what they make. */
  get name(): string {
    return this.#given !== '' ? this.#given : `${this.opType}_${this.outputs[0] ?? ''}`;
  }

  /** How messages start. */
  get title(): string {
    const domain = this.domain === '' ? '' : `${this.domain.slice(0, LONGEST_WORD)}.`;
    return `node ${quote(this.name)} (${domain}${this.opType.slice(0, LONGEST_WORD)})`;
  }

  get attributes(): Iterable<AttributeProto> {
    return this.#attributes.values();
  }

  has(name: string): boolean {
    return this.#attributes.has(name);
  }

  int(name: string, fallback: number): number {
    const value = this.#attributes.get(name)?.i;
    if (value === undefined) return this.absent(name, fallback);
    if (!Number.isSafeInteger(value)) throw new InputError(`${name}: ${value}, expected a whole number`);
    return value;
  }

  float(name: string, fallback: number): number {
    return this.#attributes.get(name)?.f ?? this.absent(name, fallback);
  }

  string(name: string, fallback: string): string {
    const value = this.#attributes.get(name)?.s;
    if (value === undefined) return this.absent(name, fallback);
    // Longer than any that means something; it may end up in a message.
    return new TextDecoder().decode(value.subarray(0, LONGEST_WORD));
  }

  /** A list of whole numbers; undefined when the node has none. */
  ints(name: string): readonly number[] | undefined {
    const values = this.#attributes.get(name)?.ints;
    if (values?.some((value) => !Number.isSafeInteger(value))) {
      throw new InputError(`${name}: ${values.slice(0, 8).join(', ')}, expected whole numbers`);
    }
    return values;
  }

  floats(name: string): readonly number[] | undefined {
    return this.#attributes.get(name)?.floats;
  }

  tensor(name: string): TensorProto | undefined {
    return this.#attributes.get(name)?.t;
  }

  /** An attribute that is there but of another kind must not be taken for one that was left out. */
  private absent<T>(name: string, fallback: T): T {
    const found = this.#attributes.get(name);
    // Writers leave out what is zero or empty: then the declared kind decides.
    if (found === undefined) return fallback;
    const kind = typeof fallback === 'string' ? 3 : found.type;
    if (found.type === kind && (kind === 1 || kind === 2)) return 0 as T;
    if (found.type === 3 && typeof fallback === 'string') return '' as T;
    throw new InputError(`${name}: is of another kind, expected one like ${JSON.stringify(fallback)}`);
  }
}

/** @throws InputError for a switch that is on */
export function refuseFlag(node: OnnxNode, name: string): void {
  const value = node.int(name, 0);
  if (value !== 0) throw new InputError(`${name}: ${value}, expected 0`);
}

/** An axis of a tensor of so many dimensions; negative ones count from the end. */
export function axisOf(axis: number, rank: number): number {
  const index = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(index) || index < 0 || index >= rank) {
    throw new InputError(`axis: ${axis}, expected ${-rank}..${rank - 1}`);
  }
  return index;
}
