/**
 * Which maps stay on chip between steps. A map that the next step alone reads can stay in the feature buffer, as a whole or
 * some channels of it; steps can be fused into one pass, by rows (fusion.ts) or by channels (channel-fusion.ts), and
 * then the maps between them never leave. A step that treats every channel by itself can put its output where its input was.
 *
 * Where kept maps lie: kept-maps.ts. A dynamic programme over the steps finds the cheapest schedule under the tilings' own
 * cost: its states are how much of the map in front of a step is kept, and where.
 */
import { InputError } from '../core/diagnostics.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import {
  type ChannelLimits,
  type ChannelPass,
  channelRingBytes,
  chunkMaps,
  fuseByChannels,
  placeByChannels,
} from './channel-fusion.ts';
import {
  canBeFused,
  type FusedPass,
  type FusionChoice,
  FusionMemo,
  fuseSteps,
  placeFused,
} from './fusion.ts';
import { type FusionPoint, fusionPoints } from './fusion-search.ts';
import { inputRowsFor, type RowRange, type ValueSizes, workloadOf } from './geometry.ts';
import {
  addressOf,
  type End,
  type Held,
  keptChannels,
  keptMapOf,
  nothing,
  type WholeMap,
} from './kept-maps.ts';
import type { TiledStep } from './layout.ts';
import { nothingKept, placesInDram } from './places.ts';
import { ratioOf, type Step } from './steps.ts';
import {
  computesDepthwise,
  outputMaps,
  type RatedTiling,
  rankTilings,
  rowPitches,
  type TilingLimits,
  tilingSizes,
} from './tiling.ts';

interface State {
  readonly held: Held;
  readonly objective: number;
  /** How the steps since the last state were planned; undefined at the start. */
  readonly last: { readonly from: State; readonly plan: (pass: number) => TiledStep[] } | undefined;
}

/** Tiles that can wait in the output buffer, one in each of its two slots. */
const lateTiles = 2;

/** Every step a pass of its own, all maps in DRAM. */
export function planInDram(steps: readonly Step[], machine: MachineConfig, values: ValueSizes): TiledStep[] {
  return steps.map((step, pass) => {
    const { tiling, cost } = rankTilings(step, machine, values, 1).best[0]!;
    return { step, tiling, places: placesInDram(pass), estimate: cost };
  });
}

/**
 * Which maps may stay on chip: all, where that is cheaper; or those alone that a pass made of stored virtual maps, and then
 * they have to.
 */
export type KeepRule = 'cheapest' | 'condensed';

/** The steps with maps kept on chip where that is cheaper; as `planInDram` on a machine that can't. */
export function planOnChip(
  steps: readonly Step[],
  outputs: readonly string[],
  machine: MachineConfig,
  values: ValueSizes,
  rule: KeepRule = 'cheapest',
): TiledStep[] {
  if (rule === 'condensed' && !machine.dma.moves) {
    throw new InputError(
      `machine '${machine.name}' can't condense stored maps when they are read, expected dma.moves: true`,
    );
  }
  if (!machine.dma.moves) return planInDram(steps, machine, values);
  return new Planner(steps, outputs, machine, values, rule).plan();
}

class Planner {
  private readonly featureBytes: number;
  /** The map between steps i - 1 and i, if it can stay on chip. */
  private readonly links: readonly (WholeMap | undefined)[];
  private readonly rated = new Map<string, RatedTiling | undefined>();
  private readonly memo = new FusionMemo();
  private readonly points = new Map<string, FusionPoint[]>();
  private readonly byChannels = new Map<string, ChannelPass | undefined>();
  private readonly states: Map<string, State>[];

  constructor(
    private readonly steps: readonly Step[],
    outputs: readonly string[],
    private readonly machine: MachineConfig,
    private readonly values: ValueSizes,
    private readonly rule: KeepRule,
  ) {
    const { bytes } = machine.buffers.feature;
    this.featureBytes = bytes - (bytes % values.elementBytes);
    this.links = steps.map((_, index) => this.linkBefore(index, outputs));
    this.states = steps.map(() => new Map());
    const stored = steps.find(
      (step, index) => step.inputKind === 'virtualFeatureMaps' && this.links[index + 1] === undefined,
    );
    if (rule === 'condensed' && stored !== undefined) {
      throw new InputError(
        `layer '${stored.name}': its stored maps can't be condensed as they are read, expected a crossChannelPool unit for them and one layer that reads the result`,
      );
    }
    this.states.push(new Map());
  }

