/**
 * Which steps are fused into one pass, row by row, and how they share the buffers.
 *
 * Steps of a pass hold all their weights and records; every map between them has a ring of rows in the feature buffer. The
 * last one computes `lastRows` rows at a time, each step before it the rows that the next one then takes in. The last one's
 * weights may come anew for every band instead, if there are several tiles of filters: its bands are tall then, and its ring too.
 */
import { containerBytes } from '../core/fixed-point.ts';
import { alignUp, ceilDiv, sum } from '../core/integers.ts';
import { beatBytes } from '../hw/buffers/beats.ts';
import { idleLatencyNs, peakBandwidthMBps } from '../hw/dram/config.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import { lineBufferBytes } from '../hw/spatial-pool/spatial-pool.ts';
import {
  fusedBandRows,
  fusedOutputSlots,
  streamedParameterSlots,
  streamedWeightSlots,
} from './fused-emitter.ts';
import {
  convolvedRowsFor,
  inputRowsFor,
  pieces,
  tileRecordBytes,
  type ValueSizes,
  type Workload,
  workloadOf,
} from './geometry.ts';
import type { TiledStep } from './layout.ts';
import { ratioOf, type Step, tableOf } from './steps.ts';
import {
  type CostEstimate,
  collectsSums,
  computesDepthwise,
  estimateCost,
  maximumTileRows,
  outputMaps,
  rowPitches,
  type Tiling,
  tileSumBytes,
  tilingSizes,
  trafficWeight,
} from './tiling.ts';

/** Steps cut for one pass, and where everything but the first input and the last output lies. */
export interface FusedPass {
  readonly tilings: readonly Tiling[];
  /** Rows of each step's ring; 0 for the first one's whole map. */
  readonly ringRows: readonly number[];
  readonly ringBytes: readonly number[];
  readonly weightBases: readonly number[];
  readonly parameterBases: readonly number[];
  readonly cost: CostEstimate;
}

export interface FusionChoice {
  /** Output rows of the last step that are computed at a time. */
  readonly lastRows: number;
  /** Least rows of each step's bands in depthwise mode, which reads rows of the halo again for every band. */
  readonly depthwiseRows: readonly number[];
  /**
   * Each step's ring has room for another band, so that no step waits for the one before to finish its last rows, if that
   * takes at most so many bytes.
   */
  readonly slackBytes: readonly number[];
  /** The last step's weights come anew for every band of `lastRows` rows, tile by tile; the others' are resident. */
  readonly isLastStreamed: boolean;
  /** The first input is on chip as a whole. */
  readonly isInputKept: boolean;
  /** Share of the last output that goes to DRAM. */
  readonly outputShare: number;
}

/** Whether a step can be one of several in a pass, whatever the sizes. */
export function canBeFused(step: Step): boolean {
  const work = workloadOf(step);
  return work.operands === 1 && work.repeatRows === 1 && step.reading.rowStep === 1;
}

/** What a search asks again and again for the same step and rows. */
export class FusionMemo {
  private readonly known = new Map<Step, Map<string, unknown>>();

  /** What `make` gave for the step and key before, or gives now. */
  get<T>(step: Step, key: string, make: () => T): T {
    let ofStep = this.known.get(step);
    if (ofStep === undefined) {
      ofStep = new Map();
      this.known.set(step, ofStep);
    }
    if (!ofStep.has(key)) ofStep.set(key, make());
    return ofStep.get(key) as T;
  }
}

