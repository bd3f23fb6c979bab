/**
 * What a DMA engine puts into a buffer, or takes out of it, in one cycle: a beat, an aligned part of a word of the buffer. A
 * word is one value of every bank, so the banks that the array's side needs are the width of the DMA's side too.
 */
import { containerBytes } from '../../core/fixed-point.ts';
import { handoverColumns } from '../cross-channel-pool/config.ts';
import { type BufferName, bufferNames } from '../isa/formats.ts';
import type { MachineConfig } from '../machine/config.ts';
import { dataflowOf } from '../pe-array/dataflows/index.ts';
import { parameterRecordBytes } from '../requantise/parameters.ts';
import { wideBanks } from './wide-verilog.ts';

/** Bytes of a word of the buffers that transfers reach. */
function wordBytes(machine: MachineConfig, buffer: BufferName): number {
  const { peArray, buffers, postProcessing } = machine;
  const valueBytes = containerBytes(peArray.activationBits);
  const handover = handoverColumns(postProcessing.crossChannelPool, peArray.columns);
  switch (buffer) {
    case 'feature':
      return buffers.feature.banks * valueBytes;
    case 'weight':
      return wideBanks(dataflowOf(peArray).weightLanes(peArray)) * containerBytes(peArray.weightBits);
    case 'parameter':
      return 4 * wideBanks((handover * parameterRecordBytes(machine)) / 4);
    case 'output':
      return wideBanks(peArray.rows + (postProcessing.spatialPool?.maximumWindow ?? 1) - 1) * valueBytes;
    default:
      // An entry of the table; the others are no one's source or target.
      return valueBytes;
  }
}

/** Bytes of a beat: a word, but no more than a burst of the DMA. Transfers are cut at multiples of it in the buffer. */
export function beatBytes(machine: MachineConfig, buffer: BufferName): number {
  return Math.min(wordBytes(machine, buffer), machine.dma.burstBytes);
}

/** Beats by the code of the buffer in a command. */
export function beatsOf(machine: MachineConfig): readonly number[] {
  return bufferNames.map((buffer) => beatBytes(machine, buffer));
}
