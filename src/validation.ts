/**
 * The checks behind `condensim validate`: a network computed three times (float, plain integers, accelerator), its
 * DRAM bytes counted twice, and timing mode held to full mode.
 */

import { assert } from './core/diagnostics.ts';
import { sum } from './core/integers.ts';
import type { ParameterValues } from './graph/graph.ts';
import type { IntegerValues, Tf } from './graph/op.ts';
import type { MachineConfig } from './hw/machine/config.ts';
import type { MachineResult } from './hw/machine/machine.ts';
import { loadTensorflow } from './import/tensorflow.ts';
import {
  type LoadedNetwork,
  type NetworkPicture,
  preparedParameters,
  type QuantisationSettings,
  quantiseNetwork,
  type Simulation,
  simulate,
} from './pipeline.ts';
import { runFloat } from './quant/float-reference.ts';
import { dequantise, quantiseInput } from './quant/input.ts';
import { runInteger, runLayer } from './quant/integer-executor.ts';
import { givenMaps } from './quant/layers.ts';
import { cosine, decibelsForJson, maxAbsError, sqnrDb } from './quant/metrics.ts';
import type { QuantisedNetwork } from './quant/quantised.ts';
import { integerMap } from './quant/values.ts';
import { reportSchemaVersion } from './report/run-report.ts';
import { histogramBins, type ValidationReport } from './report/validation-table.ts';
import { closedFormTraffic } from './schedule/closed-form.ts';

export interface ValidationInput {
  /** For the report. */
  readonly name: string;
  readonly picture: NetworkPicture;
}

export interface ValidationJob {
  readonly loaded: LoadedNetwork;
  readonly machine: MachineConfig;
  readonly quantised: QuantisedNetwork;
  /** The float parameters it was made from, see `preparedParameters`. */
  readonly parameters: ParameterValues;
  /** At least one. */
  readonly inputs: readonly ValidationInput[];
  readonly virtualFeatureMaps: boolean;
  /** Hears which float backend was taken. */
  readonly note?: (message: string) => void;
  /** Hears what is being done. */
  readonly progress?: (message: string) => void;
}

/** Runs every check on every input. */
export async function validateNetwork(job: ValidationJob): Promise<ValidationReport> {
  const { loaded, machine, inputs, virtualFeatureMaps, note, progress = () => {} } = job;
  const { network } = loaded;
  const { quantised, parameters } = job;
  const timing = await simulate({ network, machine, virtualFeatureMaps, numbers: quantised.numbers });
  const distances = new Distances(quantised);
  let tensorsCompared = 0;
  let mismatches = 0;
  let accumulatorOverflows = 0;
  let bytesEqualClosedForm = bytesEqual(timing);
  let timingEqualsFull = true;
  for (const { name, picture } of inputs) {
    progress(`${name}: float reference`);
    const tf = await loadTensorflow(note);
    const real = realTensors(tf, loaded, parameters, picture);
    progress(`${name}: integer executor`);
    const input = quantiseInput(picture.values, quantised.tensors.get(loaded.graph.input.name)!);
    const { tensors: integers, overflows } = runInteger(quantised, input);
    distances.add(real, integers);
    accumulatorOverflows += overflows;
    progress(`${name}: accelerator`);
    const full = await simulate({
      network,
      machine,
      virtualFeatureMaps,
      data: { quantised, input: picture.values },
      keep: () => true,
    });
    for (const [tensor, values] of full.tensors) {
      const expected = integers.get(tensor);
      // A stored virtual map is the machine's own: no layer makes it.
      if (expected === undefined) continue;
      tensorsCompared++;
      mismatches += differences(values, expected);
    }
    bytesEqualClosedForm &&= bytesEqual(full);
    timingEqualsFull &&= fingerprint(timing.result) === fingerprint(full.result);
  }
  return {
    schemaVersion: reportSchemaVersion,
    model: { name: loaded.graph.name, weights: loaded.weightSource },
    hardware: { name: machine.name },
    inputs: inputs.map(({ name }) => name),
    layers: distances.report(),
    acceleratorEqualsInteger: mismatches === 0,
    tensorsCompared,
    mismatches,
    accumulatorOverflows,
    bytesEqualClosedForm,
    timingEqualsFull,
  };
}

/** The float network's tensors that layers read and make, the given ones included. */
function realTensors(
  tf: Tf,
  { graph, network }: LoadedNetwork,
  parameters: ParameterValues,
  picture: NetworkPicture,
): Map<string, Float32Array> {
  const given = givenMaps(network).map(({ name }) => name);
  const wanted = new Set([...given, ...network.layers.map((layer) => layer.output)]);
  return runFloat(tf, graph, parameters, picture.values, (tensor) => wanted.has(tensor));
}

/** The worst distance of each layer from the float reference. */
class Distances {
  private readonly worst: { sqnrDb: number; ownSqnrDb: number; maxAbsError: number; cosine: number }[];
  private readonly histograms: number[][];

  constructor(private readonly quantised: QuantisedNetwork) {
    this.worst = quantised.layers.map(() => ({
      sqnrDb: Number.POSITIVE_INFINITY,
      ownSqnrDb: Number.POSITIVE_INFINITY,
      maxAbsError: 0,
      cosine: 1,
    }));
    this.histograms = quantised.layers.map(() => new Array<number>(histogramBins).fill(0));
  }

