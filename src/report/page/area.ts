/** What the chip costs: logic by gates and memories by bits, each drawn in proportion. */
import type { AreaReport } from '../page-data.ts';
import { shorten } from '../tables.ts';
import { h, onWidth, s } from './dom.ts';
import { compact, figure, grouped, percents } from './format.ts';
import { panelElement } from './panel.ts';
import type { State } from './state.ts';

interface Tile {
  readonly name: string;
  readonly value: number;
  readonly text: string;
  readonly colour: string;
  readonly isCcp: boolean;
}

interface Box {
  readonly tile: Tile;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const isCcp = (name: string): boolean => /cross_?channel/i.test(name);

export function areaPanel({ run, data }: State): HTMLElement {
  const question = 'What does it cost?';
  const area = data.areas.find((one) => one.hardware.name === run.hardware.name);
  if (area === undefined) {
    return panelElement({
      id: 'area',
      question,
      answer: `No gates of ${run.hardware.name} here: give report the JSON of area --hw FILE --json too. On chip are ${grouped(run.hardware.totalBufferBytes)} bytes of buffers.`,
      picture: [],
    });
  }
  const { units, buffers, totalGates, totalBufferBytes, ccp } = area;
  const bits = 8 * totalBufferBytes;
  const memories = buffers.filter(({ inGates }) => !inGates);
  const logic: Tile[] = units.map(({ name, count, gates }) => ({
    name: name.replaceAll('_', ' '),
    value: gates,
    text: `${name}${count === 1 ? '' : `, ${count} of them`}: ${figure(gates)} gates, ${percents(gates / totalGates, 2)} of the logic`,
    colour: isCcp(name) ? 'var(--c1)' : 'var(--c0)',
    isCcp: isCcp(name),
  }));
  const storage: Tile[] = memories.map((buffer) => ({
    name: buffer.name,
    value: buffer.bits,
    text: `${buffer.name} buffer: ${grouped(buffer.bits)} bits (${grouped(buffer.bits / 8)} bytes), ${percents(buffer.bits / bits, 2)} of the bits`,
    colour: 'var(--c4)',
    isCcp: false,
  }));
  const hasCcp = ccp.extraGates > 0;
  return panelElement({
    id: 'area',
    question,
    answer:
      `${grouped(Math.round(totalGates))} gates and ${grouped(bits)} bits of buffers. ` +
      (hasCcp
        ? `The cross-channel pooling unit (CCP) adds ${grouped(Math.round(ccp.extraGates))} gates, ${percents(ccp.extraGateFraction, 2)}, and ${grouped(ccp.extraBufferBytes)} bytes, ${percents(ccp.extraBufferFraction, 4)}.`
        : 'It has no cross-channel pooling unit.'),
    picture: [
      h('ul', { class: 'legend' }, ...swatches(hasCcp)),
      h('div', { class: 'two' }, chip('Logic, by gates', logic), chip('Buffers, by bits', storage)),
    ],
    notes: [
      `The two drawings have scales of their own: a bit of memory is smaller than a gate. ${area.method}.`,
      ...area.conventions,
    ],
    table: () => tableOf(area),
  });
}

function swatches(hasCcp: boolean): HTMLElement[] {
  const kinds = [
    ['logic', 'c0'] as const,
    ...(hasCcp ? [['CCP unit', 'c1'] as const] : []),
    ['buffers', 'c4'] as const,
  ];
  return kinds.map(([name, colour]) =>
    h('li', {}, h('span', { class: 'swatch', style: `background:var(--${colour})` }), name),
  );
}

const height = 280;

function chip(title: string, tiles: readonly Tile[]): HTMLElement {
  const figureElement = h('div', {});
  onWidth(figureElement, (width) => figureElement.replaceChildren(draw(title, tiles, width)));
  return h('div', {}, h('h3', {}, title), figureElement);
}

function draw(title: string, tiles: readonly Tile[], width: number): SVGSVGElement {
  const sorted = tiles.filter(({ value }) => value > 0).sort((a, b) => b.value - a.value);
  const svg = s('svg', { width, height, role: 'group', 'aria-label': title });
  for (const { tile, x, y, width: wide, height: high } of squarify(sorted, width, height)) {
    const group = s('g', {
      tabindex: 0,
      role: 'img',
      'data-tip': tile.text,
      'aria-label': tile.text,
      'data-value': tile.value,
    });
    group.append(
      s('rect', {
        x,
        y,
        width: Math.max(0.5, wide - 1.5),
        height: Math.max(0.5, high - 1.5),
        rx: Math.min(3, wide / 4, high / 4),
        fill: tile.colour,
      }),
    );
    const room = Math.floor((wide - 10) / 6.8);
    if (room >= 4 && high > 18 && !tile.isCcp) {
      const style = 'fill:var(--on-colour);pointer-events:none';
      group.append(s('text', { x: x + 5, y: y + 15, style }, shorten(tile.name, room)));
      const amount = compact(tile.value);
      if (high > 36 && amount.length <= room) group.append(s('text', { x: x + 5, y: y + 30, style }, amount));
    }
    if (tile.isCcp) group.append(marker(x + wide / 2, y + high / 2, wide, high, width));
    svg.append(group);
  }
  return svg;
}

/** A ring and a word around something too small to be seen without. */
function marker(x: number, y: number, wide: number, high: number, width: number): SVGElement {
  const radius = Math.max(9, Math.hypot(wide, high) / 2 + 4);
  const label = 'CCP';
  const left = x - radius - 34 > 0;
  const at = left ? x - radius - 5 : Math.min(x + radius + 5, width - 28);
  return s(
    'g',
    { style: 'pointer-events:none' },
    s('circle', { cx: x, cy: y, r: radius, fill: 'none', stroke: 'var(--on-colour)', 'stroke-width': 2 }),
    s(
      'text',
      {
        x: at,
        y: y + 4,
        'text-anchor': left ? 'end' : 'start',
        style: 'fill:var(--on-colour);font-weight:650',
      },
      label,
    ),
  );
}

/** A treemap of tiles in falling order, rows as square as they get (Bruls, Huizing, van Wijk 2000). */
export function squarify(tiles: readonly Tile[], width: number, height: number): Box[] {
  const total = tiles.reduce((sum, tile) => sum + tile.value, 0);
  const unit = (width * height) / Math.max(total, 1e-300);
  const boxes: Box[] = [];
  let [x, y, w, h2] = [0, 0, width, height];
  for (let at = 0; at < tiles.length; ) {
    const side = Math.min(w, h2);
    let end = at + 1;
    let best = worst(tiles.slice(at, end), side, unit);
    while (end < tiles.length) {
      const next = worst(tiles.slice(at, end + 1), side, unit);
      if (next > best) break;
      best = next;
      end++;
    }
    const row = tiles.slice(at, end);
    const thick = (row.reduce((sum, tile) => sum + tile.value, 0) * unit) / side;
    let along = 0;
    for (const tile of row) {
      const length = (tile.value * unit) / thick;
      boxes.push(
        w >= h2
          ? { tile, x, y: y + along, width: thick, height: length }
          : { tile, x: x + along, y, width: length, height: thick },
      );
      along += length;
    }
    if (w >= h2) [x, w] = [x + thick, w - thick];
    else [y, h2] = [y + thick, h2 - thick];
    at = end;
  }
  return boxes;
}

function worst(row: readonly Tile[], side: number, unit: number): number {
  const sum = row.reduce((all, tile) => all + tile.value, 0) * unit;
  return Math.max(
    ...row.map(({ value }) =>
      Math.max((side * side * value * unit) / (sum * sum), (sum * sum) / (side * side * value * unit)),
    ),
  );
}

function tableOf({ units, buffers }: AreaReport) {
  return {
    columns: ['part', 'count', 'gates each', 'gates', 'flip-flops each', 'bits'],
    rows: [
      ...units.map(({ name, count, gatesEach, gates, flipFlopsEach }) => ({
        cells: [name, count, gatesEach, gates, flipFlopsEach, null],
      })),
      ...buffers.map(({ name, bits }) => ({ cells: [`${name} buffer`, 1, null, null, null, bits] })),
    ],
  };
}
