/** Why a layer is cut as it is: the best tilings, what they were thought to cost, and what the machine makes of them. */
import { InputError } from '../core/diagnostics.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import type { LayeredNetwork } from '../quant/layers.ts';
import { explainFusion, type FusionExplanation } from './explain-fusion.ts';
import type { TiledStep } from './layout.ts';
import { passBounds, type StepBounds } from './minima.ts';
import { type CompileOptions, compileProgram, emitProgram } from './program.ts';
import { runProgram } from './run.ts';
import { type RatedTiling, rankTilings } from './tiling.ts';

export interface ExplainedTiling extends RatedTiling {
  /** Simulated, the rest of the network as it is. */
  readonly cycles: number;
  readonly dramBytes: number;
}

export interface Explanation {
  readonly step: TiledStep['step'];
  /** Tilings that fit the machine. */
  readonly candidates: number;
  /** The one that is taken first, then the runners-up. */
  readonly tilings: readonly ExplainedTiling[];
  readonly bounds: StepBounds;
  /** With fusion, where maps of the layer stay on chip; the tilings are those of layer by layer all the same. */
  readonly fusion: FusionExplanation | undefined;
}

const shown = 4;

/**
 * Explains the step that a layer is part of (by the layer's name or the step's).
 * Throws an `InputError` if there is no such layer, or if the host computes it.
 */
export async function explainLayer(
  network: LayeredNetwork,
  machine: MachineConfig,
  options: CompileOptions,
  layer: string,
): Promise<Explanation> {
  const program = compileProgram(network, machine, { ...options, fusion: false });
  const index = program.steps.findIndex(
    ({ step }) =>
      step.name === layer ||
      step.layers.some(({ node, merged }) => node.name === layer || merged.some((one) => one.name === layer)),
  );
  if (index < 0) {
    const names = program.steps.map(({ step }) => step.name).join(', ');
    throw new InputError(`--explain: the machine computes no layer '${layer}', expected one of ${names}`);
  }
  const { step } = program.steps[index]!;
  const fusion =
    options.fusion === true
      ? await explainFusion(network, machine, options, compileProgram(network, machine, options), index)
      : undefined;
  const { best, candidates } = rankTilings(step, machine, program.values, shown);
  const tilings: ExplainedTiling[] = [];
  for (const rated of best) {
    const steps = program.steps.map((other, at) => (at === index ? { step, tiling: rated.tiling } : other));
    const { result } = await runProgram(emitProgram(network, steps, machine, options.numbers), machine);
    const { startCycle, endCycle, dram } = result.steps[index]!;
    tilings.push({ ...rated, cycles: endCycle - startCycle, dramBytes: dram.readBytes + dram.writeBytes });
  }
  const bounds = passBounds([step], tilings[0]!.dramBytes, machine);
  return { step, candidates, tilings, bounds, fusion };
}
