/**
 * In which order a design is computed.
 *
 * A cycle has two phases. The first computes what the outputs show for the present inputs, and lets asynchronous
 * resets act; the second computes what the registers and memories take on at the clock edge. State is changed in
 * place: who changes comes after all who read the old value. Where two read each other, one of them is postponed:
 * its new value goes aside and is put in place when the phase is over.
 *
 * What only one side of a choice needs, or only registers whose enable is active, is computed only then. For this
 * every node belongs to a region: a side of a choice, a block of registers under common controls, or a phase. It is
 * the innermost one that all its users lie in.
 */
import { type Bits, type Design, type Node, wordsOf } from './design.ts';
import { Graph } from './graph.ts';
import { Regions, regionIn } from './regions.ts';
import type { Block, Step } from './step.ts';
import { controlsOf, dataOf, keyOf, neededBy, type Update, updatesOf } from './update.ts';
import { orderUpdates } from './update-order.ts';

export interface Plan {
  /** All nodes that something depends on, each after those it depends on. */
  readonly order: readonly Node[];
  /** The two phases, each cut into the functions to be generated. */
  readonly outputs: readonly (readonly Step[])[];
  readonly edge: readonly (readonly Step[])[];
  readonly postponed: readonly Update[];
}

/**
 * Plans a cycle of a design.
 *
 * @param stepsPerFunction about how many words to compute in one generated function.
 */
export function plan(design: Design, stepsPerFunction: number): Plan {
  const graph = new Graph(design);
  const outputBits = design.outputs.map(({ bits }) => bits);
  const first = graph.cone([...outputBits, ...graph.resetNodes.map(({ output }) => [output.firstBit])]);
  const inFirst = new Set(first);
  const updates = updatesOf(design);
  const ordered = orderUpdates(updates, graph, inFirst);
  const blocks = formBlocks(ordered, graph, new Set(inFirst), stepsPerFunction);
  const second = graph.cone(updates.flatMap(neededBy), inFirst);
  const order = [...first, ...second];

  const outputPhase = regionIn(undefined);
  // Below the first phase, so that what both need is computed in the first.
  const edgePhase = regionIn(outputPhase);
  const regions = new Regions(graph);
  for (const bits of outputBits) regions.use(bits, outputPhase);
  for (const { output } of graph.resetNodes) regions.use([output.firstBit], outputPhase);
  const blockRegions = blocks.map((block) => {
    const conditional = block.enable !== undefined || block.reset !== undefined;
    const region = conditional ? regionIn(edgePhase) : edgePhase;
    for (const control of [block.enable, block.reset]) if (control) regions.use(control.bits, edgePhase);
    for (const update of block.updates) for (const bits of dataOf(update)) regions.use(bits, region);
    return region;
  });
  for (let index = order.length - 1; index >= 0; index--) regions.settle(order[index]!);

  const placed = new Set<Node>();
  const place = (vectors: readonly Bits[]): void => {
    for (const node of graph.cone(vectors, placed)) {
      regions.place(node);
      placed.add(node);
    }
  };
  place(graph.resetNodes.map(({ output }) => [output.firstBit]));
  for (const output of design.outputs) {
    place([output.bits]);
    outputPhase.steps.push({ kind: 'show', output });
  }
  blocks.forEach((block, index) => {
    const region = blockRegions[index]!;
    for (const update of block.updates) {
      place(neededBy(update));
      region.steps.push({ kind: 'update', update });
    }
    if (region !== edgePhase) edgePhase.steps.push({ kind: 'block', block, steps: region.steps });
  });

  return {
    order,
    outputs: cut(outputPhase.steps, stepsPerFunction),
    edge: cut(edgePhase.steps, stepsPerFunction),
    postponed: ordered.filter(({ postponed }) => postponed),
  };
}

/** Neighbouring updates under the same controls as blocks, none of them much larger than a function is to be. */
function formBlocks(
  updates: readonly Update[],
  graph: Graph,
  known: Set<Node>,
  stepsPerFunction: number,
): Block[] {
  const blocks: Block[] = [];
  let open: { key: string; size: number; updates: Update[] } | undefined;
  for (const update of updates) {
    const key = keyOf(update);
    const cone = graph.cone(neededBy(update), known);
    for (const node of cone) known.add(node);
    const size = cone.reduce((total, node) => total + nodeSize(node), updateSize(update));
    if (open === undefined || open.key !== key || open.size + size > stepsPerFunction) {
      open = { key, size: 0, updates: [] };
      blocks.push({ ...controlsOf(update), updates: open.updates });
    }
    open.size += size;
    open.updates.push(update);
  }
  return blocks;
}

const nodeSize = ({ output }: Node): number => wordsOf(output.width);

function updateSize(update: Update): number {
  return wordsOf(update.kind === 'register' ? update.register.variable.width : update.memory.width);
}

function stepSize(step: Step): number {
  const total = (steps: readonly Step[]): number => steps.reduce((size, inner) => size + stepSize(inner), 0);
  switch (step.kind) {
    case 'compute':
      return nodeSize(step.node);
    case 'choose':
      return nodeSize(step.node) + total(step.whenZero) + total(step.whenOne);
    case 'show':
      return wordsOf(step.output.bits.length);
    case 'update':
      return updateSize(step.update);
    case 'block':
      return total(step.steps);
  }
}

function cut(steps: readonly Step[], stepsPerFunction: number): Step[][] {
  const functions: Step[][] = [];
  let size = 0;
  for (const step of steps) {
    const own = stepSize(step);
    if (functions.length === 0 || size + own > stepsPerFunction) {
      functions.push([]);
      size = 0;
    }
    functions.at(-1)!.push(step);
    size += own;
  }
  return functions;
}
