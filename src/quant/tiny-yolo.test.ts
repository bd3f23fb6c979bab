/** A whole network of full size through every step of this folder. */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildGraph, type NodeDescription } from '../graph/build.ts';
import type { Graph } from '../graph/graph.ts';
import { findOperator } from '../ops/index.ts';
import { calibrate } from './calibrate.ts';
import { runFloat } from './float-reference.ts';
import { dequantise, quantiseInput } from './input.ts';
import { runInteger } from './integer-executor.ts';
import { layerNetwork } from './layers.ts';
import { sqnrDb } from './metrics.ts';
import { defaultNumbers } from './numbers.ts';
import { quantise } from './quantise.ts';
import { seededParameters } from './seeded-weights.ts';

/** Tiny-YOLOv2: nine convolutions, six poolings. */
function tinyYolo(side: number): Graph {
  const nodes: NodeDescription[] = [];
  const add = (name: string, op: string, attributes: object = {}) => {
    nodes.push({ name, op: findOperator(op)!, attributes, inputs: [nodes.at(-1)?.name ?? 'image'] });
  };
  for (const [i, filters] of [16, 32, 64, 128, 256, 512, 1024, 1024].entries()) {
    add(`conv${i + 1}`, 'convolution', { filters, kernel: 3, padding: 'same', bias: false });
    add(`norm${i + 1}`, 'batchNormalization');
    add(`leaky${i + 1}`, 'leakyRelu');
    if (i < 6) add(`pool${i + 1}`, 'maxPool', { window: 2, stride: i < 5 ? 2 : 1, padding: 'same' });
  }
  add('conv9', 'convolution', { filters: 25, kernel: 1 });
  return buildGraph({
    name: 'tiny-yolov2',
    description: '',
    input: { name: 'image', shape: [3, side, side], preparation: { mean: [0, 0, 0], divisor: 255 } },
    nodes,
  });
}

/** Soft waves and a block: neighbours alike, as in a photograph. */
function picture(side: number): Float32Array {
  return Float32Array.from({ length: 3 * side * side }, (_, i) => {
    const [c, y, x] = [Math.floor(i / side / side), Math.floor(i / side) % side, i % side];
    const wave = 0.45 + 0.25 * Math.sin(x / 40 + c) + 0.2 * Math.cos(y / 23 + 2 * c);
    const block = x > side / 4 && x < side / 2 && y > side / 8 ? 0.3 : 0;
    return Math.min(1, Math.max(0, wave + block));
  });
}

function deviation(values: Float32Array): number {
  let [total, squares] = [0, 0];
  for (const value of values) {
    total += value;
    squares += value * value;
  }
  return Math.sqrt(squares / values.length - (total / values.length) ** 2);
}

beforeAll(async () => {
  const manifest = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json');
  setWasmPaths(`${dirname(manifest)}/dist/`);
  await tf.setBackend('wasm');
});

describe('Tiny-YOLOv2', () => {
  const graph = tinyYolo(416);
  const layered = layerNetwork(graph);

  it('has the published size', () => {
    expect(layered.parameters).toBe(15_756_217);
    expect(layered.macs).toBe(3_468_215_296);
    expect(layered.layers.length).toBe(15);
    expect(layered.layers.at(-1)!.outputShape).toEqual([25, 13, 13]);
  });

  it('gets the same weights from the same seed, other ones from another', () => {
    const small = tinyYolo(32);
    const first = seededParameters(small, 1).get('conv3/filters')!;
    expect(seededParameters(small, 1).get('conv3/filters')).toEqual(first);
    expect(seededParameters(small, 2).get('conv3/filters')).not.toEqual(first);
    expect(deviation(first)).toBeGreaterThan(0);
    expect(Math.abs(first.reduce((a, b) => a + b, 0) / first.length)).toBeLessThan(deviation(first) / 20);
  });

  it.each([1, 2, 3])('keeps activations in range with seed %i', (seed) => {
    const parameters = seededParameters(graph, seed);
    const outputs = new Set(layered.layers.map((layer) => layer.output));
    for (const [name, values] of runFloat(tf, graph, parameters, picture(416), (one) => outputs.has(one))) {
      expect(deviation(values), name).toBeGreaterThan(0.3);
      expect(deviation(values), name).toBeLessThan(3);
    }
    expect(tf.memory().numTensors).toBe(0);
  });

  it.each(['shift', 'multiplier'] as const)('stays close to the float network in %s form', (form) => {
    const small = tinyYolo(64);
    const parameters = seededParameters(small, 1);
    const ranges = calibrate(tf, small, parameters, [picture(64)]);
    const float = runFloat(tf, small, parameters, picture(64), () => true);
    for (const [name, values] of float) {
      let [low, high] = [0, 0];
      for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
      const range = ranges.get(name)!;
      expect([Math.min(0, range.low), Math.max(0, range.high)]).toEqual([low, high]);
    }
    const quantised = quantise(layerNetwork(small), parameters, ranges, defaultNumbers(form));
    const { tensors: integer, overflows } = runInteger(
      quantised,
      quantiseInput(picture(64), quantised.tensors.get('image')!),
    );
    expect(integer.size).toBe(15);
    expect(overflows).toBe(0);
    for (const [name, values] of integer) {
      const decibels = sqnrDb(float.get(name)!, dequantise(values, quantised.tensors.get(name)!));
      expect(decibels, name).toBeGreaterThan(form === 'shift' ? 18 : 22);
    }
  });
});