  add(real: ReadonlyMap<string, Float32Array>, integers: ReadonlyMap<string, IntegerValues>): void {
    const { layers, tensors, numbers } = this.quantised;
    layers.forEach((quantisedLayer, index) => {
      const { layer } = quantisedLayer;
      const output = tensors.get(layer.output)!;
      const reference = real.get(layer.output)!;
      const values = dequantise(integers.get(layer.output)!, output);
      const worst = this.worst[index]!;
      // The layer by itself: its inputs are the float network's, rounded to their formats.
      const inputs = layer.inputs.map((name) => {
        const tensor = tensors.get(name)!;
        return integerMap(tensor, quantiseInput(real.get(name)!, tensor), numbers);
      });
      const own = runLayer(quantisedLayer, inputs, output, numbers, { count: 0 });
      worst.ownSqnrDb = Math.min(worst.ownSqnrDb, sqnrDb(reference, dequantise(own, output)));
      worst.sqnrDb = Math.min(worst.sqnrDb, sqnrDb(reference, values));
      worst.maxAbsError = Math.max(worst.maxAbsError, maxAbsError(reference, values));
      worst.cosine = Math.min(worst.cosine, cosine(reference, values));
      addErrors(this.histograms[index]!, reference, values, output.scale);
    });
  }

  report(): ValidationReport['layers'] {
    const { layers, tensors } = this.quantised;
    return layers.map(({ layer }, index) => {
      const worst = this.worst[index]!;
      return {
        name: layer.name,
        ...worst,
        sqnrDb: decibelsForJson(worst.sqnrDb) as Decibels,
        ownSqnrDb: decibelsForJson(worst.ownSqnrDb) as Decibels,
        errorHistogram: {
          stepSize: tensors.get(layer.output)!.scale,
          counts: [...this.histograms[index]!],
        },
      };
    });
  }
}

/** Counts errors in steps of the quantised tensor; the outer bins take what lies beyond. */
function addErrors(counts: number[], reference: Float32Array, values: Float32Array, step: number): void {
  const outer = (counts.length - 1) / 2;
  for (let i = 0; i < values.length; i++) {
    const steps = Math.round((values[i]! - reference[i]!) / step);
    counts[outer + Math.max(-outer, Math.min(outer, steps))]!++;
  }
}

function differences(values: IntegerValues, expected: IntegerValues): number {
  assert(values.length === expected.length, 'the machine wrote a tensor of another size');
  let count = 0;
  for (let i = 0; i < values.length; i++) if (values[i] !== expected[i]) count++;
  return count;
}

/** Whether the bytes that moved are those of the closed form, in every step. */
function bytesEqual({ program, result }: Simulation): boolean {
  return program.passes.every(({ first, end }, index) => {
    const steps = program.steps.slice(first, end).map((tiled) => closedFormTraffic(tiled, program.values));
    const weightBytes = sum(steps.map((step) => step.weightBytes));
    const { dram } = result.steps[index]!;
    return (
      dram.byKind.weights === weightBytes &&
      dram.readBytes === weightBytes + sum(steps.map((step) => step.inputBytes)) &&
      dram.writeBytes === sum(steps.map((step) => step.outputBytes))
    );
  });
}

/** All that a run counted. */
function fingerprint({ cycles, steps }: MachineResult): string {
  return JSON.stringify({ cycles, steps });
}

type Decibels = ValidationReport['layers'][number]['sqnrDb'];

/** One point of `sweepBits`. */
export type SweepPoint = NonNullable<ValidationReport['bitSweep']>[number];

/** Widths that `validate --sweep-bits` tries. */
export const sweptBits = [8, 6, 5, 4, 3, 2] as const;

/**
 * Distance to float against the width of activations and weights: the integer executor alone, on the first input, all
 * other settings as given.
 */
export async function sweepBits(
  { loaded, inputs, note, progress = () => {} }: Omit<ValidationJob, 'quantised' | 'parameters'>,
  settings: QuantisationSettings,
  calibration: readonly NetworkPicture[],
): Promise<SweepPoint[]> {
  const [{ picture }] = inputs as [ValidationInput];
  const tf = await loadTensorflow(note);
  const real = realTensors(tf, loaded, preparedParameters(loaded, settings), picture);
  const points: SweepPoint[] = [];
  for (const bits of sweptBits) {
    progress(`${bits} bits`);
    const { numbers } = settings;
    const quantised = await quantiseNetwork(loaded, calibration, {
      ...settings,
      numbers: { ...numbers, weightBits: bits, activations: { ...numbers.activations, bits } },
    });
    const distances = new Distances(quantised);
    const input = quantiseInput(picture.values, quantised.tensors.get(loaded.graph.input.name)!);
    distances.add(real, runInteger(quantised, input).tensors);
    const layers = distances.report();
    const lowest = (of: 'sqnrDb' | 'ownSqnrDb') =>
      decibelsForJson(Math.min(...layers.map((layer) => Number(layer[of])))) as Decibels;
    points.push({
      bits,
      lowestOwnSqnrDb: lowest('ownSqnrDb'),
      lowestSqnrDb: lowest('sqnrDb'),
      outputSqnrDb: layers.at(-1)!.sqnrDb,
    });
  }
  return points;
}
