/** Every format that is read: small valid files, what damages them, and the reader that must end in a value or an InputError. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';
import { parse } from 'yaml';
import { InputError } from '../../src/core/diagnostics.ts';
import { randomStream } from '../../src/core/random.ts';
import { modelFiles } from '../../src/export/model/model.ts';
import { writeFloatOnnx } from '../../src/export/onnx/float.ts';
import { writeQuantisedOnnx } from '../../src/export/onnx/quantised.ts';
import { readDarknet } from '../../src/import/darknet/read.ts';
import { DramTraceReader, type TraceFormat } from '../../src/import/dram-trace.ts';
import { readDramFile } from '../../src/import/dram-yaml.ts';
import type { ImportedNetwork } from '../../src/import/imported-network.ts';
import { readMachine } from '../../src/import/machine-yaml.ts';
import { withWeights } from '../../src/import/model-weights.ts';
import { readModelText } from '../../src/import/model-yaml.ts';
import { externalDataIn } from '../../src/import/onnx/external-data.ts';
import { readOnnx } from '../../src/import/onnx/read.ts';
import { decodePicture } from '../../src/import/picture.ts';
import { readSafetensors } from '../../src/import/safetensors/read.ts';
import { convertConfiguration } from '../../src/import/scale-sim/machine.ts';
import { readTopology } from '../../src/import/scale-sim/read.ts';
import { convertTopology } from '../../src/import/tfjs/read.ts';
import { parseTopology } from '../../src/import/tfjs/topology.ts';
import { readTfjsWeights } from '../../src/import/tfjs-weights.ts';
import { layerNetwork } from '../../src/quant/layers.ts';
import { defaultNumbers } from '../../src/quant/numbers.ts';
import { seededParameters } from '../../src/quant/seeded-weights.ts';
import { parseQuantised, serialiseQuantised } from '../../src/quant/serialise.ts';
import { buildNetwork, networkRecipe, randomIntegers } from '../conformance/random-networks.test-helper.ts';
import {
  mutateJpeg,
  mutateLines,
  mutatePng,
  mutateProtobuf,
  mutateTree,
  type Random,
  treeOf,
  treeText,
} from './mutate.test-helper.ts';
import { mutateOnnx } from './mutate-onnx.test-helper.ts';
import { darknetSeeds, tfjsSeeds } from './network-seeds.test-helper.ts';
import { onnxModels } from './onnx-seeds.test-helper.ts';

export interface FuzzedFormat {
  /** Small valid files. */
  readonly seeds: readonly Uint8Array[];
  /** Damage that keeps to the format's structure. */
  mutate(bytes: Uint8Array, random: Random): Uint8Array;
  /** Reads a file wholly. */
  read(bytes: Uint8Array): unknown;
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const graphs = fc.sample(networkRecipe, { seed: 3, numRuns: 24 }).map(buildNetwork);
const networks = graphs.map((graph, i) => ({ graph, parameters: seededParameters(graph, i) }));
const machineOnly = networks.filter(
  ({ graph }) => !graph.nodes.some(({ op }) => op.machine.stage === 'host'),
);

/** Whatever a reader hands over is looked at in full, as a run would. */
function useUp({ graph, given, parameters }: ImportedNetwork): void {
  layerNetwork(graph, given?.apart);
  parameters?.();
}

/** Runs `work` with a folder of its own. */
function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'condensim-fuzz-'));
  const tidy = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', tidy);
  return work(folder);
}

const mutateDocument = (bytes: Uint8Array, random: Random): Uint8Array =>
  encode(treeText(mutateTree(treeOf(parse(decode(bytes))), random)));

/** Damages a JSON header behind its length, little endian in `size` bytes at `start`; the length is right again. */
function mutateHeader(bytes: Uint8Array, start: number, size: number, random: Random): Uint8Array {
  const from = start + size;
  const end = from + new DataView(bytes.buffer, bytes.byteOffset).getUint32(start, true);
  const tree = mutateTree(treeOf(JSON.parse(decode(bytes.subarray(from, end)))), random);
  const header = encode(treeText(tree));
  const head = bytes.slice(0, from).fill(0, start);
  new DataView(head.buffer).setUint32(start, header.length, true);
  return new Uint8Array(Buffer.concat([head, header, bytes.subarray(end)]));
}