/** Cuts the steps for one pass; undefined if the buffers, the feature buffer left out, are too small. */
export function fuseSteps(
  steps: readonly Step[],
  machine: MachineConfig,
  values: ValueSizes,
  choice: FusionChoice,
  memo: FusionMemo,
): FusedPass | undefined {
  if (steps.filter((step) => tableOf(step) !== undefined).length > 1) return undefined;
  const last = steps.length - 1;
  const isStreamed = (index: number): boolean => choice.isLastStreamed && index === last;
  const resident = steps.map((step, index) => (isStreamed(index) ? 0 : weightBytes(step, values)));
  if (sum(resident) > machine.buffers.weight.bytes) return undefined;
  const rows = bandRows(steps, choice, machine, values);
  const tilings: Tiling[] = [];
  for (const [index, step] of steps.entries()) {
    const tiling = memo.get(step, `tiling ${rows[index]!} ${isStreamed(index)}`, () =>
      isStreamed(index)
        ? tileStreamed(step, machine, values, rows[index]!)
        : tileStage(step, machine, values, rows[index]!),
    );
    if (tiling === undefined) return undefined;
    tilings.push(tiling);
  }
  const slots = isStreamed(last) ? tilingSizes(steps[last]!, tilings[last]!, values) : undefined;
  const weights = resident.map((bytes, index) =>
    isStreamed(index) ? streamedWeightSlots * slots!.weightSlotBytes : bytes,
  );
  if (sum(weights) > machine.buffers.weight.bytes) return undefined;
  const records = steps.map((step, index) =>
    isStreamed(index)
      ? streamedParameterSlots * slots!.parameterSlotBytes
      : recordBytes(step, tilings[index]!, values),
  );
  if (sum(records) > machine.buffers.parameter.bytes) return undefined;

  const rings = steps.map((step, index) => {
    const tiling = tilings[index]!;
    const before = tilings[index - 1];
    const slack = choice.slackBytes[index]!;
    if (before === undefined && choice.isInputKept) return { rows: 0, hasSlack: true };
    const { least, more } = memo.get(step, `ring ${before?.tileRows} ${fusedBandRows(tiling)}`, () =>
      before === undefined ? inputRing(step, tiling) : ringBetween(steps[index - 1]!, before, step, tiling),
    );
    const hasSlack = (more - least) * step.inputShape[0] * tiling.rowPitch <= slack;
    return { rows: hasSlack ? more : least, hasSlack };
  });
  const ringRows = rings.map((ring) => ring.rows);
  const ringBytes = steps.map(
    (step, index) => step.inputShape[0] * ringRows[index]! * tilings[index]!.rowPitch,
  );
  return {
    tilings,
    ringRows,
    ringBytes,
    weightBases: runningSums(weights),
    parameterBases: runningSums(records),
    cost: passCost(
      steps,
      tilings,
      machine,
      values,
      choice,
      rings.map((ring) => ring.hasSlack),
      weights[0]! + (choice.isInputKept ? 0 : ringBytes[0]!),
      memo,
    ),
  };
}

function runningSums(sizes: readonly number[]): number[] {
  let at = 0;
  return sizes.map((size) => {
    const start = at;
    at += size;
    return start;
  });
}

/** Output rows of each step's bands: what a band of the next step newly takes in, or what an output slot holds. */
function bandRows(
  steps: readonly Step[],
  { lastRows, depthwiseRows, isLastStreamed }: FusionChoice,
  machine: MachineConfig,
  values: ValueSizes,
): number[] {
  const rows = new Array<number>(steps.length);
  let taken = lastRows;
  for (let index = steps.length - 1; index >= 0; index--) {
    const step = steps[index]!;
    const mapRow = step.outputShape[2] * values.elementBytes;
    // A streamed step's bands are computed in several tiles of rows.
    const fits =
      isLastStreamed && index === steps.length - 1
        ? step.outputShape[1]
        : Math.floor(outputSlotBytes(machine) / (mapRow * smallestTile(step, machine)));
    const wanted = computesDepthwise(step, machine, values)
      ? taken * Math.max(1, Math.round(depthwiseRows[index]! / taken))
      : taken;
    rows[index] = Math.max(1, Math.min(wanted, step.outputShape[1], fits));
    taken = rows[index]! * (step.pooling?.stride[0] ?? 1) * workloadOf(step).strideRows;
  }
  return rows;
}

function outputSlotBytes({ buffers }: MachineConfig): number {
  return Math.floor(buffers.output.bytes / fusedOutputSlots);
}

