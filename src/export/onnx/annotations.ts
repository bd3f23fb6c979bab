/** What a model of ours needs and ONNX has no place for. */
import type { Graph } from '../../graph/graph.ts';

/** For the file's metadata; `import/onnx/metadata.ts` reads it. */
export function annotationsOf({ name, description, input, detector }: Graph): object {
  return { name, description, preparation: input.preparation, ...(detector && { detector }) };
}
