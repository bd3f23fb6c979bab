import { describe, expect, it } from 'vitest';
import { crossChannelPoolSchema } from '../hw/cross-channel-pool/config.ts';
import { readMachineFile } from '../import/machine-yaml.ts';
import { readModel } from '../import/model-yaml.ts';
import { layerNetwork } from '../quant/layers.ts';
import { planSteps, ratioOf } from './steps.ts';

const edge = readMachineFile('hw-configs/edge-256.yaml');
const withoutCcp = readMachineFile('hw-configs/edge-256-no-ccp.yaml');
const withoutPool = { ...edge, postProcessing: { ...edge.postProcessing, spatialPool: null } };

const convolution = '{ op: convolution, name: conv, filters: 8, kernel: 3, padding: 1 }';
const reduction = '{ op: crossChannelPool, name: condense, ratio: 2 }';
const maximum = '{ op: maxPool, name: pool, window: 2 }';
const average = '{ op: averagePool, name: pool, window: 2 }';

/** Steps of a network on an 8x8 picture, one line each. */
function plan(
  layers: readonly string[],
  { machine = edge, virtualFeatureMaps = true, outputs = '' } = {},
): string[] {
  const lines = layers.map((layer) => `  - ${layer}\n`).join('');
  const text = `name: net\ninput: { shape: [4, 8, 8] }\nlayers:\n${lines}${outputs}`;
  const steps = planSteps(layerNetwork(readModel(text, 'net.yaml')), machine, { virtualFeatureMaps });
  return steps.map((step) => {
    const layersOf = step.layers.map((layer) => layer.name).join('+');
    const pool = step.pooling === undefined ? '' : ` ${step.pooling.kind} ${step.pooling.window.join('x')}`;
    const mean = step.reduction?.kind === 'mean' ? 'mean ' : '';
    const ratio = step.reduction === undefined ? '' : ` ${mean}1/${ratioOf(step)}`;
    const shapes = `${step.inputShape.join('x')} -> ${step.outputShape.join('x')}`;
    return `${layersOf}: ${step.inputs.join('+')} -> ${step.output}${ratio}${pool}, ${shapes}`;
  });
}

