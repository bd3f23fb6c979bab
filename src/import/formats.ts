/** Which reader reads which file: networks in every format that is known, told apart by the ending of their names. */
import type { GivenNumbers } from '../graph/given-numbers.ts';
import type { Graph, ParameterValues } from '../graph/graph.ts';
import { readModelFile } from './model-yaml.ts';

/** A network as its file has it. */
export interface ImportedNetwork {
  readonly graph: Graph;
  /** Absent: the file holds no weights, they come from elsewhere. Converts them when first asked. */
  readonly parameters?: () => ParameterValues;
  /** The file's own quantisation. */
  readonly given?: GivenNumbers;
  /** Where the weights come from, in words; absent without weights. */
  readonly weightSource?: string;
}

export interface NetworkFileOptions {
  /** Sizes of symbolic dimensions by name. */
  readonly dims?: ReadonlyMap<string, number> | undefined;
}

/** Reads a network file of any known format. @throws InputError as the format's reader does. */
export function readNetworkFile(path: string, _options: NetworkFileOptions = {}): ImportedNetwork {
  return { graph: readModelFile(path) };
}
