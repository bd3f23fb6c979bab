/**
 * How a step is cut to fit the buffers, and the search for a good cut.
 *
 * Loop order: bands of output rows; filter tiles; channel chunks; tiles of rows. A band's input is either resident
 * (loaded once, with its halo) or loaded anew for every filter tile and chunk; weights are either resident for
 * the whole step or loaded anew for every band. Rows of the halo are read again by the next band.
 */
import { InputError } from '../core/diagnostics.ts';
import { alignUp, ceilDiv, greatestCommonDivisor, product } from '../core/integers.ts';
import { beatBytes } from '../hw/buffers/beats.ts';
import { columnsAtOnce } from '../hw/cross-channel-pool/config.ts';
import { idleLatencyNs, peakBandwidthMBps } from '../hw/dram/config.ts';
import { fieldMaximum } from '../hw/isa/encode.ts';
import type { BufferName } from '../hw/isa/formats.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import type { Dataflow } from '../hw/pe-array/dataflows/dataflow.ts';
import { dataflowOf } from '../hw/pe-array/dataflows/index.ts';
import { outputStationary } from '../hw/pe-array/dataflows/output-stationary.ts';
import { depthwiseLanes } from '../hw/pe-array/depthwise.ts';
import { lineBufferBytes } from '../hw/spatial-pool/spatial-pool.ts';
import {
  convolvedRowsFor,
  type FilterTile,
  filterTiles,
  inputRowsFor,
  pieces,
  type RowRange,
  tileRecordBytes,
  tileWeightBytes,
  type ValueSizes,
  type Workload,
  workloadOf,
} from './geometry.ts';
import { Shortages, shortageText } from './shortages.ts';
import { ratioOf, type Step } from './steps.ts';

export interface Tiling {
  readonly groupsPerTile: number;
  readonly filtersPerTile: number;
  readonly channelsPerChunk: number;
  /** Output rows (after pooling) of a band, and of the tiles it is computed in. */
  readonly bandRows: number;
  readonly tileRows: number;
  /** Bytes from row to row in the feature buffer. */
  readonly rowPitch: number;
  /** Bytes between channels there that hold nothing, to keep the channels that a step reads on different banks. */
  readonly planePadding: number;
  readonly inputResident: boolean;
  readonly weightsResident: boolean;
  /** Slots that are used in turn; 2 lets a transfer overlap with the compute of the other slot. */
  readonly inputSlots: number;
  readonly weightSlots: number;
  readonly parameterSlots: number;
  readonly outputSlots: number;
  /** Whether the array computes in depthwise mode. */
  readonly isDepthwise: boolean;
}

/** Everything about a tiling that both the cost and the program need. */
export interface TilingSizes {
  readonly tiles: readonly FilterTile[];
  readonly chunks: readonly RowRange[];
  readonly bands: readonly RowRange[];
  readonly planePitch: number;
  /** Of one operand; a slot holds all operands of a sum, one after the other. */
  readonly operandBytes: number;
  readonly inputSlotBytes: number;
  readonly weightSlotBytes: number;
  readonly parameterSlotBytes: number;
  readonly outputSlotBytes: number;
}

export const maximumTileRows = fieldMaximum('compute', 'outRows');

export function tilingSizes(step: Step, tiling: Tiling, values: ValueSizes): TilingSizes {
  const work = workloadOf(step);
  const tiles = filterTiles(work, tiling.groupsPerTile, tiling.filtersPerTile);
  const chunks = [...pieces(work.channelsPerGroup, tiling.channelsPerChunk)];
  const bands = [...pieces(step.outputShape[1], tiling.bandRows)];
  const planePitch = tallestInput(step, work, tiling.bandRows) * tiling.rowPitch + tiling.planePadding;
  const largest = tiles[0]!;
  const channelsLoaded = tiling.inputResident ? step.inputShape[0] : largest.groups * tiling.channelsPerChunk;
  return {
    tiles,
    chunks,
    bands,
    planePitch,
    operandBytes: channelsLoaded * planePitch,
    inputSlotBytes: work.operands * channelsLoaded * planePitch,
    weightSlotBytes: tileWeightBytes(step, work, largest, tiling.channelsPerChunk, values),
    parameterSlotBytes: tileRecordBytes(step, work, largest.groups * largest.filters, values),
    outputSlotBytes: outputMaps(step, largest) * tiling.tileRows * step.outputShape[2] * values.elementBytes,
  };
}