  plan(): TiledStep[] {
    this.reach(0, { held: nothing, objective: 0, last: undefined });
    for (let index = 0; index < this.steps.length; index++) {
      for (const state of pareto([...this.states[index]!.values()])) {
        this.planAlone(index, state);
        this.planPasses(index, state);
        this.planByChannels(index, state);
      }
    }
    let state = this.states[this.steps.length]!.values().next().value;
    if (state === undefined) {
      const most = Math.max(...this.links.map((link) => link?.bytes ?? 0));
      throw new InputError(
        `machine '${this.machine.name}' can't hold the maps that are condensed when they are read, expected a feature buffer of at least ${most} bytes, or weights and rings that fit beside each other`,
      );
    }
    const plans: ((pass: number) => TiledStep[])[] = [];
    while (state.last !== undefined) {
      plans.unshift(state.last.plan);
      state = state.last.from;
    }
    return plans.flatMap((plan, pass) => plan(pass));
  }

  private linkBefore(index: number, outputs: readonly string[]): WholeMap | undefined {
    const producer = this.steps[index - 1];
    const step = this.steps[index]!;
    if (producer === undefined || step.inputs.length !== 1 || step.inputs[0] !== producer.output)
      return undefined;
    const readers = this.steps.filter(({ inputs }) => inputs.includes(producer.output));
    if (readers.length > 1 || outputs.includes(producer.output)) return undefined;
    if (this.rule === 'condensed' && producer.inputKind !== 'virtualFeatureMaps') return undefined;
    // A stored virtual map is stored: that is what it is compared for.
    if (producer.outputKind === 'virtualFeatureMaps') return undefined;
    const { outputChannels, outputShape } = producer;
    if (outputChannels.total !== outputShape[0]) return undefined;
    if (step.inputShape.some((size, axis) => size !== outputShape[axis])) return undefined;
    if (!canBeFused(step) || !canBeFused({ ...producer, inputs: [producer.inputs[0]!] })) return undefined;
    const work = workloadOf(step);
    const [channels, rows] = step.inputShape;
    // A band's first row is counted from the map's.
    if (inputRowsFor(step, work, { first: 0, end: step.convolvedShape[1] }).first !== 0) return undefined;
    const rowPitch = rowPitches(step, work, this.machine, this.values.elementBytes)[0]!;
    const planePitch = rows * rowPitch;
    return { channels, rowPitch, planePitch, bytes: channels * planePitch };
  }

  private reach(index: number, state: State): void {
    const { kept, end } = state.held;
    const link = this.links[index];
    if (this.rule === 'condensed' && link !== undefined && kept < link.channels) return;
    const key = kept === 0 ? '' : `${kept}${end}`;
    const known = this.states[index]!.get(key);
    if (known === undefined || state.objective < known.objective) this.states[index]!.set(key, state);
  }

  /** A pass of one step. */
  private planAlone(index: number, state: State): void {
    const step = this.steps[index]!;
    const input = this.links[index];
    const output = this.links[index + 1];
    const { held } = state;
    if (held.kept === 0) {
      // The input is loaded into slots; what is kept of the output lies below them.
      this.tryAlone(index, state, nothing, { isWholeMap: false, isInPlace: false });
      if (output !== undefined && output.bytes <= this.featureBytes) {
        const whole = step.inputs.length * (input?.bytes ?? this.tightBytes(step));
        const besides = Math.floor((this.featureBytes - whole) / output.planePitch);
        for (const kept of new Set([output.channels, Math.min(besides, output.channels)])) {
          if (kept > 0)
            this.tryAlone(index, state, { kept, end: 'low' }, { isWholeMap: false, isInPlace: false });
        }
      }
    }
    if (input === undefined || input.bytes > this.featureBytes) return;
    if (held.kept > 0) this.tryAlone(index, state, nothing, { isWholeMap: true, isInPlace: false });
    if (output === undefined || output.bytes > this.featureBytes) return;
    const besides = Math.floor((this.featureBytes - input.bytes) / output.planePitch);
    const kept = Math.min(besides, output.channels);
    const other: End = held.end === 'low' ? 'high' : 'low';
    if (kept > 0 && held.kept > 0) {
      this.tryAlone(index, state, { kept, end: other }, { isWholeMap: true, isInPlace: false });
      if (kept < output.channels) this.planLate(index, state, besides, other);
    }
    if (this.canBeInPlace(step, input, output)) {
      const all = { kept: output.channels, end: held.end };
      this.tryAlone(index, state, all, { isWholeMap: true, isInPlace: true });
    }
  }