function onnx(): FuzzedFormat {
  return inFolder((folder) => {
    writeFileSync(join(folder, 'w.bin'), new Uint8Array(64));
    const quantised = machineOnly.slice(0, 4).map(({ graph, parameters }, i) => {
      const activations = { bits: 8, signed: i % 2 === 0, symmetric: false };
      const numbers = { ...defaultNumbers('multiplier'), activations };
      return writeQuantisedOnnx(randomIntegers(layerNetwork(graph), numbers, i), parameters);
    });
    return {
      seeds: [
        ...onnxModels(),
        ...networks.slice(0, 6).map(({ graph, parameters }) => writeFloatOnnx(graph, parameters)),
        ...quantised,
      ].filter(({ length }) => length < 30_000),
      // One in eight in its fields whatever they mean, the others as a network.
      mutate: (bytes, random) => (random() % 8 === 0 ? mutateProtobuf : mutateOnnx)(bytes, random),
      read: (bytes) => useUp(readOnnx(bytes, 'm.onnx', {}, externalDataIn(folder))),
    };
  });
}

function model(): FuzzedFormat {
  const quantised = machineOnly.slice(0, 4).map(({ graph, parameters }, i) => {
    const numbers = {
      ...defaultNumbers('multiplier'),
      activations: { bits: 8, signed: true, symmetric: false },
    };
    return readOnnx(
      writeQuantisedOnnx(randomIntegers(layerNetwork(graph), numbers, i), parameters),
      'm.onnx',
    );
  });
  const plain = networks.map(({ graph, parameters }) => ({ graph, parameters: () => parameters }));
  return {
    seeds: [...plain, ...quantised].map((network) => encode(modelFiles(network, 'm.safetensors').text)),
    mutate: mutateDocument,
    read(bytes) {
      const { graph, quantisation } = readModelText(decode(bytes), 'm.yaml');
      layerNetwork(graph, quantisation?.apart);
    },
  };
}

function safetensors(): FuzzedFormat {
  const written = networks.slice(0, 12).map(({ graph, parameters }) => {
    const { text, weights } = modelFiles({ graph, parameters: () => parameters }, 'm.safetensors');
    return { graph: readModelText(text, 'm.yaml').graph, bytes: new Uint8Array(Buffer.concat(weights!)) };
  });
  return {
    seeds: written.map(({ bytes }) => bytes).filter(({ length }) => length < 30_000),
    mutate: (bytes, random) => mutateHeader(bytes, 0, 8, random),
    read(bytes) {
      const tensors = readSafetensors(bytes, 'm.safetensors');
      for (const tensor of tensors.values()) tensor.values();
      // Layers of several networks are called alike: some network has to take the weights if any has their names.
      let refused: unknown;
      for (const { graph } of written) {
        const names = graph.nodes.flatMap(({ parameters }) => parameters.map(({ name }) => name));
        if (names.length === 0 || !names.every((name) => tensors.has(name))) continue;
        try {
          return withWeights(graph, undefined, tensors, 'm.safetensors').parameters!();
        } catch (error) {
          if (!(error instanceof InputError)) throw error;
          refused = error;
        }
      }
      if (refused !== undefined) throw refused;
      return undefined;
    },
  };
}

