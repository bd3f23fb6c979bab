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
import { product, sum } from '../core/integers.ts';
import type { Node, Shape } from '../graph/graph.ts';
import type {
  ConvolutionGeometry,
  CrossChannelReduction,
  PoolingGeometry,
  Rearrangement,
} from '../graph/op.ts';
import { type CrossChannelPoolConfig, openGroups } from '../hw/cross-channel-pool/config.ts';
import type { TrafficKind } from '../hw/isa/formats.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import type { Layer, LayeredNetwork, LayerWork } from '../quant/layers.ts';
import type { NumberOptions } from '../quant/quantised.ts';

export interface Step {
  /** The first layer's name; unique. */
  readonly name: string;
  /** The first layer's operator. */
  readonly operator: string;
  readonly layers: readonly Layer[];
  /** Tensors read, several for a sum, and tensor written; a stored virtual map is called `<step>/virtual`. */
  readonly inputs: readonly string[];
  readonly output: string;
  /** Shapes as this step sees the maps (all inputs alike); the layout in DRAM is [row][channel][column]. */
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  /** Shape before cross-channel and spatial pooling. */
  readonly convolvedShape: Shape;
  /** Absent: the map streams past the array. */
  readonly convolution: ConvolutionGeometry | undefined;
  /** How a streamed map is read. */
  readonly reading: StreamReading;
  /**
   * The step sees its maps under other shapes than the steps around it: both lie [channel][row][column], in which order
   * they are the same.
   */
  readonly isFlat?: boolean;
  /** The layer whose parameter records the requantiser uses; absent: values pass unchanged. */
  readonly requantised: Layer | undefined;
  readonly reduction: CrossChannelReduction | undefined;
  /** How the machine's unit does the reduction: groups kept open, and whether it takes a group's columns at once. */
  readonly reducedBy: ReductionUnit | undefined;
  readonly pooling: PoolingGeometry | undefined;
  /** Channels of the output map that this step writes: [first, first + outputShape[0]) of `total`. */
  readonly outputChannels: { readonly first: number; readonly total: number };
  readonly inputKind: TrafficKind;
  readonly outputKind: TrafficKind;
  readonly macs: number;
}

/** What of the cross-channel pooling unit the schedule depends on. */
export type ReductionUnit = Pick<CrossChannelPoolConfig, 'form' | 'depth' | 'position'>;

/** Which values of a map a stream reads; plain reading takes every value once. */
export interface StreamReading {
  /** Of every `rowStep` rows in DRAM the one at `rowOffset` is loaded; row r of the step is row r * rowStep + rowOffset. */
  readonly rowStep: number;
  readonly rowOffset: number;
  /** Of every `columnStep` columns the one at `columnOffset` is read. */
  readonly columnStep: number;
  readonly columnOffset: number;
  /** Output rows (columns) that read the same input row (column). */
  readonly repeatRows: number;
  readonly repeatColumns: number;
}

const plainReading: StreamReading = {
  rowStep: 1,
  rowOffset: 0,
  columnStep: 1,
  columnOffset: 0,
  repeatRows: 1,
  repeatColumns: 1,
};

/** The node whose function the step looks up, if it does. */
export function tableOf({ requantised }: Step): Node | undefined {
  const work = requantised?.work;
  return work?.stage === 'array' || work?.stage === 'activation' ? work.table : undefined;
}

/** Maps a group of cross-channel pooling; 1 = none. */
export function ratioOf(step: Step): number {
  return step.reduction?.ratio ?? 1;
}

/**
 * Groups of maps whose filters take turns in a tile of `filters` filters (of one group of the convolution): 1 = none do.
 * Streamed maps are read in their order.
 */
export function interleaveOf(step: Step, filters: number): number {
  if (step.reducedBy === undefined || step.convolution === undefined) return 1;
  return openGroups(step.reducedBy, filters / ratioOf(step));
}

