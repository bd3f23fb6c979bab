/** @fileoverview Everything a layer can be computed with, each as a function that computes it `copies` times. */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import * as ort from 'onnxruntime-web';
import { HostConvolution, type HostLayer } from '../src/kernels/host-convolution.ts';
import { createMemory, FIRST_FREE_ADDRESS, loadKernels } from '../src/kernels/kernels.ts';
import { type BenchLayer, fillRandom, macs, padding } from './layers.ts';
import { type ElementType, encodeModel, type OnnxTensor } from './onnx-model.ts';

export interface Contender {
  readonly name: string;
  /** Layers computed per call. */
  readonly copies: number;
  run(): void | Promise<void>;
  dispose(): void | Promise<void>;
}

/** The layer on our kernels, checked against naive loops before it is returned. */
export async function ours(layer: BenchLayer, bytes: 1 | 2): Promise<Contender> {
  const host = hostLayer(layer, bytes);
  const convolution = new HostConvolution(host);
  const sizes = {
    features: layer.channels * layer.size ** 2 * bytes,
    weights: (layer.filters * layer.channels * layer.kernel ** 2 * bytes) / layer.groups,
    packed: convolution.packedBytes,
    parameters: 12 * layer.filters,
    out: layer.filters * layer.size ** 2 * bytes,
    workspace: convolution.workspaceBytes,
  };
  let end = FIRST_FREE_ADDRESS;
  const at = Object.fromEntries(
    Object.entries(sizes).map(([name, size]) => {
      const address = end;
      end += 64 * Math.ceil(size / 64);
      return [name, address];
    }),
  ) as Record<keyof typeof sizes, number>;
  const memory = createMemory(end);
  const kernels = await loadKernels(memory);
  const Elements = bytes === 1 ? Int8Array : Int16Array;
  const features = new Elements(memory.buffer, at.features, sizes.features / bytes);
  const weights = new Elements(memory.buffer, at.weights, sizes.weights / bytes);
  // 16-bit sums have to fit 32 bits.
  fillRandom(features, bytes === 1 ? -128 : -1500, bytes === 1 ? 127 : 1500);
  fillRandom(weights, bytes === 1 ? -128 : -500, bytes === 1 ? 127 : 500);
  const view = new DataView(memory.buffer);
  for (let filter = 0; filter < layer.filters; filter++) {
    const record = at.parameters + 12 * filter;
    view.setInt32(record, 100 - filter, true);
    view.setUint16(record + 4, 40000, true);
    view.setUint16(record + 6, 4000, true);
    view.setUint32(record + 8, 26, true);
  }
  convolution.pack(kernels, at.weights, at.packed);
  const run = () => convolution.run(kernels, at.features, at.packed, at.parameters, at.out, at.workspace);
  run();
  check(layer, host, features, weights, new Elements(memory.buffer, at.out, sizes.out / bytes));
  return { name: bytes === 1 ? 'ours int8' : 'ours 16-bit', copies: 1, run, dispose: () => {} };
}

function hostLayer(
  { channels, filters, groups, size, kernel, ...rest }: BenchLayer,
  bytes: 1 | 2,
): HostLayer {
  const pad = padding({ channels, filters, groups, size, kernel, ...rest });
  const half = 2 ** (8 * bytes - 1);
  return {
    ...{ channels: channels / groups, filters: filters / groups, groups, rows: size, columns: size },
    ...{
      outRows: size,
      outColumns: size,
      kernelRows: kernel,
      kernelColumns: kernel,
      padTop: pad,
      padLeft: pad,
    },
    ...{ strideRows: 1, strideColumns: 1, dilationRows: 1, dilationColumns: 1, weightBytes: bytes },
    input: { bytes, unsigned: 0, zeroPoint: 0 },
    output: { bytes, low: -half, high: half - 1, zeroPoint: 0, rounding: 0 },
  };
}

/** Compares every 37th output with the sum as it is written. */
function check(
  layer: BenchLayer,
  host: HostLayer,
  features: Int8Array | Int16Array,
  weights: Int8Array | Int16Array,
  out: Int8Array | Int16Array,
): void {
  const { size, kernel } = layer;
  const pad = padding(layer);
  for (let i = 0; i < out.length; i += 37) {
    const filter = Math.floor(i / size ** 2);
    const [y, x] = [Math.floor(i / size) % size, i % size];
    const group = Math.floor(filter / host.filters);
    let sum = 100 - filter;
    for (let c = 0; c < host.channels; c++) {
      for (let ky = 0; ky < kernel; ky++) {
        for (let kx = 0; kx < kernel; kx++) {
          const [row, column] = [y + ky - pad, x + kx - pad];
          if (row < 0 || row >= size || column < 0 || column >= size) continue;
          const weight =
            (((group * host.channels + c) * kernel + ky) * kernel + kx) * host.filters +
            (filter % host.filters);
          sum += weights[weight]! * features[((group * host.channels + c) * size + row) * size + column]!;
        }
      }
    }
    const exact = (sum * (sum >= 0 ? 40000 : 4000)) / 2 ** 26;
    const floor = Math.floor(exact);
    const rest = exact - floor;
    const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
    const expected = Math.min(Math.max(rounded, host.output.low), host.output.high);
    if (out[i] !== expected) {
      throw new Error(
        `${layer.name}, ${host.weightBytes * 8} bits: output ${i} is ${out[i]}, not ${expected}.`,
      );
    }
  }
}

