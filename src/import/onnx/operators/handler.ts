/** The contract of a handler: what it makes of one node. */
import type { Conversion } from '../conversion.ts';
import type { OnnxNode } from '../node.ts';
import type { Value } from '../value.ts';

/**
 * Reads a node's inputs from the conversion and adds nodes of ours.
 * @returns the node's first output; others (masks, indices) are for training and not computed
 * @throws InputError without position for what the machine cannot do
 */
export type Handler = (node: OnnxNode, conversion: Conversion) => Value;

export type Handlers = Readonly<Record<string, Handler>>;