function tfjs(): FuzzedFormat {
  return inFolder((folder) => {
    writeFileSync(join(folder, 'a.bin'), new Uint8Array(48).fill(1));
    writeFileSync(join(folder, 'b.bin'), new Uint8Array(16).fill(2));
    const path = join(folder, 'manifest.json');
    const quantization = { dtype: 'uint8', scale: 0.1, min: -3 };
    const documents = [
      [{ paths: ['a.bin'], weights: [{ name: 'x', shape: [3, 4], dtype: 'float32' }] }],
      [
        {
          paths: ['a.bin', 'b.bin'],
          weights: [
            { name: 'x/y', shape: [2, 2, 8], dtype: 'float32', quantization },
            { name: 'z', shape: [4], dtype: 'int32' },
            { name: 'h', shape: [8], dtype: 'float32', quantization: { ...quantization, dtype: 'uint16' } },
          ],
        },
        {
          paths: ['b.bin'],
          weights: [
            { name: 's', shape: [], dtype: 'float32' },
            { name: 't', shape: [3], dtype: 'int32' },
          ],
        },
      ],
    ];
    return {
      seeds: documents.map((document) => encode(JSON.stringify(document))),
      mutate: mutateDocument,
      read(bytes) {
        writeFileSync(path, bytes);
        readTfjsWeights(path);
      },
    };
  });
}

const pixels = (width: number, height: number): Buffer => {
  const random = randomStream(width);
  return Buffer.from(Uint8Array.from({ length: width * height * 4 }, () => random() & 255));
};

function png(): FuzzedFormat {
  const of = (options: object): Uint8Array =>
    new Uint8Array(
      PNG.sync.write(Object.assign(new PNG({ width: 9, height: 7 }), { data: pixels(9, 7) }), options),
    );
  return {
    seeds: [2, 6, 0, 4].map((colorType) => of({ colorType })),
    mutate: mutatePng,
    read: (bytes) => decodePicture(bytes, 'p.png'),
  };
}

function jpg(): FuzzedFormat {
  const of = (quality: number, width: number): Uint8Array =>
    new Uint8Array(jpeg.encode({ width, height: 17, data: pixels(width, 17) }, quality).data);
  return {
    seeds: [of(20, 16), of(90, 9)],
    mutate: mutateJpeg,
    read: (bytes) => decodePicture(bytes, 'p.jpg'),
  };
}

function trace(format: TraceFormat): FuzzedFormat {
  return inFolder((folder) => {
    const path = join(folder, 't.trace');
    const random = randomStream(9);
    const lines = Array.from({ length: 30 }, (_, i) => {
      const address = `0x${(random() >>> 4).toString(16)}`;
      const isWrite = random() % 2 === 0;
      return format === 'condensim'
        ? `${address} ${isWrite ? 'WRITE' : 'READ'} ${i * 3}`
        : `${isWrite ? 'ST' : 'LD'} ${address}`;
    });
    const text = `${lines.join('\n')}\n`;
    return {
      seeds: [encode(text), new Uint8Array(gzipSync(text))],
      mutate: (bytes, chance) => {
        const changed = encode(mutateLines(text, chance));
        return bytes[0] === 0x1f ? new Uint8Array(gzipSync(changed)) : changed;
      },
      async read(bytes) {
        writeFileSync(path, bytes);
        for await (const _ of new DramTraceReader(path, format, 2 ** 30));
      },
    };
  });
}

const projectFile = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

function yamlFile(files: readonly string[], read: (text: string) => unknown): FuzzedFormat {
  const seeds = files.map((file) => new Uint8Array(readFileSync(projectFile(`hw-configs/${file}`))));
  return { seeds, mutate: mutateDocument, read: (bytes) => read(decode(bytes)) };
}

function quantised(): FuzzedFormat {
  const made = machineOnly.slice(0, 5).map(({ graph }, i) => {
    const network = layerNetwork(graph);
    return { network, bytes: serialiseQuantised(randomIntegers(network, defaultNumbers('multiplier'), i)) };
  });
  return {
    seeds: made.map(({ bytes }) => bytes).filter(({ length }) => length < 60_000),
    mutate: (bytes, random) => mutateHeader(bytes, 8, 4, random),
    read(bytes) {
      let refused: unknown;
      for (const { network } of made) {
        try {
          return parseQuantised(bytes, network, 'm.quantised');
        } catch (error) {
          refused = error;
        }
      }
      throw refused;
    },
  };
}

