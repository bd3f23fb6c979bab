/**
 * The flow, on one screen: model file -> graph -> quantise -> schedule -> program -> simulate -> report.
 *
 * Every stage takes and returns plain values; the command line and library users call the same functions.
 */

import { InputError } from './core/diagnostics.ts';
import { seededPicture } from './detect/picture.ts';
import { type Placement, preparePicture } from './detect/prepare.ts';
import type { GivenNumbers } from './graph/given-numbers.ts';
import type { Graph, ParameterValues } from './graph/graph.ts';
import type { MachineConfig } from './hw/machine/config.ts';
import { networkFormatOf, readNetworkFile, readWeightsFile } from './import/formats.ts';
import { matchParameters } from './import/parameters.ts';
import { readPicture } from './import/picture.ts';
import { readBytes } from './import/read-file.ts';
import { loadTensorflow } from './import/tensorflow.ts';
import { type CalibrationMethod, calibrate, defaultPercent } from './quant/calibrate.ts';
import { correctBias } from './quant/correct-bias.ts';
import { equaliseLayers } from './quant/equalise.ts';
import { givenOptions, quantiseGiven } from './quant/given.ts';
import { quantiseInput } from './quant/input.ts';
import { type LayeredNetwork, layerNetwork } from './quant/layers.ts';
import { checkNumbers } from './quant/numbers.ts';
import { quantise } from './quant/quantise.ts';
import type { NumberOptions, QuantisedNetwork } from './quant/quantised.ts';
import { seededParameters } from './quant/seeded-weights.ts';
import { parseQuantised } from './quant/serialise.ts';
import { compileProgram, type Program } from './schedule/program.ts';
import { type ProgramRun, runProgram } from './schedule/run.ts';
import type { StoredConvention } from './schedule/steps.ts';
import type { Observer } from './sim/trace.ts';

/** Weights of 2^28 16-bit values and their header. */
const maximumQuantisedBytes = 2 ** 30;

/** Seed of weights and pictures where the user names none. */
export const defaultSeed = 1;

export interface LoadedNetwork {
  readonly graph: Graph;
  readonly network: LayeredNetwork;
  /** Where the weights come from, in words. */
  readonly weightSource: string;
  /** Whether they come from a file. */
  readonly hasWeights: boolean;
  /** The file's own quantisation; nothing is calibrated then. */
  readonly given?: GivenNumbers | undefined;
  /** Reads or generates the weights; timing runs never ask. */
  parameters(): ParameterValues;
}

export interface WeightOptions {
  /** A TensorFlow.js weight manifest or a safetensors file, for files that hold no weights. */
  readonly manifestPath?: string | undefined;
  /** Of generated weights, where there are no others. */
  readonly seed?: number | undefined;
  /** Sizes of symbolic dimensions by name. */
  readonly dims?: ReadonlyMap<string, number> | undefined;
}

/** Stages 1 and 2: a network file, with its own weights, a weight file or a seed, becomes a network. */
export function loadNetwork(
  modelPath: string,
  weights: WeightOptions = {},
  note: (message: string) => void = () => {},
): LoadedNetwork {
  const { manifestPath, seed = defaultSeed, dims } = weights;
  const ownWeights = networkFormatOf(modelPath)?.takesWeights === true;
  const imported = readNetworkFile(modelPath, { dims, ...(ownWeights && { weights: manifestPath }) });
  const { graph, given } = imported;
  if (imported.parameters !== undefined && manifestPath !== undefined && !ownWeights) {
    throw new InputError('--weights: the network brings its weights, expected none', { file: modelPath });
  }
  const network = layerNetwork(graph, given?.apart);
  let parameters: ParameterValues | undefined;
  return {
    graph,
    network,
    weightSource: imported.weightSource ?? manifestPath ?? `seeded random weights (seed ${seed})`,
    hasWeights: imported.parameters !== undefined || manifestPath !== undefined,
    given,
    parameters() {
      if (parameters === undefined) {
        if (imported.parameters !== undefined) {
          parameters = imported.parameters();
        } else if (manifestPath === undefined) {
          parameters = seededParameters(graph, seed);
        } else {
          const matched = matchParameters(graph, readWeightsFile(manifestPath), manifestPath);
          if (matched.unused.length > 0) note(`${manifestPath}: not used: ${matched.unused.join(', ')}`);
          parameters = matched.values;
        }
      }
      return parameters;
    },
  };
}