/** Maps a tile writes, after cross-channel pooling. */
export function outputMaps(step: Step, tile: FilterTile): number {
  return (tile.groups * tile.filters) / ratioOf(step);
}

/** By step and rows of a band: the search asks for every tiling of a band again. */
const tallestInputs = new WeakMap<Step, Map<number, number>>();

/** Input rows that all bands of `bandRows` output rows read, those of the halo once a band. */
function inputRowsRead(step: Step, work: Workload, bandRows: number): number {
  let rows = 0;
  for (const band of pieces(step.outputShape[1], bandRows)) {
    const input = inputRowsFor(step, work, convolvedRowsFor(step, band));
    rows += input.end - input.first;
  }
  return rows;
}

/** Input rows of a step's first `rows` output rows. */
function firstTileRows(step: Step, work: Workload, rows: number): number {
  const end = Math.min(rows, step.outputShape[1]);
  const input = inputRowsFor(step, work, convolvedRowsFor(step, { first: 0, end }));
  return input.end - input.first;
}

/** The most input rows any band of `bandRows` output rows needs. */
function tallestInput(step: Step, work: Workload, bandRows: number): number {
  let known = tallestInputs.get(step);
  if (known === undefined) {
    known = new Map();
    tallestInputs.set(step, known);
  }
  let most = known.get(bandRows);
  if (most !== undefined) return most;
  most = 0;
  for (const band of pieces(step.outputShape[1], bandRows)) {
    const input = inputRowsFor(step, work, convolvedRowsFor(step, band));
    most = Math.max(most, input.end - input.first);
  }
  known.set(bandRows, most);
  return most;
}

/** What a schedule that keeps maps on chip asks of a step's tiling. */
export interface TilingLimits {
  /** Bytes of the feature buffer that the input may take. */
  readonly featureBytes: number;
  /** The whole input has its place on chip already: one band, and nothing of the buffer is asked for. */
  readonly isWholeMap: boolean;
  /** The output takes the input's place, channel by channel: a tile has all rows of its channels. */
  readonly isInPlace: boolean;
  /** Maps of a tile at most; such a tile has all rows. Absent: no such limit. */
  readonly mostMaps?: number;
  /** Shares of the input and the output that cross the DRAM port. */
  readonly inputShare: number;
  readonly outputShare: number;
}

function noLimits(machine: MachineConfig): TilingLimits {
  const featureBytes = machine.buffers.feature.bytes;
  return { featureBytes, isWholeMap: false, isInPlace: false, inputShare: 1, outputShare: 1 };
}

/**
 * Whether the array computes a step in depthwise mode. Its tree adds the taps at once, so no sum on the way may leave the
 * accumulator, where the other modes would saturate.
 */
export function computesDepthwise(step: Step, machine: MachineConfig, values: ValueSizes): boolean {
  const work = workloadOf(step);
  if (step.convolution === undefined || work.channelsPerGroup > 1 || work.filtersPerGroup > 1) return false;
  if (work.dilationRows > 1 || work.dilationColumns > 1 || ratioOf(step) > 1 || step.pooling !== undefined) {
    return false;
  }
  const { peArray } = machine;
  const productBits = 8 * values.elementBytes + 1 + 8 * values.weightBytes;
  const treeBits = Math.ceil(Math.log2(work.kernelRows * work.kernelColumns));
  if (productBits + treeBits >= peArray.accumulatorBits) return false;
  return depthwiseLanes(peArray, work.kernelRows, work.kernelColumns, work.strideColumns) > 0;
}

/** The best tiling found, or an `InputError` that says which buffer is too small for even the smallest tile. */
export function chooseTiling(step: Step, machine: MachineConfig, values: ValueSizes): Tiling {
  return rankTilings(step, machine, values, 1).best[0]!.tiling;
}

/** A tiling and what it is thought to cost. */
export interface RatedTiling {
  readonly tiling: Tiling;
  readonly cost: CostEstimate;
}

/**
 * The `count` best tilings, cheapest first, and how many there were to choose from; an `InputError` if there is none. Of
 * equal ones the first found wins, so the order is the same every time. With `mustFit` false none is no error.
 */