/** Maps of a tile that fills the columns; of groups with fewer filters, those of one group. */
function smallestTile(step: Step, { peArray }: MachineConfig): number {
  const ratio = ratioOf(step);
  const whole = Math.max(ratio, peArray.columns - (peArray.columns % ratio));
  return Math.min(whole, workloadOf(step).filtersPerGroup) / ratio;
}

/** A step of a pass: all of its input and weights on chip, tiles of `rows` rows and as many filters as an output slot takes. */
function tileStage(step: Step, machine: MachineConfig, values: ValueSizes, rows: number): Tiling | undefined {
  const work = workloadOf(step);
  const { buffers, peArray } = machine;
  const slot = outputSlotBytes(machine);
  const ratio = ratioOf(step);
  const { pooling } = step;
  const [, outputRows, outputColumns] = step.outputShape;
  const mapBytes = rows * outputColumns * values.elementBytes;
  const poolBytes =
    pooling === undefined
      ? 0
      : lineBufferBytes(
          pooling.kind,
          pooling.window[0],
          pooling.stride[0],
          outputColumns,
          1,
          values.elementBytes,
        );
  const convolved = pooling === undefined ? rows : (rows - 1) * pooling.stride[0] + pooling.window[0];
  if (convolved > maximumTileRows) return undefined;
  const filterSumBytes = collectsSums(step, machine, values)
    ? tileSumBytes(step, machine, values, rows, 1)
    : 0;
  const mostMaps = Math.min(
    Math.floor(slot / mapBytes),
    filterSumBytes === 0
      ? Number.POSITIVE_INFINITY
      : Math.floor(buffers.accumulator.bytes / filterSumBytes / ratio),
    poolBytes === 0 ? Number.POSITIVE_INFINITY : Math.floor(buffers.pool.bytes / poolBytes),
  );
  let groupsPerTile = 1;
  let { filtersPerGroup: filtersPerTile } = work;
  const mapsPerGroup = work.filtersPerGroup / ratio;
  if (work.groups > 1 && mapsPerGroup <= mostMaps) {
    groupsPerTile = evenPart(work.groups, Math.floor(mostMaps / mapsPerGroup), 1);
  } else if (work.filtersPerGroup / ratio > mostMaps) {
    // Whole blocks of columns, and whole groups of the cross-channel pool.
    const whole = Math.max(ratio, peArray.columns - (peArray.columns % ratio));
    const unit = whole <= mostMaps * ratio ? whole : ratio;
    if (unit > mostMaps * ratio) return undefined;
    filtersPerTile = evenPart(work.filtersPerGroup, mostMaps * ratio, unit);
  }
  const tileCount = ceilDiv(work.groups, groupsPerTile) * ceilDiv(work.filtersPerGroup, filtersPerTile);
  return {
    groupsPerTile,
    filtersPerTile,
    channelsPerChunk: work.channelsPerGroup,
    bandRows: outputRows,
    tileRows: rows,
    rowPitch: rowPitches(step, work, machine, values.elementBytes)[0]!,
    planePadding: 0,
    inputResident: true,
    weightsResident: true,
    inputSlots: 1,
    weightSlots: tileCount,
    parameterSlots: tileCount,
    outputSlots: fusedOutputSlots,
    isDepthwise: computesDepthwise(step, machine, values),
  };
}

/** A step whose weights come anew for every band: tiles of filters that fill the columns, of as many rows as an output slot takes. */
function tileStreamed(
  step: Step,
  machine: MachineConfig,
  values: ValueSizes,
  bandRows: number,
): Tiling | undefined {
  const work = workloadOf(step);
  if (step.convolution === undefined || work.groups > 1) return undefined;
  const mapRow = step.outputShape[2] * values.elementBytes;
  const most = Math.floor(outputSlotBytes(machine) / (mapRow * smallestTile(step, machine)));
  if (most === 0) return undefined;
  const tileRows = ceilDiv(bandRows, ceilDiv(bandRows, most));
  const ratio = ratioOf(step);
  const tile = tileStage(step, machine, values, tileRows);
  if (tile === undefined) return undefined;
  const filtersPerTile = Math.min(work.filtersPerGroup, ratio * smallestTile(step, machine));
  if (filtersPerTile > tile.filtersPerTile || filtersPerTile === work.filtersPerGroup) return undefined;
  return {
    ...tile,
    filtersPerTile,
    bandRows,
    weightsResident: false,
    weightSlots: streamedWeightSlots,
    parameterSlots: streamedParameterSlots,
  };
}

