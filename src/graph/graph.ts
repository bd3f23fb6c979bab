/**
 * The network IR: a list of operator nodes in topological order, one tensor out of each.
 *
 * Shapes are [channels, rows, columns]; the batch is one picture. Names are unique: a tensor has the name of the
 * node (or network input) that makes it.
 */
import type { OpDefinition, ParameterSpec } from './op.ts';

/** [channels, rows, columns] of a feature map. */
export type Shape = readonly [channels: number, rows: number, columns: number];

/** How a picture becomes the network's input: (pixel - mean) / divisor per channel, pixels 0..255. */
export interface InputPreparation {
  /** Subtracted per channel, in pixel units (0..255), red, green, blue. */
  readonly mean: readonly number[];
  readonly divisor: number;
  /** Where a picture of other proportions lies; default: the upper left corner. */
  readonly placement?: 'corner' | 'centre' | undefined;
  /** Level of the cells around it, 0..255; default 0. */
  readonly surround?: number | undefined;
}

export interface NetworkInput {
  readonly name: string;
  readonly shape: Shape;
  readonly preparation: InputPreparation;
}

// biome-ignore lint/suspicious/noExplicitAny: nodes of every operator live in one list; each op knows its own attributes.
export type AnyOp = OpDefinition<any>;

export interface Node {
  readonly name: string;
  readonly op: AnyOp;
  readonly attributes: unknown;
  /** Names of the tensors read. */
  readonly inputs: readonly string[];
  readonly inputShapes: readonly Shape[];
  readonly outputShape: Shape;
  readonly parameters: readonly ParameterSpec[];
}

/** Anchor-box detection head, decoded on the host. */
export interface DetectorHead {
  /** yolov2: anchors in grid cells, softmax over the classes. yolov3: anchors in the input's pixels, every class for itself. */
  readonly kind: 'yolov2' | 'yolov3';
  readonly classes: readonly string[];
  /** Width and height of each anchor, in the unit of the kind. */
  readonly anchors: readonly (readonly [number, number])[];
  /** For each of the network's outputs, in their order, which anchors it has (from 0); absent: the first output has all. */
  readonly masks?: readonly (readonly number[])[] | undefined;
  /** Whether the network outputs class scores after each anchor's x, y, w, h and objectness. */
  readonly classScores: boolean;
  readonly scoreThreshold: number;
  readonly overlapThreshold: number;
}

export interface Graph {
  readonly name: string;
  readonly description: string;
  readonly input: NetworkInput;
  readonly nodes: readonly Node[];
  readonly outputs: readonly string[];
  readonly detector?: DetectorHead;
}

/** Trained (or generated) values by parameter name, float32, C-order of `ParameterSpec.shape`. */
export type ParameterValues = ReadonlyMap<string, Float32Array>;