  /**
   * A pass whose last two tiles wait in the two slots of the output buffer until the input is no longer read, and then take
   * its place: so many more channels stay than have room beside it.
   */
  private planLate(index: number, state: State, besides: number, end: End): void {
    const { channels } = this.links[index + 1]!;
    const ratio = ratioOf(this.steps[index]!);
    const tileMaps = Math.max(1, Math.floor(this.machine.peArray.columns / ratio));
    if (channels % tileMaps !== 0) return;
    const kept = Math.min(channels, besides - (besides % tileMaps) + lateTiles * tileMaps);
    if (kept < lateTiles * tileMaps) return;
    this.tryAlone(index, state, { kept, end }, { isWholeMap: true, isInPlace: false, mostMaps: tileMaps });
  }

  /** Bytes of an input that no step before leaves on chip. */
  private tightBytes({ inputShape }: Step): number {
    return inputShape[0] * inputShape[1] * inputShape[2] * this.values.elementBytes;
  }

  private canBeInPlace(step: Step, input: WholeMap, output: WholeMap): boolean {
    const work = workloadOf(step);
    const isByChannel = work.channelsPerGroup === 1 && work.filtersPerGroup === 1;
    return (
      isByChannel &&
      step.convolution !== undefined &&
      input.channels === output.channels &&
      input.rowPitch === output.rowPitch &&
      input.planePitch === output.planePitch
    );
  }

  private tryAlone(
    index: number,
    from: State,
    out: Held,
    { isWholeMap, isInPlace, mostMaps }: Pick<TilingLimits, 'isWholeMap' | 'isInPlace' | 'mostMaps'>,
  ): void {
    const step = this.steps[index]!;
    const input = this.links[index];
    const output = this.links[index + 1];
    const outputBytes = out.kept === 0 ? 0 : out.kept * output!.planePitch;
    const limits: TilingLimits = {
      featureBytes: isWholeMap ? input!.bytes : this.featureBytes - outputBytes,
      isWholeMap,
      isInPlace,
      inputShare: isWholeMap ? 1 - from.held.kept / input!.channels : 1,
      outputShare: out.kept === 0 ? 1 : 1 - out.kept / output!.channels,
      ...(mostMaps === undefined ? {} : { mostMaps }),
    };
    const rated = this.rate(index, limits);
    if (rated === undefined) return;
    let lateMaps: RowRange | undefined;
    if (mostMaps !== undefined) {
      // Its tiles must be those that the channels were counted for.
      const [tile] = tilingSizes(step, rated.tiling, this.values).tiles;
      if (outputMaps(step, tile!) !== mostMaps || rated.tiling.outputSlots !== lateTiles) return;
      const { first, end } = keptChannels(output!, out);
      const late = lateTiles * mostMaps;
      lateMaps = out.end === 'low' ? { first: end - late, end } : { first, end: first + late };
    }
    const inputKept = isWholeMap ? keptChannels(input!, from.held) : nothingKept;
    const featureBase = isWholeMap ? addressOf(input!, from.held.end, this.featureBytes) : outputBytes;
    const places = {
      featureBase,
      ringRows: 0,
      planePitch: isWholeMap ? input!.planePitch : 0,
      inputKept,
      output: output && keptMapOf(output, out, this.featureBytes),
      ...(lateMaps === undefined ? {} : { lateMaps }),
      weightBase: 0,
      parameterBase: 0,
      accumulatorVector: 0,
    };
    this.reach(index + 1, {
      held: out,
      objective: from.objective + rated.cost.objective,
      last: {
        from,
        plan: (pass) => [{ step, tiling: rated.tiling, places: { ...places, pass }, estimate: rated.cost }],
      },
    });
  }

