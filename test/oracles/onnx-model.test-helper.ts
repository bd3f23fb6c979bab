/**
 * ONNX models made of single nodes side by side, and ONNX Runtime (WebAssembly) to run them.
 *
 * The schema holds the messages and fields that such a model needs; names, numbers and types are the ONNX standard's
 * (onnx.proto, https://onnx.ai).
 */
import * as ort from 'onnxruntime-web';
import protobuf from 'protobufjs';

const SCHEMA = `
  syntax = "proto2";
  message ModelProto {
    optional int64 ir_version = 1;
    optional GraphProto graph = 7;
    repeated OperatorSetIdProto opset_import = 8;
  }
  message OperatorSetIdProto {
    optional string domain = 1;
    optional int64 version = 2;
  }
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
    optional int64 i = 3;
    repeated int64 ints = 8;
    optional int32 type = 20;
  }
  message TensorProto {
    repeated int64 dims = 1;
    optional int32 data_type = 2;
    optional string name = 8;
    optional bytes raw_data = 9;
  }
  message ValueInfoProto {
    optional string name = 1;
    optional TypeProto type = 2;
  }
  message TypeProto {
    message Tensor {
      optional int32 elem_type = 1;
      optional TensorShapeProto shape = 2;
    }
    optional Tensor tensor_type = 1;
  }
  message TensorShapeProto {
    message Dimension {
      optional int64 dim_value = 1;
    }
    repeated Dimension dim = 1;
  }
`;

const modelProto = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType('ModelProto');

/** The first IR version that goes with opset 21. */
const IR_VERSION = 10;
/** The first with 16-bit QuantizeLinear. */
const OPSET = 21;
/** AttributeProto.AttributeType. */
const ATTRIBUTE_INT = 2;
const ATTRIBUTE_INTS = 7;

/** TensorProto.DataType. */
const elementTypes = { float32: 1, uint8: 2, int8: 3, uint16: 4, int16: 5, int32: 6 } as const;
export type ElementType = keyof typeof elementTypes;

export type TensorData = Float32Array | Uint8Array | Int8Array | Uint16Array | Int16Array | Int32Array;

export interface OnnxTensor {
  /** C-order. */
  readonly data: TensorData;
  /** Absent = a vector; [] = a scalar. */
  readonly dims?: readonly number[];
  /** Handed in when the model runs; else part of the model. */
  readonly fed?: boolean;
}

export interface OnnxNode {
  readonly op: string;
  /** Absent = ONNX's own operators. */
  readonly domain?: 'com.microsoft';
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
  /** In the operator's order. */
  readonly inputs: readonly OnnxTensor[];
  readonly output: ElementType;
}

export function elementType(data: TensorData): ElementType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Uint8Array) return 'uint8';
  if (data instanceof Int8Array) return 'int8';
  if (data instanceof Uint16Array) return 'uint16';
  return data instanceof Int16Array ? 'int16' : 'int32';
}

const dimsOf = (tensor: OnnxTensor): readonly number[] => tensor.dims ?? [tensor.data.length];
const inputName = (node: number, input: number): string => `x${node}.${input}`;
const outputName = (node: number): string => `y${node}`;

function valueInfo(name: string, type: ElementType, dims?: readonly number[]): object {
  const shape = dims && { shape: { dim: dims.map((size) => ({ dim_value: size })) } };
  return { name, type: { tensor_type: { elem_type: elementTypes[type], ...shape } } };
}

function encodeModel(nodes: readonly OnnxNode[]): Uint8Array {
  const tensors = nodes.flatMap((node, n) =>
    node.inputs.map((tensor, i) => ({ tensor, name: inputName(n, i), type: elementType(tensor.data) })),
  );
  const graph = {
    name: 'cases',
    node: nodes.map(({ op, domain = '', attributes = {}, inputs }, n) => ({
      input: inputs.map((_, i) => inputName(n, i)),
      output: [outputName(n)],
      op_type: op,
      domain,
      attribute: Object.entries(attributes).map(([name, value]) =>
        typeof value === 'number'
          ? { name, type: ATTRIBUTE_INT, i: value }
          : { name, type: ATTRIBUTE_INTS, ints: value },
      ),
    })),
    initializer: tensors
      .filter(({ tensor }) => !tensor.fed)
      .map(({ tensor, name, type }) => ({
        name,
        dims: dimsOf(tensor),
        data_type: elementTypes[type],
        raw_data: new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength),
      })),
    input: tensors
      .filter(({ tensor }) => tensor.fed)
      .map(({ tensor, name, type }) => valueInfo(name, type, dimsOf(tensor))),
    output: nodes.map(({ output }, n) => valueInfo(outputName(n), output)),
  };
  const model = {
    ir_version: IR_VERSION,
    graph,
    opset_import: [
      { domain: '', version: OPSET },
      { domain: 'com.microsoft', version: 1 },
    ],
  };
  return modelProto.encode(modelProto.fromObject(model)).finish();
}

/** Nodes of one session: creating one costs milliseconds, whatever it holds. */
const NODES_A_SESSION = 64;

/** What ONNX Runtime makes of every node, each for itself. */
export async function runOnnx(nodes: readonly OnnxNode[]): Promise<TensorData[]> {
  const results: TensorData[] = [];
  for (let first = 0; first < nodes.length; first += NODES_A_SESSION) {
    results.push(...(await runSession(nodes.slice(first, first + NODES_A_SESSION))));
  }
  return results;
}

async function runSession(nodes: readonly OnnxNode[]): Promise<TensorData[]> {
  ort.env.wasm.numThreads = 1;
  // Unoptimised: the operators as they stand, nothing fused, nothing computed ahead.
  const session = await ort.InferenceSession.create(encodeModel(nodes), {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'disabled',
    // Errors only: its shape inference warns of poolings that round their output up, where its kernel knows better.
    logSeverityLevel: 3,
  });
  try {
    const feeds: Record<string, ort.Tensor> = {};
    for (const [n, { inputs }] of nodes.entries()) {
      for (const [i, tensor] of inputs.entries()) {
        if (!tensor.fed) continue;
        feeds[inputName(n, i)] = new ort.Tensor(
          elementType(tensor.data),
          // Plain bytes for the type checker: the constructor's overloads tie every array to its name.
          tensor.data as Float32Array,
          dimsOf(tensor),
        );
      }
    }
    const outputs = await session.run(feeds);
    return nodes.map((_, n) => outputs[outputName(n)]!.data as TensorData);
  } finally {
    await session.release();
  }
}
