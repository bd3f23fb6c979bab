/** What an on-chip buffer is built of: energy and area follow from it. */
import type { BufferName } from '../isa/formats.ts';
import { bufferBytes, type MachineConfig } from '../machine/config.ts';

export interface Memories {
  /** Equal memories beside each other. */
  readonly banks: number;
  /** Of each. */
  readonly bankBytes: number;
  readonly ports: 1 | 2;
}

/** The memories of a buffer: every one but the table is written by DMA or a unit while another reads. */
export function memoriesOf(machine: MachineConfig, buffer: BufferName): Memories {
  const banks = buffer === 'feature' ? machine.buffers.feature.banks : 1;
  return { banks, bankBytes: bufferBytes(machine, buffer) / banks, ports: buffer === 'table' ? 1 : 2 };
}
