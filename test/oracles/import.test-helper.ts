/** Imported networks run the product's ways, beside ONNX Runtime. */
import { expect } from 'vitest';
import { InputError } from '../../src/core/diagnostics.ts';
import type { ImportedNetwork } from '../../src/import/imported-network.ts';
import { readOnnx } from '../../src/import/onnx/read.ts';
import { loadTensorflow } from '../../src/import/tensorflow.ts';
import { runFloat } from '../../src/quant/float-reference.ts';
import { type Datapath, quantiseGiven } from '../../src/quant/given.ts';
import { dequantise, quantiseInput } from '../../src/quant/input.ts';
import { runInteger } from '../../src/quant/integer-executor.ts';
import { KernelExecutor } from '../../src/quant/kernel-executor.ts';
import { layerNetwork } from '../../src/quant/layers.ts';
import type { Draw } from './comparison.test-helper.ts';
import { encodeModel, type FileModel, runModel } from './onnx-file.test-helper.ts';

export const exact: Datapath = {
  form: 'multiplier',
  multiplierBits: 24,
  rounding: 'half-even',
  accumulator: { bits: 40, overflow: 'saturate' },
};

/** The one input of a model, filled with random numbers of about unit variance. */
export function randomInput(draw: Draw, model: FileModel): Float32Array {
  const [[, dims]] = Object.values(model.inputs) as [readonly [string, readonly number[]]];
  const size = dims.reduce((total, one) => total * one, 1);
  return Float32Array.from({ length: size }, () => draw.real(-2, 2));
}

export async function runtimeOutputs(model: FileModel, input: ArrayLike<number>, bytes = encodeModel(model)) {
  const [[name, [type, dims]]] = Object.entries(model.inputs) as [
    [string, readonly ['float32', readonly number[]]],
  ];
  return runModel(bytes, { [name]: { type, dims, data: input } });
}

/** [1, rows, columns, channels] to [channels, rows, columns]. */
export function channelsFirst(values: Float32Array, rows: number, columns: number): Float32Array {
  const channels = values.length / (rows * columns);
  return Float32Array.from(values, (_, i) => {
    const cells = rows * columns;
    return values[(i % cells) * channels + Math.floor(i / cells)]!;
  });
}

/** The outputs of an imported float network, in its order. */
export async function floatOutputs(imported: ImportedNetwork, input: Float32Array): Promise<Float32Array[]> {
  const tf = await loadTensorflow();
  const { graph } = imported;
  const kept = runFloat(tf, graph, imported.parameters!(), input, (name) => graph.outputs.includes(name));
  return graph.outputs.map((name) => kept.get(name)!);
}

/** The largest difference, relative to the largest magnitude. */
export function relativeError(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  expect(ours.length).toBe(theirs.length);
  let worst = 0;
  let largest = 1e-6;
  for (let i = 0; i < ours.length; i++) {
    worst = Math.max(worst, Math.abs(ours[i]! - theirs[i]!));
    largest = Math.max(largest, Math.abs(theirs[i]!));
  }
  return worst / largest;
}

/** Imports a float model and holds its outputs to ONNX Runtime's, values in the same order. */
export async function expectSameFloat(model: FileModel, input: Float32Array): Promise<ImportedNetwork> {
  const bytes = encodeModel(model);
  const imported = readOnnx(bytes, 'test.onnx');
  const ours = await floatOutputs(imported, input);
  const theirs = Object.values(await runtimeOutputs(model, input, bytes));
  expect(ours.length).toBe(theirs.length);
  for (const [i, { data }] of theirs.entries()) expect(relativeError(ours[i]!, data)).toBeLessThan(1e-4);
  return imported;
}

export interface IntegerDifferences {
  readonly values: number;
  readonly different: number;
  /** In steps. */
  readonly worst: number;
}

/**
 * Imports a quantised model and counts where its outputs differ from ONNX Runtime's, in steps of the output's scale.
 * @param input real numbers for a model with a float input, else integers
 */
export async function integerDifferences(
  model: FileModel,
  input: ArrayLike<number>,
  datapath: Datapath = exact,
): Promise<IntegerDifferences> {
  const bytes = encodeModel(model);
  const imported = readOnnx(bytes, 'test.onnx');
  const { graph, given } = imported;
  expect(given).toBeDefined();
  const network = layerNetwork(graph, given!.apart);
  const quantised = quantiseGiven(network, imported.parameters!(), given!, datapath);
  const [[type]] = Object.values(model.inputs) as [readonly [string, unknown]];
  const first = quantised.tensors.get(graph.input.name)!;
  // Integers fed as they are may have the other sign in here.
  const own = given!.tensors.get(graph.input.name)!;
  const offset =
    type === 'uint8' && own.format.signed ? -128 : type === 'int8' && !own.format.signed ? 128 : 0;
  const integers =
    type === 'float32'
      ? quantiseInput(Float32Array.from(input), first)
      : quantiseInput(
          Float32Array.from(input, (value) => (value + offset - first.zeroPoint) * first.scale),
          first,
        );
  const { tensors } = runInteger(quantised, integers);
  const fast = (await KernelExecutor.load(quantised)).run(integers, () => true).tensors;
  const outputs = Object.values(await runtimeOutputs(model, input, bytes));
  let [values, different, worst] = [0, 0, 0];
  for (const [i, { data }] of outputs.entries()) {
    const name = graph.outputs[i]!;
    const ours = tensors.get(name)!;
    expect(Array.from(fast.get(name)!)).toEqual(Array.from(ours));
    const { scale, zeroPoint, format } = quantised.tensors.get(name)!;
    const isFloat = data instanceof Float32Array;
    const real = dequantise(ours, { scale, zeroPoint });
    expect(real.length).toBe(data.length);
    const shift = isFloat
      ? 0
      : data instanceof Uint8Array === format.signed
        ? format.signed
          ? 128
          : -128
        : 0;
    for (let at = 0; at < data.length; at++) {
      const steps = isFloat
        ? Math.round(Math.abs(real[at]! - data[at]!) / scale)
        : Math.abs(ours[at]! + shift - data[at]!);
      values++;
      if (steps !== 0) different++;
      worst = Math.max(worst, steps);
    }
  }
  return { values, different, worst };
}

/** The one line in which a model is refused, checked to be one that names the node and its operator. */
export function refusal(error: unknown): string {
  expect(error).toBeInstanceOf(InputError);
  const { message } = error as InputError;
  expect(message).toMatch(/^m\.onnx: node '[\w./]+' \([\w.]+\): [^\n]+$/);
  return message;
}
