/** Who is busy when: a track a unit, single commands where there is room for them, shares of busy cycles elsewhere. */
import { h } from './dom.ts';
import { grouped, percents } from './format.ts';
import { panelElement, type Table } from './panel.ts';
import type { State } from './state.ts';
import { axisHeight, type Brush, TimeCanvas, type TimePicture, timeTools } from './time-canvas.ts';
import { Track } from './track.ts';

const trackHeight = 30;
const layerHeight = 24;
/** Slices are drawn one by one up to so many a pixel. */
const slicesPerPixel = 0.5;
const mostRows = 100_000;

const colours: Record<string, string> = {
  weights: 'c3',
  inputFeatureMaps: 'c0',
  outputFeatureMaps: 'c4',
  virtualFeatureMaps: 'c1',
  'moves on chip': 'c5',
  array: 'c0',
  'streams past the array': 'c5',
  tiles: 'c2',
  reads: 'c0',
  writes: 'c4',
};

const words: Record<string, string> = {
  weights: 'weights',
  inputFeatureMaps: 'feature maps in',
  outputFeatureMaps: 'feature maps out',
  virtualFeatureMaps: 'virtual maps',
  array: 'through the array',
};

const wordOf = (doing: string): string => words[doing] ?? doing;
const colourOf = (doing: string): string => colours[doing] ?? 'c3';

export function timelinePanel(state: State): HTMLElement {
  const { details, totals } = state.run;
  if (details === undefined) return missingPanel('timeline', 'Who is busy when?');
  const tracks = details.timeline.map((track) => new Track(track));
  const status = h('p', { class: 'status', role: 'status' });
  const picture = new TimelinePicture(state, tracks, status);
  const chart = new TimeCanvas(state, picture);
  chart.canvas.dataset.chart = 'timeline';
  const busiest = tracks.reduce((a, b) => (busyShare(b) > busyShare(a) ? b : a));
  function busyShare(track: Track): number {
    return track.busyWithin(0, totals.cycles) / totals.cycles;
  }
  const merged = tracks.filter((track) => track.resolutionCycles > 1);
  const doings = [
    ...new Set(
      tracks.flatMap((track) => track.doings.filter((_, kind) => track.busyUntil(totals.cycles, kind) > 0)),
    ),
  ];
  return panelElement({
    id: 'timeline',
    question: 'Who is busy when?',
    answer:
      `${tracks.map((track) => `${track.unit} ${percents(busyShare(track))}`).join(', ')} of the time at work. ` +
      `The busiest is: ${busiest.unit}.`,
    picture: [
      timeTools(state),
      h(
        'ul',
        { class: 'legend' },
        ...colourGroups(doings).map(([colour, names]) =>
          h('li', {}, h('span', { class: 'swatch', style: `background:var(--${colour})` }), names.join(', ')),
        ),
      ),
      chart.canvas,
      status,
    ],
    notes: [
      'Drag to move; turn the wheel over the chosen chart, or with Ctrl, to zoom; double-click zooms in. Keys: arrow left and right move, + and - zoom, 0 shows all, arrow up and down choose a unit, comma and full stop step through its commands.',
      'Where commands are narrower than a pixel, the height of the column is the share of its cycles in which the unit was busy. A DMA command is under way from its acceptance to its last answer; the track shows each from where the one before ended. DRAM: cycles in which the bus moved data, rounded down to whole cycles.',
      ...merged.map(
        (track) =>
          `${track.unit}: too many to keep each; neighbours within ${grouped(track.resolutionCycles)} cycles are one slice here. simulate --timeline writes all of them.`,
      ),
    ],
    table: () => tableOf(state, tracks),
  });
}

/** What is drawn in the same colour, on tracks of its own. */
function colourGroups(doings: readonly string[]): [colour: string, names: string[]][] {
  const groups = new Map<string, string[]>();
  for (const doing of doings) {
    groups.set(colourOf(doing), [...(groups.get(colourOf(doing)) ?? []), wordOf(doing)]);
  }
  return [...groups];
}

/** For runs whose JSON was made without --details. */
export function missingPanel(id: string, question: string): HTMLElement {
  return panelElement({
    id,
    question,
    answer:
      "Not in this run's JSON: make it with simulate --details --json FILE, or the page with simulate --report FILE.",
    picture: [],
  });
}

class TimelinePicture implements TimePicture {
  readonly label: string;
  readonly height: number;
  private track = 0;
  private slice = -1;

