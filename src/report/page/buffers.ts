/** What is in the buffers over time: the most and the mean bytes that are still to be read. */
import { readNumbers } from '../number-text.ts';
import { decimal, grouped, percents } from './format.ts';
import { panelElement } from './panel.ts';
import type { State } from './state.ts';
import { axisHeight, type Brush, TimeCanvas, type TimePicture, timeTools } from './time-canvas.ts';
import { missingPanel } from './timeline.ts';

const rowHeight = 52;

interface Level {
  readonly name: string;
  readonly capacity: number;
  readonly maxima: Float64Array;
  readonly means: Float64Array;
}

export function buffersPanel(state: State): HTMLElement {
  const { details, totals } = state.run;
  const question = 'What is in the buffers?';
  if (details === undefined) return missingPanel('buffers', question);
  const { binCycles, levels: recorded } = details.buffers;
  const levels: Level[] = recorded
    .map(({ name, capacityBytes, maximumBytes, meanBytes }) => ({
      name,
      capacity: capacityBytes,
      maxima: readNumbers(maximumBytes),
      means: readNumbers(meanBytes),
    }))
    .filter(({ maxima }) => maxima.some((value) => value > 0));
  const most = (level: Level) => level.maxima.reduce((a, b) => Math.max(a, b), 0);
  const chart = new TimeCanvas(state, new BuffersPicture(levels, binCycles));
  chart.canvas.dataset.chart = 'buffers';
  return panelElement({
    id: 'buffers',
    question,
    answer: `At their fullest: ${levels.map((level) => `${level.name} ${percents(most(level) / level.capacity, 0)} of ${grouped(level.capacity)} bytes`).join(', ')}.`,
    picture: [timeTools(state), chart.canvas],
    notes: [
      `Bytes count from the end of their transfer, or the start of their tile, to their last reading; line: the most of each ${grouped(binCycles)} cycles, area: the mean. The dashed line is the capacity. Partial sums and open pooling windows are not followed.`,
    ],
    table: () => {
      const bins = levels[0]?.maxima.length ?? 0;
      return {
        columns: ['start cycle', ...levels.flatMap(({ name }) => [`${name}, most`, `${name}, mean`])],
        rows: Array.from({ length: bins }, (_, bin) => ({ bin, layer: state.layerAt(bin * binCycles) }))
          .filter(
            ({ bin }) =>
              (bin + 1) * binCycles > state.view.from &&
              bin * binCycles < Math.min(totals.cycles, state.view.to),
          )
          .map(({ bin, layer }) => ({
            layer,
            cells: [bin * binCycles, ...levels.flatMap(({ maxima, means }) => [maxima[bin]!, means[bin]!])],
          })),
      };
    },
  });
}

class BuffersPicture implements TimePicture {
  readonly label: string;
  readonly height: number;

  constructor(
    private readonly levels: readonly Level[],
    private readonly binCycles: number,
  ) {
    this.height = levels.length * rowHeight + axisHeight + 2;
    this.label = `Bytes over time in the buffers ${levels.map(({ name }) => name).join(', ')}. Arrow keys move, plus and minus zoom.`;
  }

  draw(brush: Brush): void {
    const { context, left, width, colour } = brush;
    this.levels.forEach((level, index) => {
      const top = index * rowHeight + 4;
      const base = (index + 1) * rowHeight - 8;
      const y = (bytes: number) => base - Math.min(1, bytes / level.capacity) * (base - top);
      context.fillStyle = colour('c0');
      context.globalAlpha = 0.35;
      this.area(brush, level.means, y, base, true);
      context.globalAlpha = 1;
      context.strokeStyle = colour('c0');
      context.lineWidth = 1.5;
      this.area(brush, level.maxima, y, base, false);
      context.lineWidth = 1;
      context.strokeStyle = colour('muted');
      context.setLineDash([4, 4]);
      context.beginPath();
      context.moveTo(left, top + 0.5);
      context.lineTo(width, top + 0.5);
      context.stroke();
      context.setLineDash([]);
      context.strokeStyle = colour('line');
      context.beginPath();
      context.moveTo(left, base + 0.5);
      context.lineTo(width, base + 0.5);
      context.stroke();
      context.textBaseline = 'alphabetic';
      const size = `${grouped(level.capacity)} B`;
      if (left > 0) {
        context.fillStyle = colour('text');
        context.fillText(level.name, 0, (top + base) / 2);
        context.fillStyle = colour('muted');
        context.fillText(size, 0, (top + base) / 2 + 15);
      } else {
        const text = `${level.name}, ${size}`;
        context.fillStyle = colour('ground');
        context.globalAlpha = 0.85;
        context.fillRect(2, top + 3, context.measureText(text).width + 8, 17);
        context.globalAlpha = 1;
        context.fillStyle = colour('text');
        context.fillText(text, 6, top + 16);
      }
    });
  }

  /** Bins as steps; several in a pixel show the largest of them. */
  private area(
    { context, from, to, left, width, x }: Brush,
    values: Float64Array,
    y: (bytes: number) => number,
    base: number,
    isFilled: boolean,
  ): void {
    const first = Math.max(0, Math.floor(from / this.binCycles));
    const last = Math.min(values.length - 1, Math.ceil(to / this.binCycles));
    context.save();
    context.beginPath();
    context.rect(left, 0, width - left, base + 1);
    context.clip();
    context.beginPath();
    if (isFilled) context.moveTo(x(first * this.binCycles), base);
    for (let bin = first; bin <= last; bin++) {
      const height = y(values[bin]!);
      if (bin === first && !isFilled) context.moveTo(x(bin * this.binCycles), height);
      else context.lineTo(x(bin * this.binCycles), height);
      context.lineTo(x((bin + 1) * this.binCycles), height);
    }
    if (isFilled) {
      context.lineTo(x((last + 1) * this.binCycles), base);
      context.fill();
    } else {
      context.stroke();
    }
    context.restore();
  }

  describe(cycle: number, y: number): string | undefined {
    const level = this.levels[Math.floor(y / rowHeight)];
    const bin = Math.floor(cycle / this.binCycles);
    if (level === undefined || bin < 0 || bin >= level.maxima.length) return undefined;
    const share = (bytes: number) =>
      `${grouped(bytes)} bytes (${decimal((100 * bytes) / level.capacity, 1)} %)`;
    return [
      `${level.name} buffer, cycles ${grouped(bin * this.binCycles)} to ${grouped((bin + 1) * this.binCycles)}`,
      `at most ${share(level.maxima[bin]!)}`,
      `on average ${share(level.means[bin]!)}`,
    ].join('\n');
  }
}
