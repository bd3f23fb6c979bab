/** Batch normalisation with the statistics that training left behind. */
import { z } from 'zod';
import { defineOp } from '../../graph/op.ts';

/** The parameters; each is its own kind of initial value. */
const parameterNames = ['gamma', 'beta', 'mean', 'variance'] as const;

export const batchNormalization = defineOp({
  name: 'batchNormalization',
  summary:
    'Per-channel gamma * (x - mean) / sqrt(variance + epsilon) + beta; folded into the convolution in front before quantisation.',
  attributes: z.strictObject({
    epsilon: z
      .number()
      .min(1e-12)
      .max(1)
      .default(1e-5)
      .describe("added to the variance, 1e-12..1; Darknet's 1e-5 unless given (Keras: 1e-3)"),
  }),
  inputs: 1,

  inferShape: (_attributes, [input]) => input!,

  parameters: (node, _attributes, [input]) =>
    parameterNames.map((name) => ({
      name: `${node}/${name}`,
      shortName: name,
      shape: [input![0]],
      initial: { kind: name },
      folded: false,
    })),

  float: (tf, { epsilon }, [map], read) =>
    tf.batchNorm(
      map!,
      tf.tensor1d(read('mean')),
      tf.tensor1d(read('variance')),
      tf.tensor1d(read('beta')),
      tf.tensor1d(read('gamma')),
      epsilon,
    ),

  machine: {
    stage: 'affine',
    affine({ epsilon }, read) {
      const [gamma, beta, mean, variance] = parameterNames.map(read) as [
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      const scale = gamma.map((value, c) => value / Math.sqrt(variance[c]! + epsilon));
      return { scale, offset: beta.map((value, c) => value - mean[c]! * scale[c]!) };
    },
    rescale: (_attributes, read, outputs) =>
      new Map(
        ['gamma', 'beta'].map((name) => [name, read(name).map((value, c) => value * outputs[c]!)] as const),
      ),
  },
});
