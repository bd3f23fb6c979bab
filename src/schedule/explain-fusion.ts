/** Why maps of a layer stay on chip: the pass it is part of, and what the next best schedules of the network take. */
import { sum } from '../core/integers.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import type { LayeredNetwork } from '../quant/layers.ts';
import { tileRecordBytes, tileWeightBytes, type ValueSizes, workloadOf } from './geometry.ts';
import type { TiledStep } from './layout.ts';
import { type CompileOptions, emitProgram, type Program } from './program.ts';
import { planInDram, planOnChip } from './residency.ts';
import { runProgram } from './run.ts';
import type { Step } from './steps.ts';
import type { Tiling } from './tiling.ts';

/** A schedule of the whole network: estimated, and simulated. */
export interface ScheduleOutcome {
  /** Sum of what the search compares. */
  readonly objective: number;
  readonly estimatedCycles: number;
  readonly cycles: number;
  readonly dramBytes: number;
}

export interface FusedStep {
  readonly step: Step;
  readonly tiling: Tiling;
  /** Channels of its input that are on chip already, or come from the step before it in the pass. */
  readonly inputKept: number;
  /** Rows of its input that have a place at a time, and their bytes; 0 where the whole map or a slot has one. */
  readonly ringRows: number;
  readonly ringBytes: number;
  /** All weights and records; weights that do not stay are loaded again and again into slots. */
  readonly weightBytes: number;
  readonly weightsStay: boolean;
  readonly recordBytes: number;
}

export interface FusionExplanation {
  /** What its steps interleave; undefined for a pass of one step. */
  readonly fusedBy: 'rows' | 'channels' | undefined;
  /** The steps of the pass, in order. */
  readonly steps: readonly FusedStep[];
  /** Channels of the pass' output that stay on chip for the next pass. */
  readonly outputKept: number;
  /** Simulated, of this pass alone. */
  readonly passCycles: number;
  readonly passDramBytes: number;
  readonly chosen: ScheduleOutcome;
  /** The best schedule in which one of the pass' maps that stay on chip goes through DRAM instead, and which map that is. */
  readonly runnerUp: ScheduleOutcome & { readonly mapInDram: string };
  readonly layerByLayer: ScheduleOutcome;
}

/**
 * Explains the pass of the step with this index in a program that was planned with fusion; undefined if none of its maps
 * stays on chip, so that it is scheduled as it is layer by layer.
 */
export async function explainFusion(
  network: LayeredNetwork,
  machine: MachineConfig,
  options: CompileOptions,
  program: Program,
  index: number,
): Promise<FusionExplanation | undefined> {
  const { values } = program;
  const pass = program.passes.findIndex(({ end }) => index < end);
  const { first, end } = program.passes[pass]!;
  const tiled = program.steps.slice(first, end);
  const outputKept = keptChannels(tiled.at(-1)!);
  const keptMaps = [
    ...((tiled[0]!.places?.inputKept.end ?? 0) > 0 ? [tiled[0]!.step.inputs[0]!] : []),
    ...tiled.slice(0, -1).map(({ step }) => step.output),
    ...(outputKept > 0 ? [tiled.at(-1)!.step.output] : []),
  ];
  if (keptMaps.length === 0) return undefined;

  const simulated = async (steps: readonly TiledStep[]) => {
    const other = emitProgram(network, steps, machine, options.numbers, options);
    const { result } = await runProgram(other, machine);
    const estimates = steps.flatMap(({ estimate }) => estimate ?? []);
    const outcome: ScheduleOutcome = {
      objective: sum(estimates.map(({ objective }) => objective)),
      estimatedCycles: sum(estimates.map(({ cycles }) => cycles)),
      cycles: result.cycles,
      dramBytes: sum(result.steps.map(({ dram }) => dram.readBytes + dram.writeBytes)),
    };
    return { outcome, passes: result.steps };
  };
  const plain = program.steps.map(({ step }) => step);
  const objectiveOf = (steps: readonly TiledStep[]) =>
    sum(steps.map(({ estimate }) => estimate?.objective ?? 0));
  const alternatives = keptMaps.map((mapInDram) => ({
    mapInDram,
    steps: planOnChip(plain, [...network.machineOutputs, mapInDram], machine, values),
  }));
  const best = alternatives.reduce((one, other) =>
    objectiveOf(other.steps) < objectiveOf(one.steps) ? other : one,
  );
  const chosen = await simulated(program.steps);
  const runnerUp = await simulated(best.steps);
  const layerByLayer = await simulated(planInDram(plain, machine, values));
  const { startCycle, endCycle, dram } = chosen.passes[pass]!;
  return {
    fusedBy: tiled.length > 1 ? tiled[0]!.places?.fusedBy : undefined,
    steps: tiled.map((one) => fusedStep(one, values)),
    outputKept,
    passCycles: endCycle - startCycle,
    passDramBytes: dram.readBytes + dram.writeBytes,
    chosen: chosen.outcome,
    runnerUp: { ...runnerUp.outcome, mapInDram: best.mapInDram },
    layerByLayer: layerByLayer.outcome,
  };
}

function keptChannels({ places }: TiledStep): number {
  const { first, end } = places?.output?.channels ?? { first: 0, end: 0 };
  return end - first;
}

function fusedStep({ step, tiling, places }: TiledStep, values: ValueSizes): FusedStep {
  const { first, end } = places?.inputKept ?? { first: 0, end: 0 };
  const ringRows = places?.ringRows ?? 0;
  return {
    step,
    tiling,
    inputKept: end - first,
    ringRows,
    ringBytes: step.inputShape[0] * ringRows * tiling.rowPitch,
    weightsStay: tiling.weightsResident,
    ...parameterBytes(step, values),
  };
}

/** Bytes of all weights and records of a step. */
function parameterBytes(step: Step, values: ValueSizes): { weightBytes: number; recordBytes: number } {
  const work = workloadOf(step);
  const all = { firstGroup: 0, groups: work.groups, firstFilter: 0, filters: work.filtersPerGroup };
  return {
    weightBytes: tileWeightBytes(step, work, all, work.channelsPerGroup, values),
    recordBytes: tileRecordBytes(step, work, work.groups * work.filtersPerGroup, values),
  };
}
