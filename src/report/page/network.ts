/** The network as a graph: a line a node in the order they run, edges on rails beside it. */
import type { RunDetails } from '../page-data.ts';
import { h, s } from './dom.ts';
import { compact, figure, grouped } from './format.ts';
import { panelElement } from './panel.ts';
import type { State } from './state.ts';
import { missingPanel } from './timeline.ts';

const lineHeight = 30;
const railWidth = 14;

type Node = RunDetails['network']['nodes'][number];

interface Line {
  readonly name: string;
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly output: readonly number[];
  readonly macs: number;
  readonly parameters: number;
  readonly layer: string | undefined;
}

export function networkPanel(state: State): HTMLElement {
  const { details, layers } = state.run;
  const question = 'What does the network look like?';
  if (details === undefined) return missingPanel('network', question);
  const { input, nodes, outputs } = details.network;
  const passOf = (node: Node) => layers.find(({ fused }) => fused.includes(node.name))?.name;
  const lines: Line[] = [
    {
      name: input.name,
      operator: 'input',
      inputs: [],
      output: input.shape,
      macs: 0,
      parameters: 0,
      layer: undefined,
    },
    ...nodes.map((node) => ({ ...node, layer: passOf(node) })),
  ];
  const passes = new Set(lines.flatMap(({ layer }) => layer ?? [])).size;
  return panelElement({
    id: 'network',
    question,
    answer: `${grouped(nodes.length)} operators, carried out in ${grouped(passes)} passes of the machine; the output is ${outputs.join(', ')}.`,
    picture: [draw(lines)],
    table: () => ({
      columns: ['node', 'operator', 'pass', 'reads', 'output', 'MACs', 'parameters'],
      rows: lines.map((line) => ({
        layer: line.layer,
        cells: [
          line.name,
          line.operator,
          line.layer ?? '',
          line.inputs.join(' '),
          line.output.join(' x '),
          line.macs,
          line.parameters,
        ],
      })),
    }),
  });
}

function draw(lines: readonly Line[]): HTMLElement {
  const at = new Map(lines.map(({ name }, index) => [name, index]));
  const edges = lines.flatMap(({ inputs }, to) =>
    inputs.flatMap((name) => {
      const from = at.get(name);
      return from === undefined ? [] : [{ from, to }];
    }),
  );
  // An edge to the next line runs straight; others get a rail of their own, the short ones nearest.
  const rails: number[] = [];
  const taken: { from: number; to: number; rail: number }[] = [];
  const placed = edges
    .sort((a, b) => a.to - a.from - (b.to - b.from) || a.from - b.from)
    .map((edge) => {
      if (edge.to === edge.from + 1) return { ...edge, rail: 0 };
      let rail = 1;
      while (taken.some((other) => other.rail === rail && other.from < edge.to && edge.from < other.to))
        rail++;
      taken.push({ ...edge, rail });
      rails.push(rail);
      return { ...edge, rail };
    });
  const most = Math.min(12, Math.max(0, ...rails));
  const width = 20 + most * railWidth;
  const x = width - 10;
  const y = (line: number) => (line + 0.5) * lineHeight;
  const svg = s('svg', { width, height: lines.length * lineHeight, 'aria-hidden': 'true' });
  for (const { from, to, rail } of placed) {
    const side = x - Math.min(most, rail) * railWidth;
    svg.append(
      s('path', {
        class: 'edge',
        d:
          rail === 0
            ? `M${x} ${y(from)}V${y(to)}`
            : `M${x} ${y(from)}C${side} ${y(from) + 4} ${side} ${y(from) + 8} ${side} ${y(from) + lineHeight / 2}V${y(to) - lineHeight / 2}C${side} ${y(to) - 8} ${side} ${y(to) - 4} ${x} ${y(to)}`,
      }),
    );
  }
  lines.forEach(({ layer, operator }, line) => {
    const isFirst = layer !== undefined && lines[line - 1]?.layer !== layer;
    const colour = operator === 'input' ? 'var(--c4)' : isFirst ? 'var(--c0)' : 'var(--ground)';
    svg.append(
      s('circle', {
        cx: x,
        cy: y(line),
        r: isFirst || operator === 'input' ? 5 : 4,
        fill: colour,
        stroke: operator === 'input' ? 'var(--c4)' : 'var(--c0)',
        'stroke-width': 1.5,
      }),
    );
  });
  return h('div', { class: 'nodes' }, svg, h('div', { class: 'list' }, ...lines.map(nodeLine)));
}

function nodeLine({ name, operator, output, macs, parameters, layer, inputs }: Line): HTMLElement {
  const text = [
    `${name}: ${operator}`,
    ...(inputs.length > 0 ? [`reads ${inputs.join(', ')}`] : []),
    `output ${output.join(' x ')}`,
    ...(macs > 0 ? [`${figure(macs)} MACs`] : []),
    ...(parameters > 0 ? [`${figure(parameters)} parameters`] : []),
    ...(layer === undefined ? [] : [`in pass ${layer}`]),
  ].join('\n');
  const cells = [
    h('span', {}, h('b', {}, name)),
    h('span', { class: 'dim' }, operator),
    h('span', { class: 'dim optional' }, macs > 0 ? `${compact(macs)} MACs` : ''),
    h('span', { class: 'dim last' }, output.join(' × ')),
  ];
  return layer === undefined
    ? h('div', { class: 'node', 'data-tip': text }, ...cells)
    : h('button', { class: 'node', type: 'button', 'data-layer': layer, 'data-tip': text }, ...cells);
}
