/** What every reader of network files hands back. */
import type { GivenNumbers } from '../graph/given-numbers.ts';
import type { Graph, ParameterValues } from '../graph/graph.ts';

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
  /** A weight file for formats that keep weights apart in files of their own kind. */
  readonly weights?: string | undefined;
}
