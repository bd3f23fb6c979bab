/** Widths that the Verilog units of the compute side share; all from the machine's literals. */
import { InputError } from '../../core/diagnostics.ts';
import { containerBytes } from '../../core/fixed-point.ts';
import { type FeatureShape, featureShape } from '../buffers/feature-verilog.ts';
import { type WideBuffer, wideShape } from '../buffers/wide-verilog.ts';
import { handoverColumns } from '../cross-channel-pool/config.ts';
import { postProcessBits } from '../isa/verilog.ts';
import type { MachineConfig } from '../machine/config.ts';
import { accumulatorBytes } from '../pe-array/config.ts';
import { peArrayLatency } from '../pe-array/verilog.ts';
import { parameterRecordBytes } from '../requantise/parameters.ts';
import { lookupTableLatency } from '../requantise/table-verilog.ts';
import { requantiseLatency } from '../requantise/verilog.ts';
import { bitsFor } from '../verilog.ts';

/** Cycles from a memory's address to its data. */
export const memoryLatency = 1;

export interface ComputeShape {
  readonly rows: number;
  readonly columns: number;
  readonly feature: FeatureShape;
  /** Bits of a value behind the requantiser, as a signed number that holds unsigned ones too. */
  readonly value: number;
  /** Bits of a stored value, 8 or 16. */
  readonly stored: number;
  /** Bits of a stored weight. */
  readonly storedWeight: number;
  readonly weights: WideBuffer;
  readonly parameters: WideBuffer;
  readonly output: WideBuffer;
  /** Absent without a pooling unit. */
  readonly line: WideBuffer | undefined;
  /** Columns that leave the chain in one cycle at most: 1, or a power of two that divides the columns. */
  readonly handover: number;
  /** Groups of maps that may be open at once. */
  readonly openGroups: number;
  /** Whether cross-channel pooling takes sums, in front of the requantiser. */
  readonly poolsSums: boolean;
  /** Bits of a `postProcess` word that are kept. */
  readonly postWord: number;
  /** 32-bit words of a parameter record. */
  readonly recordWords: number;
  /** Vectors of R sums the accumulator buffer holds, and bits of their number. */
  readonly sumVectors: number;
  readonly sumAddress: number;
  /** Bits of a column's number, and of a number of columns. */
  readonly columnCount: number;
  readonly laneCount: number;
  /** Pooled columns that one vector can touch. */
  readonly pooledLanes: number;
  /** Bits of a window's sum: as much as two values take. Absent in a machine that takes no averages. */
  readonly windowSum: number | undefined;
  /** Values that may be written at once. */
  readonly writeLanes: number;
  /** Register stages that the configured depths have more than the Verilog needs. */
  readonly spareStages: number;
}

