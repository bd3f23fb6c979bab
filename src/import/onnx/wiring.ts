/** The nodes of an ONNX graph in an order they can run in, and who makes and reads what. */
import { quote } from '../../config/source.ts';
import { InputError } from '../../core/diagnostics.ts';
import type { OnnxNode } from './node.ts';

/** Most nodes; large networks have a few thousand. */
export const MAXIMUM_NODES = 20_000;

/**
 * Which node makes a value.
 * @param known names of the inputs and initialisers
 * @throws InputError for a name that is made twice
 */
export function producersOf(
  nodes: readonly OnnxNode[],
  known: ReadonlySet<string>,
): ReadonlyMap<string, OnnxNode> {
  const producers = new Map<string, OnnxNode>();
  for (const node of nodes) {
    for (const output of node.outputs) {
      if (output === '') continue;
      if (known.has(output) || producers.has(output)) {
        throw new InputError(
          `${node.title}: makes ${quote(output)}, which there is already, expected a name once`,
        );
      }
      producers.set(output, node);
    }
  }
  return producers;
}

/**
 * The nodes, each behind those that it reads from; their own order where that does.
 * @throws InputError for a value that nothing makes, and for nodes that wait for each other
 */
export function inRunningOrder(
  nodes: readonly OnnxNode[],
  producers: ReadonlyMap<string, OnnxNode>,
  known: ReadonlySet<string>,
): readonly OnnxNode[] {
  const waits = new Map<OnnxNode, number>();
  const readers = new Map<OnnxNode, OnnxNode[]>();
  const place = new Map(nodes.map((node, index) => [node, index]));
  let sorted = true;
  for (const [index, node] of nodes.entries()) {
    const sources = new Set<OnnxNode>();
    for (const input of node.inputs) {
      if (input === '' || known.has(input)) continue;
      const source = producers.get(input);
      if (source === undefined) {
        throw new InputError(`${node.title}: reads ${quote(input)}, which nothing makes`);
      }
      sources.add(source);
      if (place.get(source)! >= index) sorted = false;
    }
    waits.set(node, sources.size);
    for (const source of sources) {
      const reading = readers.get(source);
      if (reading === undefined) readers.set(source, [node]);
      else reading.push(node);
    }
  }
  if (sorted) return nodes;
  const order = nodes.filter((node) => waits.get(node) === 0);
  for (const node of order) {
    for (const reader of readers.get(node) ?? []) {
      const left = waits.get(reader)! - 1;
      waits.set(reader, left);
      if (left === 0) order.push(reader);
    }
  }
  if (order.length < nodes.length) {
    const stuck = nodes.find((node) => waits.get(node)! > 0)!;
    throw new InputError(`${stuck.title}: waits for its own result, expected no cycle`);
  }
  return order;
}
