/** A case's operands, laid out over the banks of the buffers. */

import { wideShape } from '../../hw/buffers/wide-verilog.ts';
import { computeShape } from '../../hw/compute/shape.ts';
import type { CosimCase, LoadedBuffer } from './case.ts';

export interface BankImage {
  readonly buffer: LoadedBuffer;
  /** Number of the bank in its buffer. */
  readonly index: number;
  /** The memory's hierarchical name below the compute core. */
  readonly bank: string;
  /** Its words from address 0 on. */
  readonly words: readonly number[];
}

interface Banking {
  readonly banks: number;
  /** Bytes of a value. */
  readonly size: number;
}

/** How a buffer's bytes lie in its banks: value a in bank a mod banks. */
export function bankings({ machine }: Pick<CosimCase, 'machine'>): Record<LoadedBuffer, Banking | undefined> {
  const { feature, weights, parameters, stored } = computeShape(machine);
  const { lookupTable } = machine.postProcessing.requantise;
  return {
    feature: { banks: feature.banks, size: feature.bits / 8 },
    weight: { banks: wideShape(weights).banks, size: weights.bits / 8 },
    parameter: { banks: wideShape(parameters).banks, size: 4 },
    table: lookupTable === null ? undefined : { banks: 1, size: stored / 8 },
  };
}

export function bufferImages(cosimCase: CosimCase): BankImage[] {
  const images: BankImage[] = [];
  for (const [name, banking] of Object.entries(bankings(cosimCase)) as [
    LoadedBuffer,
    Banking | undefined,
  ][]) {
    if (banking === undefined) continue;
    const { banks, size } = banking;
    const bytes = cosimCase.buffers[name];
    const values = Math.floor(bytes.length / size);
    for (let bank = 0; bank < banks; bank++) {
      const words: number[] = [];
      for (let value = bank; value < values; value += banks) {
        let word = 0;
        for (let byte = size - 1; byte >= 0; byte--) word = word * 256 + bytes[value * size + byte]!;
        words.push(word);
      }
      images.push({ buffer: name, index: bank, bank: memoryName(name, bank), words });
    }
  }
  return images;
}

function memoryName(buffer: LoadedBuffer, bank: number): string {
  if (buffer === 'feature') return `feature_memory.store[${bank}].memory.values`;
  if (buffer === 'table') return 'table_lanes.memory.words';
  return `${buffer}_memory.bank[${bank}].memory.values`;
}
