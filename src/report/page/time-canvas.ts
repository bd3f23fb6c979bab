/** A canvas whose horizontal axis is time, moved and zoomed with pointer, wheel and keys; all of a page show the same cycles. */
import { h, hideTip, onWidth, showTip } from './dom.ts';
import { compact, grouped, ticks } from './format.ts';
import type { State } from './state.ts';

export interface Brush {
  readonly context: CanvasRenderingContext2D;
  /** Pixels of the whole canvas, and where time begins. */
  readonly width: number;
  readonly left: number;
  readonly from: number;
  readonly to: number;
  x(cycle: number): number;
  colour(name: string): string;
}

export interface TimePicture {
  readonly label: string;
  readonly height: number;
  draw(brush: Brush): void;
  /** What is under a place, in words. */
  describe(cycle: number, y: number, cyclesPerPixel: number): string | undefined;
  /** Keys beyond those that move and zoom; true if it was one. */
  key?(key: string): boolean;
}

export const axisHeight = 22;

export class TimeCanvas {
  readonly canvas: HTMLCanvasElement;
  private width = 0;
  private isQueued = false;
  private readonly pointers = new Map<number, number>();
  /** Cycles under the fingers when the gesture began. */
  private grip: { from: number; to: number; a: number; b: number } | undefined;

  constructor(
    private readonly state: State,
    private readonly picture: TimePicture,
  ) {
    this.canvas = h('canvas', {
      tabindex: 0,
      role: 'application',
      'aria-roledescription': 'time chart',
      'aria-label': picture.label,
      height: picture.height,
    });
    this.canvas.style.height = `${picture.height}px`;
    onWidth(this.canvas, (width) => {
      this.width = width;
      this.draw();
    });
    state.onView(() => this.queue());
    this.listen();
  }

  get left(): number {
    return this.width < 560 ? 0 : 116;
  }

  /** Draws before the next frame, once. */
  queue(): void {
    if (this.isQueued) return;
    this.isQueued = true;
    requestAnimationFrame(() => {
      this.isQueued = false;
      this.draw();
    });
  }

  private draw(): void {
    const { canvas, width, picture, state } = this;
    if (width === 0) return;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(picture.height * ratio);
    const context = canvas.getContext('2d')!;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(document.documentElement);
    const { from, to } = state.view;
    const left = this.left;
    const brush: Brush = {
      context,
      width,
      left,
      from,
      to,
      x: (cycle) => left + ((cycle - from) / (to - from)) * (width - left),
      colour: (name) => style.getPropertyValue(`--${name}`).trim(),
    };
    context.clearRect(0, 0, width, picture.height);
    context.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    this.drawAxis(brush);
    picture.draw(brush);
  }

  private drawAxis({ context, x, from, to, width, left, colour }: Brush): void {
    const base = this.picture.height - axisHeight;
    context.fillStyle = colour('muted');
    context.strokeStyle = colour('faint');
    context.textAlign = 'center';
    context.textBaseline = 'alphabetic';
    context.beginPath();
    for (const tick of ticks(from, to, (width - left) / 110)) {
      const at = Math.round(x(tick)) + 0.5;
      context.moveTo(at, 0);
      context.lineTo(at, base + 4);
      const text = to - from > 20_000 ? compact(tick) : grouped(Math.round(tick));
      const half = context.measureText(text).width / 2;
      context.fillText(text, Math.min(Math.max(at, left + half), width - half), base + 17);
    }
    context.stroke();
    context.textAlign = 'left';
    if (left > 0) context.fillText('cycle', 0, base + 17);
  }

  private cycleAt(clientX: number): number {
    const { from, to } = this.state.view;
    const box = this.canvas.getBoundingClientRect();
    return from + ((clientX - box.left - this.left) / Math.max(1, this.width - this.left)) * (to - from);
  }

  private zoom(factor: number, around: number): void {
    const { from, to } = this.state.view;
    const length = Math.max(8, (to - from) * factor);
    const share = (around - from) / (to - from);
    this.state.show(around - share * length, around + (1 - share) * length);
  }

