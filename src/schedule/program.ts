/** From a network to a program: steps are planned, tiled, placed in DRAM and emitted. */
import { InputError } from '../core/diagnostics.ts';
import { containerBytes } from '../core/fixed-point.ts';
import type { Graph } from '../graph/graph.ts';
import type { Command } from '../hw/isa/formats.ts';
import { bufferBytes, type MachineConfig } from '../hw/machine/config.ts';
import { withoutLimits } from '../hw/machine/ideal.ts';
import { accumulatorBytes } from '../hw/pe-array/config.ts';
import { parameterRecordBytes } from '../hw/requantise/parameters.ts';
import { givenMaps, type LayeredNetwork } from '../quant/layers.ts';
import type { NumberOptions, QuantisedNetwork } from '../quant/quantised.ts';
import { ChannelEmitter } from './channel-emitter.ts';
import { DataSettings } from './data-settings.ts';
import { Emitter } from './emit.ts';
import { FusedEmitter } from './fused-emitter.ts';
import type { RowRange, ValueSizes } from './geometry.ts';
import { type DramLayout, dramShares, layoutDram, type Placement, type TiledStep } from './layout.ts';
import { planInDram, planOnChip } from './residency.ts';
import { StepEmitter } from './step-emitter.ts';
import {
  condensesOnRead,
  peakFeatureMapBytes,
  planSteps,
  ratioOf,
  type Step,
  type StepOptions,
  type StoredConvention,
  tableOf,
} from './steps.ts';

export interface Program {
  readonly graph: Graph;
  readonly numbers: NumberOptions;
  /** Tensors the machine hands back. */
  readonly outputs: readonly string[];
  readonly steps: readonly TiledStep[];
  /** What lies between two barriers, in order: one step, or fused ones. */
  readonly passes: readonly Pass[];
  /** How it was planned. */
  readonly how: ScheduleChoice;
  readonly commands: readonly Command[];
  readonly layout: DramLayout;
  readonly values: ValueSizes;
  /** See `peakFeatureMapBytes` in steps.ts. */
  readonly peakFeatureMapBytes: number;
}

/** Steps [first, end) of a program, which one barrier ends. */
export type Pass = RowRange;

export interface ScheduleChoice {
  /** Keep feature maps on chip between steps, and fuse steps row by row, where that is cheaper. Default false. */
  readonly fusion?: boolean | undefined;
  /** How stored virtual maps move; default 'a'. */
  readonly convention?: StoredConvention | undefined;
}

export interface CompileOptions extends StepOptions, ScheduleChoice {
  readonly numbers: NumberOptions;
}

/** Bytes of the values that a network of these number formats moves on this machine. */
export function valueSizes(machine: MachineConfig, numbers: NumberOptions): ValueSizes {
  const { peArray } = machine;
  for (const [what, bits, most] of [
    ['activations', numbers.activations.bits, peArray.activationBits],
    ['weights', numbers.weightBits, peArray.weightBits],
  ] as const) {
    if (bits > most) {
      throw new InputError(
        `machine '${machine.name}' takes ${what} of up to ${most} bits, the network has ${bits}`,
      );
    }
  }
  return {
    elementBytes: containerBytes(numbers.activations.bits),
    weightBytes: containerBytes(numbers.weightBits),
    recordBytes: parameterRecordBytes(machine),
    sumBytes: accumulatorBytes(peArray.accumulatorBits),
    tableEntries: 2 ** numbers.activations.bits,
  };
}

/** Plans, tiles, places and emits a network for a machine. */
export function compileProgram(
  network: LayeredNetwork,
  described: MachineConfig,
  options: CompileOptions,
  quantised?: QuantisedNetwork,
): Program {
  const machine = withoutLimits(described);
  const values = valueSizes(machine, options.numbers);
  const planned = planSteps(network, machine, { ...options, weightScales: options.numbers.weightScales });
  if (quantised !== undefined) {
    checkSharedScales(planned, quantised);
    checkOrder(machine, quantised);
  }
  const isOnChip = options.fusion === true || condensesOnRead(options);
  const rule = options.fusion === true ? 'cheapest' : 'condensed';
  const steps = isOnChip
    ? planOnChip(planned, network.machineOutputs, machine, values, rule)
    : planInDram(planned, machine, values);
  return emitProgram(network, steps, machine, options.numbers, options, quantised);
}