export function rankTilings(
  step: Step,
  machine: MachineConfig,
  values: ValueSizes,
  count: number,
  limits: TilingLimits = noLimits(machine),
  mustFit = true,
): { best: readonly RatedTiling[]; candidates: number } {
  checkCommandRanges(step);
  const best: RatedTiling[] = [];
  const shortages = new Shortages(machine);
  let found = 0;
  for (const tiling of candidates(step, machine, values, shortages, limits)) {
    found++;
    const cost = estimateCost(step, machine, values, tiling, limits);
    if (best.length === count && cost.objective >= best[count - 1]!.cost.objective) continue;
    const place = best.findIndex((other) => cost.objective < other.cost.objective);
    best.splice(place < 0 ? best.length : place, 0, { tiling, cost });
    best.length = Math.min(best.length, count);
  }
  if (found === 0 && mustFit) {
    const text = shortageText(
      machine,
      (other, noted) => candidates(step, other, values, noted, noLimits(other)).next().done !== true,
    );
    throw new InputError(`layer '${step.name}' doesn't fit machine '${machine.name}': ${text}`);
  }
  return { best, candidates: found };
}

/** Refuses a step whose geometry no command can hold. */
function checkCommandRanges(step: Step): void {
  const work = workloadOf(step);
  const check = (what: string, value: number, most: number): void => {
    if (value > most) {
      throw new InputError(
        `layer '${step.name}': ${what} of ${value}, expected at most ${most} on any machine`,
      );
    }
  };
  check('width', Math.max(step.inputShape[2], step.convolvedShape[2]), fieldMaximum('compute', 'columns'));
  check('kernel', Math.max(work.kernelRows, work.kernelColumns), fieldMaximum('compute', 'kernelRows'));
  check('stride', Math.max(work.strideRows, work.strideColumns), fieldMaximum('compute', 'strideRows'));
  check(
    'dilation',
    Math.max(work.dilationRows, work.dilationColumns),
    fieldMaximum('compute', 'dilationRows'),
  );
  check('repetition', Math.max(work.repeatRows, work.repeatColumns), fieldMaximum('compute', 'repeatRows'));
  check('number of operands', work.operands, fieldMaximum('compute', 'operands'));
  check('padding', Math.max(work.padTop, Math.abs(work.padLeft)), fieldMaximum('compute', 'padLeft'));
  if (step.pooling !== undefined) {
    check('pooling stride', Math.max(...step.pooling.stride), fieldMaximum('postProcess', 'strideRows'));
  }
}

