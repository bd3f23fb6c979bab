/** @fileoverview Just enough of ONNX to write models of a few nodes. */
import protobuf from 'protobufjs';

const { root } = protobuf.parse(`
  syntax = "proto3";
  message Attribute { string name = 1; int64 i = 3; repeated int64 ints = 8; int32 type = 20; }
  message Node { repeated string input = 1; repeated string output = 2; string name = 3; string opType = 4;
    repeated Attribute attribute = 5; }
  message Tensor { repeated int64 dims = 1; int32 dataType = 2; string name = 8; bytes rawData = 9; }
  message Dimension { int64 dimValue = 1; }
  message Shape { repeated Dimension dim = 1; }
  message TensorType { int32 elemType = 1; Shape shape = 2; }
  message Type { TensorType tensorType = 1; }
  message ValueInfo { string name = 1; Type type = 2; }
  message Graph { repeated Node node = 1; string name = 2; repeated Tensor initializer = 5;
    repeated ValueInfo input = 11; repeated ValueInfo output = 12; }
  message OperatorSet { string domain = 1; int64 version = 2; }
  message Model { int64 irVersion = 1; Graph graph = 7; repeated OperatorSet opsetImport = 8; }
`);
const Model = root.lookupType('Model');

/** TensorProto.DataType. */
export const elementTypes = { float32: 1, uint8: 2, int8: 3, int32: 6 } as const;
export type ElementType = keyof typeof elementTypes;

const INT = 2;
const INTS = 7;

export interface OnnxTensor {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: Float32Array | Uint8Array | Int8Array | Int32Array;
}

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, number | readonly number[]>>;
}

export interface OnnxValue {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
}

/** A model of opset 13. */
export function encodeModel(
  nodes: readonly OnnxNode[],
  initializers: readonly OnnxTensor[],
  inputs: readonly OnnxValue[],
  outputs: readonly OnnxValue[],
): Uint8Array {
  const value = ({ name, type, dims }: OnnxValue) => ({
    name,
    type: {
      tensorType: {
        elemType: elementTypes[type],
        shape: { dim: dims.map((dimValue) => ({ dimValue })) },
      },
    },
  });
  const graph = {
    name: 'bench',
    node: nodes.map(({ op, inputs, outputs, attributes }) => ({
      opType: op,
      name: outputs[0],
      input: inputs,
      output: outputs,
      attribute: Object.entries(attributes).map(([name, value]) =>
        typeof value === 'number' ? { name, i: value, type: INT } : { name, ints: value, type: INTS },
      ),
    })),
    initializer: initializers.map(({ name, type, dims, data }) => ({
      name,
      dims,
      dataType: elementTypes[type],
      rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    })),
    input: inputs.map(value),
    output: outputs.map(value),
  };
  return Model.encode(
    Model.fromObject({ irVersion: 8, graph, opsetImport: [{ domain: '', version: 13 }] }),
  ).finish();
}