/** Steps of one pass in one name: the first one's, and if there are more, the last one's. */
export function passName(steps: readonly Step[]): string {
  const [first, last] = [steps[0]!.name, steps.at(-1)!.name];
  return steps.length === 1 ? first : `${first}..${last}`;
}

export interface StepOptions {
  /** Keep virtual feature maps on chip where the machine can; false stores them as a machine without the unit would. */
  readonly virtualFeatureMaps: boolean;
  /** How weights are scaled; a unit in front of the requantiser needs groups that share a scale. Default 'per channel'. */
  readonly weightScales?: NumberOptions['weightScales'] | undefined;
  /** How stored ones move, and where pooling happens; default 'a'. */
  readonly convention?: StoredConvention | undefined;
}

/**
 * What a machine that stores the maps in front of cross-channel pooling does with them:
 * - `a`: spatial maximum in the pipe, pooled maps stored; a second pass reads them, keeps the maxima and stores those;
 * - `b`: the same maps stored; the maxima are taken when the next layer reads them, and never stored;
 * - `ii`: unpooled maps stored; a second pass takes both maxima and stores them;
 * - `iii`: unpooled maps stored; both maxima are taken when the next layer reads them;
 * - `e`: as `ii`, and spatial pooling is a second pass everywhere, also where virtual maps stay on chip.
 */
export const storedConventions = ['a', 'b', 'ii', 'iii', 'e'] as const;
export type StoredConvention = (typeof storedConventions)[number];

/** Whether pooling of stored maps waits for the pass behind them. */
function poolsLate(convention: StoredConvention): boolean {
  return convention === 'ii' || convention === 'iii' || convention === 'e';
}

