/** The operators: one line each. Adding one is a folder here and its line below. */
import type { AnyOp } from '../graph/graph.ts';
import { add } from './add/add.ts';
import { averagePool } from './average-pool/average-pool.ts';
import { batchNormalization } from './batch-normalization/batch-normalization.ts';
import { clippedRelu } from './clipped-relu/clipped-relu.ts';
import { concat } from './concat/concat.ts';
import { convolution } from './convolution/convolution.ts';
import { crossChannelPool } from './cross-channel-pool/cross-channel-pool.ts';
import { externalMap } from './external-map/external-map.ts';
import { fullyConnected } from './fully-connected/fully-connected.ts';
import { globalAveragePool } from './global-average-pool/global-average-pool.ts';
import { hardSwish } from './hard-swish/hard-swish.ts';
import { leakyRelu } from './leaky-relu/leaky-relu.ts';
import { maxPool } from './max-pool/max-pool.ts';
import { relu } from './relu/relu.ts';
import { reorg } from './reorg/reorg.ts';
import { sigmoid } from './sigmoid/sigmoid.ts';
import { silu } from './silu/silu.ts';
import { softmax } from './softmax/softmax.ts';
import { spaceToDepth } from './space-to-depth/space-to-depth.ts';
import { tanh } from './tanh/tanh.ts';
import { upsampleNearest } from './upsample-nearest/upsample-nearest.ts';

export const operators: readonly AnyOp[] = [
  convolution,
  fullyConnected,
  batchNormalization,
  relu,
  leakyRelu,
  clippedRelu,
  sigmoid,
  tanh,
  hardSwish,
  silu,
  crossChannelPool,
  maxPool,
  averagePool,
  globalAveragePool,
  add,
  concat,
  upsampleNearest,
  spaceToDepth,
  reorg,
  softmax,
  externalMap,
];

/** The operator that model files call `name`, if there is one. */
export function findOperator(name: string): AnyOp | undefined {
  return operators.find((operator) => operator.name === name);
}
