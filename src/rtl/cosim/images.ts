/** A case's operands, laid out over the banks of the buffers. */

import { type WideBuffer, wideShape } from '../../hw/buffers/wide-verilog.ts';
import { computeShape } from '../../hw/compute/shape.ts';
import { type CosimCase, type LoadedBuffer, loadedBuffers } from './case.ts';

export interface BankImage {
  readonly buffer: LoadedBuffer;
  /** Number of the bank in its buffer. */
  readonly index: number;
  /** The memory's hierarchical name below the compute core. */
  readonly bank: string;
  /** Its words from address 0 on. */
  readonly words: readonly number[];
}

export interface Banking {
  readonly banks: number;
  /** Bytes of a value. */
  readonly size: number;
  /** Words of a bank. */
  readonly depth: number;
  /** Hierarchical name of a bank's memory below the compute core. */
  readonly memory: (bank: number) => string;
}

/** How a buffer's bytes lie in its banks: value a in bank a mod banks. */
export function bankings({ machine }: Pick<CosimCase, 'machine'>): Record<LoadedBuffer, Banking | undefined> {
  const { feature, weights, parameters, stored } = computeShape(machine);
  const { lookupTable } = machine.postProcessing.requantise;
  const wide = (name: string, buffer: WideBuffer): Banking => {
    const { banks, depth } = wideShape(buffer);
    return {
      banks,
      size: buffer.bits / 8,
      depth,
      memory: (bank) => `${name}_memory.bank[${bank}].memory.values`,
    };
  };
  return {
    feature: {
      banks: feature.banks,
      size: feature.bits / 8,
      depth: feature.depth,
      memory: (bank) => `feature_memory.store[${bank}].memory.values`,
    },
    weight: wide('weight', weights),
    parameter: wide('parameter', parameters),
    table:
      lookupTable === null
        ? undefined
        : {
            banks: 1,
            size: stored / 8,
            // The memory ends with the last value an activation can have.
            depth: Math.min(
              Math.floor((8 * lookupTable.bytes) / stored),
              2 ** machine.peArray.activationBits,
            ),
            memory: () => 'table_lanes.memory.words',
          },
  };
}

/** The values of a buffer, as many as its banks hold. */
export function bufferValues(bytes: Uint8Array, { banks, size, depth }: Banking): number[] {
  const values = Math.min(Math.floor(bytes.length / size), banks * depth);
  return Array.from({ length: values }, (_, value) => {
    let word = 0;
    for (let byte = size - 1; byte >= 0; byte--) word = word * 256 + bytes[value * size + byte]!;
    return word;
  });
}

export function bufferImages(cosimCase: CosimCase): BankImage[] {
  return loadedBuffers.flatMap((buffer) => {
    const banking = bankings(cosimCase)[buffer];
    if (banking === undefined) return [];
    const { banks, memory } = banking;
    const values = bufferValues(cosimCase.buffers[buffer], banking);
    return Array.from({ length: banks }, (_, index) => ({
      buffer,
      index,
      bank: memory(index),
      words: values.filter((__, value) => value % banks === index),
    }));
  });
}
