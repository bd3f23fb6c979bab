/** What is chosen: the run, the layer, and the stretch of time in view. */
import type { PageData, RunReport } from '../page-data.ts';

type Listener = () => void;

export class State {
  run: RunReport;
  layer: string | null = null;
  /** Cycles in view, [from, to). */
  view: { from: number; to: number };
  private readonly layerListeners: Listener[] = [];
  private readonly viewListeners: Listener[] = [];
  private readonly runListeners: Listener[] = [];

  constructor(readonly data: PageData) {
    this.run = data.runs[0]!;
    this.view = { from: 0, to: this.run.totals.cycles };
  }

  onRun(listener: Listener): void {
    this.runListeners.push(listener);
  }

  onLayer(listener: Listener): void {
    this.layerListeners.push(listener);
  }

  onView(listener: Listener): void {
    this.viewListeners.push(listener);
  }

  chooseRun(index: number): void {
    this.run = this.data.runs[index]!;
    this.layer = null;
    this.view = { from: 0, to: this.run.totals.cycles };
    this.layerListeners.length = 0;
    this.viewListeners.length = 0;
    for (const listener of this.runListeners) listener();
  }

  /** Chooses a layer, or none; the time in view becomes its own. */
  chooseLayer(name: string | null): void {
    const layer = this.run.layers.find((one) => one.name === name);
    this.layer = layer?.name ?? null;
    this.view = { from: layer?.startCycle ?? 0, to: layer?.endCycle ?? this.run.totals.cycles };
    for (const listener of [...this.layerListeners, ...this.viewListeners]) listener();
  }

  /** Shows other cycles: never less than eight of them, never beyond the run. */
  show(from: number, to: number): void {
    const all = this.run.totals.cycles;
    const length = Math.min(all, Math.max(8, to - from));
    const start = Math.min(Math.max(0, from), all - length);
    this.view = { from: start, to: start + length };
    for (const listener of this.viewListeners) listener();
  }

  /** The layer that runs in a cycle. */
  layerAt(cycle: number): string | undefined {
    return this.run.layers.find(({ startCycle, endCycle }) => startCycle <= cycle && cycle < endCycle)?.name;
  }
}
