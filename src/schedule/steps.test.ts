import { describe, expect, it } from 'vitest';
import { readMachineFile } from '../import/machine-yaml.ts';
import { readModel } from '../import/model-yaml.ts';
import { layerNetwork } from '../quant/layers.ts';
import { planSteps } from './steps.ts';

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
    const ratio = step.ratio === 1 ? '' : ` 1/${step.ratio}`;
    const shapes = `${step.inputShape.join('x')} -> ${step.outputShape.join('x')}`;
    return `${layersOf}: ${step.input} -> ${step.output}${ratio}${pool}, ${shapes}`;
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

  it('says which unit is missing', () => {
    expect(() => plan([convolution, maximum], { machine: withoutPool })).toThrow(
      "layer 'pool': machine 'edge-256' can't pool windows of 2x2, expected a spatialPool unit of maximumWindow 2 or more",
    );
    expect(() => plan(['{ op: maxPool, name: big, window: [8, 1] }'], { machine: smallWindows(4) })).toThrow(
      "layer 'big': machine 'edge-256' can't pool windows of 8x1, expected a spatialPool unit of maximumWindow 8 or more",
    );
    const neither = { ...withoutCcp, postProcessing: { ...withoutCcp.postProcessing, spatialPool: null } };
    expect(() => plan([convolution, reduction], { machine: neither })).toThrow(
      "layer 'condense': machine 'edge-256-no-ccp' can't pool 2 maps across channels, expected a crossChannelPool unit of maximumRatio 2 or a spatialPool unit of maximumWindow 2",
    );
  });
});

function smallWindows(maximumWindow: number) {
  return { ...edge, postProcessing: { ...edge.postProcessing, spatialPool: { maximumWindow } } };
}
