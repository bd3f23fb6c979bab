/** SCALE-Sim topologies as networks: layers that have nothing to do with each other. */
import { basename } from 'node:path';
import { quote } from '../../config/source.ts';
import { InputError } from '../../core/diagnostics.ts';
import type { Graph, Shape } from '../../graph/graph.ts';
import { convolution } from '../../ops/convolution/convolution.ts';
import { externalMap } from '../../ops/external-map/external-map.ts';
import type { ImportedNetwork, NetworkFileOptions } from '../imported-network.ts';
import { NetworkBuilder } from '../network-builder.ts';
import { readText } from '../read-file.ts';
import { outputSide, parseTopology, type TopologyLayer } from './topology.ts';

/**
 * Reads a topology. It holds no weights.
 * @throws InputError for whatever no network can be made of
 */
export function readTopologyFile(path: string, options: NetworkFileOptions = {}): ImportedNetwork {
  const [dim] = options.dims?.keys() ?? [];
  if (dim !== undefined) {
    throw new InputError(`has no symbolic dimension ${quote(dim)}, expected no --dim`, { file: path });
  }
  return { graph: readTopology(readText(path, 'a SCALE-Sim topology'), path) };
}

/**
 * The network of a topology's text. The first layer reads the network's input, every other one a map from outside; every
 * layer's map is an output. Convolutions have no bias. The bounds on maps, parameters and layers keep all
 * multiply-accumulates together below 2^53.
 * @throws InputError as above
 */
export function readTopology(text: string, file: string): Graph {
  const layers = parseTopology(text, file);
  const [first] = layers as [TopologyLayer];
  const { shape } = placed(first);
  const builder = at(first, () => new NetworkBuilder('input', shape));
  const outputs = layers.map((layer, index) =>
    at(layer, () => {
      const { shape, padding } = placed(layer);
      const input =
        index === 0
          ? builder.input.name
          : builder.emit(`${layer.name}/input`, externalMap, { shape, seed: index + 1 }, [], {}, layer.at);
      const { kernel, stride, channels, filters, depthwise } = layer;
      const attributes = {
        filters: depthwise ? channels * filters : filters,
        ...(depthwise && channels > 1 && { groups: channels }),
        kernel: sideOrPair(kernel),
        stride: sideOrPair(stride),
        padding,
        bias: false,
      };
      return builder.emit(layer.name, convolution, attributes, [input], {}, layer.at);
    }),
  );
  const mean = new Array<number>(shape[0]).fill(0);
  try {
    return builder.finish({
      name: basename(file.replaceAll('\\', '/')).replace(/\.csv$/i, ''),
      preparation: { mean, divisor: 255 },
      outputs,
    }).graph;
  } catch (error) {
    if (!(error instanceof InputError) || error.position !== undefined) throw error;
    throw new InputError(error.message, { file });
  }
}

/** As a model file would say it. */
const sideOrPair = ([rows, columns]: readonly [number, number]): number | [number, number] =>
  rows === columns ? rows : [rows, columns];

/** Where a layer's windows lie: its input, and the zeros below and to the right of it. */
function placed({ channels, rows, columns, kernel, stride }: TopologyLayer): {
  shape: Shape;
  padding: 'valid' | { bottom: number; right: number };
} {
  const vertical = placedSide(rows, kernel[0], stride[0]);
  const horizontal = placedSide(columns, kernel[1], stride[1]);
  const isWhole = vertical.pad === 0 && horizontal.pad === 0;
  return {
    shape: [channels, vertical.side, horizontal.side],
    padding: isWhole ? 'valid' : { bottom: vertical.pad, right: horizontal.pad },
  };
}

/**
 * SCALE-Sim rounds the number of windows up. What the last one lacks is padding; where it would hold nothing else (its
 * stride being larger than the window), the map itself reaches that far.
 */
function placedSide(side: number, kernel: number, stride: number): { side: number; pad: number } {
  const last = (outputSide(side, kernel, stride) - 1) * stride;
  const end = last + kernel;
  return last >= side ? { side: end, pad: 0 } : { side, pad: Math.max(0, end - side) };
}

/** Puts a layer's place in front of complaints that have none. */
function at<T>(layer: TopologyLayer, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InputError) || error.position !== undefined) throw error;
    throw new InputError(`layer ${quote(layer.name)}: ${error.message}`, layer.at);
  }
}