/** Whether the next layer's read condenses stored maps: the condensed map then stays on chip. */
export function condensesOnRead(options: StepOptions): boolean {
  return !options.virtualFeatureMaps && (options.convention === 'b' || options.convention === 'iii');
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
    this.isOutput = new Set(network.machineOutputs);
    for (const layer of network.layers) {
      for (const input of layer.inputs) this.readers.set(input, [...(this.readers.get(input) ?? []), layer]);
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
    switch (work.stage) {
      case 'crossChannel':
        return this.planCrossChannel(layer, work.reduction, layer.inputs[0]!, layer.inputShapes[0]!);
      case 'join':
        return this.planConcat(layer);
      case 'rearrange':
        return this.planRearrangement(layer, work.rearrangement);
      default:
        return this.planFused(layer);
    }
  }

  /** A convolution, sum, activation or pooling with what rides in its pipe. */
  private planFused(layer: Layer): Layer[] {
    const { work } = layer;
    const fused: Layer[] = [layer];
    let pooling = work.stage === 'pool' ? work.pooling : undefined;
    let reduction: CrossChannelReduction | undefined;
    let next = this.follower(layer);
    let stored: { layer: Layer; reduction: CrossChannelReduction } | undefined;
    if (pooling === undefined && next?.work.stage === 'crossChannel') {
      if (this.canReduceInPipe(layer, next.work.reduction)) {
        reduction = next.work.reduction;
        fused.push(next);
      } else {
        stored = { layer: next, reduction: next.work.reduction };
      }
      next = this.follower(next);
    }
    if (pooling === undefined && next?.work.stage === 'pool') {
      const commutes =
        stored === undefined || (next.work.pooling.kind === 'maximum' && stored.reduction.kind === 'maximum');
      // The pipe knows one zero point: behind a table, padding that counts would need another.
      const padsBehindTable =
        next.work.pooling.countIncludesPadding && (work.stage === 'array' || work.stage === 'activation')
          ? work.table !== undefined
          : false;
      const { convention = 'a' } = this.options;
      const isLate = convention === 'e' || (stored !== undefined && poolsLate(convention));
      if (commutes && !isLate && !padsBehindTable && this.machine.postProcessing.spatialPool !== null) {
        pooling = next.work.pooling;
        fused.push(next);
      }
    }
    if (pooling !== undefined) this.checkPooling(fused.at(-1)!, pooling);

    const convolvedShape = work.stage === 'pool' ? layer.inputShapes[0]! : layer.outputShape;
    const [, rows, columns] = pooling === undefined ? convolvedShape : fused.at(-1)!.outputShape;
    const outputShape: Shape = [convolvedShape[0] / (reduction?.ratio ?? 1), rows, columns];
    const output = stored === undefined ? fused.at(-1)!.output : `${layer.name}/virtual`;
    this.steps.push({
      name: layer.name,
      operator: layer.node.op.name,
      layers: fused,
      inputs: layer.inputs,
      output,
      inputShape: layer.inputShapes[0]!,
      outputShape,
      convolvedShape,
      convolution: work.stage === 'array' ? work.convolution : undefined,
      reading: plainReading,
      requantised: work.stage === 'pool' ? undefined : layer,
      reduction,
      reducedBy: reduction && this.unit,
      pooling,
      outputChannels: { first: 0, total: outputShape[0] },
      inputKind: 'inputFeatureMaps',
      outputKind: stored === undefined ? 'outputFeatureMaps' : 'virtualFeatureMaps',
      macs: layer.macs,
    });
    if (stored === undefined) return fused;
    // The stored maps were pooled already if a pool is among the fused layers; its tensor is then this pass's output.
    const pooled = pooling === undefined ? undefined : fused.at(-1)!;
    return [...fused, ...this.planCrossChannel(stored.layer, stored.reduction, output, outputShape, pooled)];
  }

  /** A pass that reduces groups of stored maps. `pooled`: a pooling layer that was done before it. */
  private planCrossChannel(
    layer: Layer,
    reduction: CrossChannelReduction,
    input: string,
    inputShape: Shape,
    pooled?: Layer,
  ): Layer[] {
    const { spatialPool } = this.machine.postProcessing;
    const { ratio, kind } = reduction;
    const [channels, rows, columns] = inputShape;
    const common = {
      name: layer.name,
      operator: layer.node.op.name,
      inputs: [input],
      convolution: undefined,
      reading: plainReading,
      requantised: undefined,
      inputKind: input.endsWith('/virtual') ? 'virtualFeatureMaps' : 'inputFeatureMaps',
      outputKind: 'outputFeatureMaps',
      macs: 0,
    } as const;
    if (this.unitReducesStreams(reduction)) {
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
      this.steps.push({
        ...common,
        layers: fused,
        output: (pooled ?? fused.at(-1)!).output,
        inputShape,
        convolvedShape: inputShape,
        outputShape,
        outputChannels: { first: 0, total: outputShape[0] },
        reduction,
        reducedBy: this.unit,
        pooling,
      });
      return fused;
    }
    const needsAverage = kind !== 'maximum';
    if (spatialPool === null || ratio > spatialPool.maximumWindow || (needsAverage && !spatialPool.average)) {
      throw new InputError(
        `layer '${layer.name}': machine '${this.machine.name}' can't take the ${kind} of ${ratio} maps across channels, ` +
          `expected a crossChannelPool unit for it or a spatialPool unit of maximumWindow ${ratio}${needsAverage ? ' with average' : ''}`,
      );
    }
    // In DRAM the rows of a group's maps lie below each other, so the maximum (mean) over a group is a spatial one of
    // `ratio` rows in a single map of channels * rows rows.
    const pooling: PoolingGeometry = {
      kind: kind === 'maximum' ? 'maximum' : 'average',
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
      outputChannels: { first: 0, total: 1 },
      reduction: undefined,
      reducedBy: undefined,
      pooling,
    });
    return [layer];
  }

  /** One pass an input: it is requantised to the output's scale and written to its channels of the output. */
  private planConcat(layer: Layer): Layer[] {
    let first = 0;
    layer.inputs.forEach((input, index) => {
      const shape = layer.inputShapes[index]!;
      this.steps.push({
        ...this.passOver(layer, `${layer.name}/${index}`, input, shape),
        outputShape: shape,
        convolvedShape: shape,
        reading: plainReading,
        requantised: layer,
        outputChannels: { first, total: layer.outputShape[0] },
      });
      first += shape[0];
    });
    return [layer];
  }

  /** Values move, none changes: one pass, or one for each place in a block that becomes channels. */
  private planRearrangement(layer: Layer, rearrangement: Rearrangement): Layer[] {
    const input = layer.inputs[0]!;
    const [channels, rows, columns] = layer.inputShapes[0]!;
    const { outputShape } = layer;
    if (rearrangement.kind === 'upsample') {
      const [repeatRows, repeatColumns] = rearrangement.factor;
      this.steps.push({
        ...this.passOver(layer, layer.name, input, layer.inputShapes[0]!),
        outputShape,
        convolvedShape: outputShape,
        reading: { ...plainReading, repeatRows, repeatColumns },
        requantised: undefined,
        outputChannels: { first: 0, total: channels },
      });
      return [layer];
    }
    const { block } = rearrangement;
    const isFlat = rearrangement.kind === 'flatBlocksToChannels';
    // Flat, the channels that a pass reads lie below each other as one tall map, and so do those that it makes.
    const tall = (channels / block ** 2) * rows;
    const read: Shape = isFlat ? [1, tall, columns * block] : [channels, rows / block, columns];
    const part: Shape = isFlat ? [1, tall, columns] : [channels, outputShape[1], outputShape[2]];
    for (let place = 0; place < block * block; place++) {
      const rowOffset = Math.floor(place / block);
      const columnOffset = place % block;
      this.steps.push({
        ...this.passOver(layer, `${layer.name}/${place}`, input, read),
        outputShape: part,
        convolvedShape: part,
        reading: { ...plainReading, rowStep: block, rowOffset, columnStep: block, columnOffset },
        requantised: undefined,
        outputChannels: { first: place * part[0], total: block ** 2 * part[0] },
        ...(isFlat && { isFlat }),
      });
    }
    return [layer];
  }

  private passOver(layer: Layer, name: string, input: string, inputShape: Shape) {
    return {
      name,
      operator: layer.node.op.name,
      layers: [layer],
      inputs: [input],
      output: layer.output,
      inputShape,
      convolution: undefined,
      reduction: undefined,
      reducedBy: undefined,
      pooling: undefined,
      inputKind: 'inputFeatureMaps',
      outputKind: 'outputFeatureMaps',
      macs: 0,
    } as const;
  }

  private canReduceInPipe(layer: Layer, reduction: CrossChannelReduction): boolean {
    if (!this.options.virtualFeatureMaps || !this.unitReduces(reduction)) return false;
    if (layer.work.stage !== 'array') return this.unitReducesStreams(reduction);
    if (this.unit?.position === 'before' && !this.keepsOrder(layer.work)) return false;
    // The unit sees the filters of one convolution group after the other: a group of maps must not span two.
    const { convolution } = layer.work;
    return (convolution.filters / convolution.groups) % reduction.ratio === 0;
  }

  private get unit(): CrossChannelPoolConfig | undefined {
    return this.machine.postProcessing.crossChannelPool ?? undefined;
  }

  /**
   * Whether what follows the sums of a layer's group is one function that never falls: then it makes no difference on which
   * side of it the maximum is taken. A table may fall; the requantiser does not, but each filter has its own unless scales
   * are shared.
   */
  private keepsOrder(work: Extract<LayerWork, { readonly stage: 'array' }>): boolean {
    const { weightScales = 'per channel' } = this.options;
    return work.table === undefined && weightScales !== 'per channel';
  }

  /** Whether the machine's cross-channel unit can do this reduction of columns that leave the array. */
  private unitReduces({ kind, ratio }: CrossChannelReduction): boolean {
    const { unit } = this;
    if (unit === undefined || ratio > unit.maximumRatio) return false;
    if (kind !== 'maximum' && !unit.mean) return false;
    if (unit.form === 'running') return true;
    return Number.isInteger(Math.log2(ratio)) && this.machine.peArray.columns % ratio === 0;
  }

  /**
   * Whether it can do it with maps that stream past the array. They come one after the other, and are activations: a tree
   * takes neighbours, and a unit in front of the requantiser takes sums.
   */
  private unitReducesStreams(reduction: CrossChannelReduction): boolean {
    const { unit } = this;
    return unit?.form === 'running' && unit.position === 'after' && this.unitReduces(reduction);
  }

  private checkPooling(layer: Layer, pooling: PoolingGeometry): void {
    const unit = this.machine.postProcessing.spatialPool;
    const window = Math.max(...pooling.window);
    if (unit !== null && window <= unit.maximumWindow) {
      if (pooling.kind === 'maximum' || unit.average) return;
      throw new InputError(
        `layer '${layer.name}': machine '${this.machine.name}' can't take averages, ` +
          'expected a spatialPool unit with average: true',
      );
    }
    throw new InputError(
      `layer '${layer.name}': machine '${this.machine.name}' can't pool windows of ${pooling.window.join('x')}, ` +
        `expected a spatialPool unit of maximumWindow ${window} or more`,
    );
  }
}

