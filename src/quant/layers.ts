/**
 * From the graph to the layers of the quantised network.
 *
 * A layer is one operator with what melts into it: a convolution takes the batch norm and the activation behind it
 * (both live in its requantiser). Maxima, poolings and lone activations stay layers of their own; whether they
 * cost a pass over DRAM or ride in a pipeline is the scheduler's business, not the arithmetic's.
 */
import type {
  ConvolutionGeometry,
  PoolingGeometry,
  RequantisableActivation,
} from '../graph/op.ts';
import type { Graph, Node, Shape } from '../graph/graph.ts';

export interface Layer {
  /** The first node's name. */
  readonly name: string;
  readonly node: Node;
  /** Nodes that melted into this layer, in order, without `node`. */
  readonly merged: readonly Node[];
  /** Tensor read and tensor made; the latter has the name of the last node of the layer. */
  readonly input: string;
  readonly output: string;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly macs: number;
  /** Parameters that remain after folding. */
  readonly parameters: number;
  readonly work: LayerWork;
}

/** What the layer does, by stage of the machine. */
export type LayerWork =
  | {
      readonly stage: 'array';
      readonly convolution: ConvolutionGeometry;
      readonly activation: RequantisableActivation;
    }
  | { readonly stage: 'activation'; readonly activation: RequantisableActivation }
  | { readonly stage: 'crossChannel'; readonly ratio: number }
  | { readonly stage: 'pool'; readonly pooling: PoolingGeometry };

/** The network as the machine runs it. */
export interface LayeredNetwork {
  readonly graph: Graph;
  readonly layers: readonly Layer[];
  readonly macs: number;
  readonly parameters: number;
}
