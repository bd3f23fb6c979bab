/**
 * The flow, on one screen: model file -> graph -> quantise -> schedule -> program -> simulate -> report.
 *
 * Every stage takes and returns plain values; the command line and library users call the same functions.
 */

import { InputError } from './core/diagnostics.ts';
import { seededPicture } from './detect/picture.ts';
import { type Placement, preparePicture } from './detect/prepare.ts';
import type { Graph, ParameterValues } from './graph/graph.ts';
import type { MachineConfig } from './hw/machine/config.ts';
import { readModelFile } from './import/model-yaml.ts';
import { matchParameters } from './import/parameters.ts';
import { readPicture } from './import/picture.ts';
import { loadTensorflow } from './import/tensorflow.ts';
import { readTfjsWeights } from './import/tfjs-weights.ts';
import { calibrate } from './quant/calibrate.ts';
import { quantiseInput } from './quant/input.ts';
import { type LayeredNetwork, layerNetwork } from './quant/layers.ts';
import { quantise } from './quant/quantise.ts';
import type { QuantisedNetwork, RequantisationForm } from './quant/quantised.ts';
import { seededParameters } from './quant/seeded-weights.ts';
import { compileProgram, type Program } from './schedule/program.ts';
import { type ProgramRun, runProgram } from './schedule/run.ts';
import type { Observer } from './sim/trace.ts';

/** Seed of weights and pictures where the user names none. */
export const defaultSeed = 1;

export interface LoadedNetwork {
  readonly graph: Graph;
  readonly network: LayeredNetwork;
  /** Where the weights come from, in words. */
  readonly weightSource: string;
  /** Reads or generates the weights; timing runs never ask. */
  parameters(): ParameterValues;
}

/** Stages 1 and 2: a model file, and a TensorFlow.js weight manifest or a seed, become a network. */
export function loadNetwork(
  modelPath: string,
  weights: { readonly manifestPath?: string | undefined; readonly seed?: number | undefined } = {},
  note: (message: string) => void = () => {},
): LoadedNetwork {
  const graph = readModelFile(modelPath);
  const network = layerNetwork(graph);
  const { manifestPath, seed = defaultSeed } = weights;
  let parameters: ParameterValues | undefined;
  return {
    graph,
    network,
    weightSource: manifestPath === undefined ? `seeded random weights (seed ${seed})` : manifestPath,
    parameters() {
      if (parameters === undefined) {
        if (manifestPath === undefined) {
          parameters = seededParameters(graph, seed);
        } else {
          const matched = matchParameters(graph, readTfjsWeights(manifestPath), manifestPath);
          if (matched.unused.length > 0) note(`${manifestPath}: not used: ${matched.unused.join(', ')}`);
          parameters = matched.values;
        }
      }
      return parameters;
    },
  };
}

/** A picture as the network reads it, and where it lies in the input. */
export interface NetworkPicture {
  readonly values: Float32Array;
  readonly placement: Placement | undefined;
}

/** Reads a picture, or makes the seeded one, and prepares it for the network. */
export function loadInput(graph: Graph, path: string | undefined, seed = defaultSeed): NetworkPicture {
  const [channels, rows, columns] = graph.input.shape;
  if (channels !== 3) {
    if (path !== undefined) {
      throw new InputError(`a network that reads ${channels} channels takes no picture, expected no --input`);
    }
    return { values: seededChannels(graph, seed), placement: undefined };
  }
  const picture = path === undefined ? seededPicture(columns, rows, seed) : readPicture(path);
  return preparePicture(picture, graph.input);
}

/** For networks that read no picture: the seeded picture's planes, repeated over the channels. */
function seededChannels(graph: Graph, seed: number): Float32Array {
  const [channels, rows, columns] = graph.input.shape;
  const { data } = seededPicture(columns, rows, seed);
  const { mean, divisor } = graph.input.preparation;
  const plane = rows * columns;
  const values = new Float32Array(channels * plane);
  for (let channel = 0; channel < channels; channel++) {
    for (let i = 0; i < plane; i++) {
      values[channel * plane + i] = (data[3 * i + (channel % 3)]! - mean[channel]!) / divisor;
    }
  }
  return values;
}

/** Stage 3: calibrates on pictures and quantises. */
export async function quantiseNetwork(
  loaded: LoadedNetwork,
  pictures: readonly NetworkPicture[],
  form: RequantisationForm,
  note: (message: string) => void = () => {},
): Promise<QuantisedNetwork> {
  const tf = await loadTensorflow(note);
  const parameters = loaded.parameters();
  const ranges = calibrate(
    tf,
    loaded.graph,
    parameters,
    pictures.map((picture) => picture.values),
  );
  return quantise(loaded.network, parameters, ranges, { form });
}

export interface SimulationJob {
  readonly network: LayeredNetwork;
  readonly machine: MachineConfig;
  /** False stores virtual feature maps even where the machine could keep them on chip. */
  readonly virtualFeatureMaps: boolean;
  /** Absent: timing mode. */
  readonly data?: { readonly quantised: QuantisedNetwork; readonly input: Float32Array } | undefined;
  readonly observer?: Observer | undefined;
  /** Tensors to copy out of DRAM besides the network's outputs. */
  readonly keep?: ((tensor: string) => boolean) | undefined;
}

export interface Simulation extends ProgramRun {
  readonly network: LayeredNetwork;
  readonly machine: MachineConfig;
  readonly mode: 'full' | 'timing';
  readonly program: Program;
}

/** Stages 4 to 6: schedules the network on the machine, emits the program, and runs it. */
export async function simulate(job: SimulationJob): Promise<Simulation> {
  const { network, machine, data, observer, keep } = job;
  const bounds = data && new Map(data.quantised.layers.map((layer) => [layer.layer, layer]));
  const program = compileProgram(network, machine, { virtualFeatureMaps: job.virtualFeatureMaps }, bounds);
  const input = data && quantiseInput(data.input, data.quantised.tensors.get(network.graph.input.name)!);
  const run = await runProgram(program, machine, {
    data: data && input && { quantised: data.quantised, input },
    observer,
    ...(keep && { keep }),
  });
  return { ...run, network, machine, program, mode: data === undefined ? 'timing' : 'full' };
}
