/** Machines drawn at random for co-simulation: small arrays, any number format, every unit on or off. */
import type { z } from 'zod';
import { containerBytes, roundings } from '../../core/fixed-point.ts';
import { hashSeed } from '../../core/random.ts';
import { computeShape } from '../../hw/compute/shape.ts';
import type { crossChannelPoolSchema } from '../../hw/cross-channel-pool/config.ts';
import { type MachineConfig, machineSchema } from '../../hw/machine/config.ts';
import { accumulatorBytes } from '../../hw/pe-array/config.ts';
import { Dice } from './dice.ts';

/** A cross-channel pooling unit of any kind. */
function randomUnit(dice: Dice): z.input<typeof crossChannelPoolSchema> {
  const position = dice.chance(0.4) ? 'before' : 'after';
  return dice.chance(0.4)
    ? { form: 'tree', position, maximumRatio: dice.pick([2, 4, 4, 8, 16]) }
    : {
        form: 'running',
        position,
        maximumRatio: dice.between(2, 16),
        depth: dice.chance(0.5) ? 1 : dice.between(2, 16),
      };
}

/** Machine `number` of a seed: sides of 1 to 8, 2 to 16 bits, one that the Verilog can express. */
export function randomMachine(seed: number, number: number): MachineConfig {
  const dice = new Dice(hashSeed(`machine ${number}`, seed));
  const rows = dice.between(1, 8);
  const columns = dice.between(1, 8);
  const activationBits = dice.between(2, 16);
  const weightBits = dice.chance(0.1) ? 1 : dice.between(2, 16);
  const accumulatorBits = dice.chance(0.5)
    ? Math.max(8, Math.min(48, activationBits + weightBits + dice.between(2, 16)))
    : dice.between(Math.max(8, activationBits + 1), 48);
  const form = dice.pick(['multiplier', 'shift'] as const);
  const value = containerBytes(activationBits);
  const hasTable = dice.chance(0.5);
  const banks = dice.pick([1, 2, 4, 8, 16]);
  const products = activationBits + 1 + Math.max(2, weightBits);
  const kernels = [1, 2, 3].filter(
    (side) => side <= rows && side ** 2 <= columns && banks >= rows && products <= accumulatorBits,
  );
  const machine = machineSchema.parse({
    name: `random-${seed}-${number}`,
    description: 'Drawn at random for co-simulation',
    clockMHz: 100,
    peArray: {
      rows,
      columns,
      dataflow: 'output-stationary',
      activationBits,
      weightBits,
      accumulatorBits,
      accumulatorOverflow: dice.pick(['saturate', 'wrap']),
      pipelineDepth: dice.between(3, 6),
      depthwise: kernels.length > 0 && dice.chance(0.4) ? { kernel: dice.pick(kernels) } : null,
    },
    buffers: {
      feature: { bytes: 4096 * value, banks },
      weight: { bytes: 4096 * containerBytes(weightBits) },
      parameter: { bytes: 1024 },
      accumulator: { bytes: dice.between(16, 256) * rows * accumulatorBytes(accumulatorBits) },
      pool: { bytes: 1024 * value },
      output: { bytes: 2048 * value },
    },
    postProcessing: {
      requantise: {
        form,
        // A scaled sum has 64 bits at most.
        multiplierBits: Math.min(dice.between(8, 32), 64 - accumulatorBits),
        rounding: dice.pick(roundings),
        lookupTable: hasTable ? { bytes: Math.max(16, value * 2 ** Math.min(activationBits, 10)) } : null,
      },
      pipelineDepth: dice.between(4, 7),
      crossChannelPool: dice.chance(0.8) ? randomUnit(dice) : null,
      spatialPool: dice.chance(0.7) ? { maximumWindow: dice.between(1, 6), average: dice.chance(0.6) } : null,
    },
    dma: { burstBytes: 16, outstandingReads: 4, outstandingWrites: 4, descriptorCycles: 4 },
    sequencer: { queueDepth: dice.pick([8, 12, 16]), startCycles: dice.between(2, 9) },
    dram: { kind: 'ideal', bandwidthMBps: 1000, latencyNs: 100, capacityMiB: 16 },
  });
  computeShape(machine);
  return machine;
}