/** Refuses sums that may leave the accumulator on an array that adds their products in another order than the reference. */
function checkOrder({ name, peArray }: MachineConfig, { layers }: QuantisedNetwork): void {
  if (peArray.products === 'flattened') return;
  for (const { layer, weights, mayOverflow } of layers) {
    if (weights !== undefined && mayOverflow !== false) {
      throw new InputError(
        `layer '${layer.name}': sums may leave the accumulator, and machine '${name}' adds products tap by tap; expected a wider peArray.accumulatorBits or peArray.products flattened`,
      );
    }
  }
}

/** Refuses groups whose maxima are taken of sums, but whose filters are not scaled alike. */
function checkSharedScales(steps: readonly Step[], { layers }: QuantisedNetwork): void {
  for (const step of steps) {
    if (step.reducedBy?.position !== 'before') continue;
    const { channels } = layers.find(({ layer }) => layer === step.requantised)!;
    const ratio = ratioOf(step);
    channels!.forEach((channel, filter) => {
      const first = channels![filter - (filter % ratio)]!;
      if (
        channel.positiveMultiplier !== first.positiveMultiplier ||
        channel.negativeMultiplier !== first.negativeMultiplier ||
        channel.shift !== first.shift
      ) {
        throw new InputError(
          `layer '${step.name}': filters ${filter - (filter % ratio)} and ${filter} of one group have different scales, expected weight scales per group or per tensor for crossChannelPool.position before`,
        );
      }
    });
  }
}

/** Places and emits steps whose tilings are given. */
export function emitProgram(
  network: LayeredNetwork,
  steps: readonly TiledStep[],
  machine: MachineConfig,
  numbers: NumberOptions,
  { fusion, convention }: ScheduleChoice = {},
  quantised?: QuantisedNetwork,
  placement?: Placement,
): Program {
  const outputs = network.machineOutputs;
  const values = valueSizes(machine, numbers);
  checkTables(steps, machine, values);
  const given = givenMaps(network);
  const layout = layoutDram(steps, outputs, machine, values, placement, given);
  const emitter = new Emitter();
  const settings = new DataSettings(numbers, quantised);
  const passes = passesOf(steps);
  for (const { first, end } of passes) {
    const pass = steps.slice(first, end);
    const common = [layout, values, settings] as const;
    if (pass.length === 1) new StepEmitter(emitter, pass[0]!, first, ...common).emit();
    else if (pass[0]!.places!.fusedBy === 'channels')
      new ChannelEmitter(emitter, pass, first, ...common).emit();
    else new FusedEmitter(emitter, pass, first, ...common).emit();
  }
  return {
    graph: network.graph,
    numbers,
    outputs,
    steps,
    passes,
    how: { fusion, convention },
    commands: emitter.commands,
    layout,
    values,
    peakFeatureMapBytes: peakFeatureMapBytes(
      steps.map(({ step }) => step),
      outputs,
      values.elementBytes,
      dramShares(steps),
      given,
    ),
  };
}

/** Consecutive steps of one pass; without places every step is one. */
export function passesOf(steps: readonly TiledStep[]): Pass[] {
  const passes: { first: number; end: number }[] = [];
  steps.forEach(({ places }, index) => {
    const last = passes.at(-1);
    const joins = index > 0 && places !== undefined && places.pass === steps[index - 1]!.places?.pass;
    if (joins && last !== undefined) last.end++;
    else passes.push({ first: index, end: index + 1 });
  });
  return passes;
}

/** Refuses steps whose table the machine can't hold. */
function checkTables(steps: readonly TiledStep[], machine: MachineConfig, values: ValueSizes): void {
  const has = bufferBytes(machine, 'table');
  const needs = values.tableEntries * values.elementBytes;
  for (const { step } of steps) {
    if (tableOf(step) !== undefined && needs > has) {
      throw new InputError(
        `layer '${step.name}': its table takes ${needs} bytes, machine '${machine.name}' has ${has}, expected postProcessing.requantise.lookupTable.bytes of at least ${needs}`,
      );
    }
  }
}
