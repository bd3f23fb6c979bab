/** Which reader reads which file: every format that is known, told apart by the ending of its files' names. */
import { readDarknetFile } from './darknet/read.ts';
import type { ImportedNetwork, NetworkFileOptions } from './imported-network.ts';
import { readModelFile } from './model-yaml.ts';
import { readOnnxFile } from './onnx/read.ts';
import { readTfjsFile } from './tfjs/read.ts';

/** A format of network files. */
export interface NetworkFormat {
  /** As a user would call it. */
  readonly name: string;
  /** Matches the names of its files. */
  readonly files: RegExp;
  /** Whether its weights may come from a file of the format's own kind (`NetworkFileOptions.weights`). */
  readonly takesWeights?: boolean;
  /** @throws InputError for what is no such file, or a network that cannot run here */
  read(path: string, options: NetworkFileOptions): ImportedNetwork;
}

/** The formats of others that are read; another one is a line here. */
export const networkFormats: readonly NetworkFormat[] = [
  { name: 'ONNX', files: /\.onnx$/i, read: readOnnxFile },
  { name: 'Darknet', files: /\.cfg$/i, takesWeights: true, read: readDarknetFile },
  { name: 'TensorFlow.js', files: /\.json$/i, takesWeights: true, read: readTfjsFile },
];

/** The format that a file's name tells; none: a model file. */
export function networkFormatOf(path: string): NetworkFormat | undefined {
  return networkFormats.find(({ files }) => files.test(path));
}

/** Reads a network file of any known format; what has no other ending is a model file. @throws InputError as its reader does */
export function readNetworkFile(path: string, options: NetworkFileOptions = {}): ImportedNetwork {
  const format = networkFormatOf(path);
  return format === undefined ? { graph: readModelFile(path) } : format.read(path, options);
}
