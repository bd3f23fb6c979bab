/**
 * ONNX files written straight from the standard's schema, by protobufjs' own encoder: nothing of the product's reader
 * or writer is in here. And ONNX Runtime to run them.
 */
import * as ort from 'onnxruntime-web';
import protobuf from 'protobufjs';

/** From onnx.proto of the ONNX project (Apache-2.0): the messages that models here need. */
const SCHEMA = `
  syntax = "proto2";
  message StringStringEntryProto { optional string key = 1; optional string value = 2; }
  message ModelProto {
    optional int64 ir_version = 1;
    optional string producer_name = 2;
    optional GraphProto graph = 7;
    repeated OperatorSetIdProto opset_import = 8;
    repeated StringStringEntryProto metadata_props = 14;
  }
  message OperatorSetIdProto { optional string domain = 1; optional int64 version = 2; }
  message GraphProto {
    repeated NodeProto node = 1;
    optional string name = 2;
    repeated TensorProto initializer = 5;
    repeated ValueInfoProto input = 11;
    repeated ValueInfoProto output = 12;
  }
  message NodeProto {
    repeated string input = 1;
    repeated string output = 2;
    optional string name = 3;
    optional string op_type = 4;
    repeated AttributeProto attribute = 5;
    optional string domain = 7;
  }
  message AttributeProto {
    optional string name = 1;
    optional float f = 2;
    optional int64 i = 3;
    optional bytes s = 4;
    optional TensorProto t = 5;
    repeated float floats = 7;
    repeated int64 ints = 8;
    optional int32 type = 20;
  }
  message TensorProto {
    repeated int64 dims = 1;
    optional int32 data_type = 2;
    repeated float float_data = 4 [packed = true];
    repeated int32 int32_data = 5 [packed = true];
    repeated int64 int64_data = 7 [packed = true];
    optional string name = 8;
    optional bytes raw_data = 9;
    repeated double double_data = 10 [packed = true];
    repeated uint64 uint64_data = 11 [packed = true];
    repeated StringStringEntryProto external_data = 13;
    optional int32 data_location = 14;
  }
  message ValueInfoProto { optional string name = 1; optional TypeProto type = 2; }
  message TypeProto {
    message Tensor { optional int32 elem_type = 1; optional TensorShapeProto shape = 2; }
    optional Tensor tensor_type = 1;
  }
  message TensorShapeProto {
    message Dimension { optional int64 dim_value = 1; optional string dim_param = 2; }
    repeated Dimension dim = 1;
  }
`;

const modelProto = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType('ModelProto');

export const elementTypes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  double: 11,
} as const;
export type ElementType = keyof typeof elementTypes;

/** Fields of a TensorProto, and whatever a test wants to be wrong in one. */
export interface TensorFields {
  readonly dims: readonly number[];
  readonly data_type: number;
  readonly [field: string]: unknown;
}

type Numbers = ArrayLike<number>;

const ARRAYS = {
  float32: Float32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  int32: Int32Array,
  bool: Uint8Array,
  double: Float64Array,
  float16: Uint16Array,
} as const;

/** A tensor with its values as raw bytes. */
export function tensor(type: ElementType, dims: readonly number[], values: Numbers): TensorFields {
  const list = Array.from(values);
  const typed = type === 'int64' ? BigInt64Array.from(list.map(BigInt)) : ARRAYS[type].from(list as number[]);
  return {
    dims,
    data_type: elementTypes[type],
    raw_data: new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength),
  };
}

export const floats = (dims: readonly number[], values: Numbers) => tensor('float32', dims, values);
export const int64s = (...values: number[]) => tensor('int64', [values.length], values);
export const scalar = (type: ElementType, value: number) => tensor(type, [], [value]);

/** A whole number, { float: 1 }, text, lists of numbers, or a tensor. */
export type Attribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | TensorFields;

export interface FileNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly name?: string;
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

/** Sizes; text is a symbolic dimension, null one that has neither size nor name. */
export type Dims = readonly (number | string | null)[];

export interface FileModel {
  readonly opset?: number;
  readonly nodes: readonly FileNode[];
  readonly constants?: Readonly<Record<string, TensorFields>>;
  readonly inputs: Readonly<Record<string, readonly [ElementType, Dims]>>;
  readonly outputs: readonly string[] | Readonly<Record<string, ElementType>>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly irVersion?: number;
}

function attribute(name: string, value: Attribute): object {
  if (typeof value === 'number') return { name, type: 2, i: value };
  if (typeof value === 'string') return { name, type: 3, s: new TextEncoder().encode(value) };
  if (Array.isArray(value)) return { name, type: 7, ints: value };
  if ('float' in value) return { name, type: 1, f: value.float };
  if ('floats' in value) return { name, type: 6, floats: value.floats };
  return { name, type: 4, t: value };
}

export function encodeModel(model: FileModel): Uint8Array {
  const { opset = 17, nodes, constants = {}, inputs, outputs, metadata = {} } = model;
  const typed = Array.isArray(outputs)
    ? Object.fromEntries((outputs as readonly string[]).map((name) => [name, 'float32'] as const))
    : (outputs as Readonly<Record<string, ElementType>>);
  const graph = {
    name: 'test',
    node: nodes.map(({ op, inputs: read, outputs: made, name, domain, attributes = {} }) => ({
      input: read,
      output: made,
      ...(name === undefined ? {} : { name }),
      op_type: op,
      ...(domain === undefined ? {} : { domain }),
      attribute: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
    })),
    initializer: Object.entries(constants).map(([name, value]) => ({ ...value, name })),
    input: Object.entries(inputs).map(([name, [type, dims]]) => ({
      name,
      type: {
        tensor_type: {
          elem_type: elementTypes[type],
          shape: {
            dim: dims.map((size) =>
              size === null ? {} : typeof size === 'number' ? { dim_value: size } : { dim_param: size },
            ),
          },
        },
      },
    })),
    output: Object.entries(typed).map(([name, type]) => ({
      name,
      type: { tensor_type: { elem_type: elementTypes[type] } },
    })),
  };
  return modelProto
    .encode(
      modelProto.fromObject({
        ir_version: model.irVersion ?? (opset < 9 ? 3 : opset < 15 ? 7 : 10),
        producer_name: 'test',
        graph,
        opset_import: [
          { domain: '', version: opset },
          { domain: 'com.microsoft', version: 1 },
        ],
        metadata_props: Object.entries(metadata).map(([key, value]) => ({ key, value })),
      }),
    )
    .finish();
}

export type Outputs = Readonly<
  Record<string, { readonly data: ArrayLike<number>; readonly dims: readonly number[] }>
>;

/** What ONNX Runtime (WebAssembly) makes of a model; its graph as it stands unless `optimised`. */
export async function runModel(
  bytes: Uint8Array,
  feeds: Readonly<Record<string, { type: ElementType; dims: readonly number[]; data: ArrayLike<number> }>>,
  optimised = false,
): Promise<Outputs> {
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: ['wasm'],
    graphOptimizationLevel: optimised ? 'all' : 'disabled',
    logSeverityLevel: 4,
  });
  try {
    const tensors = Object.fromEntries(
      Object.entries(feeds).map(([name, { type, dims, data }]) => [
        name,
        new ort.Tensor(type as 'float32', data as Float32Array, dims),
      ]),
    );
    const results = await session.run(tensors);
    return Object.fromEntries(
      Object.entries(results).map(([name, { data, dims }]) => [
        name,
        { data: data as unknown as ArrayLike<number>, dims },
      ]),
    );
  } finally {
    await session.release();
  }
}
