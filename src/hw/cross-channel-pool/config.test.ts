import { describe, expect, it } from 'vitest';
import { machineWith } from '../machines.test-helper.ts';
import {
  crossChannelBytes,
  crossChannelPoolSchema,
  describeCrossChannelPool,
  handoverColumns,
  openGroups,
} from './config.ts';

const { peArray } = machineWith({
  peArray: { rows: 16, columns: 16, activationBits: 8, accumulatorBits: 32 },
});
const unit = (fields: object) => crossChannelPoolSchema.parse({ maximumRatio: 4, ...fields });

describe('a cross-channel pooling unit', () => {
  it('is a running maximum of one value a lane behind the requantiser, if nothing else is said', () => {
    expect(unit({})).toEqual({
      maximumRatio: 4,
      mean: false,
      form: 'running',
      position: 'after',
      depth: 1,
    });
  });

  it('has registers for lanes x depth values, of activations or of sums; a tree has none', () => {
    const bytes = (fields: object) => crossChannelBytes(unit(fields), peArray);
    expect(bytes({})).toBe(16);
    expect(bytes({ mean: true })).toBe(24);
    expect(bytes({ depth: 16 })).toBe(256);
    expect(bytes({ position: 'before' })).toBe(64);
    expect(bytes({ position: 'before', depth: 4 })).toBe(256);
    expect(bytes({ form: 'tree' })).toBe(0);
    expect(crossChannelBytes(unit({ position: 'before' }), { ...peArray, accumulatorBits: 18 })).toBe(36);
    expect(crossChannelBytes(null, peArray)).toBe(0);
  });

  it('says what it is', () => {
    expect(describeCrossChannelPool(unit({ depth: 2, position: 'before' }), peArray)).toBe(
      'Cross-channel pooling: a running maximum, 16 lanes, depth 2, 32 bits, before the requantiser; 128 bytes of registers.',
    );
  });

  it('takes columns at once that share out the array', () => {
    const handover = (maximumRatio: number, columns: number) =>
      handoverColumns(unit({ form: 'tree', maximumRatio }), columns);
    expect([handover(4, 16), handover(8, 12), handover(16, 6), handover(4, 5)]).toEqual([4, 4, 2, 1]);
    expect(handoverColumns(unit({}), 16)).toBe(1);
    expect(handoverColumns(null, 16)).toBe(1);
  });

  it('lets as many groups take turns as share out the maps', () => {
    const open = (depth: number, maps: number) => openGroups(unit({ depth }), maps);
    expect([open(1, 8), open(4, 8), open(4, 6), open(4, 7), open(8, 3), open(5, 10)]).toEqual([
      1, 4, 3, 1, 3, 5,
    ]);
    expect(openGroups(unit({ form: 'tree' }), 8)).toBe(1);
  });

  it.each([
    [{ form: 'tree', maximumRatio: 6 }, 'maximumRatio', '6 with form: tree, expected a power of two'],
    [{ form: 'tree', depth: 2 }, 'depth', '2 with form: tree, which keeps no group open, expected 1'],
    [{ form: 'tree', mean: true }, 'mean', 'true with form: tree, which takes maxima alone, expected false'],
    [
      { position: 'before', mean: true },
      'mean',
      'true with position: before, where only a maximum is the same, expected false',
    ],
  ])('refuses what it cannot be: %j', (fields, path, message) => {
    const result = crossChannelPoolSchema.safeParse({ maximumRatio: 4, ...fields });
    expect(result.error?.issues).toMatchObject([{ path: [path], message }]);
  });
});
