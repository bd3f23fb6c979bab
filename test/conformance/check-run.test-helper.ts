/** What must hold for every run of every program on every machine. */
import { expect } from 'vitest';
import { accumulate } from '../../src/core/fixed-point.ts';
import { sum } from '../../src/core/integers.ts';
import type { IntegerValues } from '../../src/graph/op.ts';
import { peakBandwidthMBps } from '../../src/hw/dram/config.ts';
import type { MachineConfig } from '../../src/hw/machine/config.ts';
import type { MachineResult } from '../../src/hw/machine/machine.ts';
import type { IntegerRun } from '../../src/quant/integer-executor.ts';
import { KernelExecutor } from '../../src/quant/kernel-executor.ts';
import type {
  NumberOptions,
  QuantisedLayer,
  QuantisedNetwork,
  QuantisedTensor,
} from '../../src/quant/quantised.ts';
import { closedFormTraffic } from '../../src/schedule/closed-form.ts';
import { convolvedRowsFor } from '../../src/schedule/geometry.ts';
import type { Program } from '../../src/schedule/program.ts';
import type { ProgramRun } from '../../src/schedule/run.ts';
import { tilingSizes } from '../../src/schedule/tiling.ts';

/** Every tensor the machine wrote, and at least the network's outputs, as the integer executor makes them. */
export function expectTensors(
  run: ProgramRun,
  program: Program,
  reference: ReadonlyMap<string, IntegerValues>,
): void {
  for (const output of program.outputs) expect(run.tensors.has(output), `${output} written`).toBe(true);
  for (const { step, places } of program.steps) {
    // What stays on chip, if only a part of it, is not seen; the steps behind it are.
    if (step.output.endsWith('/virtual') || places?.output !== undefined) continue;
    const tensor = run.tensors.get(step.output);
    expect(tensor, `${step.output} kept`).toBeDefined();
    const expected = reference.get(step.output);
    expect(expected, `${step.output} known to the executor`).toBeDefined();
    const differs = firstDifference(tensor!, expected!);
    if (differs !== undefined) expect.fail(`${step.output} differs ${differs}`);
  }
}

/** The kernels on whole maps, without a machine: every layer's tensor and the overflows of the integer executor. */
export async function expectKernelsAgree(
  quantised: QuantisedNetwork,
  input: IntegerValues,
  reference: IntegerRun,
): Promise<void> {
  const executor = await KernelExecutor.load(quantised);
  const { tensors, overflows } = executor.run(input, () => true);
  expect(overflows).toBe(reference.overflows);
  for (const [name, expected] of reference.tensors) {
    const differs = firstDifference(tensors.get(name)!, expected);
    if (differs !== undefined) expect.fail(`${name} of the kernel executor differs ${differs}`);
  }
}

/**
 * How often the machine's sums leave the accumulator. Tiles of overlapping pools compute the rows they share again, and
 * rows that no pooling window needs are left out: then the reference's count is taken apart row by row.
 */
export function expectedOverflows(
  program: Program,
  quantised: QuantisedNetwork,
  input: IntegerValues,
  reference: IntegerRun,
): number {
  const byLayer = new Map(quantised.layers.map((layer) => [layer.layer, layer]));
  const watched = program.steps.flatMap(({ step, tiling }) => {
    const layer = step.convolution && byLayer.get(step.requantised!);
    if (layer?.mayOverflow !== true) return [];
    const times = new Array<number>(step.convolvedShape[1]).fill(0);
    for (const band of tilingSizes(step, tiling, program.values).bands) {
      for (let first = band.first; first < band.end; first += tiling.tileRows) {
        const rows = convolvedRowsFor(step, { first, end: Math.min(band.end, first + tiling.tileRows) });
        for (let row = rows.first; row < rows.end; row++) times[row]! += 1;
      }
    }
    return [{ layer, times }];
  });
  if (watched.every(({ times }) => times.every((count) => count === 1))) {
    return reference.overflows;
  }
  let once = 0;
  let overflows = 0;
  for (const { layer, times } of watched) {
    const name = layer.layer.inputs[0]!;
    const tensor = quantised.tensors.get(name)!;
    const byRow = rowOverflows(layer, tensor, reference.tensors.get(name) ?? input, quantised.numbers);
    once += sum(byRow);
    overflows += sum(byRow.map((count, row) => count * times[row]!));
  }
  expect(once).toBe(reference.overflows);
  return overflows;
}

