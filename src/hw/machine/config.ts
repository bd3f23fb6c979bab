/** A machine as one YAML file: every field with its unit and meaning. */
import { z } from 'zod';
import { sum } from '../../core/integers.ts';
import { buffersSchema } from '../buffers/buffers.ts';
import { crossChannelBytes, crossChannelPoolSchema } from '../cross-channel-pool/config.ts';
import { dmaSchema } from '../dma/config.ts';
import { dramSchema, idealDramSchema, sdramSchema } from '../dram/config.ts';
import { type BufferName, bufferNames } from '../isa/formats.ts';
import { peArraySchema } from '../pe-array/config.ts';
import { requantiseSchema } from '../requantise/config.ts';
import { sequencerSchema } from '../sequencer/config.ts';
import { spatialPoolSchema } from '../spatial-pool/config.ts';

export const machineSchema = z
  .strictObject({
    name: z.string().min(1).max(100).describe('Name in reports'),
    description: z.string().max(2000).default('').describe('What this machine is, for people'),
    clockMHz: z.int().min(1).max(10_000).describe('Clock of the accelerator, in 10^6 cycles a second'),
    memory: z
      .enum(['modelled', 'ideal-infinite'])
      .default('modelled')
      .describe(
        'modelled: everything below costs what it costs. ideal-infinite: buffers have room for everything and a port for every read, and transfers, commands and post-processing take no time, so a layer takes the cycles of the array alone; buffers, dma, sequencer and dram may be left out',
      ),
    peArray: peArraySchema,
    buffers: buffersSchema,
    postProcessing: z
      .strictObject({
        requantise: requantiseSchema,
        pipelineDepth: z
          .int()
          .min(1)
          .max(32)
          .describe('Cycles from a drained accumulator to its byte in the output buffer'),
        crossChannelPool: crossChannelPoolSchema.nullable(),
        spatialPool: spatialPoolSchema.nullable(),
      })
      .describe('Bias, requantise, activation, cross-channel pooling, spatial pooling, write-back'),
    dma: dmaSchema,
    sequencer: sequencerSchema,
    dram: dramSchema,
  })
  .describe('A machine: the hardware that Condensim simulates');

export type MachineConfig = z.output<typeof machineSchema>;

/** A machine file: its memory may stand in a file of its own, and an ideal, infinite one needs no description. */
export const machineFileSchema = machineSchema.extend({
  buffers: buffersSchema.optional(),
  dma: dmaSchema.optional(),
  sequencer: sequencerSchema.optional(),
  dram: z
    .discriminatedUnion('kind', [
      idealDramSchema,
      sdramSchema,
      z
        .strictObject({
          kind: z.literal('file').describe('The memory stands in a file of its own'),
          path: z.string().min(1).max(1000).describe("Path of that file, from this file's folder"),
        })
        .describe('External memory from another file'),
    ])
    .optional(),
});

/** Bytes of each on-chip buffer, 0 for one the machine does not have. */
export function bufferBytes(machine: MachineConfig, buffer: BufferName): number {
  return buffer === 'table'
    ? (machine.postProcessing.requantise.lookupTable?.bytes ?? 0)
    : machine.buffers[buffer].bytes;
}

/** Bytes of all on-chip buffers, the cross-channel pooling registers included. */
export function totalBufferBytes(machine: MachineConfig): number {
  const { postProcessing, peArray } = machine;
  return (
    sum(bufferNames.map((buffer) => bufferBytes(machine, buffer))) +
    crossChannelBytes(postProcessing.crossChannelPool, peArray)
  );
}
