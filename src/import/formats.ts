/** Which reader reads which file: networks in every format that is known, told apart by the ending of their names. */
import type { ImportedNetwork, NetworkFileOptions } from './imported-network.ts';
import { readModelFile } from './model-yaml.ts';
import { readOnnxFile } from './onnx/read.ts';

/** Reads a network file of any known format. @throws InputError as the format's reader does. */
export function readNetworkFile(path: string, options: NetworkFileOptions = {}): ImportedNetwork {
  if (/\.onnx$/i.test(path)) return readOnnxFile(path, options);
  return { graph: readModelFile(path) };
}