describe('planning steps', () => {
  it('fuses convolution, maximum across channels and pool', () => {
    expect(plan([convolution, '{ op: relu, name: act }', reduction, maximum])).toEqual([
      'conv+condense+pool: image -> pool 1/2 maximum 2x2, 4x8x8 -> 4x4x4',
    ]);
    expect(plan([convolution, reduction, average])).toEqual([
      'conv+condense+pool: image -> pool 1/2 average 2x2, 4x8x8 -> 4x4x4',
    ]);
  });

  it('pools before it stores virtual maps, because maxima commute', () => {
    expect(plan([convolution, reduction, maximum], { virtualFeatureMaps: false })).toEqual([
      'conv+pool: image -> conv/virtual maximum 2x2, 4x8x8 -> 8x4x4',
      'condense: conv/virtual -> pool 1/2, 8x4x4 -> 4x4x4',
    ]);
  });

  it('averages after the stored maps were reduced', () => {
    expect(plan([convolution, reduction, average], { virtualFeatureMaps: false })).toEqual([
      'conv: image -> conv/virtual, 4x8x8 -> 8x8x8',
      'condense+pool: conv/virtual -> pool 1/2 average 2x2, 8x8x8 -> 4x4x4',
    ]);
  });

  it('uses the pooling unit on tall maps where there is no unit for channels', () => {
    expect(plan([convolution, reduction, maximum], { machine: withoutCcp })).toEqual([
      'conv+pool: image -> conv/virtual maximum 2x2, 4x8x8 -> 8x4x4',
      'condense: conv/virtual -> pool maximum 2x1, 1x32x4 -> 1x16x4',
    ]);
    expect(plan([convolution, reduction, average], { machine: withoutCcp })).toEqual([
      'conv: image -> conv/virtual, 4x8x8 -> 8x8x8',
      'condense: conv/virtual -> condense maximum 2x1, 1x64x8 -> 1x32x8',
      'pool: condense -> pool average 2x2, 4x8x8 -> 4x4x4',
    ]);
  });

  it('stores what somebody else reads', () => {
    const twice = [convolution, maximum, '{ op: relu, name: other, from: conv }'];
    expect(plan(twice)).toEqual([
      'conv: image -> conv, 4x8x8 -> 8x8x8',
      'pool: conv -> pool maximum 2x2, 8x8x8 -> 8x4x4',
      'other: conv -> other, 8x8x8 -> 8x8x8',
    ]);
    expect(plan([convolution, reduction, maximum], { outputs: 'outputs: [condense, pool]\n' })).toEqual([
      'conv+condense: image -> condense 1/2, 4x8x8 -> 4x8x8',
      'pool: condense -> pool maximum 2x2, 4x8x8 -> 4x4x4',
    ]);
  });

  it('does not reduce in the pipe across groups of a convolution', () => {
    const grouped = '{ op: convolution, name: conv, filters: 4, kernel: 1, groups: 4 }';
    expect(plan([grouped, reduction])).toEqual([
      'conv: image -> conv/virtual, 4x8x8 -> 4x8x8',
      'condense: conv/virtual -> condense 1/2, 4x8x8 -> 2x8x8',
    ]);
  });

  it('streams pools and activations that stand alone', () => {
    expect(plan([maximum, '{ op: relu, name: act }', reduction])).toEqual([
      'pool: image -> pool maximum 2x2, 4x8x8 -> 4x4x4',
      'act+condense: pool -> condense 1/2, 4x4x4 -> 2x4x4',
    ]);
  });

  it('sums with what stands behind in the pipe', () => {
    const other = '{ op: relu, name: other, from: image }';
    const sum = '{ op: add, name: sum, from: [conv, other] }';
    const same = '{ op: convolution, name: conv, filters: 4, kernel: 1 }';
    expect(plan([same, other, sum, '{ op: relu, name: act }', reduction, maximum])).toEqual([
      'conv: image -> conv, 4x8x8 -> 4x8x8',
      'other: image -> other, 4x8x8 -> 4x8x8',
      'sum+condense+pool: conv+other -> pool 1/2 maximum 2x2, 4x8x8 -> 2x4x4',
    ]);
  });

  it('writes the parts of a concatenation one by one', () => {
    const both = '{ op: concat, name: both, from: [image, conv] }';
    expect(plan([convolution, both, maximum])).toEqual([
      'conv: image -> conv, 4x8x8 -> 8x8x8',
      'both: image -> both, 4x8x8 -> 4x8x8',
      'both: conv -> both, 8x8x8 -> 8x8x8',
      'pool: both -> pool maximum 2x2, 12x8x8 -> 12x4x4',
    ]);
  });

  it('streams rearranged maps: once, or once a place in the block', () => {
    expect(plan(['{ op: upsampleNearest, name: up, factor: [2, 3] }'])).toEqual([
      'up: image -> up, 4x8x8 -> 4x16x24',
    ]);
    expect(plan(['{ op: spaceToDepth, name: deep, block: 2 }'])).toEqual(
      new Array<string>(4).fill('deep: image -> deep, 4x4x8 -> 4x4x4'),
    );
  });

  it('takes means where a unit can', () => {
    const mean = '{ op: crossChannelPool, name: condense, ratio: 2, kind: mean }';
    const unit = {
      ...edge.postProcessing,
      crossChannelPool: crossChannelPoolSchema.parse({ maximumRatio: 8, mean: true }),
    };
    const onChip = { ...edge, postProcessing: unit };
    const maximaOnly = { ...unit, crossChannelPool: crossChannelPoolSchema.parse({ maximumRatio: 8 }) };
    expect(plan([convolution, mean, maximum], { machine: onChip })).toEqual([
      'conv+condense+pool: image -> pool mean 1/2 maximum 2x2, 4x8x8 -> 4x4x4',
    ]);
    // A maximum does not commute with a mean.
    expect(plan([convolution, mean, maximum], { machine: onChip, virtualFeatureMaps: false })).toEqual([
      'conv: image -> conv/virtual, 4x8x8 -> 8x8x8',
      'condense+pool: conv/virtual -> pool mean 1/2 maximum 2x2, 8x8x8 -> 4x4x4',
    ]);
    expect(plan([convolution, mean], { machine: { ...edge, postProcessing: maximaOnly } })).toEqual([
      'conv: image -> conv/virtual, 4x8x8 -> 8x8x8',
      'condense: conv/virtual -> condense average 2x1, 1x64x8 -> 1x32x8',
    ]);
  });

  it('keeps an average that counts padding out of the pipe behind a table', () => {
    const table = '{ op: sigmoid, name: act }';
    const padded = '{ op: averagePool, name: pool, window: 2, padding: 1, countIncludesPadding: true }';
    expect(plan([convolution, table, padded])).toEqual([
      'conv: image -> act, 4x8x8 -> 8x8x8',
      'pool: act -> pool average 2x2, 8x8x8 -> 8x5x5',
    ]);
    expect(plan([convolution, table, average])).toEqual([
      'conv+pool: image -> pool average 2x2, 4x8x8 -> 8x4x4',
    ]);
  });

  it('says which unit is missing', () => {
    expect(() => plan([convolution, maximum], { machine: withoutPool })).toThrow(
      "layer 'pool': machine 'edge-256' can't pool windows of 2x2, expected a spatialPool unit of maximumWindow 2 or more",
    );
    expect(() => plan(['{ op: maxPool, name: big, window: [8, 1] }'], { machine: smallWindows(4) })).toThrow(
      "layer 'big': machine 'edge-256' can't pool windows of 8x1, expected a spatialPool unit of maximumWindow 8 or more",
    );
    const neither = { ...withoutCcp, postProcessing: { ...withoutCcp.postProcessing, spatialPool: null } };
    expect(() => plan([convolution, reduction], { machine: neither })).toThrow(
      "layer 'condense': machine 'edge-256-no-ccp' can't take the maximum of 2 maps across channels, expected a crossChannelPool unit for it or a spatialPool unit of maximumWindow 2",
    );
  });
});

function smallWindows(maximumWindow: number) {
  return {
    ...edge,
    postProcessing: { ...edge.postProcessing, spatialPool: { maximumWindow, average: true } },
  };
}
