/**
 * The records the requantising kernels read, one a filter, little endian.
 *
 * Narrow, 12 bytes: int32 bias, uint16 positive and negative multiplier, uint8 shift, 3 zero bytes. Wide, 20 bytes:
 * int64 bias, uint32 positive and negative multiplier, uint8 shift, 3 zero bytes.
 */
import type { ChannelRequantisation } from '../core/fixed-point.ts';
import { RECORD_BYTES, WIDE_RECORD_BYTES } from './kernels.ts';

/** Writes `channels` as records from byte `at` of `view`. Their numbers must fit the records. */
export function writeParameterRecords(
  view: DataView,
  at: number,
  channels: readonly ChannelRequantisation[],
  isWide: boolean,
): void {
  channels.forEach(({ bias, positiveMultiplier, negativeMultiplier, shift }, index) => {
    if (isWide) {
      const record = at + index * WIDE_RECORD_BYTES;
      view.setBigInt64(record, BigInt(bias), true);
      view.setUint32(record + 8, positiveMultiplier, true);
      view.setUint32(record + 12, negativeMultiplier, true);
      view.setUint32(record + 16, shift, true);
    } else {
      const record = at + index * RECORD_BYTES;
      view.setInt32(record, bias, true);
      view.setUint16(record + 4, positiveMultiplier, true);
      view.setUint16(record + 6, negativeMultiplier, true);
      view.setUint32(record + 8, shift, true);
    }
  });
}