/** Values of the whole map that a step writes (part of), and of one that it reads. */
export function outputMapValues({ outputChannels, outputShape }: Step): number {
  return outputChannels.total * outputShape[1] * outputShape[2];
}

export function inputMapValues({ inputShape, reading }: Step): number {
  return product(inputShape) * reading.rowStep;
}

/**
 * The last step that reads each tensor; the network's outputs are read by the user, after the last one. `passEnds`: the last
 * step of the pass that a step belongs to. A map lives until its reader's pass is over.
 */
export function lastUses(
  steps: readonly Step[],
  outputs: readonly string[],
  passEnds: readonly number[] = steps.map((_, index) => index),
): Map<string, number> {
  const lastUse = new Map<string, number>();
  steps.forEach((step, index) => {
    for (const input of step.inputs) lastUse.set(input, passEnds[index]!);
  });
  for (const output of outputs) lastUse.set(output, steps.length);
  return lastUse;
}

/** What of the maps lies in DRAM at all. */
export interface DramShares {
  /** Of 1, by tensor; maps that are not named lie there as a whole. */
  readonly shares: ReadonlyMap<string, number>;
  /** The last step of the pass that each step belongs to. */
  readonly passEnds: readonly number[];
}

/**
 * The most bytes of feature maps alive in DRAM at any step: what the step reads and writes, and what later steps
 * or the user still need. A map exists as a whole from the first step that writes a part of it, a given one from the start.
 */
export function peakFeatureMapBytes(
  steps: readonly Step[],
  outputs: readonly string[],
  elementBytes: number,
  inDram?: DramShares,
  given: readonly { readonly name: string; readonly shape: Shape }[] = [],
): number {
  const lastUse = lastUses(steps, outputs, inDram?.passEnds);
  const share = (name: string): number => inDram?.shares.get(name) ?? 1;
  const values = new Map<string, number>(given.map(({ name, shape }) => [name, product(shape)]));
  let peak = 0;
  steps.forEach((step, index) => {
    for (const name of step.inputs)
      if (!values.has(name)) values.set(name, inputMapValues(step) * share(name));
    values.set(step.output, outputMapValues(step) * share(step.output));
    peak = Math.max(peak, sum([...values.values()]));
    for (const name of [...values.keys()]) {
      if ((lastUse.get(name) ?? -1) <= index) values.delete(name);
    }
  });
  return Math.round(peak) * elementBytes;
}
