/** Options that commands share, so that a flag means the same everywhere. */
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { defaultSeed, type LoadedNetwork, loadInput, loadNetwork, type NetworkPicture } from '../pipeline.ts';
import type { Output } from './output.ts';

/** A file that comes with the package, whether this runs from `src/` or `dist/`. */
export function packageFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

export const modelOption = () =>
  new Option('--model <file>', 'the network: a model file').makeOptionMandatory();

export const hardwareOption = () =>
  new Option('--hw <file>', 'the machine: a machine file').makeOptionMandatory();

export const weightsOption = () =>
  new Option(
    '--weights <manifest>',
    'trained weights, a TensorFlow.js weight manifest; else they are seeded',
  );

export const seedOption = () =>
  new Option('--seed <number>', 'of weights and pictures that are made up')
    .argParser(parseSeed)
    .default(defaultSeed);

export const inputOption = () => new Option('--input <image>', 'PNG or JPEG; else a seeded picture');

export const calibrateOption = () =>
  new Option('--calibrate <image...>', 'pictures that decide the scales; else the input');

export const modeOption = () =>
  new Option('--mode <mode>', 'full: data flow; timing: the same cycles and bytes without data')
    .choices(['full', 'timing'])
    .default('full');

export const virtualFeatureMapsOption = () =>
  new Option('--virtual-feature-maps <on|off>', 'keep them on chip where the machine can, or store them')
    .choices(['on', 'off'])
    .default('on');

export const jsonOption = () =>
  new Option('--json [file]', 'print JSON instead of tables, or write it to a file as well').argParser(
    parseJsonFile,
  );

/** Starts a command; every one has `--verbose`. */
export function addCommand(program: Command, name: string, summary: string): Command {
  return program.command(name).description(summary).option('--verbose', 'say on stderr what is going on');
}

export type Mode = 'full' | 'timing';
export type Json = string | true | undefined;

export interface NetworkOptions {
  readonly model: string;
  readonly weights?: string;
  readonly seed: number;
}

export function loadNetworkOption({ model, weights, seed }: NetworkOptions, output: Output): LoadedNetwork {
  return loadNetwork(model, { manifestPath: weights, seed }, output.note);
}

/** The pictures to calibrate on: those given, else the run's own input. */
export function calibrationPictures(
  loaded: LoadedNetwork,
  paths: readonly string[] | undefined,
  input: NetworkPicture,
): NetworkPicture[] {
  return paths === undefined ? [input] : paths.map((path) => loadInput(loaded.graph, path));
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

/** `compare --json model.yaml` means JSON on stdout and a model; it must not cost the user that model. */
function parseJsonFile(path: string): string {
  if (/\.(ya?ml|png|jpe?g)$/i.test(path)) {
    throw new InvalidArgumentError(
      'Expected a file to write JSON to; put --json behind the models for JSON on stdout.',
    );
  }
  return path;
}