  private rate(index: number, limits: TilingLimits): RatedTiling | undefined {
    const key = `${index} ${JSON.stringify(limits)}`;
    if (!this.rated.has(key)) {
      const isPlain = !limits.isWholeMap && limits.outputShare === 1;
      const { best } = rankTilings(this.steps[index]!, this.machine, this.values, 1, limits, isPlain);
      this.rated.set(key, best[0]);
    }
    return this.rated.get(key);
  }

  /** Passes of this step and the next one, fused by channels. */
  private planByChannels(index: number, state: State): void {
    const between = this.links[index + 1];
    if (between === undefined) return;
    const input = this.links[index];
    const output = this.links[index + 2];
    const { held } = state;
    const isWholeMap = held.kept > 0;
    const inputBytes = isWholeMap ? input!.bytes : this.tightBytes(this.steps[index]!);
    for (const mostMaps of chunkMaps(this.steps[index]!, this.machine)) {
      const ringBytes = channelRingBytes(mostMaps, between.planePitch);
      const besides = this.featureBytes - inputBytes - ringBytes;
      const most =
        output === undefined ? 0 : Math.min(output.channels, Math.floor(besides / output.planePitch));
      for (const kept of new Set([0, Math.max(0, most)])) {
        const end: End = isWholeMap && held.end === 'low' ? 'high' : 'low';
        this.tryByChannels(index, state, kept === 0 ? nothing : { kept, end }, mostMaps);
      }
    }
  }

  private tryByChannels(index: number, from: State, out: Held, mostMaps: number): void {
    const [writer, reader] = [this.steps[index]!, this.steps[index + 1]!];
    const [input, between, output] = [this.links[index], this.links[index + 1]!, this.links[index + 2]];
    const isWholeMap = from.held.kept > 0;
    const outputBytes = out.kept === 0 ? 0 : out.kept * output!.planePitch;
    const ringBytes = channelRingBytes(mostMaps, between.planePitch);
    const rest = this.featureBytes - outputBytes - ringBytes;
    if (isWholeMap && input!.bytes > rest) return;
    const limits: ChannelLimits = {
      featureBytes: isWholeMap ? input!.bytes : rest,
      isWholeMap,
      mostMaps,
      rowPitch: between.rowPitch,
      inputShare: isWholeMap ? 1 - from.held.kept / input!.channels : 1,
      outputShare: out.kept === 0 ? 1 : 1 - out.kept / output!.channels,
    };
    const key = `${index} ${JSON.stringify(limits)}`;
    if (!this.byChannels.has(key)) {
      this.byChannels.set(key, fuseByChannels(writer, reader, this.machine, this.values, limits));
    }
    const fused = this.byChannels.get(key);
    if (fused === undefined) return;
    // The ring lies beside what is kept at the low end.
    const low = isWholeMap && from.held.end === 'low' ? input!.bytes : outputBytes;
    const places = {
      featureBase: isWholeMap ? addressOf(input!, from.held.end, this.featureBytes) : low + ringBytes,
      planePitch: isWholeMap ? input!.planePitch : 0,
      inputKept: isWholeMap ? keptChannels(input!, from.held) : nothingKept,
      ringBase: low,
      ringPitch: between.planePitch,
      output: output && keptMapOf(output, out, this.featureBytes),
    };
    this.reach(index + 2, {
      held: out,
      objective: from.objective + fused.cost.objective,
      last: { from, plan: (pass) => placeByChannels([writer, reader], fused, { ...places, pass }) },
    });
  }

  /** Passes of several steps that begin with this one. */
  private planPasses(index: number, state: State): void {
    const { held } = state;
    const input = this.links[index];
    const isInputKept = held.kept > 0;
    if (!canBeFused(this.steps[index]!) || (isInputKept && held.kept < input!.channels)) return;
    for (let end = index + 2; end <= this.steps.length && this.links[end - 1] !== undefined; end++) {
      // Longer passes only need more of every buffer.
      if (!this.planPass(index, end, state, isInputKept ? input : undefined)) return;
    }
  }