  constructor(
    private readonly state: State,
    private readonly tracks: readonly Track[],
    private readonly status: HTMLElement,
  ) {
    this.height = layerHeight + tracks.length * trackHeight + axisHeight + 4;
    this.label = `Time line of ${tracks.map((track) => track.unit).join(', ')}. Arrow keys move and choose a unit, plus and minus zoom, comma and full stop step through commands.`;
  }

  draw(brush: Brush): void {
    this.drawLayers(brush);
    let drawn = 0;
    this.tracks.forEach((track, index) => {
      drawn += this.drawTrack(brush, track, layerHeight + index * trackHeight, index);
    });
    // For the tests: what a frame costs does not grow with the slices.
    brush.context.canvas.dataset.drawn = String(drawn);
    brush.context.canvas.dataset.view = `${brush.from} ${brush.to}`;
  }

  private drawLayers({ context, x, from, to, left, width, colour }: Brush): void {
    context.textBaseline = 'middle';
    this.state.run.layers.forEach(({ name, startCycle, endCycle }, index) => {
      if (endCycle <= from || startCycle >= to) return;
      const a = Math.max(left, x(startCycle));
      const b = Math.min(width, x(endCycle));
      context.fillStyle = colour(index % 2 === 0 ? 'faint' : 'line');
      context.fillRect(a, 0, Math.max(1, b - a - 1), layerHeight - 6);
      context.fillStyle = colour('text');
      if (context.measureText(name).width < b - a - 8) context.fillText(name, a + 4, layerHeight / 2 - 3);
    });
    context.fillStyle = colour('muted');
    if (left > 0) context.fillText('layer', 0, layerHeight / 2 - 3);
  }

  /** Draws a track; returns how many rectangles that took. */
  private drawTrack(brush: Brush, track: Track, top: number, index: number): number {
    const { context, from, to, left, width, colour } = brush;
    const height = trackHeight - 8;
    context.fillStyle = colour('faint');
    context.fillRect(left, top, width - left, height);
    const first = track.firstAfter(from);
    const last = track.firstAfter(to);
    const pixels = width - left;
    const drawn =
      last - first <= pixels * slicesPerPixel
        ? this.drawSlices(brush, track, first, Math.min(track.length - 1, last), top, height)
        : this.drawShares(brush, track, top, height);
    if (index === this.track && this.slice >= 0) {
      const a = Math.max(left, brush.x(track.starts[this.slice]!));
      const b = Math.min(width, brush.x(track.ends[this.slice]!));
      context.strokeStyle = colour('text');
      context.lineWidth = 2;
      if (b > left && a < width) context.strokeRect(a + 1, top + 1, Math.max(2, b - a - 2), height - 2);
      context.lineWidth = 1;
    }
    context.textBaseline = 'middle';
    if (left > 0) {
      context.fillStyle = colour('text');
      context.fillText(track.unit, 0, top + height / 2);
    } else {
      const wide = context.measureText(track.unit).width;
      context.fillStyle = colour('ground');
      context.globalAlpha = 0.85;
      context.fillRect(2, top + 2, wide + 8, height - 4);
      context.globalAlpha = 1;
      context.fillStyle = colour('text');
      context.fillText(track.unit, 6, top + height / 2);
    }
    return drawn;
  }

  private drawSlices(
    { context, x, width, left, colour }: Brush,
    track: Track,
    first: number,
    last: number,
    top: number,
    height: number,
  ): number {
    const fills = track.doings.map((doing) => colour(colourOf(doing)));
    for (let i = first; i <= last; i++) {
      const a = Math.max(left, x(track.starts[i]!));
      const b = Math.min(width, x(track.ends[i]!));
      if (b <= a) continue;
      const kind = track.kinds[i]!;
      const share = track.busy[i]! / (track.ends[i]! - track.starts[i]!);
      const tall = height * share;
      context.fillStyle = fills[kind]!;
      context.fillRect(a, top + height - tall, Math.max(0.75, b - a - (b - a > 3 ? 1 : 0)), tall);
      if (b - a > 60 && share > 0.8) {
        const text = wordOf(track.doings[kind]!);
        context.fillStyle = colour('on-colour');
        if (context.measureText(text).width < b - a - 10) {
          context.textBaseline = 'middle';
          context.fillText(text, a + 5, top + height / 2);
        }
      }
    }
    return Math.max(0, last - first + 1);
  }