function* candidates(
  step: Step,
  machine: MachineConfig,
  values: ValueSizes,
  shortages: Shortages,
  limits: TilingLimits,
): Generator<Tiling> {
  const work = workloadOf(step);
  const { columns } = machine.peArray;
  const { buffers } = machine;
  const isDepthwise = computesDepthwise(step, machine, values);
  const isWhole = machine.memory === 'ideal-infinite';
  const collects = collectsSums(step, machine, values) && !isWhole;
  const allPitches = rowPitches(step, work, machine, values.elementBytes);
  const pitches = limits.isWholeMap ? allPitches.slice(0, 1) : allPitches;
  const residences = limits.isWholeMap ? [true] : [true, false];
  const counts = limits.isWholeMap || isWhole ? [1] : [...bandCounts(step.outputShape[1])];
  const bands = counts.flatMap((count) => {
    // Rows that repeat one input row stay in one tile.
    const bandRows = alignUp(ceilDiv(step.outputShape[1], count), work.repeatRows);
    if (convolvedRows(step, bandRows) > maximumTileRows) return [];
    return { bandRows, inputRows: tallestInput(step, work, bandRows) };
  });
  for (const { groupsPerTile, filtersPerTile } of tileSizes(
    work,
    ratioOf(step),
    columns,
    collects,
    isWhole,
  )) {
    const largest: FilterTile = {
      firstGroup: 0,
      groups: groupsPerTile,
      firstFilter: 0,
      filters: filtersPerTile,
    };
    const maps = outputMaps(step, largest);
    if (limits.mostMaps !== undefined && maps > limits.mostMaps) continue;
    const { pooling } = step;
    if (
      pooling !== undefined &&
      !shortages.fits(
        'pool',
        lineBufferBytes(
          pooling.kind,
          pooling.window[0],
          pooling.stride[0],
          step.outputShape[2],
          maps,
          values.elementBytes,
        ),
      )
    ) {
      continue;
    }
    const parameterTile = tileRecordBytes(step, work, groupsPerTile * filtersPerTile, values);
    if (!shortages.fits('parameter', parameterTile)) continue;
    const outputRow = maps * step.outputShape[2] * values.elementBytes;
    if (!shortages.fits('output', outputRow * work.repeatRows)) continue;

    for (const channelsPerChunk of isWhole
      ? [work.channelsPerGroup]
      : chunkSizes(step, work, groupsPerTile)) {
      const chunkWeights = tileWeightBytes(step, work, largest, channelsPerChunk, values);
      if (!shortages.fits('weight', chunkWeights)) continue;
      const isChunked = channelsPerChunk < work.channelsPerGroup;
      for (const { bandRows, inputRows } of bands) {
        if (isChunked) {
          // Partial sums of the whole band stay on chip between chunks, so the band is one tile.
          if (!shortages.fits('accumulator', tileSumBytes(step, machine, values, bandRows, filtersPerTile)))
            continue;
          if (!shortages.fits('output', bandRows * outputRow)) continue;
        }
        const mostRows = collects
          ? rowsOfSums(step, machine, values, bandRows, filtersPerTile, work.repeatRows)
          : bandRows;
        if (mostRows === 0) {
          shortages.fits('accumulator', tileSumBytes(step, machine, values, work.repeatRows, filtersPerTile));
          continue;
        }
        const { tileRows, outputSlots } = outputSlotting(
          bandRows,
          mostRows,
          outputRow,
          buffers.output.bytes,
          isChunked,
          work.repeatRows,
        );
        if ((limits.isInPlace || isWhole) && tileRows < bandRows) continue;
        if (limits.mostMaps !== undefined && tileRows < step.outputShape[1]) continue;
        for (const rowPitch of pitches) {
          for (const inputResident of residences) {
            const channels =
              work.operands * (inputResident ? step.inputShape[0] : groupsPerTile * channelsPerChunk);
            const planeBytes = inputRows * rowPitch;
            const planePadding = limits.isWholeMap ? 0 : padding(step, work, machine, values, planeBytes);
            const inputSlot = channels * (planeBytes + planePadding);
            if (!limits.isWholeMap && !shortages.fits('feature', inputSlot)) continue;
            if (inputSlot > limits.featureBytes) continue;
            const common = {
              groupsPerTile,
              filtersPerTile,
              channelsPerChunk,
              bandRows,
              tileRows,
              rowPitch,
              planePadding,
              inputResident,
              inputSlots: !limits.isWholeMap && 2 * inputSlot <= limits.featureBytes ? 2 : 1,
              outputSlots,
              isDepthwise,
            };
            const tileCount =
              ceilDiv(work.groups, groupsPerTile) * ceilDiv(work.filtersPerGroup, filtersPerTile);
            const pieceCount = tileCount * ceilDiv(work.channelsPerGroup, channelsPerChunk);
            const weightSlots = (count: number) => count * chunkWeights <= buffers.weight.bytes;
            const parameterSlots = (count: number) => count * parameterTile <= buffers.parameter.bytes;
            if (weightSlots(pieceCount) && parameterSlots(tileCount)) {
              yield { ...common, weightsResident: true, weightSlots: pieceCount, parameterSlots: tileCount };
            }
            // Records are still read while the tile drains, so a lone slot could never be refilled.
            if (!shortages.fits('parameter', 2 * parameterTile)) continue;
            yield {
              ...common,
              weightsResident: false,
              weightSlots: weightSlots(2) ? 2 : 1,
              parameterSlots: parameterSlots(3) ? 3 : 2,
            };
          }
        }
      }
    }
  }
}

/** Filters (or whole groups) computed together: as many as there are columns, in multiples of the pooled group. */
function* tileSizes(
  work: Workload,
  ratio: number,
  columns: number,
  collectsSums: boolean,
  isWhole: boolean,
): Generator<{ groupsPerTile: number; filtersPerTile: number }> {
  const { groups, filtersPerGroup } = work;
  if (groups > 1) {
    for (let count = groups; count > 1; count = ceilDiv(count, 2)) {
      yield { groupsPerTile: count, filtersPerTile: filtersPerGroup };
    }
  }
  const sizes = new Set<number>(isWhole ? [filtersPerGroup] : []);
  const whole = Math.max(ratio, columns - (columns % ratio));
  const level = (ratio / greatestCommonDivisor(ratio, columns)) * columns;
  for (const size of [whole, level, 2 * whole, 4 * whole, ratio]) {
    sizes.add(Math.min(size, filtersPerGroup));
  }
  // Sums of all the tile's filters wait in the accumulator buffer: fewer filters, more rows.
  for (let size = whole; collectsSums && size > ratio; size = alignUp(ceilDiv(size, 2), ratio)) {
    sizes.add(Math.min(size, filtersPerGroup));
  }
  for (const filtersPerTile of sizes) yield { groupsPerTile: 1, filtersPerTile };
}

