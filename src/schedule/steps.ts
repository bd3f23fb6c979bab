/**
 * From layers to steps. A step is one pass of feature maps from DRAM through the machine and back:
 *
 *   array or stream -> requantise (with activation) -> cross-channel pooling -> spatial pooling -> write-back
 *
 * Layers are fused into a step in this order as far as the machine has the units. Cross-channel pooling that
 * cannot ride in the pipe (no unit, or switched off) becomes a step of its own: the maps that would have been
 * virtual are stored, read back, and their maxima kept. A spatial maximum behind it stays in the first step's
 * pipe, because maxima commute; an average does not and follows the second step.
 */
import { InputError } from '../core/diagnostics.ts';
import { product } from '../core/integers.ts';
import type { Shape } from '../graph/graph.ts';
import type { ConvolutionGeometry, PoolingGeometry } from '../graph/op.ts';
import type { TrafficKind } from '../hw/isa/formats.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import type { Layer, LayeredNetwork } from '../quant/layers.ts';

export interface Step {
  /** The first layer's name; unique. */
  readonly name: string;
  /** The first layer's operator. */
  readonly operator: string;
  readonly layers: readonly Layer[];
  /** Tensor read and tensor written; a stored virtual map is called `<step>/virtual`. */
  readonly input: string;
  readonly output: string;
  /** Shapes as this step sees the maps; the layout in DRAM is [row][channel][column]. */
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  /** Shape before cross-channel and spatial pooling. */
  readonly convolvedShape: Shape;
  /** Absent: the map streams past the array. */
  readonly convolution: ConvolutionGeometry | undefined;
  /** The layer whose parameter records the requantiser uses; absent: values pass unchanged. */
  readonly requantised: Layer | undefined;
  /** Maps a group of cross-channel pooling; 1 = none. */
  readonly ratio: number;
  readonly pooling: PoolingGeometry | undefined;
  readonly inputKind: TrafficKind;
  readonly outputKind: TrafficKind;
  readonly macs: number;
}

export interface StepOptions {
  /** Keep virtual feature maps on chip where the machine can; false stores them as a machine without the unit would. */
  readonly virtualFeatureMaps: boolean;
}

/** Splits the network into steps for a machine. Throws `InputError` when the machine lacks a unit it needs. */
export function planSteps(network: LayeredNetwork, machine: MachineConfig, options: StepOptions): Step[] {
  const planner = new StepPlanner(network, machine, options);
  return planner.plan();
}

class StepPlanner {
  private readonly steps: Step[] = [];
  private readonly readers = new Map<string, Layer[]>();
  private readonly isOutput: Set<string>;

  constructor(
    private readonly network: LayeredNetwork,
    private readonly machine: MachineConfig,
    private readonly options: StepOptions,
  ) {
    this.isOutput = new Set(network.graph.outputs);
    for (const layer of network.layers) {
      const readers = this.readers.get(layer.input) ?? [];
      readers.push(layer);
      this.readers.set(layer.input, readers);
    }
  }

  plan(): Step[] {
    const done = new Set<Layer>();
    for (const layer of this.network.layers) {
      if (done.has(layer)) continue;
      for (const fused of this.planFrom(layer)) done.add(fused);
    }
    return this.steps;
  }

  /** The layer behind `layer` if it is the only reader of its output and the output is not the network's. */
  private follower(layer: Layer): Layer | undefined {
    const readers = this.readers.get(layer.output) ?? [];
    return readers.length === 1 && !this.isOutput.has(layer.output) ? readers[0] : undefined;
  }

  /** Plans the step that begins with `layer`, and the passes it needs behind it; returns the layers it covers. */
  private planFrom(layer: Layer): Layer[] {
    const { work } = layer;
    if (work.stage === 'crossChannel') return this.planCrossChannel(layer, layer.input, layer.inputShape);

    const fused: Layer[] = [layer];
    let pooling = work.stage === 'pool' ? work.pooling : undefined;
    let ratio = 1;
    let next = this.follower(layer);
    let stored: Layer | undefined;
    if (pooling === undefined && next?.work.stage === 'crossChannel') {
      if (this.canReduceInPipe(layer, next)) {
        ratio = next.work.ratio;
        fused.push(next);
        next = this.follower(next);
      } else {
        stored = next;
        next = this.follower(next);
      }
    }
    if (pooling === undefined && next?.work.stage === 'pool') {
      const commutes = stored === undefined || next.work.pooling.kind === 'maximum';
      if (commutes && this.machine.postProcessing.spatialPool !== null) {
        pooling = next.work.pooling;
        fused.push(next);
      }
    }
    if (pooling !== undefined) this.checkPooling(fused.at(-1)!, pooling);

    const convolvedShape = work.stage === 'pool' ? layer.inputShape : layer.outputShape;
    const [, rows, columns] = pooling === undefined ? convolvedShape : fused.at(-1)!.outputShape;
    const outputShape: Shape = [convolvedShape[0] / ratio, rows, columns];
    const output = stored === undefined ? fused.at(-1)!.output : `${layer.name}/virtual`;
    this.steps.push({
      name: layer.name,
      operator: layer.node.op.name,
      layers: fused,
      input: layer.input,
      output,
      inputShape: layer.inputShape,
      outputShape,
      convolvedShape,
      convolution: work.stage === 'array' ? work.convolution : undefined,
      requantised: work.stage === 'pool' ? undefined : layer,
      ratio,
      pooling,
      inputKind: 'inputFeatureMaps',
      outputKind: stored === undefined ? 'outputFeatureMaps' : 'virtualFeatureMaps',
      macs: layer.macs,
    });
    if (stored === undefined) return fused;
    // The stored maps were pooled already if a pool is among the fused layers; its tensor is then this pass's output.
    const pooled = pooling === undefined ? undefined : fused.at(-1)!;
    const behind = this.planCrossChannel(stored, output, outputShape, pooled);
    return [...fused, ...behind];
  }