/** Throws an `InputError` that names the field where the machine is one the Verilog cannot express. */
export function computeShape(machine: MachineConfig): ComputeShape {
  const { peArray, buffers, postProcessing, sequencer } = machine;
  const { rows, columns } = peArray;
  const hasRtl = { dataflow: 'output-stationary', feed: 'broadcast', foldOverlap: true } as const;
  for (const field of ['dataflow', 'feed', 'foldOverlap'] as const) {
    if (peArray[field] !== hasRtl[field]) {
      throw new InputError(
        `${machine.name}: peArray.${field}: there is no RTL of ${field} ${peArray[field]}, expected ${hasRtl[field]}`,
      );
    }
  }
  if (machine.memory !== 'modelled') {
    throw new InputError(
      `${machine.name}: memory: there is no RTL of an ideal, infinite one, expected modelled`,
    );
  }
  const least = (field: string, has: number, needs: number, why: string): void => {
    if (has < needs) throw new InputError(`${field} is ${has}, expected at least ${needs}: ${why}`);
  };
  const arrayDepth = memoryLatency + peArrayLatency;
  const postDepth = requantiseLatency + lookupTableLatency;
  least(
    'peArray.pipelineDepth',
    peArray.pipelineDepth,
    arrayDepth,
    'the Verilog reads a memory, registers operands, and adds',
  );
  least(
    'postProcessing.pipelineDepth',
    postProcessing.pipelineDepth,
    postDepth,
    'the Verilog has three stages of requantising and one of the table',
  );
  least(
    'sequencer.startCycles',
    sequencer.startCycles,
    2,
    'the Verilog decodes a command and places its lanes',
  );
  least(
    'peArray.accumulatorBits',
    peArray.accumulatorBits,
    peArray.activationBits + 1,
    'streamed values pass the requantiser',
  );
  if (postProcessing.crossChannelPool?.mean) {
    throw new InputError(
      `${machine.name}: postProcessing.crossChannelPool.mean: there is no RTL of means across channels, expected false`,
    );
  }
  if (peArray.depthwise !== null) {
    least('buffers.feature.banks', buffers.feature.banks, rows, 'a row of a strip is read in one cycle');
    least(
      'peArray.accumulatorBits',
      peArray.accumulatorBits,
      peArray.activationBits + 1 + Math.max(2, peArray.weightBits),
      'in depthwise mode an accumulator holds a product',
    );
  }
  const feature = featureShape(machine);
  const stored = 8 * containerBytes(peArray.activationBits);
  const storedWeight = 8 * containerBytes(peArray.weightBits);
  const window = postProcessing.spatialPool?.maximumWindow ?? 1;
  const pooledLanes = rows + window - 1;
  const writeLanes = postProcessing.spatialPool === null ? rows : pooledLanes;
  const averages = postProcessing.spatialPool?.average === true;
  const windowSum = averages ? 2 * stored : undefined;
  if (windowSum !== undefined && (2 ** peArray.activationBits - 1) * window ** 2 >= 2 ** windowSum) {
    throw new InputError(
      `postProcessing.spatialPool.maximumWindow is ${window}; the line buffer keeps a sum in two values, ` +
        `expected at most ${Math.floor(Math.sqrt((2 ** windowSum - 1) / (2 ** peArray.activationBits - 1)))}, or average: false`,
    );
  }
  const unit = postProcessing.crossChannelPool;
  const handover = handoverColumns(unit, columns);
  const openGroups = unit?.form === 'running' ? unit.depth : 1;
  const sumVectors = Math.max(
    1,
    Math.floor(buffers.accumulator.bytes / (rows * accumulatorBytes(peArray.accumulatorBits))),
  );
  return {
    rows,
    columns,
    feature,
    value: peArray.activationBits + 1,
    stored,
    storedWeight,
    weights: {
      name: 'weight_buffer',
      holds: 'weights',
      bits: storedWeight,
      values: Math.floor((8 * buffers.weight.bytes) / storedWeight),
      lanes: columns,
      use: 'load',
    },
    parameters: {
      name: 'parameter_buffer',
      holds: 'words of parameter records',
      bits: 32,
      values: Math.max(1, Math.floor(buffers.parameter.bytes / 4)),
      // The records of all columns that leave at once.
      lanes: (handover * parameterRecordBytes(machine)) / 4,
      use: 'load',
    },
    output: {
      name: 'output_buffer',
      holds: 'finished values',
      bits: stored,
      values: Math.max(1, Math.floor((8 * buffers.output.bytes) / stored)),
      lanes: writeLanes,
      use: 'store',
    },
    line:
      postProcessing.spatialPool === null
        ? undefined
        : {
            name: 'line_buffer',
            holds: averages ? 'maxima, or sums in two values, of open windows' : 'maxima of open windows',
            bits: stored,
            values: Math.max(1, Math.floor((8 * buffers.pool.bytes) / stored)),
            lanes: (averages ? 2 : 1) * pooledLanes,
            use: 'both',
          },
    handover,
    openGroups,
    poolsSums: unit?.position === 'before',
    postWord: postProcessBits(openGroups > 1),
    recordWords: parameterRecordBytes(machine) / 4,
    sumVectors,
    sumAddress: bitsFor(sumVectors - 1),
    columnCount: bitsFor(columns),
    laneCount: bitsFor(rows),
    pooledLanes,
    windowSum,
    writeLanes,
    spareStages: peArray.pipelineDepth - arrayDepth + postProcessing.pipelineDepth - postDepth,
  };
}

/** Bits of a value's address in a wide buffer. */
export function addressBits(buffer: WideBuffer): number {
  return wideShape(buffer).address;
}
