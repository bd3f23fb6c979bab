/** Options that commands share, so that a flag means the same everywhere. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { MachineConfig } from '../hw/machine/config.ts';
import { listPictures } from '../import/picture.ts';
import { isTfjsFile } from '../import/tfjs/recognise.ts';
import { writeFileAtomically } from '../import/write-file.ts';
import {
  defaultSeed,
  type LoadedNetwork,
  loadInput,
  loadNetwork,
  loadQuantised,
  type NetworkPicture,
  type NumberChoice,
  numbersOn,
  type QuantisationSettings,
  quantiseNetwork,
} from '../pipeline.ts';
import type { QuantisedNetwork } from '../quant/quantised.ts';
import { serialiseQuantised } from '../quant/serialise.ts';
import { reportFormats } from '../report/table-forms.ts';
import type { Output } from './output.ts';

export const modelOption = () =>
  new Option('--model <file>', 'the network: a model file').makeOptionMandatory();

/** Model files of formats that leave sizes open. */
export const dimOption = () =>
  new Option('--dim <name=size>', 'size of a symbolic dimension of an ONNX model; repeatable').argParser(
    parseDim,
  );

type Dims = ReadonlyMap<string, number>;

function parseDim(text: string, earlier?: Dims): Dims {
  const [, name, size] = /^(.+)=(\d{1,6})$/.exec(text) ?? [];
  if (name === undefined || Number(size) < 1) throw new InvalidArgumentError('Expected <name>=<size>.');
  return new Map([...(earlier ?? []), [name, Number(size)]]);
}

export const hardwareOption = () =>
  new Option('--hw <file>', 'the machine: a machine file').makeOptionMandatory();

export const weightsOption = () =>
  new Option(
    '--weights <file>',
    "trained weights: a TensorFlow.js weight manifest, safetensors, or a .cfg's .weights; else those of the model, or seeded ones",
  );

export const seedOption = () =>
  new Option('--seed <number>', 'of weights and pictures that are made up')
    .argParser(parseSeed)
    .default(defaultSeed);

export const inputOption = () => new Option('--input <image>', 'PNG or JPEG; else a seeded picture');

export const calibrateOption = () =>
  new Option(
    '--calibrate <image...>',
    'pictures or folders of pictures that decide the scales; else the input',
  );

/** Options of every command that quantises. */
export function addQuantisationOptions(command: Command): Command {
  return command
    .addOption(calibrateOption())
    .addOption(
      new Option('--calibration <method>', 'how scales are chosen from the pictures')
        .choices(['min-max', 'percentile', 'mean-squared-error', 'entropy'])
        .default('min-max'),
    )
    .addOption(new Option('--activation-bits <bits>', '2 to 16; default 8').argParser(parseInteger))
    .addOption(
      new Option('--activations <kind>', 'signed or unsigned around zero, or unsigned with a zero point')
        .choices(['signed', 'unsigned', 'asymmetric'])
        .default('asymmetric'),
    )
    .addOption(new Option('--weight-bits <bits>', '1 to 8, or 16; default 8').argParser(parseInteger))
    .addOption(
      new Option(
        '--weight-scales <per>',
        'a scale a filter, one for all, or one for the filters of a cross-channel group; default: channel, or group where the machine pools in front of its requantiser',
      ).choices(['channel', 'tensor', 'group']),
    )
    .option('--correct-bias', 'take back what quantisation shifts in the mean')
    .option('--equalise', "even out channels' ranges across layers first")
    .option('--quantised <file>', 'a quantised network saved before, instead of quantising')
    .option('--save-quantised <file>', 'save the quantised network');
}

/** What those options hold. */
export interface QuantisationOptions {
  readonly calibrate?: string[];
  readonly calibration: NonNullable<QuantisationSettings['calibration']>;
  readonly activationBits?: number;
  readonly activations: NonNullable<NumberChoice['activations']>;
  readonly weightBits?: number;
  readonly weightScales?: 'channel' | 'tensor' | 'group';
  readonly correctBias?: boolean;
  readonly equalise?: boolean;
  readonly quantised?: string;
  readonly saveQuantised?: string;
}

export function quantisationSettings(
  options: QuantisationOptions,
  machine: MachineConfig,
  output: Output,
): QuantisationSettings {
  return {
    numbers: numbersOn(machine, {
      activationBits: options.activationBits,
      activations: options.activations,
      weightBits: options.weightBits,
      weightScales: options.weightScales && (`per ${options.weightScales}` as const),
    }),
    calibration: options.calibration,
    correctBias: options.correctBias,
    equalise: options.equalise,
    note: output.detail,
    progress: (done, total) => output.progress('calibrating', done, total),
  };
}

