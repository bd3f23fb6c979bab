/** Darknet networks: a `.cfg` file and its `.weights`. */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { quote } from '../../config/source.ts';
import { InputError } from '../../core/diagnostics.ts';
import type { ImportedNetwork, NetworkFileOptions } from '../imported-network.ts';
import { NetworkBuilder } from '../network-builder.ts';
import { readText } from '../read-file.ts';
import { parseCfg, type Section } from '../sections.ts';
import { DarknetGraph } from './graph.ts';
import { layerReaders, supportedLayers } from './layers.ts';
import { DarknetWeights, WeightPlan } from './weights.ts';

/**
 * Reads a `.cfg`, and its weights: those of `options.weights`, else a `.weights` file of the same name beside it, if
 * there is one. Names of classes come from a `.names` file of the same name, a line each.
 * @throws InputError for what Darknet would not read, for what the machine cannot run, and for weights of another size
 */
export function readDarknetFile(path: string, options: NetworkFileOptions = {}): ImportedNetwork {
  const [dim] = options.dims?.keys() ?? [];
  if (dim !== undefined) {
    throw new InputError(`has no symbolic dimension ${quote(dim)}, expected no --dim`, { file: path });
  }
  const beside = (ending: string) => path.replace(/\.cfg$/i, ending);
  const weights = options.weights ?? (existsSync(beside('.weights')) ? beside('.weights') : undefined);
  const names = existsSync(beside('.names')) ? beside('.names') : undefined;
  const classes = names === undefined ? undefined : classNames(readText(names, 'names of classes'), names);
  return readDarknet(readText(path, 'a Darknet network'), path, { weights, classes });
}

function classNames(text: string, file: string): string[] {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length > 10_000 || lines.some((line) => line.length > 100)) {
    throw new InputError('expected at most 10000 names of at most 100 characters', { file });
  }
  return lines;
}

/**
 * Reads a `.cfg`'s text; `file` names it in messages.
 * @param more the path of the weights, which are checked now and read when they are asked for; names of the classes
 * @throws InputError as above
 */
export function readDarknet(
  text: string,
  file: string,
  more: { readonly weights?: string | undefined; readonly classes?: readonly string[] | undefined } = {},
): ImportedNetwork {
  const [net, ...sections] = parseCfg(text, file);
  if (net === undefined || (net.name !== 'net' && net.name !== 'network')) {
    throw new InputError(
      net === undefined ? 'holds no section, expected [net]' : `[${net.name}] comes first, expected [net]`,
      net?.position ?? { file },
    );
  }
  const rows = net.integer('height', undefined, 1, 8192);
  const columns = net.integer('width', undefined, 1, 8192);
  const channels = net.integer('channels', 3, 1, 8192);
  // The other keys are training's, and there are very many.
  net.finishLoosely();

  const plan = new WeightPlan();
  // Weights are opened when all their sizes are known; makers run after that.
  const opened: { weights?: DarknetWeights } = {};
  const builder = inSection(net, 'the input', () => new NetworkBuilder('image', [channels, rows, columns]));
  const graph = new DarknetGraph(builder, plan, opened, more.classes);
  for (const [index, section] of sections.entries()) {
    const title = `layer ${index} [${section.name}]`;
    const read = layerReaders.get(section.name);
    if (read === undefined) {
      throw new InputError(
        `${title}: is not read here; supported: ${supportedLayers().join(', ')}`,
        section.position,
      );
    }
    inSection(section, title, () => graph.add(section, read));
  }
  const { outputs, detector } = inSection(net, 'the network', () => graph.outputs());
  const { graph: built, parameters } = inSection(net, 'the network', () =>
    builder.finish({
      name: basename(file.replaceAll('\\', '/')).replace(/\.cfg$/i, ''),
      // Darknet's letterbox: in the centre, on grey.
      preparation: {
        mean: new Array<number>(channels).fill(0),
        divisor: 255,
        placement: 'centre',
        surround: 127.5,
      },
      outputs,
      detector,
    }),
  );
  if (more.weights === undefined) return { graph: built };
  opened.weights = new DarknetWeights(more.weights, plan.length);
  return { graph: built, parameters, weightSource: more.weights };
}

/** Puts place and layer in front of complaints that have none. */
function inSection<T>(section: Section, title: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InputError) || error.position !== undefined) throw error;
    throw new InputError(`${title}: ${error.message}`, section.position);
  }
}