  private drawShares(
    { context, from, to, left, width, colour }: Brush,
    track: Track,
    top: number,
    height: number,
  ): number {
    const pixels = Math.ceil(width - left);
    const perPixel = (to - from) / pixels;
    const base = new Float64Array(pixels);
    let drawn = 0;
    track.doings.forEach((doing, kind) => {
      context.fillStyle = colour(colourOf(doing));
      let before = track.busyUntil(from, kind);
      for (let pixel = 0; pixel < pixels; pixel++) {
        const after = track.busyUntil(from + (pixel + 1) * perPixel, kind);
        const tall = height * Math.min(1, (after - before) / perPixel);
        before = after;
        if (tall <= 0) continue;
        context.fillRect(left + pixel, top + height - base[pixel]! - tall, 1, tall);
        base[pixel]! += tall;
        drawn++;
      }
    });
    return drawn;
  }

  describe(cycle: number, y: number, cyclesPerPixel: number): string | undefined {
    const at = Math.floor(cycle);
    const layer = this.state.layerAt(at);
    const index = Math.floor((y - layerHeight) / trackHeight);
    const track = y < layerHeight ? undefined : this.tracks[index];
    if (track === undefined)
      return `cycle ${grouped(Math.max(0, at))}${layer === undefined ? '' : `, ${layer}`}`;
    const slice = track.firstAfter(cycle);
    const near = slice < track.length && track.starts[slice]! <= cycle;
    const narrow = near && track.ends[slice]! - track.starts[slice]! < 2 * cyclesPerPixel;
    if (narrow || (!near && cyclesPerPixel > 64)) {
      const busy = track.busyWithin(cycle - cyclesPerPixel / 2, cycle + cyclesPerPixel / 2) / cyclesPerPixel;
      return `${track.unit}, ${layer ?? ''}\nbusy ${percents(Math.min(1, busy))} around cycle ${grouped(at)}`;
    }
    return near ? this.words(track, slice) : `${track.unit}: idle in cycle ${grouped(at)}`;
  }

  private words(track: Track, slice: number): string {
    const [start, end] = [track.starts[slice]!, track.ends[slice]!];
    const command = track.commands?.[slice];
    const busy = track.busy[slice]!;
    return [
      `${track.unit}: ${wordOf(track.doings[track.kinds[slice]!]!)}, ${this.state.layerAt(start) ?? ''}`,
      `cycles ${grouped(start)} to ${grouped(end)}: ${grouped(end - start)}${busy === end - start ? '' : `, ${grouped(busy)} of them busy`}`,
      ...(command === undefined ? [] : [`command ${grouped(command)}`]),
    ].join('\n');
  }

  key(key: string): boolean {
    const { tracks, state } = this;
    if (key === 'ArrowUp' || key === 'ArrowDown') {
      this.track = (this.track + (key === 'ArrowDown' ? 1 : tracks.length - 1)) % tracks.length;
      this.slice = tracks[this.track]!.firstAfter(state.view.from);
    } else if (key === '.' || key === ',') {
      const track = tracks[this.track]!;
      this.slice = this.slice < 0 ? track.firstAfter(state.view.from) : this.slice + (key === '.' ? 1 : -1);
    } else {
      return false;
    }
    const track = tracks[this.track]!;
    this.slice = Math.max(0, Math.min(track.length - 1, this.slice));
    if (track.length === 0) {
      this.slice = -1;
      this.status.textContent = `${track.unit}: never busy`;
      return true;
    }
    this.status.textContent = this.words(track, this.slice).replaceAll('\n', '; ');
    const { from, to } = state.view;
    const [start, end] = [track.starts[this.slice]!, track.ends[this.slice]!];
    if (start < from || end > to) {
      const length = Math.max(to - from, end - start);
      state.show(start - (length - (end - start)) / 2, start + (length + (end - start)) / 2);
    }
    return true;
  }
}

/** The slices in view, so that a zoomed chart gives a small table. */
function tableOf(state: State, tracks: readonly Track[]): Table {
  const { from, to } = state.view;
  const rows: Table['rows'][number][] = [];
  for (const track of tracks) {
    for (let i = track.firstAfter(from); i < track.length && track.starts[i]! < to; i++) {
      if (rows.length >= mostRows) break;
      rows.push({
        cells: [
          track.unit,
          wordOf(track.doings[track.kinds[i]!]!),
          track.commands?.[i] ?? null,
          track.starts[i]!,
          track.ends[i]!,
          track.busy[i]!,
        ],
      });
    }
  }
  return { columns: ['unit', 'does', 'command', 'start cycle', 'end cycle', 'busy cycles'], rows };
}
