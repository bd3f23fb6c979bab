/**
 * The checks behind `condensim validate`: a network computed three times (float, plain integers, accelerator), its
 * DRAM bytes counted twice, and timing mode held to full mode.
 */
import { assert } from './core/diagnostics.ts';
import type { MachineConfig } from './hw/machine/config.ts';
import type { MachineResult } from './hw/machine/machine.ts';
import { loadTensorflow } from './import/tensorflow.ts';
import {
  type LoadedNetwork,
  type NetworkPicture,
  quantiseNetwork,
  type Simulation,
  simulate,
} from './pipeline.ts';
import { runFloat } from './quant/float-reference.ts';
import { dequantise, quantiseInput } from './quant/input.ts';
import { runInteger } from './quant/integer-executor.ts';
import { cosine, decibelsForJson, maxAbsError, sqnrDb } from './quant/metrics.ts';
import type { QuantisedNetwork } from './quant/quantised.ts';
import { reportSchemaVersion } from './report/run-report.ts';
import type { ValidationReport } from './report/validation-table.ts';
import { closedFormTraffic } from './schedule/closed-form.ts';

export interface ValidationInput {
  /** For the report. */
  readonly name: string;
  readonly picture: NetworkPicture;
}

export interface ValidationJob {
  readonly loaded: LoadedNetwork;
  readonly machine: MachineConfig;
  /** At least one; the network is calibrated on all of them. */
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
  progress('calibrating and quantising');
  const quantised = await quantiseNetwork(
    loaded,
    inputs.map(({ picture }) => picture),
    machine.postProcessing.requantise,
    note,
  );
  const timing = await simulate({ network, machine, virtualFeatureMaps });
  const distances = new Distances(quantised);
  let tensorsCompared = 0;
  let mismatches = 0;
  let bytesEqualClosedForm = bytesEqual(timing);
  let timingEqualsFull = true;
  for (const { name, picture } of inputs) {
    progress(`${name}: float reference`);
    const tf = await loadTensorflow(note);
    const layerOutputs = new Set(network.layers.map((layer) => layer.output));
    const real = runFloat(tf, loaded.graph, loaded.parameters(), picture.values, (tensor) =>
      layerOutputs.has(tensor),
    );
    progress(`${name}: integer executor`);
    const input = quantiseInput(picture.values, quantised.tensors.get(loaded.graph.input.name)!);
    const integers = runInteger(quantised, input);
    distances.add(real, integers);
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
    bytesEqualClosedForm,
    timingEqualsFull,
  };
}

/** The worst distance of each layer from the float reference. */
class Distances {
  private readonly worst: { sqnrDb: number; maxAbsError: number; cosine: number }[];

  constructor(private readonly quantised: QuantisedNetwork) {
    this.worst = quantised.layers.map(() => ({
      sqnrDb: Number.POSITIVE_INFINITY,
      maxAbsError: 0,
      cosine: 1,
    }));
  }

  add(real: ReadonlyMap<string, Float32Array>, integers: ReadonlyMap<string, Int8Array>): void {
    this.quantised.layers.forEach(({ layer }, index) => {
      const reference = real.get(layer.output)!;
      const values = dequantise(integers.get(layer.output)!, this.quantised.tensors.get(layer.output)!);
      const worst = this.worst[index]!;
      worst.sqnrDb = Math.min(worst.sqnrDb, sqnrDb(reference, values));
      worst.maxAbsError = Math.max(worst.maxAbsError, maxAbsError(reference, values));
      worst.cosine = Math.min(worst.cosine, cosine(reference, values));
    });
  }

  report(): ValidationReport['layers'] {
    return this.quantised.layers.map(({ layer }, index) => {
      const { sqnrDb: decibels, ...others } = this.worst[index]!;
      return {
        name: layer.name,
        sqnrDb: decibelsForJson(decibels) as ValidationReport['layers'][number]['sqnrDb'],
        ...others,
      };
    });
  }
}

function differences(values: Int8Array, expected: Int8Array): number {
  assert(values.length === expected.length, 'the machine wrote a tensor of another size');
  let count = 0;
  for (let i = 0; i < values.length; i++) if (values[i] !== expected[i]) count++;
  return count;
}

/** Whether the bytes that moved are those of the closed form, in every step. */
function bytesEqual({ program, result }: Simulation): boolean {
  return program.steps.every((tiled, index) => {
    const { weightBytes, inputBytes, outputBytes } = closedFormTraffic(tiled);
    const { dram } = result.steps[index]!;
    return (
      dram.byKind.weights === weightBytes &&
      dram.readBytes === weightBytes + inputBytes &&
      dram.writeBytes === outputBytes
    );
  });
}

/** All that a run counted. */
function fingerprint({ cycles, steps, sram, dram }: MachineResult): string {
  return JSON.stringify({ cycles, steps, sram, dram });
}