const operators = {
  'ort f32': { op: 'Conv', input: 'float32', weight: 'float32', output: 'float32' },
  'ort QLinearConv u8s8': { op: 'QLinearConv', input: 'uint8', weight: 'int8', output: 'uint8' },
  'ort QLinearConv u8u8': { op: 'QLinearConv', input: 'uint8', weight: 'uint8', output: 'uint8' },
  'ort ConvInteger u8u8': { op: 'ConvInteger', input: 'uint8', weight: 'uint8', output: 'int32' },
} as const;

export type OrtOperator = keyof typeof operators;
export const ortOperators = Object.keys(operators) as OrtOperator[];

const arrays = { float32: Float32Array, uint8: Uint8Array, int8: Int8Array, int32: Int32Array } as const;

/**
 * The layer on ONNX Runtime Web, one thread. Small layers are several times in the graph, with weights of their own,
 * so that the time is the operator's and not that of starting a session's run.
 */
export async function onnxRuntime(layer: BenchLayer, name: OrtOperator): Promise<Contender> {
  ort.env.wasm.numThreads = 1;
  const { op, input, weight, output } = operators[name];
  const { channels, filters, groups, size, kernel } = layer;
  const copies = Math.min(Math.max(Math.round(20e6 / macs(layer)), 1), 8);
  const pad = padding(layer);
  const weightDims = [filters, channels / groups, kernel, kernel];
  const scalar = (name: string, type: ElementType, value: number): OnnxTensor => ({
    ...{ name, type, dims: [], data: arrays[type].of(value) },
  });
  const initializers: OnnxTensor[] = [
    ...[scalar('scale', 'float32', 0.05), scalar('outScale', 'float32', 50)],
    ...[
      scalar('zeroX', 'uint8', 128),
      scalar('zeroW', weight === 'int8' ? 'int8' : 'uint8', weight === 'int8' ? 0 : 128),
    ],
  ];
  const nodes = Array.from({ length: copies }, (_, copy) => {
    const [w, b, out] = [`w${copy}`, `b${copy}`, `out${copy}`];
    const data = new arrays[weight](weightDims.reduce((a, b) => a * b));
    fillRandom(data, weight === 'int8' ? -128 : 0, weight === 'int8' ? 127 : 255);
    initializers.push({ name: w, type: weight, dims: weightDims, data });
    const biasType = op === 'Conv' ? 'float32' : 'int32';
    const bias = new arrays[biasType](filters).fill(7);
    if (op !== 'ConvInteger') initializers.push({ name: b, type: biasType, dims: [filters], data: bias });
    const inputs = {
      Conv: ['x', w, b],
      QLinearConv: ['x', 'scale', 'zeroX', w, 'scale', 'zeroW', 'outScale', 'zeroX', b],
      ConvInteger: ['x', w, 'zeroX', 'zeroW'],
    }[op];
    const attributes = { kernel_shape: [kernel, kernel], pads: [pad, pad, pad, pad], group: groups };
    return { op, inputs, outputs: [out], attributes };
  });
  const used = new Set(nodes.flatMap(({ inputs }) => inputs));
  const dims = [1, channels, size, size];
  const outputs = nodes.map(({ outputs }) => ({
    ...{ name: outputs[0]!, type: output, dims: [1, filters, size, size] },
  }));
  const model = encodeModel(
    ...([
      nodes,
      initializers.filter(({ name }) => used.has(name)),
      [{ name: 'x', type: input, dims }],
    ] as const),
    outputs,
  );
  const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3 });
  const data = new arrays[input](channels * size ** 2);
  fillRandom(data, 0, 255);
  const feeds = { x: new ort.Tensor(input, data, dims) };
  return {
    name,
    copies,
    run: async () => {
      await session.run(feeds);
    },
    dispose: () => session.release(),
  };
}

/** The layer in float on TensorFlow.js's WebAssembly backend. */
export async function tensorflow(layer: BenchLayer): Promise<Contender> {
  const tf = await import('@tensorflow/tfjs-core');
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  const main = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
  setWasmPaths(`${dirname(main)}/`);
  await tf.setBackend('wasm');
  await tf.ready();
  const { channels, filters, groups, size, kernel } = layer;
  const x = tf.randomUniform<import('@tensorflow/tfjs-core').Rank.R4>([1, size, size, channels], -1, 1);
  const shape: [number, number, number, number] =
    groups === 1 ? [kernel, kernel, channels, filters] : [kernel, kernel, channels, 1];
  const w = tf.randomUniform<import('@tensorflow/tfjs-core').Rank.R4>(shape, -1, 1);
  return {
    name: 'tfjs f32',
    copies: 1,
    run: () => {
      const out = groups === 1 ? tf.conv2d(x, w, 1, 'same') : tf.depthwiseConv2d(x, w, 1, 'same');
      out.dispose();
    },
    dispose: () => {
      x.dispose();
      w.dispose();
    },
  };
}