/** Darknet's text, with weights beside it that some damaged ones still fit. */
function darknet(): FuzzedFormat {
  return inFolder((folder) => {
    const weights = join(folder, 'n.weights');
    const random = randomStream(5);
    // A header of the later version, then numbers; more than the text asks for are refused, as many are read.
    const values = Float32Array.from({ length: 4096 }, () => (random() % 2001) / 1000 - 1);
    const file = new Int32Array(5 + values.length);
    file.set([0, 2, 0, 0, 0]);
    file.set(new Int32Array(values.buffer), 5);
    writeFileSync(weights, new Uint8Array(file.buffer));
    return {
      seeds: darknetSeeds.map(encode),
      mutate: (bytes, chance) => encode(mutateLines(decode(bytes).replaceAll('=', ' = '), chance)),
      read(bytes) {
        const text = decode(bytes);
        useUp(readDarknet(text, 'n.cfg'));
        try {
          useUp(readDarknet(text, 'n.cfg', { weights }));
        } catch (error) {
          // Few damaged networks have as many weights.
          if (!(error instanceof InputError)) throw error;
        }
      },
    };
  });
}

/** SCALE-Sim's tables of layers. */
function topology(): FuzzedFormat {
  const names = 'Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, ';
  return {
    seeds: [
      `${names}Strides,\nConv1, 16, 18, 3, 3, 3, 8, 1,\nConv2, 9, 9, 1, 1, 8, 4, 2,\nDP3, 7, 7, 3, 3, 4, 1, 1,\n`,
      `${names}Stride Height, Stride Width, Sparsity\nConv1, 16, 18, 5, 3, 3, 8, 2, 1, 4:4\n`,
      'Layer, M, N, K,\nL0, 196, 192, 384,\nL1, 1, 1000, 64,\n',
    ].map(encode),
    mutate: (bytes, chance) => encode(mutateLines(decode(bytes).replaceAll(',', ' ,'), chance)),
    read: (bytes) => useUp({ graph: readTopology(decode(bytes), 'n.csv') }),
  };
}

/** SCALE-Sim's machines. */
function scaleSimCfg(): FuzzedFormat {
  const text = (bandwidth: string): string =>
    `[general]\nrun_name = array\n\n[architecture_presets]\nArrayHeight: 8\nArrayWidth: 12\nIfmapSramSzkB: 64\n` +
    `FilterSramSzkB: 64\nOfmapSramSzkB: 32\nIfmapOffset: 0\nBandwidth : 10\nDataflow : ws\nReadRequestBuffer: 32\n\n` +
    `[layout]\nIfmapCustomLayout: False\n\n[run_presets]\nInterfaceBandwidth: ${bandwidth}\nUseRamulatorTrace: False\n`;
  return {
    seeds: ['CALC', 'USER'].map((bandwidth) => encode(text(bandwidth))),
    mutate: (bytes, chance) => encode(mutateLines(decode(bytes), chance)),
    read: (bytes) => convertConfiguration(decode(bytes), 'a.cfg'),
  };
}

/** Layers of TensorFlow.js. */
function tfjsModel(): FuzzedFormat {
  return {
    seeds: tfjsSeeds.map(encode),
    mutate: mutateDocument,
    read: (bytes) => useUp(convertTopology(parseTopology(decode(bytes), 'm.json'), 'm.json')),
  };
}

/** By name; what is made is made when it is asked for. */
export const fuzzedFormats: Readonly<Record<string, () => FuzzedFormat>> = {
  onnx,
  model,
  safetensors,
  tfjs,
  tfjsModel,
  darknet,
  topology,
  scaleSimCfg,
  png,
  jpeg: jpg,
  trace: () => trace('condensim'),
  ramulator: () => trace('ramulator'),
  machine: () =>
    yamlFile(['edge-256.yaml'], (text) => readMachine(text, projectFile('hw-configs/fuzzed.yaml'))),
  dram: () =>
    inFolder((folder) => {
      const path = join(folder, 'd.yaml');
      return yamlFile(['dram/lpddr4-2400-x32.yaml', 'dram/ddr4-2400-x16.yaml'], (text) => {
        writeFileSync(path, text);
        readDramFile(path);
      });
    }),
  quantised,
};
