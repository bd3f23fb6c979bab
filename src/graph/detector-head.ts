/** Detection heads: which outputs they decode, and whether those fit. */
import { InputError } from '../core/diagnostics.ts';
import type { DetectorHead, Graph } from './graph.ts';

/** The anchors of each output that a head decodes, in the order of the network's outputs. */
export function anchorsOfOutputs(head: DetectorHead): DetectorHead['anchors'][] {
  if (head.masks === undefined) return [head.anchors];
  return head.masks.map((mask) => mask.map((index) => head.anchors[index]!));
}

/** Values per anchor and cell: x, y, w, h, objectness, and the class scores if there are any. */
export function fieldsPerAnchor({ classScores, classes }: DetectorHead): number {
  return 5 + (classScores ? classes.length : 0);
}

/**
 * Holds a graph's head against the outputs that it decodes; a graph without one passes.
 * @throws InputError without position
 */
export function checkDetector({ detector, nodes, outputs }: Graph): void {
  if (detector === undefined) return;
  const { anchors, masks } = detector;
  const odd = masks?.flat().find((index) => index >= anchors.length);
  if (odd !== undefined) {
    throw new InputError(`detector: masks: ${odd}, expected 0 to ${anchors.length - 1}, one of the anchors`);
  }
  if ((masks?.length ?? 1) > outputs.length) {
    throw new InputError(
      `detector: ${masks!.length} masks, expected one an output, there are ${outputs.length}`,
    );
  }
  for (const [at, own] of anchorsOfOutputs(detector).entries()) {
    const wanted = own.length * fieldsPerAnchor(detector);
    const output = nodes.find(({ name }) => name === outputs[at])!;
    if (output.outputShape[0] !== wanted) {
      throw new InputError(
        `detector: ${own.length} anchors need ${wanted} output channels, '${output.name}' has ${output.outputShape[0]}`,
      );
    }
  }
}
