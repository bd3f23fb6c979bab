/**
 * The messages of an ONNX file: names and numbers of fields as the standard has them.
 *
 * Facts taken from onnx/onnx.proto of the ONNX project (https://github.com/onnx/onnx, Apache-2.0, Copyright the ONNX
 * Project Contributors), versions up to IR 10. Left out, and skipped where a file has them: sub-graphs (control
 * flow), sparse tensors, functions, training, annotations, doc strings, sequences and optionals. No message here
 * contains itself, so no file can nest deeper than this table.
 */

/**
 * How a field is stored. `packed`: a repeated number whose bytes are left as they are, for tensors' data: the numbers
 * may be many, and most are wanted once.
 */
export type Scalar = 'int64' | 'float' | 'string' | 'bytes' | 'packed';

export interface Field {
  readonly number: number;
  readonly type: Scalar | Message;
  readonly repeated: boolean;
}

export interface Message<F extends Readonly<Record<string, Field>> = Readonly<Record<string, Field>>> {
  /** The standard's name, for messages to the user. */
  readonly name: string;
  readonly fields: F;
}

type FieldValue<T> = T extends 'int64' | 'float'
  ? number
  : T extends 'string'
    ? string
    : T extends 'bytes' | 'packed'
      ? Uint8Array
      : T extends Message
        ? Decoded<T>
        : never;

/** What a message holds: repeated fields are lists, the others may be absent. */
export type Decoded<M extends Message> = {
  readonly [K in keyof M['fields']]: M['fields'][K]['repeated'] extends true
    ? readonly FieldValue<M['fields'][K]['type']>[]
    : FieldValue<M['fields'][K]['type']> | undefined;
};

/** What a message is written from: fields may be left out. */
export type Encodable<M extends Message> = {
  readonly [K in keyof M['fields']]?:
    | (M['fields'][K]['repeated'] extends true
        ? readonly EncodableValue<M['fields'][K]['type']>[]
        : EncodableValue<M['fields'][K]['type']>)
    | undefined;
};
type EncodableValue<T> = T extends Message ? Encodable<T> : FieldValue<T>;

const one = <T extends Scalar | Message>(number: number, type: T) =>
  ({ number, type, repeated: false }) as const;
const many = <T extends Scalar | Message>(number: number, type: T) =>
  ({ number, type, repeated: true }) as const;
const message = <F extends Readonly<Record<string, Field>>>(name: string, fields: F): Message<F> => ({
  name,
  fields,
});

const stringStringEntry = message('StringStringEntryProto', {
  key: one(1, 'string'),
  value: one(2, 'string'),
});

export const tensorProto = message('TensorProto', {
  dims: many(1, 'int64'),
  data_type: one(2, 'int64'),
  float_data: many(4, 'packed'),
  int32_data: many(5, 'packed'),
  int64_data: many(7, 'packed'),
  name: one(8, 'string'),
  raw_data: one(9, 'bytes'),
  double_data: many(10, 'packed'),
  uint64_data: many(11, 'packed'),
  external_data: many(13, stringStringEntry),
  data_location: one(14, 'int64'),
});

export const attributeProto = message('AttributeProto', {
  name: one(1, 'string'),
  f: one(2, 'float'),
  i: one(3, 'int64'),
  s: one(4, 'bytes'),
  t: one(5, tensorProto),
  floats: many(7, 'float'),
  ints: many(8, 'int64'),
  type: one(20, 'int64'),
});

export const nodeProto = message('NodeProto', {
  input: many(1, 'string'),
  output: many(2, 'string'),
  name: one(3, 'string'),
  op_type: one(4, 'string'),
  attribute: many(5, attributeProto),
  domain: one(7, 'string'),
});

const dimension = message('Dimension', { dim_value: one(1, 'int64'), dim_param: one(2, 'string') });
const tensorShape = message('TensorShapeProto', { dim: many(1, dimension) });
const tensorType = message('Tensor', { elem_type: one(1, 'int64'), shape: one(2, tensorShape) });
const typeProto = message('TypeProto', { tensor_type: one(1, tensorType) });
const valueInfoProto = message('ValueInfoProto', { name: one(1, 'string'), type: one(2, typeProto) });

const graphProto = message('GraphProto', {
  node: many(1, nodeProto),
  name: one(2, 'string'),
  initializer: many(5, tensorProto),
  input: many(11, valueInfoProto),
  output: many(12, valueInfoProto),
});

const operatorSetId = message('OperatorSetIdProto', { domain: one(1, 'string'), version: one(2, 'int64') });

export const modelProto = message('ModelProto', {
  ir_version: one(1, 'int64'),
  producer_name: one(2, 'string'),
  producer_version: one(3, 'string'),
  graph: one(7, graphProto),
  opset_import: many(8, operatorSetId),
  metadata_props: many(14, stringStringEntry),
});

export type ModelProto = Decoded<typeof modelProto>;
export type GraphProto = Decoded<typeof graphProto>;
export type NodeProto = Decoded<typeof nodeProto>;
export type AttributeProto = Decoded<typeof attributeProto>;
export type TensorProto = Decoded<typeof tensorProto>;
export type ValueInfoProto = Decoded<typeof valueInfoProto>;

/** TensorProto.DataType, those that are read here. */
export const dataTypes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
  uint4: 21,
  int4: 22,
} as const;
export type DataType = keyof typeof dataTypes;

/** AttributeProto.AttributeType. */
export const attributeTypes = { float: 1, int: 2, string: 3, tensor: 4, floats: 6, ints: 7 } as const;

/** TensorProto.DataLocation: the values lie in another file. */
export const EXTERNAL = 1;
