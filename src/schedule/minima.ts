/**
 * The least a schedule can cost: cycles of a layer's arithmetic and of its bytes, and bytes of a layer and of the network.
 *
 * Two minima of traffic. Layer by layer: every step reads its weights and its input and writes its output, each
 * once; only maps that stay on chip between steps can go below. Network: all weights, the network's input and its outputs, once
 * each; nothing goes below. A weight or bias takes the bytes of a weight, a value those of a value: records, tables,
 * halos and repeated reads are what a schedule adds.
 */
import { ceilDiv, product, sum } from '../core/integers.ts';
import { peakBandwidthMBps } from '../hw/dram/config.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import { givenMaps, type LayeredNetwork } from '../quant/layers.ts';
import type { ValueSizes } from './geometry.ts';
import { dramShares, type TiledStep } from './layout.ts';
import type { Step } from './steps.ts';

/** Cycles that a step takes at least. */
export interface StepBounds {
  /** Every element multiplies in every cycle; or, without products, every lane takes a value in every cycle. */
  readonly computeCycles: number;
  /** The bytes the step moved, at the memory's peak bandwidth. */
  readonly dramCycles: number;
  /** Post-processing takes a value a lane in every cycle. */
  readonly postProcessingCycles: number;
}

/** Bounds of the steps of one pass, which moved `movedBytes` in all. */
export function passBounds(steps: readonly Step[], movedBytes: number, machine: MachineConfig): StepBounds {
  const { rows, columns } = machine.peArray;
  const convolved = (step: Step): number => product(step.convolvedShape);
  return {
    computeCycles: sum(
      steps.map((step) =>
        step.macs > 0
          ? ceilDiv(step.macs, rows * columns)
          : ceilDiv(step.inputs.length * convolved(step), rows),
      ),
    ),
    dramCycles: Math.ceil((movedBytes * machine.clockMHz) / peakBandwidthMBps(machine.dram)),
    postProcessingCycles: sum(steps.map((step) => ceilDiv(convolved(step), rows))),
  };
}

/** Bytes of a step's weights, inputs and output, each once. */
export function layerMinimumBytes(step: Step, values: ValueSizes): number {
  const parameters = sum(step.layers.map((layer) => layer.parameters));
  const maps = step.inputs.length * product(step.inputShape) + product(step.outputShape);
  return parameters * values.weightBytes + maps * values.elementBytes;
}

/** What a schedule moves at least: weights once, and every map that lies in DRAM written once and read once a step. */
export interface ScheduleMinimum {
  readonly weightBytes: number;
  readonly featureMapBytes: number;
}

export function scheduleMinimum(
  network: LayeredNetwork,
  steps: readonly TiledStep[],
  values: ValueSizes,
): ScheduleMinimum {
  const { shares } = dramShares(steps);
  const share = (name: string): number => shares.get(name) ?? 1;
  const maps = steps.map(
    ({ step }) =>
      sum(step.inputs.map((input) => share(input) * product(step.inputShape))) +
      share(step.output) * product(step.outputShape),
  );
  return {
    weightBytes: network.parameters * values.weightBytes,
    featureMapBytes: Math.round(sum(maps)) * values.elementBytes,
  };
}

/** Bytes of the network's weights, its given maps and what the machine hands back, each once. */
export function networkMinimumBytes(
  network: LayeredNetwork,
  steps: readonly Step[],
  values: ValueSizes,
): number {
  const outputs = network.machineOutputs.map((name) => {
    const step = steps.findLast(({ output }) => output === name);
    return step === undefined ? 0 : product([step.outputChannels.total, ...step.outputShape.slice(1)]);
  });
  const maps = sum(givenMaps(network).map(({ shape }) => product(shape))) + sum(outputs);
  return network.parameters * values.weightBytes + maps * values.elementBytes;
}
