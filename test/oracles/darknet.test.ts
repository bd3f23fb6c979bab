/** Darknet networks beside plain loops written from what Darknet's forward functions do. */
import { appendFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import { readDarknet } from '../../src/import/darknet/read.ts';
import { loadTensorflow } from '../../src/import/tensorflow.ts';
import { runFloat } from '../../src/quant/float-reference.ts';

const folder = mkdtempSync(join(tmpdir(), 'condensim-darknet-'));

/** A map as Darknet keeps it: [channel][row][column]. */
interface DarknetMap {
  readonly c: number;
  readonly h: number;
  readonly w: number;
  readonly data: Float64Array;
}

/** Reads weights in the file's order, as Darknet's loaders do. */
class Loader {
  at = 0;
  constructor(readonly values: Float32Array) {}
  take(count: number): Float32Array {
    const part = this.values.subarray(this.at, this.at + count);
    this.at += count;
    return part;
  }
}

function convolve(
  x: DarknetMap,
  loader: Loader,
  layer: { n: number; size: number; stride?: number; pad?: number; groups?: number; norm?: boolean },
  activate: (value: number) => number,
): DarknetMap {
  const { n, size, stride = 1, pad = 0, groups = 1, norm = false } = layer;
  const biases = loader.take(n);
  const scales = norm ? loader.take(n) : undefined;
  const means = norm ? loader.take(n) : undefined;
  const variances = norm ? loader.take(n) : undefined;
  const per = x.c / groups;
  const weights = loader.take(n * per * size * size);
  const h = Math.floor((x.h + 2 * pad - size) / stride) + 1;
  const w = Math.floor((x.w + 2 * pad - size) / stride) + 1;
  const data = new Float64Array(n * h * w);
  for (let f = 0; f < n; f++) {
    const firstChannel = Math.floor(f / (n / groups)) * per;
    for (let y = 0; y < h; y++) {
      for (let z = 0; z < w; z++) {
        let total = 0;
        for (let c = 0; c < per; c++) {
          for (let i = 0; i < size; i++) {
            for (let j = 0; j < size; j++) {
              const [row, column] = [y * stride + i - pad, z * stride + j - pad];
              if (row < 0 || column < 0 || row >= x.h || column >= x.w) continue;
              total +=
                weights[((f * per + c) * size + i) * size + j]! *
                x.data[((firstChannel + c) * x.h + row) * x.w + column]!;
            }
          }
        }
        if (norm) total = (scales![f]! * (total - means![f]!)) / Math.sqrt(variances![f]! + 1e-5);
        data[(f * h + y) * w + z] = activate(total + biases[f]!);
      }
    }
  }
  return { c: n, h, w, data };
}

function maximum(x: DarknetMap, size: number, stride: number, padding = size - 1): DarknetMap {
  const h = Math.floor((x.h + padding - size) / stride) + 1;
  const w = Math.floor((x.w + padding - size) / stride) + 1;
  const offset = -Math.floor(padding / 2);
  const data = new Float64Array(x.c * h * w);
  for (let k = 0; k < x.c; k++) {
    for (let i = 0; i < h; i++) {
      for (let j = 0; j < w; j++) {
        let largest = Number.NEGATIVE_INFINITY;
        for (let n = 0; n < size; n++) {
          for (let m = 0; m < size; m++) {
            const [row, column] = [offset + i * stride + n, offset + j * stride + m];
            if (row < 0 || column < 0 || row >= x.h || column >= x.w) continue;
            largest = Math.max(largest, x.data[(k * x.h + row) * x.w + column]!);
          }
        }
        data[(k * h + i) * w + j] = largest;
      }
    }
  }
  return { c: x.c, h, w, data };
}

const route = (...maps: DarknetMap[]): DarknetMap => ({
  ...maps[0]!,
  c: maps.reduce((total, { c }) => total + c, 0),
  data: Float64Array.from(maps.flatMap(({ data }) => [...data])),
});

const upsample = (x: DarknetMap, s: number): DarknetMap => ({
  c: x.c,
  h: x.h * s,
  w: x.w * s,
  data: Float64Array.from({ length: x.c * x.h * x.w * s * s }, (_, at) => {
    const [row, column] = [Math.floor(at / (x.w * s)) % (x.h * s), at % (x.w * s)];
    const k = Math.floor(at / (x.w * x.h * s * s));
    return x.data[(k * x.h + Math.floor(row / s)) * x.w + Math.floor(column / s)]!;
  }),
});

/** reorg_cpu as the later [reorg3d] calls it, with the sizes of its output and forward = 0. */
const reorg3d = (x: DarknetMap, s: number): DarknetMap => reorgCpu(x, s, [x.c * s * s, x.h / s, x.w / s]);

/** reorg_cpu as [reorg] calls it: with the sizes of its input. */
const reorg = (x: DarknetMap, s: number): DarknetMap => reorgCpu(x, s, [x.c, x.h, x.w]);

/** What comes out has a block more channels and a block's fewer cells, whatever sizes the routine is told. */
function reorgCpu(x: DarknetMap, s: number, [c, h, w]: readonly [number, number, number]): DarknetMap {
  const outC = c / (s * s);
  const data = new Float64Array(c * h * w);
  for (let k = 0; k < c; k++) {
    for (let j = 0; j < h; j++) {
      for (let i = 0; i < w; i++) {
        const inIndex = i + w * (j + h * k);
        const offset = Math.floor(k / outC);
        const w2 = i * s + (offset % s);
        const h2 = j * s + Math.floor(offset / s);
        data[inIndex] = x.data[w2 + w * s * (h2 + h * s * (k % outC))]!;
      }
    }
  }
  return { c: x.c * s * s, h: x.h / s, w: x.w / s, data };
}

const leaky = (x: number) => (x > 0 ? x : 0.1 * x);
const linear = (x: number) => x;

function random(count: number, seed: number): Float32Array {
  const draw = randomStream(seed);
  return Float32Array.from({ length: count }, () => draw() / 2 ** 32 + 0.05);
}

/** The bytes of values. */
const bytesOf = ({ buffer, byteOffset, byteLength }: Int32Array | Float32Array) =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** A weight file; before version 0.2 the count of pictures has 32 bits. */
function weightFile(name: string, values: Float32Array, old = false): string {
  const header = new Int32Array(old ? [0, 1, 0, 7] : [0, 2, 0, 7, 0]);
  const path = join(folder, name);
  writeFileSync(path, bytesOf(header));
  appendFileSync(path, bytesOf(values));
  return path;
}

async function compare(
  cfg: string,
  values: Float32Array,
  expected: (image: DarknetMap, loader: Loader) => DarknetMap[],
  old = false,
) {
  const weights = weightFile('net.weights', values, old);
  const { graph, parameters } = readDarknet(cfg, 'net.cfg', { weights });
  const [c, h, w] = graph.input.shape;
  const image = random(c * h * w, 99).map((value) => value - 0.5);
  const tf = await loadTensorflow();
  const found = runFloat(tf, graph, parameters!(), image, (name) => graph.outputs.includes(name));
  const loader = new Loader(values);
  const wanted = expected({ c, h, w, data: Float64Array.from(image) }, loader);
  expect(loader.at).toBe(values.length);
  expect(wanted.length).toBe(graph.outputs.length);
  for (const [at, name] of graph.outputs.entries()) {
    const map = wanted[at]!;
    expect(graph.nodes.find((node) => node.name === name)!.outputShape).toEqual([map.c, map.h, map.w]);
    const values = found.get(name)!;
    const scale = Math.max(...map.data.map(Math.abs));
    expect(Math.max(...map.data.map((value, i) => Math.abs(value - values[i]!)))).toBeLessThan(1e-5 * scale);
  }
  return graph;
}

describe('Darknet networks', () => {
  it.each([false, true])('compute what Darknet does (header of 32 bits: %s)', async (old) => {
    const cfg = `
[net]
batch=1
width=11
height=9
channels=3
learning_rate=0.001   # and more that matters to training

[convolutional]
batch_normalize=1
filters=8
size=3
stride=1
pad=1
activation=leaky

[maxpool]
size=2
stride=2

[maxpool]
size=2
stride=1

[convolutional]
filters = 8
size = 3
groups = 8
pad = 1
activation = relu

[shortcut]
from=-2
activation=linear

[maxpool]
size=3
stride=1

[route]
layers=-1, 2

[convolutional]
batch_normalize=1
filters=6
size=1
groups=2
activation=logistic

[dropout]
probability=.5

[upsample]
stride=2

[reorg3d]
stride=2

[convolutional]
filters=5
size=5
stride=2
padding=2
activation=linear
`;
    const count = 8 * 4 + 8 * 27 + 8 + 8 * 9 + 6 * 4 + 6 * 8 + 5 + 5 * 24 * 25;
    await compare(
      cfg,
      random(count, 5),
      (image, loader) => {
        const first = convolve(image, loader, { n: 8, size: 3, pad: 1, norm: true }, leaky);
        const pooled = maximum(maximum(first, 2, 2), 2, 1);
        const depthwise = convolve(pooled, loader, { n: 8, size: 3, pad: 1, groups: 8 }, (x) =>
          Math.max(0, x),
        );
        const added = { ...pooled, data: pooled.data.map((value, i) => value + depthwise.data[i]!) };
        const joined = route(maximum(added, 3, 1), pooled);
        const gates = convolve(
          joined,
          loader,
          { n: 6, size: 1, groups: 2, norm: true },
          (x) => 1 / (1 + Math.exp(-x)),
        );
        const blocks = reorg3d(upsample(gates, 2), 2);
        return [convolve(blocks, loader, { n: 5, size: 5, stride: 2, pad: 2 }, linear)];
      },
      old,
    );
  });

  it('the passthrough of YOLOv2: [reorg] in its own order, beside the coarser maps', async () => {
    const cfg = `[net]
width=12
height=16
[convolutional]
batch_normalize=1
filters=8
size=3
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[convolutional]
filters=6
size=1
activation=leaky
[route]
layers=-3
[reorg]
stride=2
[route]
layers=-1,-3
[convolutional]
filters=5
size=3
pad=1
activation=linear
`;
    const count = 8 * 4 + 8 * 27 + 6 + 6 * 8 + 5 + 5 * 38 * 9;
    await compare(cfg, random(count, 11), (image, loader) => {
      const fine = convolve(image, loader, { n: 8, size: 3, pad: 1, norm: true }, leaky);
      const coarse = convolve(maximum(fine, 2, 2), loader, { n: 6, size: 1 }, leaky);
      const joined = route(reorg(fine, 2), coarse);
      return [convolve(joined, loader, { n: 5, size: 3, pad: 1 }, linear)];
    });
  });

  it('heads of yolo are outputs in their order, with their masks', async () => {
    const head = (mask: string) => `
[yolo]
mask=${mask}
anchors=10,14, 23,27, 37,58, 81,82
classes=2
num=4
jitter=.3
`;
    const cfg = `[net]
width=16
height=16
[convolutional]
filters=14
size=3
stride=2
pad=1
activation=leaky
[maxpool]
size=2
stride=2
${head('2,3')}
[route]
layers=-2
[convolutional]
filters=4
activation=linear
[upsample]
[route]
layers=-1,0
[convolutional]
filters=14
activation=linear
${head('0,1')}`;
    const graph = await compare(cfg, random(14 + 14 * 27 + 4 + 56 + 14 + 14 * 18, 6), (image, loader) => {
      const first = convolve(image, loader, { n: 14, size: 3, stride: 2, pad: 1 }, leaky);
      const coarse = maximum(first, 2, 2);
      const up = upsample(convolve(coarse, loader, { n: 4, size: 1 }, linear), 2);
      return [coarse, convolve(route(up, first), loader, { n: 14, size: 1 }, linear)];
    });
    expect(graph.detector).toMatchObject({
      kind: 'yolov3',
      anchors: [
        [37, 58],
        [81, 82],
        [10, 14],
        [23, 27],
      ],
      masks: [
        [0, 1],
        [2, 3],
      ],
    });
  });

  it('flattens for a connected layer as Darknet does, and ends in softmax', async () => {
    const cfg = `[net]
width=4
height=3
channels=2
[connected]
output=6
activation=tanh
[softmax]
groups=1
[cost]
type=sse`;
    await compare(cfg, random(6 + 6 * 24, 7), (image, loader) => {
      const biases = loader.take(6);
      const weights = loader.take(6 * 24);
      const sums = Array.from({ length: 6 }, (_, unit) =>
        Math.tanh(
          image.data.reduce((total, value, i) => total + value * weights[unit * 24 + i]!, biases[unit]!),
        ),
      );
      const powers = sums.map(Math.exp);
      const all = powers.reduce((a, b) => a + b);
      return [{ c: 6, h: 1, w: 1, data: Float64Array.from(powers, (value) => value / all) }];
    });
  });
});