  /** A pass that keeps the maxima of groups of stored maps. `pooled`: a pooling layer that was done before it. */
  private planCrossChannel(layer: Layer, input: string, inputShape: Shape, pooled?: Layer): Layer[] {
    const { crossChannelPool, spatialPool } = this.machine.postProcessing;
    if (layer.work.stage !== 'crossChannel') throw new Error('internal: not a cross-channel layer');
    const { ratio } = layer.work;
    const [channels, rows, columns] = inputShape;
    const common = {
      name: layer.name,
      operator: layer.node.op.name,
      input,
      convolution: undefined,
      requantised: undefined,
      inputKind: input.endsWith('/virtual') ? 'virtualFeatureMaps' : 'inputFeatureMaps',
      outputKind: 'outputFeatureMaps',
      macs: 0,
    } as const;
    if (crossChannelPool !== null && ratio <= crossChannelPool.maximumRatio) {
      const fused = [layer];
      let outputShape: Shape = [channels / ratio, rows, columns];
      const next = pooled === undefined ? this.follower(layer) : undefined;
      let pooling: PoolingGeometry | undefined;
      if (next?.work.stage === 'pool' && spatialPool !== null) {
        pooling = next.work.pooling;
        this.checkPooling(next, pooling);
        fused.push(next);
        outputShape = next.outputShape;
      }
      const output = (pooled ?? fused.at(-1)!).output;
      this.steps.push({
        ...common,
        layers: fused,
        output,
        inputShape,
        convolvedShape: inputShape,
        outputShape,
        ratio,
        pooling,
      });
      return fused;
    }
    if (spatialPool === null || ratio > spatialPool.maximumWindow) {
      throw new InputError(
        `layer '${layer.name}': machine '${this.machine.name}' can't pool ${ratio} maps across channels, ` +
          `expected a crossChannelPool unit of maximumRatio ${ratio} or a spatialPool unit of maximumWindow ${ratio}`,
      );
    }
    // In DRAM the rows of a group's maps lie below each other, so the maximum over a group is a spatial maximum
    // of `ratio` rows in a single map of channels * rows rows.
    const pooling: PoolingGeometry = {
      kind: 'maximum',
      window: [ratio, 1],
      stride: [ratio, 1],
      padding: { top: 0, bottom: 0, left: 0, right: 0 },
      countIncludesPadding: false,
    };
    const tall: Shape = [1, channels * rows, columns];
    this.steps.push({
      ...common,
      layers: [layer],
      output: (pooled ?? layer).output,
      inputShape: tall,
      convolvedShape: tall,
      outputShape: [1, (channels / ratio) * rows, columns],
      ratio: 1,
      pooling,
    });
    return [layer];
  }

  private canReduceInPipe(layer: Layer, reduction: Layer): boolean {
    const unit = this.machine.postProcessing.crossChannelPool;
    if (!this.options.virtualFeatureMaps || unit === null || reduction.work.stage !== 'crossChannel')
      return false;
    const { ratio } = reduction.work;
    if (ratio > unit.maximumRatio) return false;
    // The unit sees the filters of one convolution group after the other: a group of maps must not span two.
    const { work } = layer;
    return work.stage !== 'array' || (work.convolution.filters / work.convolution.groups) % ratio === 0;
  }

  private checkPooling(layer: Layer, pooling: PoolingGeometry): void {
    const unit = this.machine.postProcessing.spatialPool;
    const window = Math.max(...pooling.window);
    if (unit !== null && window <= unit.maximumWindow) return;
    throw new InputError(
      `layer '${layer.name}': machine '${this.machine.name}' can't pool windows of ${pooling.window.join('x')}, ` +
        `expected a spatialPool unit of maximumWindow ${window} or more`,
    );
  }
}

/** Bytes of a feature map in DRAM. */
export function mapBytes(shape: Shape): number {
  return product(shape);
}

/**
 * The most bytes of feature maps alive in DRAM at any step: what the step reads and writes, and what later steps
 * or the user still need.
 */
export function peakFeatureMapBytes(steps: readonly Step[], outputs: readonly string[]): number {
  const lastUse = new Map<string, number>();
  steps.forEach((step, index) => {
    lastUse.set(step.input, index);
  });
  for (const output of outputs) lastUse.set(output, steps.length);
  const bytes = new Map<string, number>();
  let peak = 0;
  steps.forEach((step, index) => {
    if (!bytes.has(step.input)) bytes.set(step.input, mapBytes(step.inputShape));
    bytes.set(step.output, mapBytes(step.outputShape));
    let alive = 0;
    for (const size of bytes.values()) alive += size;
    peak = Math.max(peak, alive);
    for (const name of [...bytes.keys()]) {
      if ((lastUse.get(name) ?? -1) <= index) bytes.delete(name);
    }
  });
  return peak;
}