/** The quantised network that the options ask for: read from a file, or made from the pictures. */
export async function quantiseOption(
  loaded: LoadedNetwork,
  options: QuantisationOptions,
  machine: MachineConfig,
  inputs: readonly NetworkPicture[],
  output: Output,
): Promise<QuantisedNetwork> {
  if (options.quantised !== undefined) return loadQuantised(loaded, options.quantised);
  output.note(`${loaded.graph.name}: calibrating and quantising`);
  const pictures = calibrationPictures(loaded, options.calibrate, inputs);
  const quantised = await quantiseNetwork(loaded, pictures, quantisationSettings(options, machine, output));
  if (options.saveQuantised !== undefined) {
    writeFileAtomically(options.saveQuantised, serialiseQuantised(quantised));
  }
  return quantised;
}

function parseInteger(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('Expected an integer.');
  return Number(text);
}

export const modeOption = () =>
  new Option('--mode <mode>', 'full: data flow; timing: the same cycles and bytes without data')
    .choices(['full', 'timing'])
    .default('full');

export const virtualFeatureMapsOption = () =>
  new Option('--virtual-feature-maps <on|off>', 'keep them on chip where the machine can, or store them')
    .choices(['on', 'off'])
    .default('on');

export const fusionOption = () =>
  new Option(
    '--fusion <on|off>',
    'keep feature maps on chip between layers, and fuse layers row by row, where that is cheaper',
  )
    .choices(['on', 'off'])
    .default('off');

export const jsonOption = () =>
  new Option('--json [file]', 'print JSON instead of tables, or write it to a file as well').argParser(
    parseJsonFile,
  );

/** Of every command that prints figures. */
export const formatOption = () =>
  new Option(
    '--format <format>',
    'what to print: aligned tables, Markdown, CSV (the tables alone) or JSON',
  ).choices([...reportFormats]);

/** Of every command whose result can be looked at as a page. */
export const reportOption = () =>
  new Option('--report <file>', 'write a page with pictures of the result, one HTML file');

export const detailsOption = () =>
  new Option('--details', 'put into the JSON what pictures need: time lines and the network');

export interface PageOptions {
  readonly report?: string;
  readonly details?: true;
}

/** Whether a run has to be watched for pictures. */
export const wantsDetails = ({ report, details }: PageOptions): boolean =>
  report !== undefined || details === true;

/** Starts a command; every one has `--verbose` and `--quiet`. */
export function addCommand(program: Command, name: string, summary: string): Command {
  return program
    .command(name)
    .description(summary)
    .option('--verbose', 'say on stderr what is going on')
    .addOption(new Option('--quiet', 'say nothing but complaints on stderr').conflicts('verbose'));
}

export type Mode = 'full' | 'timing';
export type Json = string | true | undefined;

export interface NetworkOptions {
  readonly model: string;
  readonly weights?: string;
  readonly seed: number;
  readonly dim?: ReadonlyMap<string, number>;
}

export function loadNetworkOption(
  { model, weights, seed, dim }: NetworkOptions,
  output: Output,
): LoadedNetwork {
  return loadNetwork(model, { manifestPath: weights, seed, dims: dim }, output.note);
}

/** The pictures to calibrate on: those given, else the run's own inputs. */
export function calibrationPictures(
  loaded: LoadedNetwork,
  paths: readonly string[] | undefined,
  inputs: readonly NetworkPicture[],
): readonly NetworkPicture[] {
  if (paths === undefined) return inputs;
  return paths.flatMap(listPictures).map((path) => loadInput(loaded.graph, path));
}

function parseSeed(text: string): number {
  const seed = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(seed < 2 ** 32)) throw new InvalidArgumentError('Expected an integer from 0 to 4294967295.');
  return seed;
}

export function parseFraction(text: string): number {
  const fraction = text.trim() === '' ? Number.NaN : Number(text);
  if (!(fraction >= 0 && fraction <= 1)) throw new InvalidArgumentError('Expected a number from 0 to 1.');
  return fraction;
}

/** `compare --json model.json` means JSON on stdout and a model; it must not cost the user that model. */
function parseJsonFile(path: string): string {
  if (/\.(ya?ml|onnx|csv|cfg|weights|safetensors|png|jpe?g)$/i.test(path) || isTfjsFile(path)) {
    throw new InvalidArgumentError(
      'Expected a file to write JSON to; put --json behind the models for JSON on stdout.',
    );
  }
  return path;
}
