/** What a model file says of number formats that the network brings with it; the integers are in its weight file. */
import { z } from 'zod';
import type { Located, SourcePath } from '../config/source.ts';
import { InputError } from '../core/diagnostics.ts';
import { formatRange } from '../core/fixed-point.ts';
import type { GivenNumbers } from '../graph/given-numbers.ts';
import type { Graph } from '../graph/graph.ts';
import { tensorName } from './tensor-name.ts';

const bits = z.int().min(2).max(16);

export const quantisationSchema = z
  .strictObject({
    activations: z
      .strictObject({ bits, signed: z.boolean() })
      .describe('Width and sign of the integers of every feature map.'),
    weightBits: z
      .int()
      .min(1)
      .max(16)
      .refine((width) => width <= 8 || width === 16, '1 to 8, or 16')
      .describe('Width of the weights: 1 to 8, or 16.'),
    tensors: z
      .array(
        z.strictObject({
          name: tensorName.describe('The input or a layer.'),
          scale: z.number().positive().max(1e30),
          zeroPoint: z.int().min(-32768).max(65535),
        }),
      )
      .min(1)
      .max(20_001)
      .describe('real = scale * (integer - zeroPoint), for every map that is quantised.'),
    filters: z
      .array(tensorName)
      .max(20_000)
      .describe(
        'Layers whose integer weights are in the weight file, as <layer>/integerWeights and <layer>/weightScales (and <layer>/integerBiases).',
      ),
    apart: z
      .array(tensorName)
      .max(20_000)
      .default([])
      .describe('Layers whose output is rounded although an activation behind rounds again.'),
  })
  .describe('Scales, zero points and integer weights of a network that was quantised elsewhere.');

/** Given numbers but the integers of the filters, whose layers it names. */
export interface ModelQuantisation extends Omit<GivenNumbers, 'filters'> {
  readonly filters: readonly string[];
}

/** @throws InputError for names of nothing, names used twice, and zero points outside the format */
export function checkQuantisation(
  { activations, weightBits, tensors, filters, apart }: z.output<typeof quantisationSchema>,
  graph: Graph,
  positionOf: Located<unknown>['positionOf'],
): ModelQuantisation {
  const nodes = new Map(graph.nodes.map((node) => [node.name, node]));
  const at = (path: SourcePath) => positionOf(['quantisation', ...path]);
  const { low, high } = formatRange(activations);
  const known = new Set<string>();
  for (const [i, { name, zeroPoint }] of tensors.entries()) {
    if (name !== graph.input.name && !nodes.has(name)) {
      throw new InputError(`name: ${name} is neither the input nor a layer`, at(['tensors', i, 'name']));
    }
    if (known.has(name))
      throw new InputError(`name: ${name} is here twice, expected once`, at(['tensors', i, 'name']));
    known.add(name);
    if (zeroPoint < low || zeroPoint > high) {
      throw new InputError(
        `zeroPoint: expected ${low}..${high}, got ${zeroPoint}`,
        at(['tensors', i, 'zeroPoint']),
      );
    }
  }
  for (const [list, names] of Object.entries({ filters, apart })) {
    for (const [i, name] of names.entries()) {
      const node = nodes.get(name);
      if (node === undefined || (list === 'filters' && node.op.machine.stage !== 'array')) {
        const expected = list === 'filters' ? 'a layer with filters' : 'a layer';
        throw new InputError(`${list}: ${name} is not ${expected}`, at([list, i]));
      }
    }
    if (new Set(names).size !== names.length) {
      throw new InputError(`${list}: names a layer twice, expected once`, at([list]));
    }
  }
  return {
    activations,
    weightBits,
    tensors: new Map(
      tensors.map(({ name, scale, zeroPoint }) => [name, { scale, zeroPoint, format: activations }]),
    ),
    filters,
    apart: new Set(apart),
  };
}
