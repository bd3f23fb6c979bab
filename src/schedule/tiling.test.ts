/** Properties of tilings, the layout of DRAM and its peak, on the random networks and machines of test/conformance. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomDesign } from '../../test/conformance/random-machines.test-helper.ts';
import { buildNetwork, networkRecipe } from '../../test/conformance/random-networks.test-helper.ts';
import { InputError } from '../core/diagnostics.ts';
import type { MachineConfig } from '../hw/machine/config.ts';
import { operandRecordBytes } from '../hw/requantise/parameters.ts';
import { lineBufferBytes } from '../hw/spatial-pool/spatial-pool.ts';
import { layerNetwork } from '../quant/layers.ts';
import { convolvedRowsFor, type ValueSizes } from './geometry.ts';
import { layoutDram } from './layout.ts';
import { valueSizes } from './program.ts';
import {
  inputMapValues,
  outputMapValues,
  peakFeatureMapBytes,
  planSteps,
  ratioOf,
  type Step,
} from './steps.ts';
import { chooseTiling, outputMaps, tilingSizes } from './tiling.ts';

interface Life {
  readonly name: string;
  readonly bytes: number;
  readonly birth: number;
  readonly death: number;
}

/** From which step to which each map must exist. */
function lives(steps: readonly Step[], outputs: readonly string[], elementBytes: number): Life[] {
  const names = new Set(steps.flatMap((step) => [...step.inputs, step.output]));
  return [...names].map((name) => {
    const maker = steps.findIndex((step) => step.output === name);
    const readers = steps.flatMap((step, index) => (step.inputs.includes(name) ? [index] : []));
    const values = maker < 0 ? inputMapValues(steps[readers[0]!]!) : outputMapValues(steps[maker]!);
    return {
      name,
      bytes: values * elementBytes,
      birth: maker < 0 ? 0 : maker,
      death: outputs.includes(name) ? steps.length : Math.max(...readers),
    };
  });
}

/** The change that a refusal asks for makes the step fit, and a byte less of any buffer in it does not. */
function expectSmallestChange(step: Step, machine: MachineConfig, values: ValueSizes, message: string): void {
  expect(message).toMatch(
    /^layer '.+' doesn't fit machine 'random': the \w+ buffer is \d+ bytes? short.* for its smallest tile, expected buffers\.\w+\.bytes: \d+ more \(\d+\)( and buffers\.\w+\.bytes: \d+ more \(\d+\))*$/,
  );
  const changes = [...message.matchAll(/buffers\.(\w+)\.bytes: (\d+) more \((\d+)\)/g)].map(
    ([, name, more, bytes]) => ({
      name: name as keyof MachineConfig['buffers'],
      more: Number(more),
      bytes: Number(bytes),
    }),
  );
  const buffers = { ...machine.buffers };
  for (const { name, more, bytes } of changes) {
    expect(bytes - more).toBe(machine.buffers[name].bytes);
    (buffers[name] as { bytes: number }) = { ...buffers[name], bytes };
  }
  expect(() => chooseTiling(step, { ...machine, buffers }, values)).not.toThrow();
  for (const { name, bytes } of changes) {
    const less = { ...machine, buffers: { ...buffers, [name]: { ...buffers[name], bytes: bytes - 1 } } };
    expect(() => chooseTiling(step, less, values)).toThrow("doesn't fit");
  }
}

