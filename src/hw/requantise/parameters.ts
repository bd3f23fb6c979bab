/** The records the requantiser reads from the parameter buffer, one a filter, little endian. */
import type { ChannelRequantisation } from '../../core/fixed-point.ts';
import { parameterRecordBytes } from '../isa/formats.ts';

/** Writes `channels` as records of `parameterRecordBytes` from byte `at` of `view`. */
export function writeParameterRecords(
  view: DataView,
  at: number,
  channels: readonly ChannelRequantisation[],
): void {
  channels.forEach((channel, index) => {
    const record = at + index * parameterRecordBytes;
    view.setInt32(record, channel.bias, true);
    view.setUint16(record + 4, channel.positiveMultiplier, true);
    view.setUint16(record + 6, channel.negativeMultiplier, true);
    view.setUint8(record + 8, channel.shift);
  });
}