/** `total` in as few parts as `most` allows, all but the last alike and multiples of `unit`. */
function evenPart(total: number, most: number, unit: number): number {
  const fits = most - (most % unit);
  return Math.min(total, alignUp(ceilDiv(total, ceilDiv(total, fits)), unit));
}

function weightBytes(step: Step, values: ValueSizes): number {
  if (step.convolution === undefined) return 0;
  const { channelsPerGroup, kernelRows, kernelColumns } = workloadOf(step);
  return step.convolution.filters * channelsPerGroup * kernelRows * kernelColumns * values.weightBytes;
}

function recordBytes(step: Step, tiling: Tiling, values: ValueSizes): number {
  const work = workloadOf(step);
  return (
    ceilDiv(work.groups * work.filtersPerGroup, tiling.groupsPerTile * tiling.filtersPerTile) *
    tileRecordBytes(step, work, tiling.groupsPerTile * tiling.filtersPerTile, values)
  );
}

/** First and last input row of every band of a step. */
function* bandInputs(step: Step, work: Workload, tiling: Tiling) {
  for (const band of pieces(step.outputShape[1], fusedBandRows(tiling))) {
    yield inputRowsFor(step, work, convolvedRowsFor(step, band));
  }
}

/** Rows of a ring at least, and with slack. */
interface RingSize {
  readonly least: number;
  readonly more: number;
}

/** Rows of the first input that a band needs, with slack also those that the next one adds. */
function inputRing(step: Step, tiling: Tiling): RingSize {
  const inputs = [...bandInputs(step, workloadOf(step), tiling)];
  const rowsWith = (more: number): number =>
    Math.max(
      ...inputs.map(({ first }, band) => inputs[Math.min(band + more, inputs.length - 1)]!.end - first),
    );
  return { least: rowsWith(0), more: rowsWith(1) };
}

/** Rows that must fit between two steps: what a band reads, up to the end of the producer's band; with slack one more. */
function ringBetween(producer: Step, producerTiling: Tiling, consumer: Step, tiling: Tiling): RingSize {
  const all = producer.outputShape[1];
  const made = producerTiling.tileRows;
  const inputs = [...bandInputs(consumer, workloadOf(consumer), tiling)];
  const rowsWith = (more: number): number =>
    Math.max(...inputs.map(({ first, end }) => Math.min(all, alignUp(end, made) + more) - first));
  return { least: rowsWith(0), more: rowsWith(made) };
}

/** Estimated cost of a pass; see `estimateCost`. */
function passCost(
  steps: readonly Step[],
  tilings: readonly Tiling[],
  machine: MachineConfig,
  values: ValueSizes,
  { isInputKept, outputShare }: FusionChoice,
  hasSlack: readonly boolean[],
  firstBytes: number,
  memo: FusionMemo,
): CostEstimate {
  const costs = steps.map((step, index) => {
    const tiling = tilings[index]!;
    const shares = {
      inputShare: index === 0 && !isInputKept ? 1 : 0,
      outputShare: index === steps.length - 1 ? outputShare : 0,
    };
    const key = `cost ${tiling.bandRows} ${tiling.tileRows} ${tiling.weightsResident} ${shares.inputShare} ${shares.outputShare}`;
    return memo.get(step, key, () => {
      const cost = estimateCost(step, machine, values, tiling, shares);
      return { ...cost, computeCycles: cost.computeCycles * rowsShare(step, tiling) };
    });
  });
  const total = (part: (cost: CostEstimate) => number): number => sum(costs.map(part));
  const computeCycles = total((cost) => cost.computeCycles);
  const dramCycles = total((cost) => cost.dramCycles);
  // Without slack a step waits for the last rows of the one before, unless another can run meanwhile: of more than two
  // every second time, as it turns out.
  const bands = steps.map((step, index) => ceilDiv(step.outputShape[1], fusedBandRows(tilings[index]!)));
  const waits = steps.map((_, index) =>
    index === 0 || hasSlack[index]
      ? 0
      : Math.min(bands[index]!, bands[index - 1]!) *
        lastRowsCycles(steps[index - 1]!, tilings[index - 1]!, machine) *
        (steps.length > 2 ? 0.5 : 1),
  );
  const { dram, clockMHz } = machine;
  // The array begins when the first rows and weights are in, and ends before the last rows are out.
  const exposedCycles =
    (firstBytes * clockMHz) / peakBandwidthMBps(dram) +
    2 * ceilDiv(idleLatencyNs(dram) * clockMHz, 1000) +
    sum(waits);
  const cycles = Math.max(computeCycles, dramCycles) + exposedCycles;
  return {
    objective: cycles + trafficWeight * dramCycles,
    cycles,
    computeCycles,
    dramCycles,
    exposedCycles,
    inputBytes: total((cost) => cost.inputBytes),
    weightBytes: total((cost) => cost.weightBytes),
    outputBytes: total((cost) => cost.outputBytes),
  };
}

