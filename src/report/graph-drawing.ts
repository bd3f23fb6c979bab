/** A network as text that Graphviz or Mermaid draws: a box a layer, an arrow a feature map with its shape. */
import type { Graph, Node } from '../graph/graph.ts';
import { formatShape } from '../graph/shape.ts';

export const drawingFormats = ['dot', 'mermaid'] as const;
export type DrawingFormat = (typeof drawingFormats)[number];

/** The network drawn from top to bottom; the last boxes are its outputs. */
export function graphDrawing(graph: Graph, format: DrawingFormat): string {
  return format === 'dot' ? dot(graph) : mermaid(graph);
}

interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly label: string;
}

/** Names of boxes are numbers: those of tensors hold what the languages have a use for. */
function boxes({ input, nodes, outputs }: Graph): { ids: Map<string, string>; arrows: Arrow[] } {
  const ids = new Map([input.name, ...nodes.map(({ name }) => name)].map((name, i) => [name, `n${i}`]));
  const arrow = (from: string, to: string, shape: readonly number[]): Arrow => ({
    from: ids.get(from)!,
    to,
    label: formatShape(shape),
  });
  const shapes = new Map(nodes.map((node: Node) => [node.name, node.outputShape]));
  return {
    ids,
    arrows: [
      ...nodes.flatMap(({ name, inputs, inputShapes }) =>
        inputs.map((read, i) => arrow(read, ids.get(name)!, inputShapes[i]!)),
      ),
      ...outputs.map((name, i) => arrow(name, `out${i}`, shapes.get(name)!)),
    ],
  };
}

function dot(graph: Graph): string {
  const { ids, arrows } = boxes(graph);
  const text = (...lines: string[]) =>
    `"${lines.map((line) => line.replace(/["\\]/g, (mark) => `\\${mark}`)).join('\\n')}"`;
  return [
    `digraph ${text(graph.name)} {`,
    '  node [shape=box];',
    `  ${ids.get(graph.input.name)} [label=${text(graph.input.name)}, shape=oval];`,
    ...graph.nodes.map(({ name, op }) => `  ${ids.get(name)} [label=${text(name, op.name)}];`),
    ...graph.outputs.map((name, i) => `  out${i} [label=${text(name)}, shape=oval];`),
    ...arrows.map(({ from, to, label }) => `  ${from} -> ${to} [label=${text(label)}];`),
    '}',
    '',
  ].join('\n');
}

function mermaid(graph: Graph): string {
  const { ids, arrows } = boxes(graph);
  const text = (...lines: string[]) =>
    `"${lines.map((line) => line.replace(/[^\w ./-]/g, (mark) => `#${mark.codePointAt(0)};`)).join('<br/>')}"`;
  return [
    'flowchart TB',
    `  ${ids.get(graph.input.name)}([${text(graph.input.name)}])`,
    ...graph.nodes.map(({ name, op }) => `  ${ids.get(name)}[${text(name, op.name)}]`),
    ...graph.outputs.map((name, i) => `  out${i}([${text(name)}])`),
    ...arrows.map(({ from, to, label }) => `  ${from} -->|${text(label)}| ${to}`),
    '',
  ].join('\n');
}