/** Channels of a chunk: all, or ever smaller parts. Streams and tiles of several groups are never cut. */
function* chunkSizes(step: Step, work: Workload, groupsPerTile: number): Generator<number> {
  let size = work.channelsPerGroup;
  yield size;
  if (step.convolution === undefined || groupsPerTile > 1) return;
  while (size > 1) {
    size = ceilDiv(size, 2);
    yield size;
  }
}

/** Numbers of bands to try: every one up to 32, then ever coarser steps. */
function* bandCounts(rows: number): Generator<number> {
  let previousBandRows = 0;
  for (
    let count = 1;
    count <= rows;
    count = count < 32 ? count + 1 : Math.min(count + ceilDiv(count, 8), rows + 1)
  ) {
    const bandRows = ceilDiv(rows, count);
    if (bandRows !== previousBandRows) yield count;
    previousBandRows = bandRows;
  }
  if (previousBandRows !== 1) yield rows;
}

/** Row pitches to try: the one that keeps the reads of a step on different banks, and the tightest. */
export function rowPitches(
  step: Step,
  work: Workload,
  machine: MachineConfig,
  elementBytes: number,
): number[] {
  const columns = step.inputShape[2];
  const tightest = columns * elementBytes;
  const { banks } = machine.buffers.feature;
  if (banks === Number.POSITIVE_INFINITY) return [tightest];
  const { isRowPitchClean } = readingOf(step, machine);
  for (let pitch = columns; pitch < columns + banks; pitch++) {
    const placement = { ...work, channels: 1, outColumns: step.convolvedShape[2], rowPitch: pitch };
    if (isRowPitchClean(placement, machine.peArray, banks))
      return pitch === columns ? [tightest] : [pitch * elementBytes, tightest];
  }
  return [tightest];
}

/** The dataflow whose reads a step makes: vectors of pixels, as output-stationary ones, where it passes by the array. */
function readingOf(step: Step, { peArray }: MachineConfig): Dataflow {
  return step.convolution === undefined ? outputStationary : dataflowOf(peArray);
}

/** Bytes to add to a plane of `planeBytes` so that the channels which a step reads lie on different banks. */
function padding(
  step: Step,
  work: Workload,
  machine: MachineConfig,
  { elementBytes }: ValueSizes,
  planeBytes: number,
): number {
  const { banks } = machine.buffers.feature;
  if (banks === Number.POSITIVE_INFINITY || work.channelsPerGroup === 1) return 0;
  const residue = readingOf(step, machine).planeResidue(work, machine.peArray, banks);
  if (residue === undefined) return 0;
  const { remainder, modulus } = residue;
  const short = (remainder - planeBytes / elementBytes) % modulus;
  return (short < 0 ? short + modulus : short) * elementBytes;
}

/** Whether the sums of a tile collect in the accumulator buffer. */
export function collectsSums(step: Step, machine: MachineConfig, values: ValueSizes): boolean {
  const { keepsSums } = dataflowOf(machine.peArray);
  return step.convolution !== undefined && !keepsSums && !computesDepthwise(step, machine, values);
}

/** Bytes that the sums of `rows` output rows and some filters take in the accumulator buffer. */
export function tileSumBytes(
  step: Step,
  { peArray }: MachineConfig,
  { sumBytes }: ValueSizes,
  rows: number,
  filters: number,
): number {
  return sumBytes * alignUp(convolvedRows(step, rows) * step.convolvedShape[2], peArray.rows) * filters;
}

/** Output rows, at most `bandRows`, whose sums fit the accumulator buffer, in multiples of `unit`; twice if that leaves any. */
function rowsOfSums(
  step: Step,
  machine: MachineConfig,
  values: ValueSizes,
  bandRows: number,
  filters: number,
  unit: number,
): number {
  const rowsWithin = (bytes: number): number => {
    let rows = bandRows;
    while (rows > 0 && tileSumBytes(step, machine, values, rows, filters) > bytes) rows -= unit;
    return Math.max(0, rows);
  };
  const { bytes } = machine.buffers.accumulator;
  return rowsWithin(bytes / 2) || rowsWithin(bytes);
}