/** Overflows of an array layer, by output row. */
function rowOverflows(
  { layer, weights, channels }: QuantisedLayer,
  { shape, zeroPoint }: QuantisedTensor,
  data: IntegerValues,
  { accumulator }: NumberOptions,
): number[] {
  const { work } = layer;
  if (work.stage !== 'array') throw new Error(`${layer.name} is no array layer`);
  const { groups, filters, kernel, stride, dilation, padding } = work.convolution;
  const [inChannels, inRows, inColumns] = shape;
  const [, rows, columns] = layer.outputShape;
  const groupChannels = inChannels / groups;
  const counts = new Array<number>(rows).fill(0);
  for (let y = 0; y < rows; y++) {
    const overflows = { count: 0 };
    for (let f = 0; f < filters; f++) {
      const firstChannel = Math.floor(f / (filters / groups)) * groupChannels;
      for (let x = 0; x < columns; x++) {
        let total = 0;
        for (let c = 0; c < groupChannels; c++) {
          for (let ky = 0; ky < kernel[0]; ky++) {
            const row = y * stride[0] - padding.top + ky * dilation[0];
            if (row < 0 || row >= inRows) continue;
            for (let kx = 0; kx < kernel[1]; kx++) {
              const column = x * stride[1] - padding.left + kx * dilation[1];
              if (column < 0 || column >= inColumns) continue;
              const value = data[((firstChannel + c) * inRows + row) * inColumns + column]! - zeroPoint;
              const weight = weights![((f * groupChannels + c) * kernel[0] + ky) * kernel[1] + kx]!;
              total = accumulate(total, value * weight, accumulator, overflows);
            }
          }
        }
        accumulate(total, channels![f]!.bias, accumulator, overflows);
      }
    }
    counts[y] = overflows.count;
  }
  return counts;
}

/** Where two tensors differ, in words; a loop, because matchers are slow on large arrays. */
export function firstDifference(actual: IntegerValues, expected: IntegerValues): string | undefined {
  if (actual.constructor !== expected.constructor) {
    return `in type: ${actual.constructor.name}, expected ${expected.constructor.name}`;
  }
  if (actual.length !== expected.length) return `in length: ${actual.length}, expected ${expected.length}`;
  for (let i = 0; i < actual.length; i++) {
    if (actual[i] !== expected[i]) return `at ${i}: ${actual[i]}, expected ${expected[i]}`;
  }
  return undefined;
}

/** Counted DRAM bytes of every pass against the closed form of its steps, kind by kind. */
export function expectTraffic(result: MachineResult, program: Program): void {
  expect(result.steps.length).toBe(program.passes.length);
  program.passes.forEach(({ first, end }, index) => {
    const { readBytes, writeBytes, byKind } = result.steps[index]!.dram;
    const expected = { weights: 0, inputFeatureMaps: 0, outputFeatureMaps: 0, virtualFeatureMaps: 0 };
    let reads = 0;
    let writes = 0;
    for (const tiled of program.steps.slice(first, end)) {
      const { weightBytes, inputBytes, outputBytes } = closedFormTraffic(tiled, program.values);
      expected.weights += weightBytes;
      expected[tiled.step.inputKind] += inputBytes;
      expected[tiled.step.outputKind] += outputBytes;
      reads += weightBytes + inputBytes;
      writes += outputBytes;
    }
    expect(byKind, `pass of step ${program.steps[first]!.step.name}`).toEqual(expected);
    expect(readBytes).toBe(reads);
    expect(writeBytes).toBe(writes);
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
  if (machine.dram.kind === 'ideal') {
    expect(result.cycles * peakBandwidthMBps(machine.dram)).toBeGreaterThanOrEqual(bytes * machine.clockMHz);
  } else {
    expectMemory(result, machine.dram);
  }
}

/** What was merged, forwarded, absorbed or is still buffered never crossed the bus; everything else did once. */
function expectMemory(result: MachineResult, dram: Extract<MachineConfig['dram'], { kind: 'sdram' }>): void {
  const totals = { reads: 0, writes: 0, readBursts: 0, writeBursts: 0, merged: 0, absorbed: 0, latencies: 0 };
  for (const { sdram, dram: traffic } of result.steps) {
    if (sdram === undefined) expect.fail('a step without the statistics of its memory');
    totals.reads += sdram.reads;
    totals.writes += sdram.writes;
    totals.readBursts += sdram.readBursts;
    totals.writeBursts += sdram.writeBursts;
    totals.merged += sdram.mergedReads + sdram.forwardedReads;
    totals.absorbed += sdram.absorbedWrites;
    totals.latencies += sdram.readLatency.count;
    expect(sdram.rowHits).toBeLessThanOrEqual(sdram.readBursts + sdram.writeBursts);
    expect(sdram.reads + sdram.writes).toBeGreaterThanOrEqual(traffic.transactions);
  }
  expect(totals.readBursts + totals.merged).toBe(totals.reads);
  const buffered = totals.writes - totals.absorbed - totals.writeBursts;
  expect(buffered).toBeGreaterThanOrEqual(0);
  expect(buffered).toBeLessThanOrEqual(
    dram.organisation.channels *
      (dram.controller.transactionQueueEntries + 32 * dram.controller.commandQueueEntries),
  );
  expect(totals.latencies).toBe(sum(result.steps.map((step) => step.sdram!.readLatency.count)));
  const busClocks = sum(result.steps.map((step) => step.sdram!.busClocks));
  const clocks = sum(result.steps.map((step) => step.sdram!.clocks));
  // The last bursts were commanded before the end, and may move behind it.
  expect(busClocks).toBeLessThanOrEqual(dram.organisation.channels * (clocks + 1000));
}
