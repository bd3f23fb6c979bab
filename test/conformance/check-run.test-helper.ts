/** What must hold for every run of every program on every machine. */
import { expect } from 'vitest';
import { sum } from '../../src/core/integers.ts';
import type { MachineConfig } from '../../src/hw/machine/config.ts';
import type { MachineResult } from '../../src/hw/machine/machine.ts';
import { closedFormTraffic } from '../../src/schedule/closed-form.ts';
import type { Program } from '../../src/schedule/program.ts';
import type { ProgramRun } from '../../src/schedule/run.ts';

/** Every tensor the machine wrote, and at least the network's outputs, as the integer executor makes them. */
export function expectTensors(
  run: ProgramRun,
  program: Program,
  reference: ReadonlyMap<string, Int8Array>,
): void {
  for (const output of program.graph.outputs) expect(run.tensors.has(output), `${output} written`).toBe(true);
  for (const { step } of program.steps) {
    if (step.output.endsWith('/virtual')) continue;
    const tensor = run.tensors.get(step.output);
    expect(tensor, `${step.output} kept`).toBeDefined();
    const expected = reference.get(step.output);
    expect(expected, `${step.output} known to the executor`).toBeDefined();
    const differs = firstDifference(tensor!, expected!);
    if (differs !== undefined) expect.fail(`${step.output} differs ${differs}`);
  }
}

/** Where two tensors differ, in words; a loop, because matchers are slow on large arrays. */
export function firstDifference(actual: Int8Array, expected: Int8Array): string | undefined {
  if (actual.length !== expected.length) return `in length: ${actual.length}, expected ${expected.length}`;
  for (let i = 0; i < actual.length; i++) {
    if (actual[i] !== expected[i]) return `at ${i}: ${actual[i]}, expected ${expected[i]}`;
  }
  return undefined;
}

/** Counted DRAM bytes of every step against the closed form, kind by kind. */
export function expectTraffic(result: MachineResult, program: Program): void {
  expect(result.steps.length).toBe(program.steps.length);
  program.steps.forEach((tiled, index) => {
    const { readBytes, writeBytes, byKind } = result.steps[index]!.dram;
    const { weightBytes, inputBytes, outputBytes } = closedFormTraffic(tiled);
    const expected = {
      weights: weightBytes,
      inputFeatureMaps: 0,
      outputFeatureMaps: 0,
      virtualFeatureMaps: 0,
    };
    expected[tiled.step.inputKind] += inputBytes;
    expected[tiled.step.outputKind] += outputBytes;
    expect(byKind, `step ${tiled.step.name}`).toEqual(expected);
    expect(readBytes).toBe(weightBytes + inputBytes);
    expect(writeBytes).toBe(outputBytes);
    expect(sum(Object.values(byKind))).toBe(readBytes + writeBytes);
  });
}

/** The account of cycles: steps follow each other, parts add up, and nothing is faster than its bounds. */
export function expectCycles(result: MachineResult, machine: MachineConfig): void {
  let cycle = 0;
  let busy = 0;
  let bytes = 0;
  for (const step of result.steps) {
    expect(step.startCycle).toBe(cycle);
    expect(sum(Object.values(step.array))).toBe(step.endCycle - step.startCycle);
    for (const [part, cycles] of Object.entries(step.array)) {
      if (!(Number.isInteger(cycles) && cycles >= 0)) expect.fail(`${part} = ${cycles}`);
    }
    cycle = step.endCycle;
    busy += step.array.busy;
    bytes += step.dram.readBytes + step.dram.writeBytes;
  }
  expect(result.cycles).toBe(cycle);
  expect(result.cycles).toBeGreaterThanOrEqual(busy);
  expect(result.cycles * machine.dram.bandwidthMBps).toBeGreaterThanOrEqual(bytes * machine.clockMHz);
}