/** The most rows before pooling that `outputRows` output rows need. */
function convolvedRows(step: Step, outputRows: number): number {
  const { pooling } = step;
  if (pooling === undefined) return outputRows;
  return Math.min(step.convolvedShape[1], (outputRows - 1) * pooling.stride[0] + pooling.window[0]);
}

/**
 * Rows of the tiles a band is computed in, at most `mostRows`, and output slots: two slots if they take `unit` rows each (a chunked band:
 * the whole band), tiles as tall as a slot allows in multiples of `unit`, evenly spread over the band.
 */
function outputSlotting(
  bandRows: number,
  mostRows: number,
  rowBytes: number,
  bufferBytes: number,
  isChunked: boolean,
  unit: number,
): { tileRows: number; outputSlots: number } {
  if (isChunked) return { tileRows: bandRows, outputSlots: 2 * bandRows * rowBytes <= bufferBytes ? 2 : 1 };
  const outputSlots = 2 * unit * rowBytes <= bufferBytes ? 2 : 1;
  const fits = Math.floor(bufferBytes / outputSlots / rowBytes);
  const most = Math.min(mostRows, fits - (fits % unit));
  return { tileRows: alignUp(ceilDiv(bandRows, ceilDiv(bandRows, most)), unit), outputSlots };
}

/**
 * What a cycle of the DRAM weighs beside a cycle of the step. Hidden traffic costs no time but energy: at 24 bytes a cycle
 * some nanojoules, as much as several cycles of 256 elements. With 8, the shipped networks move at most 1.01 times the
 * layer-by-layer minimum, for a few thousandths of their speed.
 */
export const trafficWeight = 8;

/** What a tiling is thought to cost, in cycles and bytes. */
export interface CostEstimate {
  /** What is compared: `cycles`, and the DRAM's `trafficWeight` times more. */
  readonly objective: number;
  /** Cycles of the step. */
  readonly cycles: number;
  /** The array's work, partly filled folds and bank conflicts included. */
  readonly computeCycles: number;
  /** The bytes at the memory's peak bandwidth, and the start of every transfer. */
  readonly dramCycles: number;
  /** Transfers that nothing overlaps with. */
  readonly exposedCycles: number;
  readonly inputBytes: number;
  readonly weightBytes: number;
  readonly outputBytes: number;
}

/**
 * Estimated cost in cycles: the larger of the array's and the DRAM's cycles, plus what can't overlap; compared is that and
 * the DRAM's cycles weighed by `trafficWeight`.
 */
