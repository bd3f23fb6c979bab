/** What is computed only when it is needed: which node belongs under which condition. */
import { assert } from '../../core/diagnostics.ts';
import { type Bits, inputsOf, type Node } from './design.ts';
import type { Graph } from './graph.ts';
import type { Step } from './step.ts';

/** A phase of a cycle, or a part of it under a condition. */
export interface Region {
  readonly parent: Region | undefined;
  readonly depth: number;
  readonly steps: Step[];
}

export const regionIn = (parent: Region | undefined): Region => ({
  parent,
  depth: parent === undefined ? 0 : parent.depth + 1,
  steps: [],
});

/** The two regions of a choice. */
interface Sides {
  readonly whenZero: Region;
  readonly whenOne: Region;
}

/** Finds the region of every node, from the last one backwards, and puts the nodes there. */
export class Regions {
  private readonly graph: Graph;
  private readonly regions = new Map<Node, Region>();
  private readonly sides = new Map<Node, Sides>();

  constructor(graph: Graph) {
    this.graph = graph;
  }

  /** Notes that a vector is needed in a region. */
  use(bits: Bits, region: Region): void {
    for (const node of this.graph.driversOf(bits)) {
      const known = this.regions.get(node);
      this.regions.set(node, known === undefined ? region : commonRegion(known, region));
    }
  }

  /** Notes what a node needs, all its users being known. */
  settle(node: Node): void {
    const region = this.regionOf(node);
    for (const bits of inputsOf(node)) this.use(bits, region);
    if (node.kind !== 'choice') return;
    const sides = { whenZero: regionIn(region), whenOne: regionIn(region) };
    this.sides.set(node, sides);
    this.use(node.whenZero, sides.whenZero);
    this.use(node.whenOne, sides.whenOne);
  }

  /** Puts a node at the present end of its region. */
  place(node: Node): void {
    const { steps } = this.regionOf(node);
    const sides = this.sides.get(node);
    if (node.kind !== 'choice' || sides === undefined) steps.push({ kind: 'compute', node });
    else {
      const [whenZero, whenOne] = [sides.whenZero.steps, sides.whenOne.steps];
      steps.push({ kind: 'choose', node, whenZero, whenOne });
    }
  }

  private regionOf(node: Node): Region {
    const region = this.regions.get(node);
    assert(region !== undefined, `${node.output.name} is computed for nobody`);
    return region;
  }
}

function commonRegion(a: Region, b: Region): Region {
  let [x, y]: [Region | undefined, Region | undefined] = [a, b];
  while (x !== y) {
    assert(x !== undefined && y !== undefined, 'regions of two plans');
    if (x.depth >= y.depth) x = x.parent;
    else y = y.parent;
  }
  assert(x !== undefined, 'regions of two plans');
  return x;
}