/** Rows of a step's map, of those that its tiles would have if none was shorter than the others. */
function rowsShare({ outputShape }: Step, tiling: Tiling): number {
  const rows = outputShape[1];
  const bandRows = fusedBandRows(tiling);
  const tiles = ceilDiv(rows, bandRows) * ceilDiv(bandRows, tiling.tileRows);
  return rows / (tiles * tiling.tileRows);
}

/** From the end of a band until its rows are in the ring. */
function lastRowsCycles(step: Step, tiling: Tiling, machine: MachineConfig): number {
  const { peArray, postProcessing, dma } = machine;
  const maps = outputMaps(step, {
    firstGroup: 0,
    groups: tiling.groupsPerTile,
    firstFilter: 0,
    filters: tiling.filtersPerTile,
  });
  const beatValues =
    Math.min(beatBytes(machine, 'output'), beatBytes(machine, 'feature')) /
    containerBytes(peArray.activationBits);
  const beats = maps * tiling.tileRows * ceilDiv(step.outputShape[2], beatValues);
  return (
    peArray.columns + peArray.pipelineDepth + postProcessing.pipelineDepth + dma.descriptorCycles + 2 + beats
  );
}

/** The steps of a pass with their places: rings from `base` on, the first input there too unless it is kept elsewhere. */
export function placeFused(
  steps: readonly Step[],
  pass: number,
  fused: FusedPass,
  base: number,
  keptInput: { readonly address: number; readonly planePitch: number } | undefined,
): TiledStep[] {
  let at = base;
  const addresses = fused.ringBytes.map((bytes, index) => {
    if (index === 0 && keptInput !== undefined) return keptInput.address;
    const start = at;
    at += bytes;
    return start;
  });
  return steps.map((step, index): TiledStep => {
    const next = steps[index + 1];
    const nextTiling = fused.tilings[index + 1];
    const channels = step.inputShape[0];
    return {
      step,
      tiling: fused.tilings[index]!,
      places: {
        pass,
        fusedBy: 'rows',
        featureBase: addresses[index]!,
        ringRows: fused.ringRows[index]!,
        planePitch:
          index === 0 && keptInput !== undefined
            ? keptInput.planePitch
            : fused.ringRows[index]! * fused.tilings[index]!.rowPitch,
        inputKept: { first: 0, end: index > 0 || keptInput !== undefined ? channels : 0 },
        output:
          next === undefined || nextTiling === undefined
            ? undefined
            : {
                channels: { first: 0, end: next.inputShape[0] },
                address: addresses[index + 1]!,
                rowPitch: nextTiling.rowPitch,
                planePitch: fused.ringRows[index + 1]! * nextTiling.rowPitch,
                ringRows: fused.ringRows[index + 1]!,
                ringChannels: 0,
              },
        weightBase: fused.weightBases[index]!,
        parameterBase: fused.parameterBases[index]!,
        accumulatorVector: 0,
      },
    };
  });
}
