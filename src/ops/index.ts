/** The operators: one line each. Adding one is a folder here and its line below. */
import type { AnyOp } from '../graph/graph.ts';
import { averagePool } from './average-pool/average-pool.ts';
import { batchNormalization } from './batch-normalization/batch-normalization.ts';
import { clippedRelu } from './clipped-relu/clipped-relu.ts';
import { convolution } from './convolution/convolution.ts';
import { crossChannelPool } from './cross-channel-pool/cross-channel-pool.ts';
import { leakyRelu } from './leaky-relu/leaky-relu.ts';
import { maxPool } from './max-pool/max-pool.ts';
import { relu } from './relu/relu.ts';

export const operators: readonly AnyOp[] = [
  convolution,
  batchNormalization,
  relu,
  leakyRelu,
  clippedRelu,
  crossChannelPool,
  maxPool,
  averagePool,
];

/** The operator that model files call `name`, if there is one. */
export function findOperator(name: string): AnyOp | undefined {
  return operators.find((operator) => operator.name === name);
}