/** Stage 3 from a file: a network that was quantised and saved before. */
export function loadQuantised(loaded: LoadedNetwork, path: string): QuantisedNetwork {
  return parseQuantised(readBytes(path, 'a quantised network', maximumQuantisedBytes), loaded.network, path);
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

/** What a user chooses of the number formats; the machine decides the rest. */
export interface NumberChoice {
  /** 2..16; default 8. */
  readonly activationBits?: number | undefined;
  /** Default: asymmetric, that is unsigned with a zero point. */
  readonly activations?: 'signed' | 'unsigned' | 'asymmetric' | undefined;
  /** 1..8 or 16; default 8. */
  readonly weightBits?: number | undefined;
  readonly weightScales?: NumberOptions['weightScales'] | undefined;
}

/** The number formats of a network on a machine. Throws `InputError` for widths that cannot be. */
export function numbersOn(machine: MachineConfig, choice: NumberChoice = {}): NumberOptions {
  const { peArray, postProcessing } = machine;
  const { activations = 'asymmetric' } = choice;
  const numbers: NumberOptions = {
    activations: {
      bits: choice.activationBits ?? 8,
      signed: activations === 'signed',
      symmetric: activations !== 'asymmetric',
    },
    weightBits: choice.weightBits ?? 8,
    weightScales: choice.weightScales ?? usualScales(machine),
    form: postProcessing.requantise.form,
    multiplierBits: postProcessing.requantise.multiplierBits,
    rounding: postProcessing.requantise.rounding,
    accumulator: { bits: peArray.accumulatorBits, overflow: peArray.accumulatorOverflow },
  };
  checkNumbers(numbers);
  return numbers;
}

/** Where maxima are taken of sums, the filters of a group must be scaled alike; else every filter as suits it. */
function usualScales({ postProcessing }: MachineConfig): NumberOptions['weightScales'] {
  return postProcessing.crossChannelPool?.position === 'before' ? 'per group' : 'per channel';
}

export interface QuantisationSettings {
  readonly numbers: NumberOptions;
  /** How ranges are chosen from the pictures; default min-max. */
  readonly calibration?: CalibrationMethod['kind'] | undefined;
  /** Correct biases for what quantisation shifts. */
  readonly correctBias?: boolean | undefined;
  /** Even out the ranges of channels across layers first. */
  readonly equalise?: boolean | undefined;
  /** Hears how many runs of the float network are done, of how many. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
  readonly note?: ((message: string) => void) | undefined;
}

/**
 * The float parameters that are quantised: the loaded ones, or those with even ranges. Both make the same output;
 * tensors inside the network differ by a factor a channel.
 */
export function preparedParameters(
  { network, parameters }: LoadedNetwork,
  { equalise }: Pick<QuantisationSettings, 'equalise'>,
): ParameterValues {
  return equalise ? equaliseLayers(network, parameters()) : parameters();
}

/** The number formats of a loaded network: its file's own where it has any, else those asked for. */
export function numbersOf({ given }: LoadedNetwork, numbers: NumberOptions): NumberOptions {
  return given === undefined ? numbers : givenOptions(given, numbers);
}

/** Stage 3: calibrates on pictures and quantises, or takes the file's own scales. */
export async function quantiseNetwork(
  loaded: LoadedNetwork,
  pictures: readonly NetworkPicture[],
  settings: QuantisationSettings,
): Promise<QuantisedNetwork> {
  const { numbers, calibration: kind = 'min-max', note, progress } = settings;
  const { graph, network, given } = loaded;
  if (given !== undefined) {
    if (settings.correctBias || settings.equalise) {
      throw new InputError(
        `${graph.name}: brings its own scales and integer weights, expected neither --correct-bias nor --equalise`,
      );
    }
    return quantiseGiven(network, loaded.parameters(), given, numbers);
  }
  const tf = await loadTensorflow(note);
  const parameters = preparedParameters(loaded, settings);
  const inputs = pictures.map((picture) => picture.values);
  const method: CalibrationMethod =
    kind === 'min-max'
      ? { kind }
      : kind === 'percentile'
        ? { kind, percent: defaultPercent }
        : { kind, numbers };
  const ranges = calibrate(tf, graph, parameters, inputs, { method, ...(progress && { progress }) });
  const quantised = quantise(network, parameters, ranges, numbers);
  return settings.correctBias ? correctBias(tf, quantised, parameters, inputs) : quantised;
}

export interface SimulationJob {
  readonly network: LayeredNetwork;
  readonly machine: MachineConfig;
  /** False stores virtual feature maps even where the machine could keep them on chip. */
  readonly virtualFeatureMaps: boolean;
  /** How stored virtual maps move, and where pooling happens; default 'a'. */
  readonly convention?: StoredConvention | undefined;
  /** Keep feature maps on chip between layers, and fuse layers row by row, where that is cheaper. Default false. */
  readonly fusion?: boolean | undefined;
  /** Of a timing run; a full run has those of its data. Default: what the machine is made for, 8 bits. */
  readonly numbers?: NumberOptions | undefined;
  /** Absent: timing mode. */
  readonly data?: { readonly quantised: QuantisedNetwork; readonly input: Float32Array } | undefined;
  /** What watches the run, or what makes that once the program is known. */
  readonly observer?: Observer | ((program: Program) => Observer | undefined) | undefined;
  /** Hears now and then how many of how many commands were handed out, and the cycle. */
  readonly onProgress?: ((commands: number, total: number, cycle: number) => void) | undefined;
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
  const { network, machine, data, observer, onProgress, keep } = job;
  const numbers = data?.quantised.numbers ?? job.numbers ?? numbersOn(machine);
  if (data !== undefined) checkMachineDoes(machine, numbers);
  const program = compileProgram(
    network,
    machine,
    { virtualFeatureMaps: job.virtualFeatureMaps, convention: job.convention, fusion: job.fusion, numbers },
    data?.quantised,
  );
  const input = data && quantiseInput(data.input, data.quantised.tensors.get(network.graph.input.name)!);
  const run = await runProgram(program, machine, {
    data: data && input && { quantised: data.quantised, input },
    observer: typeof observer === 'function' ? observer(program) : observer,
    ...(onProgress && {
      onProgress: (commands: number, cycle: number) => onProgress(commands, program.commands.length, cycle),
    }),
    ...(keep && { keep }),
  });
  return { ...run, network, machine, program, mode: data === undefined ? 'timing' : 'full' };
}

/** A network quantised for another datapath would give other numbers here, and nobody would notice. */
function checkMachineDoes(machine: MachineConfig, numbers: NumberOptions): void {
  const own = numbersOn(machine);
  for (const part of ['form', 'multiplierBits', 'rounding', 'accumulator'] as const) {
    if (JSON.stringify(numbers[part]) !== JSON.stringify(own[part])) {
      throw new InputError(
        `the network was quantised for ${part} ${JSON.stringify(numbers[part])}, machine '${machine.name}' has ${JSON.stringify(own[part])}`,
      );
    }
  }
}
