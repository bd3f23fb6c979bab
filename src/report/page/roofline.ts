/** How close every layer comes to the roof: the array's peak, or what the memory can feed. */
import type { RunReport } from '../page-data.ts';
import { legend } from './bars.ts';
import { h, onWidth, s } from './dom.ts';
import { compact, decimal, percents } from './format.ts';
import { panelElement } from './panel.ts';
import type { State } from './state.ts';

interface Point {
  readonly name: string;
  /** MACs a DRAM byte, and a cycle. */
  readonly intensity: number;
  readonly speed: number;
  readonly fraction: number;
  readonly limit: string;
}

const limits: Record<RunReport['layers'][number]['bounds']['limitedBy'], string> = {
  compute: 'the array',
  dram: 'DRAM',
  postProcessing: 'post-processing',
};

const limitColours = [
  [limits.compute, 'var(--c0)'],
  [limits.dram, 'var(--c1)'],
  [limits.postProcessing, 'var(--c4)'],
] as const;

export function rooflinePanel(state: State): HTMLElement {
  const { totals, layers, hardware } = state.run;
  const points: Point[] = layers
    .filter(({ macs, dram, cycles }) => macs > 0 && dram.totalBytes > 0 && cycles > 0)
    .map(({ name, macs, cycles, dram, bounds }) => ({
      name,
      intensity: macs / dram.totalBytes,
      speed: macs / cycles,
      fraction: bounds.fraction,
      limit: limits[bounds.limitedBy],
    }));
  // What the memory could move a cycle at its peak, from the bound that the report gives for all bytes.
  const bandwidth = totals.bounds.dramCycles > 0 ? totals.dram.totalBytes / totals.bounds.dramCycles : 0;
  const figure = h('div', {});
  if (points.length > 0 && bandwidth > 0) {
    onWidth(figure, (width) => {
      figure.replaceChildren(draw(points, hardware.processingElements, bandwidth, width));
      state.chooseLayer(state.layer);
    });
  }
  const skipped = layers.length - points.length;
  const worst = layers.reduce((a, b) => (b.bounds.fraction < a.bounds.fraction ? b : a));
  return panelElement({
    id: 'roofline',
    question: 'How close to the roof?',
    answer:
      `The run takes ${decimal(1 / totals.bounds.fraction, 2)} times the cycles of its layers' bounds (${percents(totals.bounds.fraction)} of the roof). ` +
      `The roof is ${hardware.processingElements} MACs a cycle, or about ${decimal(bandwidth, 2)} bytes of DRAM a cycle. ` +
      `Farthest below is ${worst.name}: ${percents(worst.bounds.fraction)}, limited by ${limits[worst.bounds.limitedBy]}.`,
    picture: [legend(limitColours.map(([name, colour]) => ({ name: `limited by ${name}`, colour }))), figure],
    notes:
      skipped === 0 ? [] : [`Not drawn: ${skipped} without MACs or DRAM traffic; they are in the table.`],
    table: () => ({
      columns: [
        'layer',
        'MACs',
        'DRAM bytes',
        'MACs a byte',
        'MACs a cycle',
        'cycles',
        'array bound',
        'DRAM bound',
        'post-processing bound',
        'of the roof',
        'limited by',
      ],
      rows: layers.map(({ name, macs, cycles, dram, bounds }) => ({
        layer: name,
        cells: [
          name,
          macs,
          dram.totalBytes,
          dram.totalBytes > 0 ? macs / dram.totalBytes : null,
          macs / cycles,
          cycles,
          bounds.computeCycles,
          bounds.dramCycles,
          bounds.postProcessingCycles,
          bounds.fraction,
          limits[bounds.limitedBy],
        ],
      })),
    }),
  });
}

const height = 340;
const margin = { left: 46, right: 18, top: 16, bottom: 42 };