  /** Tries one pass [first, end) in all its forms; false if none fits. */
  private planPass(first: number, end: number, from: State, keptInput: WholeMap | undefined): boolean {
    const steps = this.steps.slice(first, end);
    const output = this.links[end];
    const free = this.featureBytes - (keptInput?.bytes ?? 0);
    const keptEnd: End = keptInput !== undefined && from.held.end === 'low' ? 'high' : 'low';
    let fits = false;
    const lastRows = steps.at(-1)!.outputShape[1];
    const isInputKept = keptInput !== undefined;
    // Where there is more to choose for each, fewer numbers of rows are tried.
    const hasDepthwise = steps.some((step) => computesDepthwise(step, this.machine, this.values));
    const rowsBehind = (rows: number): number =>
      hasDepthwise ? 2 * rows : rows < 8 ? rows + 1 : rows + Math.ceil(rows / 4);
    for (let rows = 1; rows <= lastRows; rows = rowsBehind(rows)) {
      let fitsRows = false;
      const pass = { lastRows: rows, isInputKept };
      let points = this.pointsOf(first, end, { ...pass, isLastStreamed: false });
      if (points.length === 0) points = this.pointsOf(first, end, { ...pass, isLastStreamed: true });
      for (const { choice, ringBytes } of points) {
        if (ringBytes > free) continue;
        fitsRows = true;
        const attempt = (outputShare: number): FusedPass =>
          fuseSteps(steps, this.machine, this.values, { ...choice, outputShare }, this.memo)!;
        this.reachPass(first, end, from, keptInput, attempt(1), nothing);
        if (output === undefined || output.bytes > this.featureBytes) continue;
        const kept = Math.min(output.channels, Math.floor((free - ringBytes) / output.planePitch));
        if (kept <= 0) continue;
        const keeping = attempt(1 - kept / output.channels);
        this.reachPass(first, end, from, keptInput, keeping, { kept, end: keptEnd });
      }
      fits ||= fitsRows;
      if (!fitsRows && rows > 1) break;
    }
    return fits;
  }

  private pointsOf(
    first: number,
    end: number,
    pass: Pick<FusionChoice, 'lastRows' | 'isInputKept' | 'isLastStreamed'>,
  ): FusionPoint[] {
    const key = `${first} ${end} ${JSON.stringify(pass)}`;
    let points = this.points.get(key);
    if (points === undefined) {
      const steps = this.steps.slice(first, end);
      points = fusionPoints(steps, this.machine, this.values, pass, this.featureBytes, this.memo);
      this.points.set(key, points);
    }
    return points;
  }

  private reachPass(
    first: number,
    end: number,
    from: State,
    keptInput: WholeMap | undefined,
    fused: FusedPass,
    out: Held,
  ): void {
    const steps = this.steps.slice(first, end);
    const output = this.links[end];
    const outputBytes = out.kept === 0 ? 0 : out.kept * output!.planePitch;
    // Rings lie between what is kept at the two ends.
    const low =
      keptInput !== undefined && from.held.end === 'low'
        ? keptInput.bytes
        : out.kept > 0 && out.end === 'low'
          ? outputBytes
          : 0;
    const input = keptInput && {
      address: addressOf(keptInput, from.held.end, this.featureBytes),
      planePitch: keptInput.planePitch,
    };
    this.reach(end, {
      held: out,
      objective: from.objective + fused.cost.objective,
      last: {
        from,
        plan: (pass) => {
          const placed = placeFused(steps, pass, fused, low, input);
          const last = placed.at(-1)!;
          const kept = output && keptMapOf(output, out, this.featureBytes);
          const all = [...placed.slice(0, -1), { ...last, places: { ...last.places!, output: kept } }];
          return all.map((tiled, at) => (at === 0 ? { ...tiled, estimate: fused.cost } : tiled));
        },
      },
    });
  }
}

/** States that no other beats in both cost and what is kept; and always the one with nothing kept, from which every step can go on. */
function pareto(states: readonly State[]): State[] {
  const sorted = [...states].sort((a, b) => a.objective - b.objective || b.held.kept - a.held.kept);
  const left: State[] = [];
  for (const state of sorted) {
    if (
      state.held.kept === 0 ||
      left.every((other) => other.held.kept < state.held.kept || other.held.end !== state.held.end)
    ) {
      left.push(state);
    }
  }
  return left;
}
