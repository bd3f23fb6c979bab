/** Energy of a step and of a run, by unit. */
import { z } from 'zod';
import { product } from '../core/integers.ts';
import type { SramStatistics } from '../hw/buffers/buffers.ts';
import { memoriesOf } from '../hw/buffers/memories.ts';
import { dramEnergy } from '../hw/dram/energy.ts';
import { additionPicojoules, multiplicationPicojoules, sramPicojoulesPerByte } from '../hw/energy.ts';
import type { BufferName } from '../hw/isa/formats.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import type { StepResult } from '../hw/machine/machine.ts';
import { ratioOf, type Step } from '../schedule/steps.ts';

const amount = z.number().min(0);

export const energySchema = z
  .strictObject({
    picojoules: amount,
    byUnit: z
      .record(z.string(), amount)
      .describe('peArray, requantise, crossChannel, spatialPool, each buffer, dram; they add up'),
  })
  .describe('See the conventions for what is counted and the source of the figures');

export type Energy = z.output<typeof energySchema>;

/** Energy of the steps of one pass. The DRAM is left out where its config has no figures. */
export function passEnergy(steps: readonly Step[], result: StepResult, machine: MachineConfig): Energy {
  const byUnit = addEnergies(steps.map((step) => withTotal(arithmeticEnergy(step, machine)))).byUnit;
  for (const [name, { bytes }] of Object.entries(result.sram) as [
    keyof SramStatistics,
    { bytes: number },
  ][]) {
    byUnit[name] = (byUnit[name] ?? 0) + bytes * sramPicojoulesPerByte(...memoryOf(name, machine));
  }
  if (machine.dram.kind === 'sdram' && result.sdram !== undefined) {
    const dram = dramEnergy(machine.dram, result.sdram);
    if (dram !== null) byUnit.dram = Object.values(dram).reduce((total, part) => total + part, 0);
  }
  return withTotal(byUnit);
}

function arithmeticEnergy(step: Step, machine: MachineConfig): Record<string, number> {
  const { peArray } = machine;
  const values = product(step.convolvedShape);
  return {
    peArray:
      step.macs *
      (multiplicationPicojoules(peArray.activationBits, peArray.weightBits) +
        additionPicojoules(peArray.accumulatorBits)),
    requantise: step.requantised === undefined ? 0 : requantiseEnergy(step, machine),
    crossChannel: values * (1 - 1 / ratioOf(step)) * additionPicojoules(comparedBits(machine)),
    spatialPool:
      step.pooling === undefined
        ? 0
        : product(step.outputShape) *
          product(step.pooling.window) *
          additionPicojoules(peArray.activationBits),
  };
}

export function addEnergies(energies: readonly Energy[]): Energy {
  const byUnit: Record<string, number> = {};
  for (const energy of energies) {
    for (const [unit, picojoules] of Object.entries(energy.byUnit)) {
      byUnit[unit] = (byUnit[unit] ?? 0) + picojoules;
    }
  }
  return withTotal(byUnit);
}

function withTotal(byUnit: Record<string, number>): Energy {
  return { picojoules: Object.values(byUnit).reduce((total, part) => total + part, 0), byUnit };
}

/** Bits of the values that cross-channel pooling compares. */
function comparedBits({ peArray, postProcessing }: MachineConfig): number {
  const isBefore = postProcessing.crossChannelPool?.position === 'before';
  return isBefore ? peArray.accumulatorBits : peArray.activationBits;
}

/** Every value gets its bias; what is scaled are all of them, or the maxima where those are taken first. */
function requantiseEnergy(step: Step, machine: MachineConfig): number {
  const { peArray, postProcessing } = machine;
  const values = product(step.convolvedShape);
  const isBefore = postProcessing.crossChannelPool?.position === 'before';
  const scaled = isBefore ? values / ratioOf(step) : values;
  return values * additionPicojoules(peArray.accumulatorBits) + scaled * scalePicojoules(machine);
}

/** One value: scale (a multiplication, or nothing but wires for a shift) and zero point. */
function scalePicojoules({ peArray, postProcessing }: MachineConfig): number {
  const { form, multiplierBits } = postProcessing.requantise;
  const scale = form === 'shift' ? 0 : multiplicationPicojoules(peArray.accumulatorBits, multiplierBits);
  return scale + additionPicojoules(peArray.activationBits);
}

/** Bytes and ports of the memory (or of one of its banks) that an access goes to. */
function memoryOf(name: keyof SramStatistics, machine: MachineConfig): [bytes: number, ports: 1 | 2] {
  if (name === 'crossChannel') {
    const { depth = 1, position = 'after' } = machine.postProcessing.crossChannelPool ?? {};
    const valueBytes = position === 'before' ? machine.peArray.accumulatorBits / 8 : 2;
    return [machine.peArray.rows * depth * valueBytes, 2];
  }
  const { bankBytes, ports } = memoriesOf(machine, name satisfies BufferName);
  return [bankBytes, ports];
}