function draw(points: readonly Point[], peak: number, bandwidth: number, width: number): SVGSVGElement {
  const ridge = peak / bandwidth;
  const low = Math.min(ridge / 2, ...points.map((point) => point.intensity));
  const high = Math.max(ridge * 2, ...points.map((point) => point.intensity));
  const slowest = Math.min(peak / 4, ...points.map((point) => point.speed));
  const x = scale(Math.log10(low / 1.5), Math.log10(high * 1.5), margin.left, width - margin.right);
  const y = scale(Math.log10(slowest / 1.6), Math.log10(peak * 1.35), height - margin.bottom, margin.top);
  const svg = s('svg', { width, height, role: 'group', 'aria-label': 'Roofline: a point a layer' });
  for (const tick of decades(low / 1.5, high * 1.5)) {
    svg.append(
      s('line', { class: 'grid', x1: x(tick), x2: x(tick), y1: margin.top, y2: height - margin.bottom }),
      s(
        'text',
        { class: 'muted', x: x(tick), y: height - margin.bottom + 17, 'text-anchor': 'middle' },
        compact(tick),
      ),
    );
  }
  for (const tick of decades(slowest / 1.6, peak * 1.35)) {
    svg.append(
      s('line', { class: 'grid', x1: margin.left, x2: width - margin.right, y1: y(tick), y2: y(tick) }),
      s('text', { class: 'muted', x: margin.left - 7, y: y(tick) + 4, 'text-anchor': 'end' }, compact(tick)),
    );
  }
  svg.append(
    s(
      'text',
      { class: 'muted', x: (margin.left + width - margin.right) / 2, y: height - 6, 'text-anchor': 'middle' },
      'MACs a byte of DRAM traffic',
    ),
    s('text', { class: 'muted', x: margin.left - 38, y: 10 }, 'MACs a cycle'),
  );
  const start = Math.max(low / 1.5, slowest / 1.6 / bandwidth);
  svg.append(
    s('path', {
      class: 'roof',
      d: `M${x(start)} ${y(start * bandwidth)}L${x(ridge)} ${y(peak)}H${width - margin.right}`,
    }),
  );
  const roof = s(
    'text',
    { class: 'muted', x: width - margin.right, y: y(peak) - 7, 'text-anchor': 'end' },
    `${peak} MACs a cycle`,
  );
  svg.append(roof);
  const taken: { x: number; y: number; w: number }[] = [
    { x: width - margin.right - 110, y: y(peak) - 7, w: 110 },
  ];
  for (const point of points) {
    const [px, py] = [x(point.intensity), y(point.speed)];
    const text = `${point.name}: ${percents(point.fraction)} of its bound, limited by ${point.limit}\n${decimal(point.intensity, 2)} MACs a byte, ${decimal(point.speed, 2)} MACs a cycle`;
    const place = placeLabel(px, py, point.name.length * 6.6, taken, width);
    svg.append(
      s(
        'g',
        {
          'data-layer': point.name,
          tabindex: 0,
          role: 'button',
          'data-tip': text,
          'aria-label': text.replace('\n', '; '),
        },
        s('circle', { cx: px, cy: py, r: 14, fill: 'transparent' }),
        place === undefined || Math.abs(place.y - py) < 18
          ? ''
          : s('line', { class: 'axis', x1: px, y1: py, x2: place.x + place.w / 2, y2: place.y - 10 }),
        s('circle', {
          class: 'dot',
          cx: px,
          cy: py,
          r: 5,
          fill: limitColours.find(([name]) => name === point.limit)![1],
        }),
        place === undefined ? '' : s('text', { x: place.x, y: place.y }, point.name),
      ),
    );
  }
  return svg;
}

/** A free place for a label near a point, below it first: the roof is above. */
function placeLabel(
  px: number,
  py: number,
  w: number,
  taken: { x: number; y: number; w: number }[],
  width: number,
): { x: number; y: number; w: number } | undefined {
  for (let ring = 0; ring < 9; ring++) {
    for (const [dx, dy] of [
      [-w / 2, 20 + 15 * ring],
      [9, 20 + 15 * ring],
      [-w - 9, 20 + 15 * ring],
    ] as const) {
      const place = { x: px + dx, y: py + dy, w };
      if (place.x < margin.left || place.x + w > width - 2 || place.y > height - margin.bottom - 4) continue;
      if (
        taken.some(
          (other) =>
            Math.abs(other.y - place.y) < 14 && place.x < other.x + other.w + 4 && other.x < place.x + w + 4,
        )
      )
        continue;
      taken.push(place);
      return place;
    }
  }
  return undefined;
}

const scale = (from: number, to: number, first: number, last: number) => (value: number) =>
  Math.round((first + ((Math.log10(value) - from) / (to - from)) * (last - first)) * 10) / 10;

/** 1, 10, 100, and between them 2 and 5 where there are few. */
function decades(from: number, to: number): number[] {
  const values: number[] = [];
  const few = Math.log10(to / from) < 2.2;
  for (let power = Math.floor(Math.log10(from)); 10 ** power <= to; power++) {
    for (const factor of few ? [1, 2, 5] : [1]) values.push(factor * 10 ** power);
  }
  return values.filter((value) => value >= from && value <= to);
}
