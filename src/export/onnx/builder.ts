/** An ONNX graph while it is written: nodes, initialisers, and the file in the end. */
import type { Shape } from '../../graph/graph.ts';
import { METADATA_KEY } from '../../import/onnx/metadata.ts';
import {
  type attributeProto,
  attributeTypes,
  type DataType,
  dataTypes,
  type Encodable,
  modelProto,
  type nodeProto,
  type tensorProto,
} from '../../import/onnx/schema.ts';
import { encode } from '../../import/onnx/wire.ts';

/** The set with one-input Clip bounds, ReduceMax on 8 bits and HardSwish; every runtime of the last years reads it. */
export const USUAL_OPSET = 17;
/** The first with QuantizeLinear to 16 bits. */
export const WIDE_OPSET = 21;

type Numbers = Float32Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | BigInt64Array;

/** A whole number, { float }, text, or whole numbers. */
export type AttributeValue = number | string | readonly number[] | { readonly float: number };

function typeOf(values: Numbers): DataType {
  if (values instanceof Float32Array) return 'float32';
  if (values instanceof Int8Array) return 'int8';
  if (values instanceof Uint8Array) return 'uint8';
  if (values instanceof Int16Array) return 'int16';
  if (values instanceof Uint16Array) return 'uint16';
  return values instanceof Int32Array ? 'int32' : 'int64';
}

function attribute(name: string, value: AttributeValue): Encodable<typeof attributeProto> {
  if (typeof value === 'number') return { name, type: attributeTypes.int, i: value };
  if (typeof value === 'string')
    return { name, type: attributeTypes.string, s: new TextEncoder().encode(value) };
  if ('float' in value) return { name, type: attributeTypes.float, f: value.float };
  return { name, type: attributeTypes.ints, ints: value };
}

export class OnnxBuilder {
  readonly #nodes: Encodable<typeof nodeProto>[] = [];
  readonly #initialisers: Encodable<typeof tensorProto>[] = [];

  /** @param opset version of the operator set: some operators are written otherwise in newer ones */
  constructor(readonly opset: number) {}

  /** @param output what the node makes; called like the node unless given */
  node(
    op: string,
    inputs: readonly string[],
    name: string,
    attributes: Readonly<Record<string, AttributeValue>> = {},
    output = name,
  ): string {
    this.#nodes.push({
      input: inputs,
      output: [output],
      name,
      op_type: op,
      attribute: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
    });
    return output;
  }

  /** A constant; values in C-order, little-endian as all machines here are. */
  initialiser(name: string, dims: readonly number[], values: Numbers): string {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.#initialisers.push({ name, dims, data_type: dataTypes[typeOf(values)], raw_data: bytes });
    return name;
  }

  number(name: string, value: number): string {
    return this.initialiser(name, [], Float32Array.of(value));
  }

  wholeNumbers(name: string, values: readonly number[]): string {
    return this.initialiser(name, [values.length], BigInt64Array.from(values, BigInt));
  }

  /** The file. */
  finish(
    input: { readonly name: string; readonly shape: Shape },
    outputs: readonly { readonly name: string; readonly shape: Shape }[],
    annotations: object,
  ): Uint8Array {
    const info = ({ name, shape }: { readonly name: string; readonly shape: Shape }) => ({
      name,
      type: {
        tensor_type: {
          elem_type: dataTypes.float32,
          shape: { dim: [1, ...shape].map((size) => ({ dim_value: size })) },
        },
      },
    });
    return encode(
      {
        ir_version: this.opset > USUAL_OPSET ? 10 : 8,
        producer_name: 'condensim',
        graph: {
          node: this.#nodes,
          name: 'condensim',
          initializer: this.#initialisers,
          input: [info(input)],
          output: outputs.map(info),
        },
        opset_import: [{ domain: '', version: this.opset }],
        metadata_props: [{ key: METADATA_KEY, value: JSON.stringify(annotations) }],
      },
      modelProto,
    );
  }
}

/** [top, left, bottom, right], ONNX's order. */
export function padsOf(padding: {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}): number[] {
  return [padding.top, padding.left, padding.bottom, padding.right];
}
