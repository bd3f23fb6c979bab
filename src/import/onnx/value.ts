/** What an ONNX value is while a graph is read: a constant, or a view of a feature map of ours. */
import type { Constant } from './constant.ts';
import type { DataType } from './schema.ts';
import type { View } from './view.ts';

export interface Edges {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

export const noEdges: Edges = { top: 0, bottom: 0, left: 0, right: 0 };

export interface MapValue {
  readonly kind: 'map';
  /** Name of the tensor of ours. */
  readonly tensor: string;
  readonly view: View;
  /**
   * `real`: as an operator made it; `integer`: quantised by the tensor's numbers; `dequantised`: real numbers again,
   * made of the integers.
   */
  readonly domain: 'real' | 'integer' | 'dequantised';
  readonly type: DataType;
  /** Cells around the map that the next operator has to add, and what they hold (in the value's own domain). */
  readonly padding?: { readonly edges: Edges; readonly value: number };
}

export type Value = Constant | MapValue;
