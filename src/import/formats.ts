/** Which reader reads which file: every format that is known, told apart by the ending of its files' names. */
import { InputError } from '../core/diagnostics.ts';
import { readDarknetFile } from './darknet/read.ts';
import type { ImportedNetwork, NetworkFileOptions } from './imported-network.ts';
import { readModelNetwork } from './model-yaml.ts';
import { readOnnxFile } from './onnx/read.ts';
import type { NamedTensors } from './parameters.ts';
import { readText } from './read-file.ts';
import { readSafetensorsFile, realTensors } from './safetensors/read.ts';
import { isConfiguration } from './scale-sim/configuration.ts';
import { convertConfiguration } from './scale-sim/machine.ts';
import { readTopologyFile } from './scale-sim/read.ts';
import { readTfjsFile } from './tfjs/read.ts';
import { readTfjsWeights } from './tfjs-weights.ts';

/** A format of network files. */
export interface NetworkFormat {
  /** As a user would call it. */
  readonly name: string;
  /** Matches the names of its files. */
  readonly files: RegExp;
  /** Whether its weights may come from a file of the format's own kind (`NetworkFileOptions.weights`). */
  readonly takesWeights?: boolean;
  /** Its files say how large layers are, and nothing else: there are no weights to ask for. */
  readonly shapesOnly?: boolean;
  /** @throws InputError for what is no such file, or a network that cannot run here */
  read(path: string, options: NetworkFileOptions): ImportedNetwork;
}

/** The formats of others that are read; another one is a line here. */
export const networkFormats: readonly NetworkFormat[] = [
  { name: 'ONNX', files: /\.onnx$/i, read: readOnnxFile },
  { name: 'Darknet', files: /\.cfg$/i, takesWeights: true, read: readDarknetFile },
  { name: 'TensorFlow.js', files: /\.json$/i, takesWeights: true, read: readTfjsFile },
  { name: 'SCALE-Sim', files: /\.csv$/i, shapesOnly: true, read: readTopologyFile },
];

/** A format of machine files. */
export interface MachineFormat {
  /** As a user would call it. */
  readonly name: string;
  /** Matches the names of its files. */
  readonly files: RegExp;
  /** Whether a file of such a name is one. */
  claims(text: string): boolean;
  /** The machine file it amounts to. @throws InputError for what no machine can be made of */
  convert(text: string, path: string): string;
}

/** The formats of others that machine files are made from; another one is a line here. */
export const machineFormats: readonly MachineFormat[] = [
  { name: 'SCALE-Sim', files: /\.cfg$/i, claims: isConfiguration, convert: convertConfiguration },
];

/**
 * The machine file that a file amounts to; undefined if it is none of `machineFormats`.
 * @throws InputError for a file that is one and is wrong
 */
export function convertMachineFile(path: string): string | undefined {
  const found = claimed(path);
  return found?.format.convert(found.text, path);
}

/** The machine format that a file is of, and its text; undefined if it is a network, or nothing. */
function claimed(path: string): { readonly format: MachineFormat; readonly text: string } | undefined {
  const named = machineFormats.filter(({ files }) => files.test(path));
  if (named.length === 0) return undefined;
  const text = readText(path, 'a network or a machine');
  const format = named.find(({ claims }) => claims(text));
  return format && { format, text };
}

/** The format that a file's name tells; none: a model file. */
export function networkFormatOf(path: string): NetworkFormat | undefined {
  return networkFormats.find(({ files }) => files.test(path));
}

/** Reads a network file of any known format; what has no other ending is a model file. @throws InputError as its reader does */
export function readNetworkFile(path: string, options: NetworkFileOptions = {}): ImportedNetwork {
  const machine = claimed(path)?.format.name;
  if (machine !== undefined) {
    const message = `is a ${machine} machine, expected a network; condensim import makes a machine file of it`;
    throw new InputError(message, { file: path });
  }
  const format = networkFormatOf(path);
  return format === undefined ? readModelNetwork(path) : format.read(path, options);
}

/** Reads a weight file: safetensors, or a TensorFlow.js weight manifest. @throws InputError as its reader does */
export function readWeightsFile(path: string): NamedTensors {
  if (/\.safetensors$/i.test(path)) return realTensors(readSafetensorsFile(path), path);
  return readTfjsWeights(path);
}