export function estimateCost(
  step: Step,
  machine: MachineConfig,
  values: ValueSizes,
  tiling: Tiling,
  { inputShare, outputShare }: Pick<TilingLimits, 'inputShare' | 'outputShare'>,
): CostEstimate {
  const work = workloadOf(step);
  const { rows, columns } = machine.peArray;
  const { sequencer, dram, clockMHz, dma } = machine;
  const tileCount =
    ceilDiv(work.groups, tiling.groupsPerTile) * ceilDiv(work.filtersPerGroup, tiling.filtersPerTile);
  const largest = {
    groups: Math.min(work.groups, tiling.groupsPerTile),
    filters: Math.min(work.filtersPerGroup, tiling.filtersPerTile),
  };
  const chunkCount = ceilDiv(work.channelsPerGroup, tiling.channelsPerChunk);
  const bandCount = ceilDiv(step.outputShape[1], tiling.bandRows);
  const tilesPerBand = ceilDiv(tiling.bandRows, tiling.tileRows);

  const isStream = step.convolution === undefined;
  const taps = work.kernelRows * work.kernelColumns;
  const pixels = convolvedRows(step, tiling.tileRows) * step.convolvedShape[2];
  const folds = ceilDiv(pixels, rows);
  const conflict = work.operands * conflictEstimate(step, work, tiling, machine, values);
  const pool = step.pooling;
  const segments = 1 + Math.min(rows, pixels) / step.convolvedShape[2];
  const vectorCycles =
    pool === undefined ? 1 : Math.max(1, ceilDiv(pool.window[0], pool.stride[0]) * segments);
  const filters = largest.groups * largest.filters;
  const ratio = ratioOf(step);
  const atOnce = isStream ? 1 : columnsAtOnce(machine.postProcessing.crossChannelPool, ratio);
  const postCycles = (filters / ratio) * Math.max(ratio / atOnce, vectorCycles);
  const dataflow = dataflowOf(machine.peArray);
  const size = { pixels, channels: work.channelsPerGroup / chunkCount, taps, filters: largest.filters };
  const arrayCycles = isStream
    ? folds * filters * conflict
    : largest.groups * chunkCount * dataflow.closedForm(size, machine.peArray, conflict);
  const preload = chunkCount > 1 && dataflow.keepsSums ? 2 * columns : 0;
  const overhead = (sequencer.startCycles + 1 + preload) * chunkCount;
  const tileCycles = tiling.isDepthwise
    ? filters * depthwiseCycles(step, work, convolvedRows(step, tiling.tileRows), machine) + overhead
    : Math.max(arrayCycles, folds * postCycles) + overhead;
  // The last tile of a dimension may be smaller; charge tiles in proportion to the filters they really have.
  const tileShare = (work.groups * work.filtersPerGroup) / filters;
  const lastTileWaste = isStream
    ? tileShare
    : ceilDiv(work.filtersPerGroup, tiling.filtersPerTile) * (work.groups / largest.groups);
  const compute = bandCount * tilesPerBand * tileCycles * lastTileWaste;

  // Tiles of one group see the same channels again; tiles of different groups don't.
  const inputPasses = tiling.inputResident ? 1 : ceilDiv(work.filtersPerGroup, tiling.filtersPerTile);
  const inputBytes =
    inputShare *
    values.elementBytes *
    work.operands *
    inputPasses *
    step.inputShape[0] *
    inputRowsRead(step, work, tiling.bandRows) *
    step.inputShape[2];
  const weightBytes =
    (tileWeightBytes(
      step,
      work,
      { firstGroup: 0, groups: work.groups, firstFilter: 0, filters: work.filtersPerGroup },
      work.channelsPerGroup,
      values,
    ) +
      tileCount * tileRecordBytes(step, work, filters, values)) *
    (tiling.weightsResident ? 1 : bandCount);
  const outputBytes = outputShare * product(step.outputShape) * values.elementBytes;
  const cyclesPerByte = clockMHz / peakBandwidthMBps(dram);
  const transferCommands = bandCount * tileCount * (chunkCount + 1 + tilesPerBand);
  const loadedChannels = !tiling.inputResident
    ? largest.groups * tiling.channelsPerChunk
    : work.groups > 1
      ? step.inputShape[0]
      : tiling.channelsPerChunk;
  const inputStretch = loadedChannels * step.inputShape[2] * values.elementBytes;
  const outputStretch = (filters / ratio) * step.outputShape[2] * values.elementBytes;
  const busBytes =
    inputBytes * burstOverhead(machine, inputStretch) +
    weightBytes +
    outputBytes * burstOverhead(machine, outputStretch);
  const dramCycles = busBytes * cyclesPerByte + transferCommands * dma.descriptorCycles;

  // Between the port and a buffer bytes move in beats, cut at every run.
  const planeBytes = step.inputShape[1] * step.inputShape[2] * values.elementBytes;
  const rowBytes = step.inputShape[2] * values.elementBytes;
  const isWhole = bandCount === 1 && tiling.rowPitch === rowBytes && planeBytes <= smallPlaneBytes;
  const inputBeats = inputBytes * beatsPerByte(machine, 'feature', isWhole ? inputStretch : rowBytes);
  const loadCycles = inputBeats + weightBytes * beatsPerByte(machine, 'weight', weightBytes);
  const storeCycles =
    outputBytes * beatsPerByte(machine, 'output', step.outputShape[2] * values.elementBytes);

  const latency = ceilDiv(idleLatencyNs(dram) * clockMHz, 1000);
  // Without a second slot a transfer waits for the compute before it and the compute for the transfer; with one,
  // only the first transfer is exposed.
  const pieceCount = bandCount * chunkCount * (tiling.inputResident ? 1 : tileCount);
  const reusesSlot = tiling.inputSlots === 1 && (tiling.inputResident ? bandCount : pieceCount) > 1;
  const pieceLoad = Math.max(inputBytes * cyclesPerByte, inputBeats) / pieceCount;
  // The first filter tile has a resident band loaded; the others find it there.
  const pieceCompute = compute / pieceCount / (tiling.inputResident ? tileCount : 1);
  const exposedPiece =
    work.operands > 1 || isWhole
      ? pieceLoad
      : portionedWait(step, work, tiling, { load: pieceLoad, compute: pieceCompute, tilesPerBand });
  const exposedInputs = exposedPiece * (reusesSlot ? pieceCount : 1);
  const exposedWeights =
    !tiling.weightsResident && tiling.weightSlots === 1 ? weightBytes * cyclesPerByte : 0;
  const exposedCycles = exposedInputs + exposedWeights + 2 * latency;
  const cycles = Math.max(compute, dramCycles, loadCycles, storeCycles) + exposedCycles;
  return {
    // What takes no time isn't weighed either.
    objective: machine.memory === 'ideal-infinite' ? compute : cycles + trafficWeight * dramCycles,
    cycles,
    computeCycles: compute,
    dramCycles,
    exposedCycles,
    inputBytes,
    weightBytes,
    outputBytes,
  };
}

