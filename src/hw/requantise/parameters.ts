/**
 * The records the requantiser reads from the parameter buffer: one a filter (kernels/records.ts has their layout), and
 * in front of them those of the operands of a sum, 8 bytes each: int32 zero point, uint32 multiplier, little endian.
 */
import { RECORD_BYTES, WIDE_RECORD_BYTES } from '../../kernels/kernels.ts';
import type { MachineConfig } from '../machine/config.ts';

export const operandRecordBytes = 8;
/** Bits of an operand's multiplier that are used. */
export const operandMultiplierBits = 16;

/** Whether the machine's requantiser needs the wide records: accumulators above 32 bits or multipliers above 16. */
export function usesWideRecords({ peArray, postProcessing }: MachineConfig): boolean {
  return peArray.accumulatorBits > 32 || postProcessing.requantise.multiplierBits > 16;
}

export function parameterRecordBytes(machine: MachineConfig): number {
  return usesWideRecords(machine) ? WIDE_RECORD_BYTES : RECORD_BYTES;
}

/** Writes the operand records of a sum from byte `at` of `view`. */
export function writeOperandRecords(
  view: DataView,
  at: number,
  operands: readonly { readonly zeroPoint: number; readonly multiplier: number }[],
): void {
  operands.forEach(({ zeroPoint, multiplier }, index) => {
    view.setInt32(at + index * operandRecordBytes, zeroPoint, true);
    view.setUint32(at + index * operandRecordBytes + 4, multiplier, true);
  });
}