  private listen(): void {
    const { canvas, state, pointers } = this;
    canvas.addEventListener(
      'wheel',
      (event) => {
        const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
        if (!sideways && !event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return;
        event.preventDefault();
        const { from, to } = state.view;
        if (sideways) {
          const move = ((event.deltaX || event.deltaY) / this.width) * (to - from);
          state.show(from + move, to + move);
        } else {
          this.zoom(1.0018 ** event.deltaY, this.cycleAt(event.clientX));
        }
      },
      { passive: false },
    );
    canvas.addEventListener('pointerdown', (event) => {
      canvas.focus({ preventScroll: true });
      canvas.setPointerCapture(event.pointerId);
      canvas.classList.add('dragging');
      pointers.set(event.pointerId, event.clientX);
      this.takeGrip();
    });
    canvas.addEventListener('pointermove', (event) => {
      if (!pointers.has(event.pointerId)) {
        this.tell(event);
        return;
      }
      hideTip();
      pointers.set(event.pointerId, event.clientX);
      this.pull();
    });
    const release = (event: PointerEvent) => {
      pointers.delete(event.pointerId);
      if (pointers.size === 0) canvas.classList.remove('dragging');
      this.takeGrip();
    };
    canvas.addEventListener('pointerup', release);
    canvas.addEventListener('pointercancel', release);
    canvas.addEventListener('pointerleave', hideTip);
    canvas.addEventListener('dblclick', (event) => this.zoom(0.25, this.cycleAt(event.clientX)));
    canvas.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (this.key(event.key) || this.picture.key?.(event.key)) {
        event.preventDefault();
        this.queue();
      }
    });
  }

  private tell(event: PointerEvent): void {
    const { from, to } = this.state.view;
    const box = this.canvas.getBoundingClientRect();
    const text =
      event.clientX - box.left < this.left
        ? undefined
        : this.picture.describe(
            this.cycleAt(event.clientX),
            event.clientY - box.top,
            (to - from) / Math.max(1, this.width - this.left),
          );
    if (text === undefined) hideTip();
    else showTip(text, event.clientX, event.clientY);
  }

  private takeGrip(): void {
    const places = [...this.pointers.values()];
    const { from, to } = this.state.view;
    this.grip = places.length === 0 ? undefined : { from, to, a: places[0]!, b: places[1] ?? Number.NaN };
  }

  /** What was under the fingers stays under them. */
  private pull(): void {
    const { state } = this;
    const grip = this.grip;
    if (grip === undefined) return;
    const places = [...this.pointers.values()];
    const perPixel = (grip.to - grip.from) / Math.max(1, this.width - this.left);
    if (places.length < 2) {
      const move = (grip.a - places[0]!) * perPixel;
      state.show(grip.from + move, grip.to + move);
      return;
    }
    const box = this.canvas.getBoundingClientRect().left + this.left;
    const wide = Math.abs(places[1]! - places[0]!) || 1;
    const stretch = (Math.abs(grip.b - grip.a) || 1) / wide;
    const middle = grip.from + ((grip.a + grip.b) / 2 - box) * perPixel;
    const from = middle - ((places[0]! + places[1]!) / 2 - box) * perPixel * stretch;
    state.show(from, from + (grip.to - grip.from) * stretch);
  }

  private key(key: string): boolean {
    const { from, to } = this.state.view;
    const length = to - from;
    if (key === 'ArrowLeft') this.state.show(from - length / 8, to - length / 8);
    else if (key === 'ArrowRight') this.state.show(from + length / 8, to + length / 8);
    else if (key === '+' || key === '=') this.zoom(0.5, from + length / 2);
    else if (key === '-') this.zoom(2, from + length / 2);
    else if (key === '0' || key === 'Home') this.state.show(0, this.state.run.totals.cycles);
    else return false;
    return true;
  }
}

/** Buttons for those who neither turn a wheel nor know the keys, and the stretch in view. */
export function timeTools(state: State): HTMLElement {
  const shown = h('output', {});
  const tell = () => {
    const { from, to } = state.view;
    shown.textContent = `cycles ${grouped(Math.round(from))} to ${grouped(Math.round(to))}`;
  };
  const zoom = (factor: number) => () => {
    const { from, to } = state.view;
    const middle = (from + to) / 2;
    const half = ((to - from) * factor) / 2;
    state.show(middle - half, middle + half);
  };
  const move = (share: number) => () => {
    const { from, to } = state.view;
    state.show(from + share * (to - from), to + share * (to - from));
  };
  const button = (name: string, action: () => void) => {
    const element = h('button', { class: 'control', type: 'button' }, name);
    element.addEventListener('click', action);
    return element;
  };
  tell();
  state.onView(tell);
  return h(
    'div',
    { class: 'tools' },
    button('Zoom in', zoom(0.5)),
    button('Zoom out', zoom(2)),
    button('Earlier', move(-0.5)),
    button('Later', move(0.5)),
    button('All', () => state.show(0, state.run.totals.cycles)),
    shown,
  );
}