/**
 * Cycles the array waits for a band that comes in portions of 1, 2, 4.. tiles of rows: for the first tile's rows, and for every
 * portion as much as its load takes longer than the one before computes.
 */
function portionedWait(
  step: Step,
  work: Workload,
  { tileRows, bandRows }: Tiling,
  { load, compute, tilesPerBand }: { load: number; compute: number; tilesPerBand: number },
): number {
  const first = (load * firstTileRows(step, work, tileRows)) / tallestInput(step, work, bandRows);
  let wait = first;
  for (let tiles = 2, done = 1; done < tilesPerBand; done += tiles, tiles *= 2) {
    const share = Math.min(tiles, tilesPerBand - done) / tilesPerBand;
    wait += Math.max(0, load * share - (compute * tiles) / 2 / tilesPerBand);
  }
  return Math.min(load, wait);
}

/**
 * What the bus carries for a byte of contiguous stretches of `bytes`: a memory with rows moves whole bursts, and a stretch
 * begins and ends anywhere in one.
 */
function burstOverhead({ dram, dma }: MachineConfig, bytes: number): number {
  if (dram.kind === 'ideal') return 1;
  return (bytes + dma.burstBytes - greatestCommonDivisor(bytes, dma.burstBytes)) / bytes;
}

/** Maps of at most so many bytes are thought to move as a whole wherever they do here: layout.ts decides. */
const smallPlaneBytes = 256;

/** Beats for a byte of runs of `runBytes` that begin anywhere in a buffer. */
function beatsPerByte(machine: MachineConfig, buffer: BufferName, runBytes: number): number {
  const beat = beatBytes(machine, buffer);
  return (runBytes + beat - greatestCommonDivisor(runBytes, beat)) / (beat * Math.max(1, runBytes));
}

/** Cycles of one channel's strips over `rows` rows in depthwise mode. */
function depthwiseCycles(step: Step, work: Workload, rows: number, { peArray }: MachineConfig): number {
  const lanes = depthwiseLanes(peArray, work.kernelRows, work.kernelColumns, work.strideColumns);
  return ceilDiv(step.convolvedShape[2], lanes) * ((rows - 1) * work.strideRows + work.kernelRows);
}

/** Cycles a step's read of features takes on average. */
function conflictEstimate(
  step: Step,
  work: Workload,
  tiling: Tiling,
  machine: MachineConfig,
  { elementBytes }: ValueSizes,
): number {
  const { feature } = machine.buffers;
  if (feature.banks === Number.POSITIVE_INFINITY) return 1;
  const planeBytes = tallestInput(step, work, tiling.bandRows) * tiling.rowPitch + tiling.planePadding;
  // Written out: copying all of `work` for every tiling would be a third of the search's time.
  const placement = {
    kernelRows: work.kernelRows,
    kernelColumns: work.kernelColumns,
    dilationRows: work.dilationRows,
    dilationColumns: work.dilationColumns,
    strideRows: work.strideRows,
    strideColumns: work.strideColumns,
    channels: work.channelsPerGroup,
    outColumns: step.convolvedShape[2],
    rowPitch: tiling.rowPitch / elementBytes,
    planePitch: planeBytes / elementBytes,
  };
  return readingOf(step, machine).meanConflict(placement, machine.peArray, feature.banks);
}