describe('on random networks and machines', () => {
  it('every tiling fits every buffer and is the same each time; refusals name a buffer', () => {
    let refused = 0;
    let fitted = 0;
    fc.assert(
      fc.property(
        networkRecipe,
        randomDesign,
        fc.boolean(),
        (recipe, { machine, numbers }, virtualFeatureMaps) => {
          const values = valueSizes(machine, numbers);
          const network = layerNetwork(buildNetwork(recipe));
          for (const step of planSteps(network, machine, { virtualFeatureMaps })) {
            let tiling: ReturnType<typeof chooseTiling>;
            try {
              tiling = chooseTiling(step, machine, values);
            } catch (error) {
              if (!(error instanceof InputError)) throw error;
              expectSmallestChange(step, machine, values, error.message);
              refused++;
              continue;
            }
            fitted++;
            expect(chooseTiling(step, machine, values)).toEqual(tiling);
            const sizes = tilingSizes(step, tiling, values);
            const { feature, weight, parameter, accumulator, pool, output } = machine.buffers;
            const largest = sizes.tiles[0]!;
            expect(tiling.inputSlots * sizes.inputSlotBytes).toBeLessThanOrEqual(feature.bytes);
            expect(tiling.weightSlots * sizes.weightSlotBytes).toBeLessThanOrEqual(weight.bytes);
            expect(tiling.parameterSlots * sizes.parameterSlotBytes).toBeLessThanOrEqual(parameter.bytes);
            expect(tiling.outputSlots * sizes.outputSlotBytes).toBeLessThanOrEqual(output.bytes);
            if (sizes.chunks.length > 1) {
              expect(tiling.tileRows).toBe(tiling.bandRows);
              for (const band of sizes.bands) {
                const rows = convolvedRowsFor(step, band);
                const sums = (rows.end - rows.first) * step.convolvedShape[2] * largest.filters;
                expect(values.sumBytes * sums).toBeLessThanOrEqual(accumulator.bytes);
              }
            }
            if (step.pooling !== undefined) {
              const { kind, window, stride } = step.pooling;
              const maps = outputMaps(step, largest);
              expect(
                lineBufferBytes(kind, window[0], stride[0], step.outputShape[2], maps, values.elementBytes),
              ).toBeLessThanOrEqual(pool.bytes);
            }
            // Pooled groups are never torn apart, and every filter is computed once.
            const filters = sizes.tiles.map((tile) => tile.groups * tile.filters);
            expect(filters.every((count) => count % ratioOf(step) === 0)).toBe(true);
            expect(filters.reduce((a, b) => a + b)).toBe(step.convolvedShape[0]);
          }
        },
      ),
      { seed: 22, numRuns: 150 },
    );
    expect(refused).toBeGreaterThan(5);
    expect(fitted).toBeGreaterThan(10 * refused);
  });

  it('no two maps alive at once overlap in DRAM, and the peak is the sum of those alive', () => {
    fc.assert(
      fc.property(
        networkRecipe,
        randomDesign,
        fc.boolean(),
        (recipe, { machine, numbers }, virtualFeatureMaps) => {
          const values = valueSizes(machine, numbers);
          const network = layerNetwork(buildNetwork(recipe));
          const outputs = network.machineOutputs;
          const steps = planSteps(network, machine, { virtualFeatureMaps });
          // Tiles of one output cell and filter: layout does not ask whether a machine would like them.
          const tiled = steps.map((step) => ({ step, tiling: anyTiling(step, values.elementBytes) }));
          const layout = layoutDram(tiled, outputs, machine, values);
          const all = lives(steps, outputs, values.elementBytes);
          let constants = 0;
          tiled.forEach(({ step, tiling }, index) => {
            const { tiles, chunks } = tilingSizes(step, tiling, values);
            expect(layout.weightBlocks[index]!.length).toBe(tiles.length * chunks.length);
            // Records of a sum's operands stand in front of every tile's.
            const operands = step.inputs.length > 1 ? step.inputs.length * operandRecordBytes : 0;
            const perTile = operands + ratioOf(step) * values.recordBytes;
            const records = layout.recordBlocks[index]!;
            expect(records.length).toBe(tiles.length);
            const table = layout.tables[index];
            constants = Math.max(
              constants,
              step.requantised === undefined ? 0 : records.at(-1)! + perTile,
              table === undefined ? 0 : table + values.tableEntries * values.elementBytes,
              ...layout.weightBlocks[index]!,
            );
          });
          for (const one of all) {
            const start = layout.maps.get(one.name)!;
            expect(start).toBeGreaterThanOrEqual(constants);
            expect(start + one.bytes).toBeLessThanOrEqual(layout.totalBytes);
            for (const other of all) {
              if (other === one || other.birth > one.death || one.birth > other.death) continue;
              const otherStart = layout.maps.get(other.name)!;
              expect(start + one.bytes <= otherStart || otherStart + other.bytes <= start).toBe(true);
            }
          }
          const alive = steps.map((_, index) =>
            all
              .filter(({ birth, death }) => birth <= index && index <= death)
              .reduce((total, { bytes }) => total + bytes, 0),
          );
          expect(peakFeatureMapBytes(steps, outputs, values.elementBytes)).toBe(Math.max(...alive));
        },
      ),
      { seed: 23, numRuns: 250 },
    );
  });
});

function anyTiling(step: Step, elementBytes: number) {
  return {
    groupsPerTile: 1,
    filtersPerTile: ratioOf(step),
    channelsPerChunk: step.convolution === undefined ? ratioOf(step) : 1,
    bandRows: step.reading.repeatRows,
    tileRows: step.reading.repeatRows,
    rowPitch: step.inputShape[2] * elementBytes,
    inputResident: false,
    weightsResident: false,
    inputSlots: 1,
    weightSlots: 1,
    parameterSlots: 2,
    outputSlots: 1,
    isDepthwise: false,
    planePadding: 0,
  };
}
