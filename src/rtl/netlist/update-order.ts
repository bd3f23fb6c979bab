/** In which order state is changed in place. */
import { type Bits, inputsOf, type Memory, type Node, sidesOf, type Variable } from './design.ts';
import type { Graph } from './graph.ts';
import { keyOf, neededBy, type Update } from './update.ts';

/**
 * Orders updates so that whoever reads a state comes before who changes it, and those under the same controls stand
 * together. Where readers go round in a circle, one of them is postponed.
 */
export function orderUpdates(updates: readonly Update[], graph: Graph, known: ReadonlySet<Node>): Update[] {
  const writers = new Map<Variable | Memory, number[]>();
  updates.forEach((update, index) => {
    const state = update.kind === 'register' ? update.register.variable : update.memory;
    writers.set(state, [...(writers.get(state) ?? []), index]);
  });
  const later: number[][] = updates.map(() => []);
  const waiting = new Int32Array(updates.length);
  const before = (first: number, second: number): void => {
    if (first === second) return;
    later[first]!.push(second);
    waiting[second]!++;
  };
  updates.forEach((update, index) => {
    for (const state of statesRead(update, graph, known)) {
      for (const writer of writers.get(state) ?? []) before(index, writer);
    }
    if (update.kind === 'write') {
      const ports = writers.get(update.memory)!;
      const next = ports[ports.indexOf(index) + 1];
      if (next !== undefined) before(index, next);
    }
  });
  const queue = new ReadyQueue(updates.map(keyOf));
  waiting.forEach((count, index) => {
    if (count === 0) queue.add(index);
  });
  const done = new Uint8Array(updates.length);
  const ordered: Update[] = [];
  const postponedMemories = new Set<Memory>();
  while (ordered.length < updates.length) {
    const ready = queue.take();
    const index = ready ?? cheapest(updates, waiting, done);
    const update = updates[index]!;
    done[index] = 1;
    // A later port of a memory wins, so it can't come before one that is postponed.
    update.postponed =
      ready === undefined || (update.kind === 'write' && postponedMemories.has(update.memory));
    if (update.postponed && update.kind === 'write') postponedMemories.add(update.memory);
    ordered.push(update);
    for (const next of later[index]!) {
      waiting[next]!--;
      if (waiting[next] === 0 && done[next] === 0) queue.add(next);
    }
  }
  return ordered;
}

/** Which update to postpone: a register rather than a memory, and the one that fewest others read. */
function cheapest(updates: readonly Update[], waiting: Int32Array, done: Uint8Array): number {
  let best = -1;
  const cost = (index: number): number =>
    waiting[index]! + (updates[index]!.kind === 'write' ? updates.length : 0);
  for (let index = 0; index < updates.length; index++) {
    if (done[index] === 0 && (best < 0 || cost(index) < cost(best))) best = index;
  }
  return best;
}

/** Indices that are ready, those of the same key one after the other. */
class ReadyQueue {
  private readonly keys: readonly string[];
  private readonly byKey = new Map<string, number[]>();
  private current: number[] = [];

  constructor(keys: readonly string[]) {
    this.keys = keys;
  }

  add(index: number): void {
    const key = this.keys[index]!;
    const list = this.byKey.get(key);
    if (list === undefined) this.byKey.set(key, [index]);
    else list.push(index);
  }

  take(): number | undefined {
    if (this.current.length === 0) {
      for (const list of this.byKey.values()) {
        if (list.length > this.current.length) this.current = list;
      }
    }
    return this.current.shift();
  }
}

/** The states that an update, or what it needs beyond the nodes in `known`, reads. */
function statesRead(update: Update, graph: Graph, known: ReadonlySet<Node>): Set<Variable | Memory> {
  const read = new Set<Variable | Memory>();
  const note = (vectors: readonly Bits[]): void => {
    for (const bits of vectors) for (const variable of graph.statesOf(bits)) read.add(variable);
  };
  const needed = neededBy(update);
  note(needed);
  for (const node of graph.cone(needed, known)) {
    note([...inputsOf(node), ...sidesOf(node)]);
    if (node.kind === 'read') read.add(node.memory);
  }
  return read;
}
